// d_weights = the sum over t and b of d^T h_{t-1}: one product over k = T * B rows, none of them
// copied elsewhere than into blocks that stay in the caches.
//
// Of kDepth rows, a thread packs its columns of h into panels, then goes over its columns of d by
// tiles of up to kTileRows: packed, a tile stays in the first-level cache while the panels pass by
// from the second. Blocks of k are fixed and each one's sums begin at zero, so results do not
// depend on the threads, and rounding grows slower than with one long sum.
#include <algorithm>
#include <utility>

#include "buffer.h"
#include "gemm.h"
#include "grid.h"
#include "passes.h"
#include "threads.h"

namespace unspool::UNSPOOL_ISA {

namespace {

constexpr int64_t kDepth = 256;

// Output columns [first, first + columns) of the rows `out`, which are `stride` apart, and their
// packed panel.
struct Columns {
  const float* panel;
  float* out;
  int64_t stride, columns;
};

template <int... kRow>
void add_product(const float* tile, int64_t depth, Columns to,
                 std::integer_sequence<int, kRow...>) {
  constexpr int kRows = sizeof...(kRow);
  Pair sum[kRows] = {};
  const float* panel = to.panel;
  for (int64_t k = 0; k < depth; ++k, tile += kRows, panel += kPanel) {
    const Vec first = load(panel), second = load(panel + kLanes);
    ((sum[kRow].first += tile[kRow] * first, sum[kRow].second += tile[kRow] * second), ...);
  }
  const int lanes = static_cast<int>(std::min<int64_t>(to.columns, kLanes));
  const int more = static_cast<int>(std::min<int64_t>(to.columns - lanes, kLanes));
  const auto add = [&](float* out, Pair sums) {
    store(out, load(out, lanes) + sums.first, lanes);
    if (more > 0) store(out + kLanes, load(out + kLanes, more) + sums.second, more);
  };
  (add(to.out + kRow * to.stride, sum[kRow]), ...);
}

class Product {
 public:
  explicit Product(const WeightGradient& io)
      : io_(io),
        depth_(io.sizes.steps * io.sizes.batch),
        rows_(io.outputs),
        columns_(io.sizes.hidden),
        panels_((columns_ + kPanel - 1) / kPanel) {}

  void run(int threads) {
    Team team(worthwhile_threads(threads, 2.0 * depth_ * rows_ * columns_));
    const Grid grid = choose_grid(team.size(), rows_, panels_);
    const int64_t panels = (panels_ + grid.block_parts - 1) / grid.block_parts;
    const Buffer packed(grid.size() * packed_size(panels));
    team.run([&](int rank) {
      if (rank >= grid.size()) return;
      const Range rows = part(rows_, grid.row_parts, rank / grid.block_parts);
      for (int64_t direction = 0; direction < io_.sizes.directions; ++direction) {
        multiply(direction, of_direction(rows, direction),
                 part(panels_, grid.block_parts, rank % grid.block_parts),
                 packed.data() + rank * packed_size(panels));
      }
    });
  }

 private:
  static int64_t packed_size(int64_t panels) { return kDepth * (panels * kPanel + kTileRows); }

  // Those of the rows that belong to this direction, and so are multiplied with its states.
  Range of_direction(Range rows, int64_t direction) const {
    const int64_t outputs = rows_ / io_.sizes.directions;
    const int64_t first = direction * outputs, end = first + outputs;
    return {std::clamp(rows.begin, first, end), std::clamp(rows.end, first, end)};
  }

  void multiply(int64_t direction, Range rows, Range panels, float* packed) const {
    if (rows.size() == 0) return;
    const Range columns{panels.begin * kPanel, std::min(panels.end * kPanel, columns_)};
    if (panels.begin == 0 && io_.d_bias) std::fill_n(io_.d_bias + rows.begin, rows.size(), 0.0f);
    for (int64_t row = rows.begin; row < rows.end; ++row) {
      std::fill_n(io_.d_weights + row * columns_ + columns.begin, columns.size(), 0.0f);
    }
    for (int64_t k = 0; k < depth_; k += kDepth) {
      const Range block{k, std::min(k + kDepth, depth_)};
      for (int64_t panel = panels.begin; panel < panels.end; ++panel) {
        pack(direction, block, panel, packed + (panel - panels.begin) * kDepth * kPanel);
      }
      add_block(block, rows, panels, packed);
    }
  }

  // The state of a batch's row before step t.
  const float* state(int64_t direction, int64_t t, int64_t row) const {
    const auto [steps, batch, hidden, directions] = io_.sizes;
    const int64_t before = direction == 0 ? t - 1 : t + 1;
    const bool is_first =
        direction == 0 ? t == 0 : before >= std::min<int64_t>(io_.lengths[row], steps);
    return is_first ? io_.h0 + (row * directions + direction) * hidden
                    : io_.hs + ((before * batch + row) * directions + direction) * hidden;
  }

  int64_t columns_of(int64_t panel) const {
    return std::min<int64_t>(kPanel, columns_ - panel * kPanel);
  }

  void pack(int64_t direction, Range block, int64_t panel, float* to) const {
    const int64_t columns = columns_of(panel);
    const int lanes = static_cast<int>(std::min<int64_t>(columns, kLanes));
    const int more = static_cast<int>(columns - lanes);
    int64_t t = block.begin / io_.sizes.batch, row = block.begin % io_.sizes.batch;
    for (int64_t k = block.begin; k < block.end; ++k, to += kPanel) {
      const float* from = state(direction, t, row) + panel * kPanel;
      store(to, load(from, lanes));
      store(to + kLanes, more > 0 ? load(from + kLanes, more) : Vec{});
      if (++row == io_.sizes.batch) ++t, row = 0;
    }
  }

  void add_block(Range block, Range rows, Range panels, float* packed) const {
    const int64_t tiles = (rows.size() + kTileRows - 1) / kTileRows;
    for (int64_t i = 0; i < tiles; ++i) {
      const Range tile = part(rows.size(), tiles, i);
      choose(static_cast<int>(tile.size()), std::make_integer_sequence<int, kTileRows>{})(
          *this, block, rows.begin + tile.begin, panels, packed);
    }
  }

  template <int kRows>
  static void add_tile(const Product& all, Range block, int64_t row, Range panels, float* packed) {
    float* tile = packed + panels.size() * kDepth * kPanel;
    const float* from = all.io_.d + block.begin * all.rows_ + row;
    for (int64_t k = 0; k < block.size(); ++k) {
      std::copy_n(from + k * all.rows_, kRows, tile + k * kRows);
    }
    if (panels.begin == 0 && all.io_.d_bias) {
      add_sums<kRows>(tile, block.size(), all.io_.d_bias + row);
    }
    for (int64_t panel = panels.begin; panel < panels.end; ++panel) {
      const Columns to{packed + (panel - panels.begin) * kDepth * kPanel,
                       all.io_.d_weights + row * all.columns_ + panel * kPanel, all.columns_,
                       all.columns_of(panel)};
      add_product(tile, block.size(), to, std::make_integer_sequence<int, kRows>{});
    }
  }

  template <int kRows>
  static void add_sums(const float* tile, int64_t depth, float* to) {
    float sums[kRows] = {};
    for (int64_t k = 0; k < depth; ++k) {
      for (int row = 0; row < kRows; ++row) sums[row] += tile[k * kRows + row];
    }
    for (int row = 0; row < kRows; ++row) to[row] += sums[row];
  }

  using AddTile = void (*)(const Product&, Range block, int64_t row, Range panels, float* packed);

  template <int... kRow>
  static AddTile choose(int rows, std::integer_sequence<int, kRow...>) {
    static constexpr AddTile tiles[] = {add_tile<kRow + 1>...};
    return tiles[rows - 1];
  }

  const WeightGradient& io_;
  const int64_t depth_, rows_, columns_, panels_;
};

}  // namespace

void weight_gradient(const WeightGradient& io, int threads) { Product(io).run(threads); }

}  // namespace unspool::UNSPOOL_ISA
