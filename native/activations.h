// Vector tanh and sigmoid, with an error of at most 1e-6, absolute and relative, over every float.
//
// Exact: tanh(+-0) = +-0, tanh(x) = +-1 from |x| = 9.02 on, sigmoid(0) = 1/2, sigmoid(x) = 1 from
// x = 17 on, sigmoid(x) = 0 if the true value is below the smallest normal float (x < -87.33). NaN
// gives NaN.
#pragma once

#include "simd.h"

namespace unspool::UNSPOOL_ISA {

// e^x = power * (1 + fraction), power a power of two: kept apart because e^x - 1 needs them apart.
struct Exponential {
  Vec power, fraction;
};

// Needs |x| <= 87.4. A NaN ends up in fraction.
inline Exponential exponential(Vec x) {
  // Adding 1.5 * 2^23 rounds to an integer n, which then stands in the low bits.
  const Vec magic = broadcast(12582912.0f);
  const Vec shifted = x * 1.44269504f + magic;
  const Vec n = shifted - magic;
  // r = x - n ln 2, ln 2 in two parts: the first has so few bits that n * 0.693359375 is exact.
  const Vec r = (x - n * 0.693359375f) - n * -2.12194440e-4f;
  // Minimax for (e^r - 1 - r) / r^2 on |r| <= ln(2) / 2, relative error of e^r - 1: 1.4e-8.
  Vec q = broadcast(0.00138824975f);
  q = q * r + 0.0083666469f;
  q = q * r + 0.0416672039f;
  q = q * r + 0.166665427f;
  q = q * r + 0.499999981f;
  const IntVec bits = (reinterpret_cast<IntVec>(shifted) << 23) + 0x3f800000;
  return {reinterpret_cast<Vec>(bits), r * r * q + r};
}

// sigmoid(x) = 1 / (1 + e^-x)
inline Vec sigmoid(Vec x) {
  const Vec limit = broadcast(87.33654f);  // e^-limit is the smallest normal float
  Vec y = -x;
  y = y > limit ? limit : y;  // written so that NaN passes
  y = y < -limit ? -limit : y;
  const auto [power, fraction] = exponential(y);
  const Vec result = 1.0f / (1.0f + (power * fraction + power));
  return x < -limit ? Vec{} : result;
}

// tanh(x) = (e^2x - 1) / (e^2x + 1), computed from e^2x - 1 so that small x keeps all its digits.
inline Vec tanh(Vec x) {
  const IntVec sign = reinterpret_cast<IntVec>(x) & INT32_MIN;
  const Vec limit = broadcast(9.02f);  // e^18.04 > 2^26: the quotient is 1 exactly
  Vec y = reinterpret_cast<Vec>(reinterpret_cast<IntVec>(x) ^ sign);
  y = y > limit ? limit : y;
  const auto [power, fraction] = exponential(y + y);
  const Vec minus_one = power * fraction + (power - 1.0f);
  const Vec result = minus_one / (minus_one + 2.0f);
  return reinterpret_cast<Vec>(reinterpret_cast<IntVec>(result) | sign);
}

}  // namespace unspool::UNSPOOL_ISA
