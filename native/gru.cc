// The GRU: r, z = sigmoid(p_t + W h_{t-1});  m = W_n h_{t-1} + b_n;  n = tanh(p_n + r m);
//          h_t = (1 - z) n + z h_{t-1}.
#include "activations.h"
#include "passes.h"
#include "recurrence.h"

namespace unspool::UNSPOOL_ISA {

namespace {

class Forward : public ForwardStep {
 public:
  static constexpr int kOutputs = 3;
  static constexpr int kSequences = 3;
  Forward(const GruForward& io, int direction)
      : ForwardStep(io.sizes, direction, io.lengths), io_(io) {}

  Sequence sequence(int i) const {
    const Sequence all[] = {{io_.projected, 3 * hidden_}, {io_.hs, hidden_}, {io_.hn, hidden_}};
    return all[i];
  }

  WeightView weights(int gate) const {
    return {io_.w_hh + (direction_ * 3 + gate) * hidden_ * hidden_, 1, hidden_};
  }

  void start(int64_t row, Range units, float* carry) const {
    const int64_t state = state_row(row, hidden_);
    const float* h0 = io_.h0 + state;
    std::copy(h0 + units.begin, h0 + units.end, carry + units.begin);
    std::copy(h0 + units.begin, h0 + units.end, io_.h_last + state + units.begin);
  }

  void update(At at, const Vec* sums, const float* now, float* next) const {
    const Vec h_before = load(now + at.unit, at.lanes);
    if (!is_live(at.t, at.row)) {
      store(next + at.unit, h_before, at.lanes);
      return write(at, Vec{}, Vec{}, Vec{}, Vec{}, Vec{});
    }
    const float* p = io_.projected + in_sequence(at, 3 * hidden_);
    const Vec r = sigmoid(load(p, at.lanes) + sums[0]);
    const Vec z = sigmoid(load(p + hidden_, at.lanes) + sums[1]);
    const Vec m = sums[2] + load(io_.b_hn + direction_ * hidden_ + at.unit, at.lanes);
    const Vec n = tanh(load(p + 2 * hidden_, at.lanes) + r * m);
    const Vec h = (1.0f - z) * n + z * h_before;
    store(next + at.unit, h, at.lanes);
    if (is_last(at)) store(io_.h_last + in_state(at), h, at.lanes);
    write(at, r, z, n, m, h);
  }

 private:
  void write(At at, Vec r, Vec z, Vec n, Vec m, Vec h) const {
    store(io_.hs + in_sequence(at, hidden_), h, at.lanes);
    if (io_.gates == nullptr) return;
    store(io_.hn + in_sequence(at, hidden_), m, at.lanes);
    float* gates = io_.gates + in_sequence(at, 3 * hidden_);
    store(gates, r, at.lanes);
    store(gates + hidden_, z, at.lanes);
    store(gates + 2 * hidden_, n, at.lanes);
  }

  const GruForward& io_;
};

// With d_h the gradient of h_t from above and from t + 1, before the activations:
//   d_n = d_h (1 - z) (1 - n^2)         d_m = d_n r
//   d_z = d_h (h_{t-1} - n) z (1 - z)   d_r = d_n m r (1 - r)
//   d_h of t - 1 gets d_h z + (d_r, d_z, d_m) W
class Backward : public BackwardStep {
 public:
  static constexpr int kOutputs = 1;
  static constexpr int kSequences = 5;
  Backward(const GruBackward& io, int direction)
      : BackwardStep(io.sizes, direction, io.lengths), io_(io) {}

  int64_t carried() const { return 3 * hidden_; }
  Sequence sequence(int i) const {
    const Sequence all[] = {{io_.gates, 3 * hidden_},
                            {io_.d_hs, hidden_},
                            {io_.hn, hidden_},
                            {io_.d_recurrent, 3 * hidden_},
                            {io_.hs, hidden_}};
    return all[i];
  }

  WeightView weights(int) const {
    return {io_.w_hh + direction_ * 3 * hidden_ * hidden_, hidden_, 1};
  }
  void start(int64_t row, Range units, float*) const {
    std::fill_n(io_.d_b_hn + state_row(row, hidden_) + units.begin, units.size(), 0.0f);
  }

  // d_h0 holds d_h z until the next step.
  void update(At at, const Vec* sums, const float*, float* next) const {
    const int64_t state = in_state(at);
    const Vec from_later = has_product(at.t, at.row) ? sums[0] + load(io_.d_h0 + state, at.lanes)
                                                     : load(io_.d_h_last + state, at.lanes);
    if (!is_live(at.t, at.row)) {
      if (is_before_first(at)) store(io_.d_h0 + state, from_later, at.lanes);
      if (is_step(at.t)) write(at, Vec{}, Vec{}, Vec{}, Vec{});
      return;
    }

    const float* gates = io_.gates + in_sequence(at, 3 * hidden_);
    const Vec r = load(gates, at.lanes), z = load(gates + hidden_, at.lanes);
    const Vec n = load(gates + 2 * hidden_, at.lanes);
    const int64_t place = in_sequence(at, hidden_);
    const Vec d_h = load(io_.d_hs + place, at.lanes) + from_later;
    const Vec d_n = d_h * (1.0f - z) * (1.0f - n * n);
    const Vec d_m = d_n * r;
    const Vec d_z = d_h * (load(state_before(at, io_.hs, io_.h0), at.lanes) - n) * z * (1.0f - z);
    const Vec d_r = d_n * load(io_.hn + place, at.lanes) * r * (1.0f - r);
    store(io_.d_h0 + state, d_h * z, at.lanes);
    store(io_.d_b_hn + state, load(io_.d_b_hn + state, at.lanes) + d_m, at.lanes);
    write(at, d_r, d_z, d_n, d_m);
    store(next + at.unit, d_r, at.lanes);
    store(next + hidden_ + at.unit, d_z, at.lanes);
    store(next + 2 * hidden_ + at.unit, d_m, at.lanes);
  }

 private:
  void write(At at, Vec d_r, Vec d_z, Vec d_n, Vec d_m) const {
    write(io_.d_projected, at, d_r, d_z, d_n);
    write(io_.d_recurrent, at, d_r, d_z, d_m);
  }

  void write(float* to, At at, Vec d_r, Vec d_z, Vec d_new) const {
    to += in_sequence(at, 3 * hidden_);
    store(to, d_r, at.lanes);
    store(to + hidden_, d_z, at.lanes);
    store(to + 2 * hidden_, d_new, at.lanes);
  }

  const GruBackward& io_;
};

}  // namespace

void gru_forward(const GruForward& io, int threads) { Recurrence<Forward>(io).run(threads); }

void gru_backward(const GruBackward& io, int threads) { Recurrence<Backward>(io).run(threads); }

}  // namespace unspool::UNSPOOL_ISA
