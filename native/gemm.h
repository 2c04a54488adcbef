// The small matrix product inside the time loop: rows of the state times a panel of packed weights.
//
// A panel holds kPanel = two vectors' worth of output columns for every k, one k after the other,
// so that the innermost loop reads it in order. The rows of the left factor are read where they
// lie, one broadcast float at a time. The sums of a tile stay in registers for the whole of k: each
// is taken in the order of k whatever the tile's size, so results depend neither on the batch nor
// on the number of threads.
#pragma once

#include <utility>

#include "simd.h"

namespace unspool::UNSPOOL_ISA {

constexpr int kPanel = 2 * kLanes;

// A matrix of weights as the panels see it: element (k, column) lies at
// data[k * k_stride + column * column_stride].
struct WeightView {
  const float* data;
  int64_t k_stride, column_stride;
};

// Copies columns [first, first + count) into a panel and sets the rest of it to zero.
inline void pack_panel(WeightView w, int64_t depth, int64_t first, int64_t count, float* panel) {
  if (count > kPanel) count = kPanel;
  const float* from = w.data + first * w.column_stride;
  for (int64_t k = 0; k < depth; ++k, from += w.k_stride, panel += kPanel) {
    int64_t column = 0;
    for (; column < count; ++column) panel[column] = from[column * w.column_stride];
    for (; column < kPanel; ++column) panel[column] = 0;
  }
}

// Cache lines to ask for during a product, one for each k: memory is idle then.
struct Lines {
  const float* first;
  int64_t count;
};

constexpr int kLine = 16;  // floats

struct Pair {
  Vec first, second;
};

// Separate rows as template arguments: GCC keeps these sums in registers, which it does not for a
// loop over an array.
template <int... kRow>
inline void multiply_rows(const float* a, int64_t stride, const float* panel, int64_t depth,
                          Lines ahead, float* out, std::integer_sequence<int, kRow...>) {
  Pair sum[sizeof...(kRow)] = {};
  for (int64_t k = 0; k < depth; ++k, ++a, panel += kPanel) {
    if (k < ahead.count) prefetch(ahead.first + k * kLine);
    const Vec first = load(panel), second = load(panel + kLanes);
    ((sum[kRow].first += a[kRow * stride] * first, sum[kRow].second += a[kRow * stride] * second),
     ...);
  }
  ((store(out + kRow * kPanel, sum[kRow].first),
    store(out + kRow * kPanel + kLanes, sum[kRow].second)),
   ...);
}

using MultiplyFunction = void (*)(const float* a, int64_t stride, const float* panel, int64_t depth,
                                  Lines ahead, float* out);

template <int kRows>
void multiply_tile(const float* a, int64_t stride, const float* panel, int64_t depth, Lines ahead,
                   float* out) {
  multiply_rows(a, stride, panel, depth, ahead, out, std::make_integer_sequence<int, kRows>{});
}

template <int... kRow>
MultiplyFunction choose_tile(int rows, std::integer_sequence<int, kRow...>) {
  static constexpr MultiplyFunction tiles[] = {multiply_tile<kRow + 1>...};
  return tiles[rows - 1];
}

// out (rows, kPanel) = a (rows, depth) times the panel, for 1 <= rows <= kTileRows; the rows of a
// are `stride` apart.
inline void multiply(int rows, const float* a, int64_t stride, const float* panel, int64_t depth,
                     Lines ahead, float* out) {
  choose_tile(rows, std::make_integer_sequence<int, kTileRows>{})(a, stride, panel, depth, ahead,
                                                                  out);
}

}  // namespace unspool::UNSPOOL_ISA
