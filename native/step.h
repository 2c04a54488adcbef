// At each step a kernel multiplies a carried matrix (the state h_{t-1} on the way forward, the gate gradients of t + 1
// on the way back) with its weights, then does elementwise work on the result while that is still in the first-level
// cache. What a kernel adds to the shared loop is a Step:
//
//   kOutputs                    products needed for one hidden unit: the number of gates, or 1
//   steps(), time(s)            number of steps, and the time at which the s-th happens
//   carried()                   columns of the carried matrix
//   weights(output)             the weights of one output, as (carried, hidden)
//   has_product(t, row)         whether the row uses its product at time t
//   start(row, units, carry)    sets up the row's states; carry arrives zeroed
//   sequence(i)                 the kSequences arrays (T, B, columns), or null, to fetch from memory a step early
//   update(at, sums, now, next) elementwise work for one row and one vector of units: reads the row's carried values
//                               `now` where it needs them, writes the `next`
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
  StepSizes(Sizes sizes, const int32_t* lengths)
      : steps_(sizes.steps), batch_(sizes.batch), hidden_(sizes.hidden), lengths_(lengths) {}

  int64_t batch() const { return batch_; }
  int64_t hidden() const { return hidden_; }
  int64_t sequence_steps() const { return steps_; }

 protected:
  int64_t length(int64_t row) const { return std::clamp<int64_t>(lengths_[row], 0, steps_); }

  // Where `at` lies in arrays of shape (B, H) and (T, B, columns).
  int64_t in_state(At at) const { return at.row * hidden_ + at.unit; }
  int64_t in_sequence(At at, int64_t columns) const { return (at.t * batch_ + at.row) * columns + at.unit; }

  const int64_t steps_, batch_, hidden_;

 private:
  const int32_t* lengths_;
};

// The parts of a Step that all forward passes share: they carry h.
class ForwardStep : public StepSizes {
 public:
  using StepSizes::StepSizes;
  int64_t steps() const { return steps_; }
  int64_t time(int64_t s) const { return s; }
  int64_t carried() const { return hidden_; }
  bool has_product(int64_t t, int64_t row) const { return t < length(row); }
};

// The parts that all backward passes share: time runs from T - 1 down to -1, where only d_h0 is left to find, and what
// is carried are the gradients of the gates before their activations, which times W_hh give a part of d_h.
class BackwardStep : public StepSizes {
 public:
  using StepSizes::StepSizes;
  int64_t steps() const { return steps_ + 1; }
  int64_t time(int64_t s) const { return steps_ - 1 - s; }
  bool has_product(int64_t t, int64_t row) const { return t < length(row) - 1; }
};

}  // namespace unspool::UNSPOOL_ISA
