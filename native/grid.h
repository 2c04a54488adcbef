// How one time loop is divided over a team of threads: into rows of the batch and blocks of units.
//
// Rows are independent of one another, so threads that have whole rows never wait for each other.
// Threads that share rows split the hidden units between them and must meet at every time step.
#pragma once

#include <algorithm>
#include <cstdint>

#include "simd.h"

namespace unspool::UNSPOOL_ISA {

struct Range {
  int64_t begin, end;
  int64_t size() const { return end - begin; }
};

// Part `index` of `parts` nearly equal parts of [0, count).
inline Range part(int64_t count, int64_t parts, int64_t index) {
  return {count * index / parts, count * (index + 1) / parts};
}

// Waking a thread takes as long as a few hundred thousand operations.
inline int worthwhile_threads(int threads, double operations) {
  constexpr double kOperationsPerThread = 1e6;
  return std::max(1,
                  static_cast<int>(std::min<double>(threads, operations / kOperationsPerThread)));
}

struct Grid {
  int row_parts, block_parts;
  int size() const { return row_parts * block_parts; }
};

// The grid with the least work on its busiest thread; among equals, the one with the fewest threads
// to meet.
inline Grid choose_grid(int threads, int64_t batch, int64_t blocks) {
  // Fewer rows than this cost as much as this many: loading the weights takes the time, not
  // multiplying them.
  constexpr int64_t kCheapRows = 6;
  Grid best{1, 1};
  int64_t best_cost = INT64_MAX;
  for (int row_parts = threads; row_parts >= 1; --row_parts) {
    const int block_parts = threads / row_parts;
    const int64_t rows = std::max((batch + row_parts - 1) / row_parts, kCheapRows);
    const int64_t cost = rows * ((blocks + block_parts - 1) / block_parts);
    if (cost < best_cost) best = {row_parts, block_parts}, best_cost = cost;
  }
  return best;
}

}  // namespace unspool::UNSPOOL_ISA
