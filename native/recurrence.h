// The time loop that all kernels share: threads, packed weights, tiles, and the carried matrix.
// step.h says what a kernel adds to it.
//
// The weights are packed once for a call, into panels of kPanel hidden units (gemm.h), and stay in
// the caches of the threads that use them. Two carried matrices take turns: step s reads one and
// writes the other, so threads that share rows meet once per step, not twice. Every sum is taken by
// one thread in the order of k, so results do not depend on the number of threads or the batch.
#pragma once

#include <algorithm>
#include <cstring>
#include <memory>

#include "buffer.h"
#include "gemm.h"
#include "grid.h"
#include "step.h"
#include "threads.h"

namespace unspool::UNSPOOL_ISA {

template <class Step>
class Recurrence {
 public:
  template <class Arguments>
  explicit Recurrence(const Arguments& io)
      : step_{Step(io, 0), Step(io, 1)},
        directions_(io.sizes.directions),
        batch_(io.sizes.batch),
        hidden_(io.sizes.hidden),
        depth_(step_[0].carried()),
        stride_(depth_ + 2 * kLanes),  // rows a power of two apart would share cache sets
        blocks_((hidden_ + kPanel - 1) / kPanel),
        weights_(directions_ * blocks_ * Step::kOutputs * panel_size()),
        carry_{Buffer(directions_ * batch_ * stride_), Buffer(directions_ * batch_ * stride_)} {
    for (const Buffer& carry : carry_) {
      std::fill_n(carry.data(), directions_ * batch_ * stride_, 0.0f);
    }
  }

  // The rows of both directions are divided as if they were one batch. A thread runs its rows of
  // one direction to the end and then those of the other, so it needs no barrier between them.
  void run(int threads) {
    const int64_t rows = directions_ * batch_;
    const double operations = 2.0 * step_[0].steps() * rows * hidden_ * depth_ * Step::kOutputs;
    Team team(worthwhile_threads(threads, operations));
    const Grid grid = choose_grid(team.size(), rows, blocks_);
    Barrier everyone;
    everyone.set_members(team.size());
    const auto meeting_points = std::make_unique<Barrier[]>(grid.row_parts);
    for (int i = 0; i < grid.row_parts; ++i) meeting_points[i].set_members(grid.block_parts);
    team.run([&](int rank) {
      pack(part(directions_ * blocks_, team.size(), rank));
      everyone.wait();  // for all panels: a thread multiplies with panels that others packed
      if (rank >= grid.size()) return;
      const Range own = part(rows, grid.row_parts, rank / grid.block_parts);
      const Range blocks = part(blocks_, grid.block_parts, rank % grid.block_parts);
      for (int direction = 0; direction < directions_; ++direction) {
        loop(direction, part_of_batch(own, direction), blocks,
             meeting_points[rank / grid.block_parts]);
      }
    });
  }

 private:
  int64_t panel_size() const { return depth_ * kPanel; }

  float* panel(int direction, int64_t block, int output) const {
    return weights_.data() +
           ((direction * blocks_ + block) * Step::kOutputs + output) * panel_size();
  }

  float* carry(int direction, int64_t s, int64_t row) const {
    return carry_[s % 2].data() + (direction * batch_ + row) * stride_;
  }

  // Which of the batch's rows in this direction are among the rows of both.
  Range part_of_batch(Range rows, int direction) const {
    return {std::clamp<int64_t>(rows.begin - direction * batch_, 0, batch_),
            std::clamp<int64_t>(rows.end - direction * batch_, 0, batch_)};
  }

  void pack(Range blocks) {
    for (int64_t i = blocks.begin; i < blocks.end; ++i) {
      const int direction = static_cast<int>(i / blocks_);
      const int64_t block = i % blocks_;
      for (int output = 0; output < Step::kOutputs; ++output) {
        pack_panel(step_[direction].weights(output), depth_, block * kPanel,
                   hidden_ - block * kPanel, panel(direction, block, output));
      }
    }
  }

  // Reads the carried matrix of step s and writes that of s + 1. One barrier per step keeps readers
  // and writers apart: whoever passes it knows that step s - 1 has been written completely, and
  // that nobody still reads the matrix that step s overwrites.
  void loop(int direction, Range rows, Range blocks, Barrier& meeting_point) {
    if (rows.size() == 0) return;
    const Step& step = step_[direction];
    const Range units{blocks.begin * kPanel, std::min(blocks.end * kPanel, hidden_)};
    for (int64_t row = rows.begin; row < rows.end; ++row) {
      step.start(row, units, carry(direction, 0, row));
    }
    const int64_t tiles = (rows.size() + kTileRows - 1) / kTileRows;
    for (int64_t s = 0; s < step.steps(); ++s) {
      meeting_point.wait();
      int64_t product = 0;
      const int64_t products = blocks.size() * tiles * Step::kOutputs;
      for (int64_t block = blocks.begin; block < blocks.end; ++block) {
        for (int64_t i = 0; i < tiles; ++i) {
          const Range tile = part(rows.size(), tiles, i);
          Lines ahead[Step::kOutputs];
          for (Lines& lines : ahead) lines = next_lines(direction, s, rows, product++, products);
          advance(direction, s, {rows.begin + tile.begin, rows.begin + tile.end}, block, ahead);
        }
      }
    }
  }

  // Cache lines that the next step reads or writes in the sequences, to prefetch during a product
  // of this step; they are divided evenly over its products.
  Lines next_lines(int direction, int64_t s, Range rows, int64_t product, int64_t products) const {
    const Step& step = step_[direction];
    const int64_t t = step.time(s + 1);
    if (directions_ > 1 || !step.is_step(t)) return {nullptr, 0};
    const Sequence sequence = step.sequence(product % Step::kSequences);
    if (sequence.data == nullptr) return {nullptr, 0};
    const int64_t lines = rows.size() * sequence.columns / kLine;
    const int64_t parts = std::max<int64_t>(1, products / Step::kSequences);
    const Range own = part(lines, parts, std::min(product / Step::kSequences, parts - 1));
    return {sequence.data + step.sequence_row(t, rows.begin, sequence.columns) + own.begin * kLine,
            own.size()};
  }

  // One step of a tile: a few rows and one block of units. The products stay in the first-level
  // cache until `update` consumes them. If all rows of the tile have ended, there is nothing to
  // multiply.
  void advance(int direction, int64_t s, Range rows, int64_t block, const Lines* ahead) {
    alignas(64) float products[Step::kOutputs][kTileRows * kPanel];
    const Range units{block * kPanel, std::min((block + 1) * kPanel, hidden_)};
    if (any_has_product(step_[direction], s, rows)) {
      for (int output = 0; output < Step::kOutputs; ++output) {
        multiply(static_cast<int>(rows.size()), carry(direction, s, rows.begin), stride_,
                 panel(direction, block, output), depth_, ahead[output], products[output]);
      }
    } else {
      std::memset(products, 0, sizeof products);
    }
    update(direction, s, rows, units, products);
  }

  void update(int direction, int64_t s, Range rows, Range units,
              const float (*products)[kTileRows * kPanel]) const {
    const Step& step = step_[direction];
    for (int64_t row = rows.begin; row < rows.end; ++row) {
      for (int64_t unit = units.begin; unit < units.end; unit += kLanes) {
        const int lanes = static_cast<int>(std::min<int64_t>(kLanes, units.end - unit));
        const int64_t offset = (row - rows.begin) * kPanel + unit - units.begin;
        Vec sums[Step::kOutputs];
        for (int output = 0; output < Step::kOutputs; ++output) {
          sums[output] = load(products[output] + offset);
        }
        step.update({step.time(s), row, unit, lanes}, sums, carry(direction, s, row),
                    carry(direction, s + 1, row));
      }
    }
  }

  static bool any_has_product(const Step& step, int64_t s, Range rows) {
    for (int64_t row = rows.begin; row < rows.end; ++row) {
      if (step.has_product(step.time(s), row)) return true;
    }
    return false;
  }

  const Step step_[2];
  const int64_t directions_, batch_, hidden_, depth_, stride_, blocks_;
  const Buffer weights_;
  const Buffer carry_[2];
};

}  // namespace unspool::UNSPOOL_ISA
