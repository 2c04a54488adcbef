// Runs every kernel over many shapes and thread counts, alone and several at once, for the sanitizers to watch: arrays
// have exactly the size the kernels may touch. Prints the number of calls; the sanitizer reports the rest.
#include <cstdio>
#include <cstdlib>
#include <random>
#include <thread>
#include <vector>

#include "kernels.h"

namespace {

using Floats = std::vector<float>;

class Random {
 public:
  explicit Random(unsigned seed) : engine_(seed) {}

  Floats floats(int64_t count) {
    Floats values(count);
    for (float& value : values) value = normal_(engine_);
    return values;
  }

  std::vector<int32_t> lengths(int64_t batch, int64_t steps) {
    std::vector<int32_t> values(batch);
    for (int32_t& value : values) value = std::uniform_int_distribution<int32_t>(0, steps)(engine_);
    return values;
  }

 private:
  std::mt19937 engine_;
  std::normal_distribution<float> normal_;
};

// Both passes of every cell, on arrays of their own.
void run_all(unspool::Sizes n, int threads, unsigned seed) {
  const unspool::Kernels& kernels = unspool::kernels();
  const int64_t state = n.batch * n.hidden, sequence = n.steps * state, weights = n.hidden * n.hidden;
  Random random(seed);
  const Floats projected = random.floats(4 * sequence), w_hh = random.floats(4 * weights);
  const Floats b_hn = random.floats(n.hidden);
  const Floats h0 = random.floats(state), c0 = random.floats(state);
  const Floats d_hs = random.floats(sequence), d_last = random.floats(state);
  const std::vector<int32_t> lengths = random.lengths(n.batch, n.steps);
  const int32_t* ends = lengths.data();
  {
    Floats hs(sequence), h_last(state), d_projected(sequence), d_h0(state);
    kernels.rnn_forward({n, projected.data(), w_hh.data(), h0.data(), ends, hs.data(), h_last.data()}, threads);
    kernels.rnn_backward({n, hs.data(), w_hh.data(), ends, d_hs.data(), d_last.data(), d_projected.data(), d_h0.data()},
                         threads);
  }
  {
    Floats hs(sequence), cs(sequence), gates(4 * sequence), h_last(state), c_last(state);
    Floats d_projected(4 * sequence), d_h0(state), d_c0(state);
    unspool::LstmForward forward{n,    projected.data(), w_hh.data(), h0.data(),    c0.data(),    ends,
                                 hs.data(), cs.data(),   gates.data(), h_last.data(), c_last.data()};
    kernels.lstm_forward(forward, threads);
    kernels.lstm_backward({n, gates.data(), cs.data(), c0.data(), w_hh.data(), ends, d_hs.data(), d_last.data(),
                           d_last.data(), d_projected.data(), d_h0.data(), d_c0.data()},
                          threads);
    forward.cs = forward.gates = nullptr;
    kernels.lstm_forward(forward, threads);
  }
  {
    Floats hs(sequence), gates(3 * sequence), hn(sequence), h_last(state);
    Floats d_projected(3 * sequence), d_recurrent(3 * sequence), d_b_hn(state), d_h0(state);
    unspool::GruForward forward{n,    projected.data(), w_hh.data(),  b_hn.data(), h0.data(),
                                ends, hs.data(),        gates.data(), hn.data(),   h_last.data()};
    kernels.gru_forward(forward, threads);
    kernels.gru_backward({n, gates.data(), hn.data(), hs.data(), h0.data(), w_hh.data(), ends, d_hs.data(),
                          d_last.data(), d_projected.data(), d_recurrent.data(), d_b_hn.data(), d_h0.data()},
                         threads);
    forward.gates = forward.hn = nullptr;
    kernels.gru_forward(forward, threads);
    Floats d_w_hh(3 * weights);
    kernels.weight_gradient({n, 3 * n.hidden, d_recurrent.data(), hs.data(), h0.data(), d_w_hh.data(), d_b_hn.data()},
                            threads);
  }
}

}  // namespace

int main() {
  const int64_t batches[] = {1, 3, 14, 29}, hiddens[] = {1, 7, 16, 33, 70, 130};
  int calls = 0;
  for (const char* isa : {"plain", "neon", "avx2", "avx512"}) {
    if (!unspool::force_isa(isa)) continue;
    for (int64_t batch : batches) {
      for (int64_t hidden : hiddens) {
        for (int64_t steps : {1, 5, 40}) {
          for (int threads : {1, 2, 3}) run_all({steps, batch, hidden}, threads, ++calls);
        }
      }
    }
    std::vector<std::thread> callers;
    for (int i = 0; i < 4; ++i) {
      callers.emplace_back([i] {
        for (int repeat = 0; repeat < 10; ++repeat) run_all({20, 20 + i, 70}, 1 + i % 3, repeat);
      });
    }
    for (std::thread& caller : callers) caller.join();
    calls += 40;
  }
  std::printf("%d calls of every kernel\n", calls);
  return calls > 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
