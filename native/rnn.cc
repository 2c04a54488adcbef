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
  explicit Forward(const RnnForward& io) : ForwardStep(io.sizes, io.lengths), io_(io) {}

  Sequence sequence(int i) const {
    const Sequence all[] = {{io_.projected, hidden_}, {io_.hs, hidden_}};
    return all[i];
  }

  WeightView weights(int) const { return {io_.w_hh, 1, hidden_}; }

  void start(int64_t row, Range units, float* carry) const {
    const float* h0 = io_.h0 + row * hidden_;
    std::copy(h0 + units.begin, h0 + units.end, carry + units.begin);
    std::copy(h0 + units.begin, h0 + units.end, io_.h_last + row * hidden_ + units.begin);
  }

  void update(At at, const Vec* sums, const float*, float* next) const {
    const int64_t place = in_sequence(at, hidden_), length = this->length(at.row);
    if (at.t >= length) return store(io_.hs + place, Vec{}, at.lanes);
    const Vec h = tanh(load(io_.projected + place, at.lanes) + sums[0]);
    store(io_.hs + place, h, at.lanes);
    store(next + at.unit, h, at.lanes);
    if (at.t == length - 1) store(io_.h_last + in_state(at), h, at.lanes);
  }

 private:
  const RnnForward& io_;
};

// With d_h the gradient of h_t from above and from t + 1:  d_p = d_h (1 - h^2).
class Backward : public BackwardStep {
 public:
  static constexpr int kOutputs = 1;
  static constexpr int kSequences = 2;
  explicit Backward(const RnnBackward& io) : BackwardStep(io.sizes, io.lengths), io_(io) {}

  int64_t carried() const { return hidden_; }
  Sequence sequence(int i) const {
    const Sequence all[] = {{io_.hs, hidden_}, {io_.d_hs, hidden_}};
    return all[i];
  }

  WeightView weights(int) const { return {io_.w_hh, hidden_, 1}; }
  void start(int64_t, Range, float*) const {}

  void update(At at, const Vec* sums, const float*, float* next) const {
    const int64_t state = in_state(at), place = in_sequence(at, hidden_), length = this->length(at.row);
    const Vec from_later = at.t == length - 1 ? load(io_.d_h_last + state, at.lanes) : sums[0];
    if (at.t < 0) return store(io_.d_h0 + state, from_later, at.lanes);
    if (at.t >= length) return store(io_.d_projected + place, Vec{}, at.lanes);
    const Vec h = load(io_.hs + place, at.lanes);
    const Vec d_p = (load(io_.d_hs + place, at.lanes) + from_later) * (1.0f - h * h);
    store(io_.d_projected + place, d_p, at.lanes);
    store(next + at.unit, d_p, at.lanes);
  }

 private:
  const RnnBackward& io_;
};

}  // namespace

void rnn_forward(const RnnForward& io, int threads) { Recurrence(Forward(io)).run(threads); }

void rnn_backward(const RnnBackward& io, int threads) { Recurrence(Backward(io)).run(threads); }

}  // namespace unspool::UNSPOOL_ISA
