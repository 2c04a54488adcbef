// At each step a kernel multiplies a carried matrix (the state h_{t-1} on the way forward, the gate
// gradients of t + 1 on the way back) with its weights, then does elementwise work on the result
// while that is still in the first-level cache. What a kernel adds to the shared loop is a Step:
//
//   kOutputs                    products needed for one hidden unit: the number of gates, or 1
//   Step(io, direction)         0: forwards in time, 1: backwards
//   steps(), time(s)            number of steps, and the time at which the s-th happens
//   carried()                   columns of the carried matrix
//   weights(output)             the weights of one output, as (carried, hidden)
//   has_product(t, row)         whether the row uses its product at time t
//   start(row, units, carry)    sets up the row's states; carry arrives zeroed
//   sequence(i)                 the kSequences arrays (T, B, columns), or null, to fetch from
//                               memory a step early
//   update(at, sums, now, next) elementwise work for one row and one vector of units: reads the
//                               row's carried values `now` if it needs them, writes the `next`
//
// and the sizes and lengths, from the base class StepSizes.
#pragma once

#include <algorithm>

#include "kernels.h"
#include "simd.h"

namespace unspool::UNSPOOL_ISA {

// One row, and a vector of hidden units from `unit` on, `lanes` of them in use.
struct At {
  int64_t t, row, unit;
  int lanes;
};

struct Sequence {
  const float* data;
  int64_t columns;
};

class StepSizes {
 public:
  StepSizes(Sizes sizes, int direction, const int32_t* lengths)
      : steps_(sizes.steps),
        batch_(sizes.batch),
        hidden_(sizes.hidden),
        direction_(direction),
        directions_(sizes.directions),
        lengths_(lengths) {}

  // Whether t is one of the T steps, and whether it is one of the row's.
  bool is_step(int64_t t) const { return t >= 0 && t < steps_; }
  bool is_live(int64_t t, int64_t row) const { return t >= 0 && t < length(row); }

  // Where a row's columns begin in arrays of shape (B, columns), and at time t in arrays of shape
  // (T, B, columns).
  int64_t state_row(int64_t row, int64_t columns) const {
    return (row * directions_ + direction_) * columns;
  }
  int64_t sequence_row(int64_t t, int64_t row, int64_t columns) const {
    return state_row(t * batch_ + row, columns);
  }

 protected:
  int64_t length(int64_t row) const { return std::clamp<int64_t>(lengths_[row], 0, steps_); }
  bool is_backwards() const { return direction_ == 1; }

  // The steps before and after step t in the order of the recurrence.
  int64_t before(int64_t t) const { return is_backwards() ? t + 1 : t - 1; }
  int64_t after(int64_t t) const { return is_backwards() ? t - 1 : t + 1; }

  // Where `at` lies in arrays of shape (B, H) and (T, B, columns).
  int64_t in_state(At at) const { return state_row(at.row, hidden_) + at.unit; }
  int64_t in_sequence(At at, int64_t columns) const {
    return sequence_row(at.t, at.row, columns) + at.unit;
  }

  // The state before the one `at`, from all of them and the first.
  const float* state_before(At at, const float* all, const float* first) const {
    if (!is_live(before(at.t), at.row)) return first + in_state(at);
    at.t = before(at.t);
    return all + in_sequence(at, hidden_);
  }

  const int64_t steps_, batch_, hidden_, direction_;

 private:
  const int64_t directions_;
  const int32_t* lengths_;
};

// The parts of a Step that all forward passes share: they carry h.
class ForwardStep : public StepSizes {
 public:
  using StepSizes::StepSizes;
  int64_t steps() const { return steps_; }
  int64_t time(int64_t s) const { return is_backwards() ? steps_ - 1 - s : s; }
  int64_t carried() const { return hidden_; }
  bool has_product(int64_t t, int64_t row) const { return is_live(t, row); }

 protected:
  bool is_last(At at) const { return at.t == (is_backwards() ? 0 : length(at.row) - 1); }
};

// The parts that all backward passes share: time runs against the recurrence, to one step before a
// row's first, where only d_h0 is left to find, and what is carried are the gradients of the gates
// before their activations, which times W_hh give a part of d_h.
class BackwardStep : public StepSizes {
 public:
  using StepSizes::StepSizes;
  int64_t steps() const { return steps_ + 1; }
  int64_t time(int64_t s) const { return is_backwards() ? s : steps_ - 1 - s; }
  bool has_product(int64_t t, int64_t row) const { return is_live(after(t), row); }

 protected:
  bool is_before_first(At at) const { return at.t == (is_backwards() ? length(at.row) : -1); }
};

}  // namespace unspool::UNSPOOL_ISA
