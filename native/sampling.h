// Products of a few rows with packed weights, read once and in order: what a step of sampling is
// made of.
//
// A panel holds kColumns output columns for every k, one k after the other. Weights are float32,
// bfloat16 or int8 and become float32 in registers. Each sum is taken in the order of k whatever
// the number of rows, so that a row's result does not depend on its neighbours.
#pragma once

#include <utility>

#include "simd.h"

namespace unspool::UNSPOOL_ISA {

using Bfloat16 = uint16_t;  // the upper half of a float32

inline Vec widen(const float* from) { return load(from); }

// GCC takes a vector of bytes apart to widen it, so the two instruction sets that matter name the
// instruction.
#if defined(__AVX512F__)

constexpr __mmask16 kAllLanes = 0xffff;  // GCC 12 warns of the forms without a mask

inline IntVec widen_to_int(const Bfloat16* from) {
  const __m256i halves = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(from));
  return reinterpret_cast<IntVec>(_mm512_maskz_cvtepu16_epi32(kAllLanes, halves));
}

inline IntVec widen_to_int(const int8_t* from) {
  const __m128i bytes = _mm_loadu_si128(reinterpret_cast<const __m128i*>(from));
  return reinterpret_cast<IntVec>(_mm512_maskz_cvtepi8_epi32(kAllLanes, bytes));
}

#elif defined(__AVX2__)

inline IntVec widen_to_int(const Bfloat16* from) {
  return reinterpret_cast<IntVec>(
      _mm256_cvtepu16_epi32(_mm_loadu_si128(reinterpret_cast<const __m128i*>(from))));
}

inline IntVec widen_to_int(const int8_t* from) {
  return reinterpret_cast<IntVec>(
      _mm256_cvtepi8_epi32(_mm_loadl_epi64(reinterpret_cast<const __m128i*>(from))));
}

#else

template <class Small>
inline IntVec widen_to_int(const Small* from) {
  IntVec wide;
  for (int lane = 0; lane < kLanes; ++lane) wide[lane] = from[lane];
  return wide;
}

#endif

inline Vec widen(const Bfloat16* from) { return reinterpret_cast<Vec>(widen_to_int(from) << 16); }

inline Vec widen(const int8_t* from) { return __builtin_convertvector(widen_to_int(from), Vec); }

constexpr int kMostRows = 6;

// Vectors of columns whose sums are kept in registers at once.
constexpr int group_size(int rows, int vectors) {
  const bool many_registers = kTileRows > 6;
  if (rows == 1) return vectors > 8 ? vectors / 2 : vectors;
  return many_registers ? (vectors % 4 == 0 ? 4 : 3) : 2;
}

template <int kColumns, int kVectors, class Weight, int... kSum>
inline void multiply_group(const float* x, int64_t stride, const Weight* panel, int64_t depth,
                           float* out, std::integer_sequence<int, kSum...>) {
  // In bytes: past the end of a page the processor's own prefetch stops.
  constexpr int kAhead = 2048 / sizeof(Weight);
  Vec sum[sizeof...(kSum)] = {};
  for (int64_t k = 0; k < depth; ++k, ++x, panel += kColumns) {
    for (int line = 0; line * 64 < static_cast<int>(kVectors * kLanes * sizeof(Weight)); ++line) {
      __builtin_prefetch(reinterpret_cast<const char*>(panel + kAhead) + 64 * line, 0, 2);
    }
    Vec w[kVectors];
    for (int v = 0; v < kVectors; ++v) w[v] = widen(panel + v * kLanes);
    ((sum[kSum] += x[kSum / kVectors * stride] * w[kSum % kVectors]), ...);
  }
  ((store(out + kSum / kVectors * kColumns + kSum % kVectors * kLanes, sum[kSum])), ...);
}

template <int kRows, int kColumns, class Weight>
void multiply_panel(const float* x, int64_t stride, const Weight* panel, int64_t depth,
                    float* out) {
  constexpr int kVectors = group_size(kRows, kColumns / kLanes);
  for (int first = 0; first < kColumns; first += kVectors * kLanes) {
    multiply_group<kColumns, kVectors>(x, stride, panel + first, depth, out + first,
                                       std::make_integer_sequence<int, kRows * kVectors>{});
  }
}

template <int kColumns, class Weight, int... kRow>
auto choose_panel(int rows, std::integer_sequence<int, kRow...>) {
  using Function = void (*)(const float*, int64_t, const Weight*, int64_t, float*);
  static constexpr Function functions[] = {multiply_panel<kRow + 1, kColumns, Weight>...};
  return functions[rows - 1];
}

// out (rows, kColumns) = x (rows, depth) times the panel, for 1 <= rows <= kMostRows; rows of x are
// `stride` apart.
template <int kColumns, class Weight>
void multiply_panel(int rows, const float* x, int64_t stride, const Weight* panel, int64_t depth,
                    float* out) {
  choose_panel<kColumns, Weight>(rows, std::make_integer_sequence<int, kMostRows>{})(
      x, stride, panel, depth, out);
}

}  // namespace unspool::UNSPOOL_ISA
