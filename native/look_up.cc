// Looking rows up in a table, and adding their gradients up: d_table[ids[n]] += d[n]. There threads
// divide the columns, so that every entry's sum has the order of the rows, whatever their number.
#include <algorithm>
#include <limits>

#include "grid.h"
#include "passes.h"
#include "simd.h"
#include "threads.h"

namespace unspool::UNSPOOL_ISA {

namespace {

void add_rows(const TableGradient& io, Range columns) {
  for (int64_t entry = 0; entry < io.entries; ++entry) {
    std::fill_n(io.d_table + entry * io.columns + columns.begin, columns.size(), 0.0f);
  }
  for (int64_t row = 0; row < io.rows; ++row) {
    if (io.ids[row] < 0 || io.ids[row] >= io.entries) continue;
    const float* from = io.d + row * io.columns;
    float* to = io.d_table + io.ids[row] * io.columns;
    for (int64_t i = columns.begin; i < columns.end; i += kLanes) {
      const int lanes = static_cast<int>(std::min<int64_t>(columns.end - i, kLanes));
      store(to + i, load(to + i, lanes) + load(from + i, lanes), lanes);
    }
  }
}

constexpr double kOperationsPerNumber = 2;  // a copy is bound by memory

}  // namespace

void table_rows(const TableRows& io, int threads) {
  Team team(worthwhile_threads(threads, kOperationsPerNumber * io.rows * io.columns));
  team.run([&](int rank) {
    const Range mine = part(io.rows, team.size(), rank);
    for (int64_t row = mine.begin; row < mine.end; ++row) {
      float* to = io.out + row * io.columns;
      if (io.ids[row] < 0 || io.ids[row] >= io.entries) {
        std::fill_n(to, io.columns, std::numeric_limits<float>::quiet_NaN());
      } else {
        std::copy_n(io.table + io.ids[row] * io.columns, io.columns, to);
      }
    }
  });
}

void table_gradient(const TableGradient& io, int threads) {
  const int64_t blocks = (io.columns + kLanes - 1) / kLanes;
  Team team(
      worthwhile_threads(threads, kOperationsPerNumber * (io.rows + io.entries) * io.columns));
  team.run([&](int rank) {
    const Range mine = part(blocks, team.size(), rank);
    add_rows(io, {mine.begin * kLanes, std::min(mine.end * kLanes, io.columns)});
  });
}

}  // namespace unspool::UNSPOOL_ISA
