// The LSTM: i, f, g, o = sigmoid, sigmoid, tanh, sigmoid of p_t + W h_{t-1}
//           c_t = f c_{t-1} + i g,  h_t = o tanh(c_t)
#include "activations.h"
#include "passes.h"
#include "recurrence.h"

namespace unspool::UNSPOOL_ISA {

namespace {

class Forward : public ForwardStep {
 public:
  static constexpr int kOutputs = 4;
  static constexpr int kSequences = 3;
  Forward(const LstmForward& io, int direction)
      : ForwardStep(io.sizes, direction, io.lengths), io_(io) {}

  Sequence sequence(int i) const {
    const Sequence all[] = {{io_.projected, 4 * hidden_}, {io_.hs, hidden_}, {io_.cs, hidden_}};
    return all[i];
  }

  WeightView weights(int gate) const {
    return {io_.w_hh + (direction_ * 4 + gate) * hidden_ * hidden_, 1, hidden_};
  }

  // c_last holds c all along.
  void start(int64_t row, Range units, float* carry) const {
    const int64_t state = state_row(row, hidden_);
    const float *h0 = io_.h0 + state, *c0 = io_.c0 + state;
    std::copy(h0 + units.begin, h0 + units.end, carry + units.begin);
    std::copy(h0 + units.begin, h0 + units.end, io_.h_last + state + units.begin);
    std::copy(c0 + units.begin, c0 + units.end, io_.c_last + state + units.begin);
  }

  void update(At at, const Vec* sums, const float* now, float* next) const {
    if (!is_live(at.t, at.row)) {
      store(next + at.unit, load(now + at.unit, at.lanes), at.lanes);
      return write(at, Vec{}, Vec{}, Vec{}, Vec{}, Vec{}, Vec{});
    }
    const float* p = io_.projected + in_sequence(at, 4 * hidden_);
    const Vec i = sigmoid(load(p, at.lanes) + sums[0]);
    const Vec f = sigmoid(load(p + hidden_, at.lanes) + sums[1]);
    const Vec g = tanh(load(p + 2 * hidden_, at.lanes) + sums[2]);
    const Vec o = sigmoid(load(p + 3 * hidden_, at.lanes) + sums[3]);
    float* state = io_.c_last + in_state(at);
    const Vec c = f * load(state, at.lanes) + i * g;
    const Vec h = o * tanh(c);
    store(state, c, at.lanes);
    store(next + at.unit, h, at.lanes);
    if (is_last(at)) store(io_.h_last + in_state(at), h, at.lanes);
    write(at, i, f, g, o, c, h);
  }

 private:
  void write(At at, Vec i, Vec f, Vec g, Vec o, Vec c, Vec h) const {
    store(io_.hs + in_sequence(at, hidden_), h, at.lanes);
    if (io_.gates == nullptr) return;
    store(io_.cs + in_sequence(at, hidden_), c, at.lanes);
    float* gates = io_.gates + in_sequence(at, 4 * hidden_);
    store(gates, i, at.lanes);
    store(gates + hidden_, f, at.lanes);
    store(gates + 2 * hidden_, g, at.lanes);
    store(gates + 3 * hidden_, o, at.lanes);
  }

  const LstmForward& io_;
};

// With d_h the gradient of h_t from above and from t + 1, and d_c that of c_t from t + 1:
//   d_c += d_h o (1 - tanh(c)^2)        before their activations:
//   d_i = d_c g i (1 - i)               d_f = d_c c_{t-1} f (1 - f)
//   d_g = d_c i (1 - g^2)               d_o = d_h tanh(c) o (1 - o)
//   d_c of t - 1 = d_c f                d_h of t - 1 gets (d_i, d_f, d_g, d_o) W
class Backward : public BackwardStep {
 public:
  static constexpr int kOutputs = 1;
  static constexpr int kSequences = 3;
  Backward(const LstmBackward& io, int direction)
      : BackwardStep(io.sizes, direction, io.lengths), io_(io) {}

  int64_t carried() const { return 4 * hidden_; }
  Sequence sequence(int i) const {
    const Sequence all[] = {{io_.gates, 4 * hidden_}, {io_.d_hs, hidden_}, {io_.cs, hidden_}};
    return all[i];
  }

  WeightView weights(int) const {
    return {io_.w_hh + direction_ * 4 * hidden_ * hidden_, hidden_, 1};
  }

  // d_c0 holds d_c all along.
  void start(int64_t row, Range units, float*) const {
    const int64_t state = state_row(row, hidden_);
    const float* d_c_last = io_.d_c_last + state;
    std::copy(d_c_last + units.begin, d_c_last + units.end, io_.d_c0 + state + units.begin);
  }

  void update(At at, const Vec* sums, const float*, float* next) const {
    const int64_t state = in_state(at);
    const Vec from_later =
        has_product(at.t, at.row) ? sums[0] : load(io_.d_h_last + state, at.lanes);
    float* d_projected = io_.d_projected + in_sequence(at, 4 * hidden_);
    if (!is_live(at.t, at.row)) {
      if (is_before_first(at)) store(io_.d_h0 + state, from_later, at.lanes);
      if (is_step(at.t)) write(d_projected, Vec{}, Vec{}, Vec{}, Vec{}, at.lanes);
      return;
    }

    const float* gates = io_.gates + in_sequence(at, 4 * hidden_);
    const Vec i = load(gates, at.lanes), f = load(gates + hidden_, at.lanes);
    const Vec g = load(gates + 2 * hidden_, at.lanes), o = load(gates + 3 * hidden_, at.lanes);
    const int64_t place = in_sequence(at, hidden_);
    const Vec tanh_c = tanh(load(io_.cs + place, at.lanes));
    const Vec d_h = load(io_.d_hs + place, at.lanes) + from_later;
    const Vec d_c = load(io_.d_c0 + state, at.lanes) + d_h * o * (1.0f - tanh_c * tanh_c);
    const Vec d_i = d_c * g * i * (1.0f - i);
    const Vec d_f = d_c * load(state_before(at, io_.cs, io_.c0), at.lanes) * f * (1.0f - f);
    const Vec d_g = d_c * i * (1.0f - g * g);
    const Vec d_o = d_h * tanh_c * o * (1.0f - o);
    store(io_.d_c0 + state, d_c * f, at.lanes);
    write(d_projected, d_i, d_f, d_g, d_o, at.lanes);
    write(next + at.unit, d_i, d_f, d_g, d_o, at.lanes);
  }

 private:
  void write(float* to, Vec d_i, Vec d_f, Vec d_g, Vec d_o, int lanes) const {
    store(to, d_i, lanes);
    store(to + hidden_, d_f, lanes);
    store(to + 2 * hidden_, d_g, lanes);
    store(to + 3 * hidden_, d_o, lanes);
  }

  const LstmBackward& io_;
};

}  // namespace

void lstm_forward(const LstmForward& io, int threads) { Recurrence<Forward>(io).run(threads); }

void lstm_backward(const LstmBackward& io, int threads) { Recurrence<Backward>(io).run(threads); }

}  // namespace unspool::UNSPOOL_ISA
