// One call of every kernel on drawn numbers, for stress.cc: arrays have exactly the size that the
// kernels may touch.
#pragma once

#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <random>
#include <vector>

#include "kernels.h"

namespace unspool::stress {

using Floats = std::vector<float>;
using Ints = std::vector<int32_t>;
using Results = std::vector<Floats>;  // each array by itself

class Random {
 public:
  explicit Random(unsigned seed) : engine_(seed) {}

  // Nearly normal, and the same on every processor: a sum of four integers of 16 bits.
  float normal() {
    const uint64_t a = engine_(), b = engine_();
    const uint64_t sum = (a >> 16) + (a & 0xffff) + (b >> 16) + (b & 0xffff);
    return (static_cast<float>(sum) - 131070.0f) / 37837.0f;
  }

  int32_t integer(int32_t from, int32_t to) {
    return std::uniform_int_distribution<int32_t>(from, to)(engine_);
  }

  Floats floats(int64_t count, double scale = 1) {
    Floats values(count);
    for (float& value : values) value = static_cast<float>(scale) * normal();
    return values;
  }

  Ints integers(int64_t count, int32_t from, int32_t to) {
    Ints values(count);
    for (int32_t& value : values) value = integer(from, to);
    return values;
  }

 private:
  std::mt19937 engine_;
};

// ---- training ----

struct Inputs {
  Inputs(Sizes sizes, unsigned seed)
      : n(sizes),
        state(n.batch * n.directions * n.hidden),
        sequence(n.steps * state),
        weights(n.directions * n.hidden * n.hidden),
        random(seed),
        projected(random.floats(4 * sequence)),
        w_hh(random.floats(4 * weights, 0.5 / std::sqrt(n.hidden))),
        b_hn(random.floats(n.directions * n.hidden)),
        h0(random.floats(state)),
        c0(random.floats(state)),
        d_hs(random.floats(sequence)),
        d_last(random.floats(state)),
        lengths(random.integers(n.batch, 0, static_cast<int32_t>(n.steps))) {}

  const Sizes n;
  const int64_t state, sequence, weights;
  Random random;
  const Floats projected, w_hh, b_hn, h0, c0, d_hs, d_last;
  const Ints lengths;
};

// The bias's gradient comes after the weights'.
inline Floats weight_gradient(const Inputs& in, int64_t gates, const Floats& d_recurrent,
                              const Floats& hs, int threads) {
  const int64_t outputs = in.n.directions * gates * in.n.hidden;
  Floats gradients(outputs * (in.n.hidden + 1));
  kernels().weight_gradient(
      {in.n, outputs, d_recurrent.data(), hs.data(), in.h0.data(), in.lengths.data(),
       gradients.data(), gradients.data() + outputs * in.n.hidden},
      threads);
  return gradients;
}

// The lengths serve as ids of a table.
inline Results run_table(const Inputs& in, int threads) {
  const int64_t entries = in.n.steps + 1;
  Floats rows(in.state), d_table(entries * in.n.hidden);
  kernels().table_rows(
      {in.n.batch, entries, in.n.hidden, in.lengths.data(), in.projected.data(), rows.data()},
      threads);
  kernels().table_gradient(
      {in.n.batch, entries, in.n.hidden, in.lengths.data(), in.d_last.data(), d_table.data()},
      threads);
  return {rows, d_table};
}

inline Results run_rnn(const Inputs& in, int threads) {
  Floats hs(in.sequence), h_last(in.state), d_projected(in.sequence), d_h0(in.state);
  kernels().rnn_forward({in.n, in.projected.data(), in.w_hh.data(), in.h0.data(), in.lengths.data(),
                         hs.data(), h_last.data()},
                        threads);
  kernels().rnn_backward({in.n, hs.data(), in.w_hh.data(), in.lengths.data(), in.d_hs.data(),
                          in.d_last.data(), d_projected.data(), d_h0.data()},
                         threads);
  return {hs, h_last, d_projected, d_h0, weight_gradient(in, 1, d_projected, hs, threads)};
}

inline Results run_lstm(const Inputs& in, int threads) {
  Floats hs(in.sequence), cs(in.sequence), gates(4 * in.sequence), h_last(in.state),
      c_last(in.state);
  Floats d_projected(4 * in.sequence), d_h0(in.state), d_c0(in.state);
  LstmForward forward{in.n,         in.projected.data(), in.w_hh.data(), in.h0.data(),
                      in.c0.data(), in.lengths.data(),   hs.data(),      cs.data(),
                      gates.data(), h_last.data(),       c_last.data()};
  kernels().lstm_forward(forward, threads);
  kernels().lstm_backward({in.n, gates.data(), cs.data(), in.c0.data(), in.w_hh.data(),
                           in.lengths.data(), in.d_hs.data(), in.d_last.data(), in.d_last.data(),
                           d_projected.data(), d_h0.data(), d_c0.data()},
                          threads);
  forward.cs = forward.gates = nullptr;
  kernels().lstm_forward(forward, threads);
  return {hs,     cs,     gates,
          h_last, c_last, d_projected,
          d_h0,   d_c0,   weight_gradient(in, 4, d_projected, hs, threads)};
}

inline Results run_gru(const Inputs& in, int threads) {
  Floats hs(in.sequence), gates(3 * in.sequence), hn(in.sequence), h_last(in.state);
  Floats d_projected(3 * in.sequence), d_recurrent(3 * in.sequence), d_b_hn(in.state),
      d_h0(in.state);
  GruForward forward{in.n,         in.projected.data(), in.w_hh.data(), in.b_hn.data(),
                     in.h0.data(), in.lengths.data(),   hs.data(),      gates.data(),
                     hn.data(),    h_last.data()};
  kernels().gru_forward(forward, threads);
  kernels().gru_backward({in.n, gates.data(), hn.data(), hs.data(), in.h0.data(), in.w_hh.data(),
                          in.lengths.data(), in.d_hs.data(), in.d_last.data(), d_projected.data(),
                          d_recurrent.data(), d_b_hn.data(), d_h0.data()},
                         threads);
  forward.gates = forward.hn = nullptr;
  kernels().gru_forward(forward, threads);
  return {hs,     gates,       hn,
          h_last, d_projected, d_recurrent,
          d_b_hn, d_h0,        weight_gradient(in, 3, d_recurrent, hs, threads)};
}

// ---- sampling ----

struct Network {
  int gates;
  WeightType type;
  int64_t steps, batch, vocab, hidden;
  int64_t inputs;  // of the first layer, 0 for a table of projected inputs
};

// Packed weights as bytes: bfloat16 is the upper half of a float, int8 has scales.
class Matrix {
 public:
  Matrix(Random& random, WeightType type, int64_t outputs_per_gate, int gates, int64_t depth) {
    const int64_t units = panel_units(gates);
    const int64_t count = (outputs_per_gate + units - 1) / units * panel_columns(gates) * depth;
    const double scale = 0.5 / std::sqrt(std::max<double>(1, depth));
    for (int64_t i = 0; i < count; ++i) add(type, static_cast<float>(scale) * random.normal());
    if (type == WeightType::kInt8) scales_ = random.floats(gates * outputs_per_gate, scale / 127);
  }

  const void* data() const { return bytes_.data(); }
  const float* scales() const { return scales_.empty() ? nullptr : scales_.data(); }

 private:
  void add(WeightType type, float value) {
    unsigned char bytes[sizeof value];
    std::memcpy(bytes, &value, sizeof value);
    if (type == WeightType::kFloat32) bytes_.insert(bytes_.end(), bytes, bytes + 4);
    if (type == WeightType::kBfloat16) bytes_.insert(bytes_.end(), bytes + 2, bytes + 4);
    if (type == WeightType::kInt8) bytes_.push_back(bytes[2]);
  }

  std::vector<unsigned char> bytes_;
  Floats scales_;
};

struct LayerArrays {
  LayerArrays(Random& random, const Network& n, int64_t inputs)
      : inputs(inputs),
        w_ih(random, n.type, n.hidden, n.gates, inputs),
        w_hh(random, n.type, n.hidden, n.gates, n.hidden),
        bias(random.floats(inputs > 0 ? n.gates * n.hidden : 0)),
        b_hn(random.floats(n.gates == 3 ? n.hidden : 0)),
        h0(random.floats(n.batch * n.hidden)),
        c0(random.floats(n.gates == 4 ? n.batch * n.hidden : 0)),
        h(h0.size()),
        c(c0.size()) {}

  SamplingLayer view(int64_t hidden) {
    return {inputs,      hidden,      w_ih.data(), w_hh.data(), w_ih.scales(), w_hh.scales(),
            bias.data(), b_hn.data(), h0.data(),   c0.data(),   h.data(),      c.data()};
  }

  int64_t inputs;
  Matrix w_ih, w_hh;
  Floats bias, b_hn, h0, c0, h, c;
};

struct Sampled {
  // After tokens that were given, since one that is chosen otherwise changes all that follow.
  Results states;
  Ints tokens;  // the first that were chosen, a row each
};

// Two layers. First all tokens are given, then all but the first are chosen, by rules that follow
// from the seed.
inline Sampled sample(const Network& n, int threads, unsigned seed) {
  Random random(seed);
  LayerArrays layers[] = {{random, n, n.inputs}, {random, n, n.hidden}};
  SamplingLayer views[] = {layers[0].view(n.hidden), layers[1].view(n.hidden)};
  const int64_t columns = n.inputs > 0 ? n.inputs : n.gates * n.hidden;
  const Floats table = random.floats(n.vocab * columns), b_out = random.floats(n.vocab);
  const Floats noise = random.floats(seed % 4 == 0 ? 0 : n.steps * n.batch * n.vocab);
  const Matrix w_out(random, n.type, n.vocab, 1, n.hidden);
  const auto last = static_cast<int32_t>(n.vocab - 1);
  const Ints first = random.integers(n.batch, 0, last);
  Ints given = random.integers(n.steps, 0, last), tokens(n.batch * n.steps);
  const Sample io{n.steps,
                  n.batch,
                  n.vocab,
                  columns,
                  2,
                  n.gates,
                  n.type,
                  views,
                  table.data(),
                  w_out.data(),
                  w_out.scales(),
                  b_out.data(),
                  first.data(),
                  given.data(),
                  noise.empty() ? nullptr : noise.data(),
                  seed % 2 ? 1.0f : 0.7f,
                  seed % 3 ? n.vocab : random.integer(1, last + 1),
                  seed % 5 < 2 ? 0.8f : 1.0f,
                  tokens.data(),
                  n.steps};
  kernels().sample(io, threads);
  Sampled result{{layers[0].h, layers[0].c, layers[1].h, layers[1].c}, {}};
  std::fill(given.begin() + (n.steps > 1 ? 1 : 0), given.end(), -1);
  kernels().sample(io, threads);
  for (int32_t token : tokens) {
    if (token >= 0 && token <= last) continue;
    std::printf("token %d of %d\n", token, last + 1);
    std::exit(EXIT_FAILURE);
  }
  for (int64_t row = 0; row < n.batch && n.steps > 1; ++row) {
    result.tokens.push_back(tokens[row * n.steps + 1]);
  }
  return result;
}

}  // namespace unspool::stress
