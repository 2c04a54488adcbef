// Sampling: a whole network, one token after the other, in one call. Each step reads every weight
// once, so it takes as long as that: the threads divide the units of each layer and meet after it.
#include "sampling.h"

#include <memory>
#include <vector>

#include "activations.h"
#include "buffer.h"
#include "choice.h"
#include "grid.h"
#include "passes.h"
#include "threads.h"

namespace unspool::UNSPOOL_ISA {

namespace {

// One vector of units: p the projected inputs and s the products with the state, for each gate; h
// and c before the step. Updates c and returns h.
template <int kGates>
Vec next_state(const Vec* p, const Vec* s, Vec b_hn, Vec h, Vec& c) {
  if constexpr (kGates == 1) {
    return tanh(p[0] + s[0]);
  } else if constexpr (kGates == 3) {
    const Vec r = sigmoid(p[0] + s[0]), z = sigmoid(p[1] + s[1]);
    return (1.0f - z) * tanh(p[2] + r * (s[2] + b_hn)) + z * h;
  } else {
    const Vec i = sigmoid(p[0] + s[0]), f = sigmoid(p[1] + s[1]);
    const Vec g = tanh(p[2] + s[2]), o = sigmoid(p[3] + s[3]);
    c = f * c + i * g;
    return o * tanh(c);
  }
}

template <int kGates, class Weight>
class Sampling {
 public:
  explicit Sampling(const Sample& io) : io_(io), logits_(io.batch * io.vocab) {
    for (int64_t row = 0; row < io.batch; ++row) tokens_.push_back(in_table(io.first[row]));
    for (int64_t l = 0; l < io.layer_count; ++l) {
      const int64_t state = io.batch * io.layers[l].hidden;
      states_.push_back({std::make_unique<Buffer>(state), std::make_unique<Buffer>(state)});
      std::copy_n(io.layers[l].h0, state, states_[l].h[0]->data());
      if (kGates == 4) std::copy_n(io.layers[l].c0, state, io.layers[l].c);
    }
  }

  void run(int threads) {
    Team team(worthwhile_threads(threads));
    Barrier everyone;
    everyone.set_members(team.size());
    std::vector<Chooser> choosers(team.size(), Chooser(io_));
    team.run([&](int rank) {
      for (int64_t t = 0; t < io_.steps; ++t) step(t, rank, team.size(), everyone, choosers[rank]);
    });
    for (int64_t l = 0; l < io_.layer_count; ++l) {
      std::copy_n(h(l, io_.steps), io_.batch * io_.layers[l].hidden, io_.layers[l].h);
    }
  }

 private:
  static constexpr int kUnits = panel_units(kGates), kColumns = panel_columns(kGates);
  static constexpr int kHeadColumns = panel_columns(1);

  struct State {
    std::unique_ptr<Buffer> h[2];  // before and after a step, in turn
  };

  float* h(int64_t layer, int64_t t) const { return states_[layer].h[t % 2]->data(); }

  // Meeting three times a step must cost less than it saves.
  int worthwhile_threads(int threads) const {
    constexpr double kWeightsPerThread = 5e4;
    double weights = static_cast<double>(io_.vocab) * io_.layers[io_.layer_count - 1].hidden;
    for (int64_t l = 0; l < io_.layer_count; ++l) {
      weights += static_cast<double>(kGates) * io_.layers[l].hidden *
                 (io_.layers[l].inputs + io_.layers[l].hidden);
    }
    return std::max(1, static_cast<int>(std::min<double>(threads, weights / kWeightsPerThread)));
  }

  void step(int64_t t, int rank, int team, Barrier& everyone, Chooser& chooser) {
    for (int64_t l = 0; l < io_.layer_count; ++l) {
      const int64_t panels = (io_.layers[l].hidden + kUnits - 1) / kUnits;
      const Range own = part(panels, team, rank);
      for (int64_t panel = own.begin; panel < own.end; ++panel) advance(t, l, panel);
      everyone.wait();
    }
    const bool is_given = io_.given[t] >= 0;
    if (!is_given) {
      const Range own = part((io_.vocab + kHeadColumns - 1) / kHeadColumns, team, rank);
      for (int64_t panel = own.begin; panel < own.end; ++panel) score(t, panel);
      everyone.wait();
    }
    const Range rows = part(io_.batch, team, rank);
    for (int64_t row = rows.begin; row < rows.end; ++row) {
      const float* noise =
          io_.noise == nullptr ? nullptr : io_.noise + (t * io_.batch + row) * io_.vocab;
      tokens_[row] = is_given ? in_table(io_.given[t])
                              : chooser.choose(logits_.data() + row * io_.vocab, noise);
      io_.tokens[row * io_.token_stride + t] = tokens_[row];
    }
    everyone.wait();
  }

  // Part of the batch that shares one pass over a panel.
  template <class Body>
  void for_rows(const Body& body) const {
    for (int64_t row = 0; row < io_.batch; row += kMostRows) {
      body(row, static_cast<int>(std::min<int64_t>(kMostRows, io_.batch - row)));
    }
  }

  // One layer's step for the units of one panel.
  void advance(int64_t t, int64_t l, int64_t panel) const {
    const SamplingLayer& layer = io_.layers[l];
    const auto* w_hh = static_cast<const Weight*>(layer.w_hh) + panel * layer.hidden * kColumns;
    const auto* w_ih = static_cast<const Weight*>(layer.w_ih) + panel * layer.inputs * kColumns;
    const Range units{panel * kUnits, std::min((panel + 1) * kUnits, layer.hidden)};
    alignas(64) float recurrent[kMostRows * kColumns], projected[kMostRows * kColumns];
    for_rows([&](int64_t first, int rows) {
      multiply_panel<kColumns>(rows, h(l, t) + first * layer.hidden, layer.hidden, w_hh,
                               layer.hidden, recurrent);
      if (layer.inputs > 0) project(t, l, first, rows, w_ih, projected);
      for (int i = 0; i < rows; ++i) {
        update(t, l, first + i, units, projected + i * kColumns, recurrent + i * kColumns);
      }
    });
  }

  // Inputs are the states of the layer below, or for the first one rows of the table.
  void project(int64_t t, int64_t l, int64_t first, int rows, const Weight* panel,
               float* out) const {
    const int64_t inputs = io_.layers[l].inputs;
    if (l > 0) {
      return multiply_panel<kColumns>(rows, h(l - 1, t + 1) + first * inputs, inputs, panel, inputs,
                                      out);
    }
    for (int i = 0; i < rows; ++i) {
      multiply_panel<kColumns>(1, table_row(first + i), inputs, panel, inputs, out + i * kColumns);
    }
  }

  int32_t in_table(int32_t token) const { return std::clamp<int64_t>(token, 0, io_.vocab - 1); }

  const float* table_row(int64_t row) const { return io_.table + tokens_[row] * io_.table_columns; }

  void update(int64_t t, int64_t l, int64_t row, Range units, const float* projected,
              const float* recurrent) const {
    const SamplingLayer& layer = io_.layers[l];
    for (int64_t unit = units.begin; unit < units.end; unit += kLanes) {
      const int lanes = static_cast<int>(std::min<int64_t>(kLanes, units.end - unit));
      const int64_t state = row * layer.hidden + unit;
      Vec p[kGates], s[kGates];
      for (int gate = 0; gate < kGates; ++gate) {
        const int64_t natural = gate * layer.hidden + unit;
        const int64_t packed = gate * kUnits + unit - units.begin;
        s[gate] = load(recurrent + packed) * scale(layer.hh_scale, natural, lanes);
        p[gate] = layer.inputs == 0
                      ? load(table_row(row) + natural, lanes)
                      : load(projected + packed) * scale(layer.ih_scale, natural, lanes) +
                            load(layer.bias + natural, lanes);
      }
      Vec c = kGates == 4 ? load(layer.c + state, lanes) : Vec{};
      const Vec b_hn = kGates == 3 ? load(layer.b_hn + unit, lanes) : Vec{};
      store(h(l, t + 1) + state, next_state<kGates>(p, s, b_hn, load(h(l, t) + state, lanes), c),
            lanes);
      if (kGates == 4) store(layer.c + state, c, lanes);
    }
  }

  static Vec scale(const float* scales, int64_t at, int lanes) {
    return scales == nullptr ? broadcast(1.0f) : load(scales + at, lanes);
  }

  // The logits of one panel's tokens.
  void score(int64_t t, int64_t panel) {
    const int64_t top = io_.layer_count - 1, hidden = io_.layers[top].hidden;
    const int64_t begin = panel * kHeadColumns;
    const auto* w_out = static_cast<const Weight*>(io_.w_out) + panel * hidden * kHeadColumns;
    const int64_t count = std::min<int64_t>(kHeadColumns, io_.vocab - begin);
    alignas(64) float sums[kMostRows * kHeadColumns];
    for_rows([&](int64_t first, int rows) {
      multiply_panel<kHeadColumns>(rows, h(top, t + 1) + first * hidden, hidden, w_out, hidden,
                                   sums);
      for (int i = 0; i < rows; ++i) {
        float* logits = logits_.data() + (first + i) * io_.vocab + begin;
        for (int64_t j = 0; j < count; j += kLanes) {
          const int lanes = static_cast<int>(std::min<int64_t>(kLanes, count - j));
          const Vec sum =
              load(sums + i * kHeadColumns + j) * scale(io_.out_scale, begin + j, lanes);
          store(logits + j, sum + load(io_.b_out + begin + j, lanes), lanes);
        }
      }
    });
  }

  const Sample& io_;
  std::vector<int32_t> tokens_;  // the last ones, which the network has not seen yet
  Buffer logits_;                // (B, V)
  std::vector<State> states_;
};

template <int kGates>
void sample_with(const Sample& io, int threads) {
  switch (io.weight_type) {
    case WeightType::kFloat32: return Sampling<kGates, float>(io).run(threads);
    case WeightType::kBfloat16: return Sampling<kGates, Bfloat16>(io).run(threads);
    case WeightType::kInt8: return Sampling<kGates, int8_t>(io).run(threads);
  }
}

}  // namespace

void sample(const Sample& io, int threads) {
  if (io.batch == 0) return;
  switch (io.gates) {
    case 1: return sample_with<1>(io, threads);
    case 3: return sample_with<3>(io, threads);
    case 4: return sample_with<4>(io, threads);
  }
}

}  // namespace unspool::UNSPOOL_ISA
