// The vanilla network: h_t = tanh(p_t + W h_{t-1}).
#include "activations.h"
#include "passes.h"
#include "recurrence.h"

namespace unspool::UNSPOOL_ISA {

namespace {

class Forward : public ForwardStep {
 public:
  static constexpr int kOutputs = 1;
  static constexpr int kSequences = 2;
  Forward(const RnnForward& io, int direction)
      : ForwardStep(io.sizes, direction, io.lengths), io_(io) {}

  Sequence sequence(int i) const {
    const Sequence all[] = {{io_.projected, hidden_}, {io_.hs, hidden_}};
    return all[i];
  }

  WeightView weights(int) const { return {io_.w_hh + direction_ * hidden_ * hidden_, 1, hidden_}; }

  void start(int64_t row, Range units, float* carry) const {
    const int64_t state = state_row(row, hidden_);
    const float* h0 = io_.h0 + state;
    std::copy(h0 + units.begin, h0 + units.end, carry + units.begin);
    std::copy(h0 + units.begin, h0 + units.end, io_.h_last + state + units.begin);
  }

  void update(At at, const Vec* sums, const float* now, float* next) const {
    const int64_t place = in_sequence(at, hidden_);
    if (!is_live(at.t, at.row)) {
      store(next + at.unit, load(now + at.unit, at.lanes), at.lanes);
      return store(io_.hs + place, Vec{}, at.lanes);
    }
    const Vec h = tanh(load(io_.projected + place, at.lanes) + sums[0]);
    store(io_.hs + place, h, at.lanes);
    store(next + at.unit, h, at.lanes);
    if (is_last(at)) store(io_.h_last + in_state(at), h, at.lanes);
  }

 private:
  const RnnForward& io_;
};

// With d_h the gradient of h_t from above and from t + 1:  d_p = d_h (1 - h^2).
class Backward : public BackwardStep {
 public:
  static constexpr int kOutputs = 1;
  static constexpr int kSequences = 2;
  Backward(const RnnBackward& io, int direction)
      : BackwardStep(io.sizes, direction, io.lengths), io_(io) {}

  int64_t carried() const { return hidden_; }
  Sequence sequence(int i) const {
    const Sequence all[] = {{io_.hs, hidden_}, {io_.d_hs, hidden_}};
    return all[i];
  }

  WeightView weights(int) const { return {io_.w_hh + direction_ * hidden_ * hidden_, hidden_, 1}; }
  void start(int64_t, Range, float*) const {}

  void update(At at, const Vec* sums, const float*, float* next) const {
    const int64_t state = in_state(at), place = in_sequence(at, hidden_);
    const Vec from_later =
        has_product(at.t, at.row) ? sums[0] : load(io_.d_h_last + state, at.lanes);
    if (!is_live(at.t, at.row)) {
      if (is_before_first(at)) store(io_.d_h0 + state, from_later, at.lanes);
      if (is_step(at.t)) store(io_.d_projected + place, Vec{}, at.lanes);
      return;
    }
    const Vec h = load(io_.hs + place, at.lanes);
    const Vec d_p = (load(io_.d_hs + place, at.lanes) + from_later) * (1.0f - h * h);
    store(io_.d_projected + place, d_p, at.lanes);
    store(next + at.unit, d_p, at.lanes);
  }

 private:
  const RnnBackward& io_;
};

}  // namespace

void rnn_forward(const RnnForward& io, int threads) { Recurrence<Forward>(io).run(threads); }

void rnn_backward(const RnnBackward& io, int threads) { Recurrence<Backward>(io).run(threads); }

}  // namespace unspool::UNSPOOL_ISA
