// The choice of a token from its logits.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <numeric>
#include <vector>

#include "kernels.h"

namespace unspool::UNSPOOL_ISA {

// Samples by the Gumbel-max rule: the token with the largest logit + noise, of equal ones the
// first. A NaN counts as largest.
class Chooser {
 public:
  explicit Chooser(const Sample& io) : io_(io), tokens_(io.vocab) {}

  // Overwrites the logits. noise is null for the likeliest token.
  int32_t choose(float* logits, const float* noise) {
    if (noise != nullptr && io_.temperature != 1) {
      for (int64_t i = 0; i < io_.vocab; ++i) logits[i] /= io_.temperature;
    }
    for (int64_t i = 0; i < io_.vocab; ++i) {
      if (std::isnan(logits[i])) return static_cast<int32_t>(i);  // what follows needs an order
    }
    std::iota(tokens_.begin(), tokens_.end(), 0);
    Token begin = tokens_.begin(), end = tokens_.end();
    if (noise != nullptr) {
      if (io_.top_k < io_.vocab) end = keep_largest(logits, begin, end);
      if (io_.top_p < 1) begin = keep_likeliest(logits, begin, end);
      for (Token token = begin; token != end; ++token) logits[*token] += noise[*token];
    }
    return *std::max_element(begin, end, Less{logits});
  }

 private:
  using Token = std::vector<int32_t>::iterator;

  struct Less {
    const float* logits;
    bool operator()(int32_t a, int32_t b) const {
      return logits[a] < logits[b] || (logits[a] == logits[b] && a > b);
    }
  };

  // Moves the top_k largest to the front and returns their end.
  Token keep_largest(const float* logits, Token begin, Token end) const {
    const Less less{logits};
    std::nth_element(begin, begin + io_.top_k, end,
                     [less](int32_t a, int32_t b) { return less(b, a); });
    return begin + io_.top_k;
  }

  // Moves to the back, largest first, tokens until they have top_p of the probability, and returns
  // their beginning.
  Token keep_likeliest(const float* logits, Token begin, Token end) const {
    const Less less{logits};
    std::make_heap(begin, end, less);
    const float largest = logits[*begin];
    const auto weight = [=](int32_t token) { return std::exp(logits[token] - largest); };
    double total = 0, kept = 0;
    for (Token token = begin; token != end; ++token) total += weight(*token);
    Token first = end;
    do {
      std::pop_heap(begin, first--, less);
      kept += weight(*first);
    } while (first != begin && kept < io_.top_p * total);
    return first;
  }

  const Sample& io_;
  std::vector<int32_t> tokens_;
};

}  // namespace unspool::UNSPOOL_ISA
