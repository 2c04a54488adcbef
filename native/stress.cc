// Runs every kernel over many shapes and thread counts, alone and several at once, for the
// sanitizers to watch, and compares the numbers of every instruction set and team of threads with
// those of the plain one on one thread.
//
//   stress [quick [FILE]]    prints the largest differences; fails where they are too large
//
// FILE gets all numbers of the best instruction set on one thread, each array as its length (int64)
// and its floats.
#include <algorithm>
#include <cmath>
#include <string>
#include <thread>

#include "stress_calls.h"

namespace {

using namespace unspool;
using namespace unspool::stress;

// Of an array's largest number, or of 0.1 where the terms of a sum have cancelled to less.
// Contraction to fused multiply-adds and the order of sums differ between instruction sets.
constexpr double kTolerance = 3e-5;
constexpr double kDifferentTokens = 0.002;  // near ties are rare

struct Report {
  double difference = 0, activation_error = 0;
  int64_t calls = 0, tokens = 0, different_tokens = 0;
};

double difference(const Results& a, const Results& b) {
  double worst = 0;
  for (size_t i = 0; i < a.size(); ++i) {
    double distance = 0, size = 0.1;
    for (size_t j = 0; j < a[i].size(); ++j) {
      const double gap = std::abs(static_cast<double>(a[i][j]) - b[i][j]);
      distance = gap <= distance ? distance : gap;  // NaN comes through
      size = std::max<double>(size, std::abs(b[i][j]));
    }
    const double relative = distance / size;
    worst = relative <= worst ? worst : relative;
  }
  return worst;
}

std::FILE* numbers = nullptr;

void write(const Results& results) {
  for (const Floats& array : results) {
    const auto count = static_cast<int64_t>(array.size());
    std::fwrite(&count, sizeof count, 1, numbers);
    std::fwrite(array.data(), sizeof(float), array.size(), numbers);
  }
}

void write(const Sampled& sampled) { write(sampled.states); }

using Isas = std::vector<std::pair<std::string, Report>>;

// For every instruction set in `isas` and 1 to 3 threads: calls `run` and adds to its report.
template <class Run, class Compare>
void against_plain(Isas& isas, const Run& run, const Compare& compare) {
  force_isa("plain");
  const auto expected = run(1);
  for (auto& [isa, report] : isas) {
    force_isa(isa.c_str());
    for (int threads : {1, 2, 3}) {
      compare(run(threads), expected, report);
      ++report.calls;
    }
  }
  if (numbers != nullptr) write(run(1));
}

void add_difference(const Results& found, const Results& expected, Report& report) {
  const double gap = difference(found, expected);
  report.difference = gap <= report.difference ? report.difference : gap;
}

void train(Isas& isas, Sizes sizes, unsigned seed) {
  const Inputs inputs(sizes, seed);
  for (const auto& run : {run_rnn, run_lstm, run_gru, run_table}) {
    against_plain(isas, [&](int threads) { return run(inputs, threads); }, add_difference);
  }
}

void sample_all(Isas& isas, Network network, unsigned seed) {
  for (WeightType type : {WeightType::kFloat32, WeightType::kBfloat16, WeightType::kInt8}) {
    for (int gates : {1, 3, 4}) {
      network.type = type, network.gates = gates;
      against_plain(
          isas, [&](int threads) { return sample(network, threads, seed); },
          [](const Sampled& found, const Sampled& expected, Report& report) {
            add_difference(found.states, expected.states, report);
            for (size_t i = 0; i < found.tokens.size(); ++i) {
              ++report.tokens;
              report.different_tokens += found.tokens[i] != expected.tokens[i];
            }
          });
      ++seed;
    }
  }
}

// tanh and sigmoid for floats of every exponent, against double; below the smallest normal float 0
// is right.
double activation_error() {
  Floats x, y;
  for (uint64_t bits = 0; bits < 1ull << 32; bits += 9973) {
    const auto word = static_cast<uint32_t>(bits);
    float value;
    std::memcpy(&value, &word, sizeof value);
    if (!std::isnan(value)) x.push_back(value);
  }
  y.resize(x.size());
  double worst = 0;
  const auto compare = [&](auto exact) {
    for (size_t i = 0; i < x.size(); ++i) {
      const double wanted = exact(static_cast<double>(x[i]));
      const double error = (std::abs(y[i] - wanted) - 1.2e-38) / std::max(std::abs(wanted), 1e-30);
      worst = error <= worst ? worst : error;
    }
  };
  kernels().tanh(x.data(), y.data(), static_cast<int64_t>(x.size()));
  compare([](double v) { return std::tanh(v); });
  kernels().sigmoid(x.data(), y.data(), static_cast<int64_t>(x.size()));
  compare([](double v) { return 1 / (1 + std::exp(-v)); });
  return worst;
}

// Several callers share the idle threads.
void at_once(int repeats) {
  std::vector<std::thread> callers;
  for (int i = 0; i < 4; ++i) {
    callers.emplace_back([=] {
      for (int repeat = 0; repeat < repeats; ++repeat) {
        const Inputs inputs({20, 20 + i, 70}, repeat);
        for (const auto& run : {run_rnn, run_lstm, run_gru, run_table}) {
          run(inputs, 1 + (i + repeat) % 3);
        }
        sample({4, WeightType::kFloat32, 3, 1 + i, 130, 130, 70}, 1 + (i + repeat) % 3, repeat);
      }
    });
  }
  for (std::thread& caller : callers) caller.join();
}

// Sizes that fill no vector, tile or panel; the last ones are large enough for three threads that
// share units or rows.
void run_shapes(Isas& isas, bool quick) {
  const std::vector<int64_t> batches =
      quick ? std::vector<int64_t>{3, 14} : std::vector<int64_t>{1, 3, 14, 29};
  const std::vector<int64_t> hiddens =
      quick ? std::vector<int64_t>{1, 33} : std::vector<int64_t>{1, 7, 16, 33, 70, 130};
  unsigned seed = 0;
  for (int64_t batch : batches) {
    for (int64_t hidden : hiddens) {
      for (int64_t steps : {1, 5, 40}) {
        if (quick && steps != 5) continue;
        for (int64_t directions : {1, 2}) train(isas, {steps, batch, hidden, directions}, ++seed);
      }
      const int64_t vocab = hidden % 2 ? 67 : 1, inputs = batch % 2 ? 0 : hidden + 3;
      sample_all(isas, {0, {}, 4, batch, vocab, hidden, inputs}, seed);
    }
  }
  for (const Sizes& sizes : {Sizes{40, 1, 130}, Sizes{12, 29, 70}, Sizes{9, 31, 130}}) {
    train(isas, sizes, ++seed);
  }
  for (int64_t inputs : {0, 40}) sample_all(isas, {0, {}, 3, 7, 700, 130, inputs}, ++seed);
}

bool right(const std::string& isa, const Report& report) {
  return report.difference <= (isa == "plain" ? 0 : kTolerance) &&
         report.activation_error <= 1e-6 &&
         report.different_tokens <= (isa == "plain" ? 0 : kDifferentTokens * report.tokens);
}

}  // namespace

int main(int argc, char** argv) {
  const bool quick = argc > 1 && std::string(argv[1]) == "quick";
  if (argc > 2) numbers = std::fopen(argv[2], "wb");
  Isas isas;
  for (const Kernels* kernels : all_kernels()) isas.push_back({kernels->isa, {}});
  run_shapes(isas, quick);
  if (numbers != nullptr) std::fclose(numbers);
  bool all_right = true;
  for (auto& [isa, report] : isas) {
    force_isa(isa.c_str());
    at_once(quick ? 2 : 10);
    report.activation_error = activation_error();
    std::printf(
        "%s: %lld calls, difference from plain %.1e, %lld of %lld tokens differ, activations "
        "%.1e\n",
        isa.c_str(), static_cast<long long>(report.calls), report.difference,
        static_cast<long long>(report.different_tokens), static_cast<long long>(report.tokens),
        report.activation_error);
    all_right = all_right && right(isa, report);
  }
  return all_right ? EXIT_SUCCESS : EXIT_FAILURE;
}
