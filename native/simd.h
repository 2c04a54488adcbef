// One SIMD vector, for whichever instruction set this file is compiled for.
//
// Everything is written with the vector extensions of GCC and Clang, which lower to AVX-512, AVX2,
// NEON or scalar code alike. Only loads and stores of a part of a vector differ: AVX-512 has masks
// for them.
//
// The kernels are compiled once per instruction set, each time inside the namespace
// unspool::UNSPOOL_ISA, so that the linker can never hand a function with AVX-512 in it to a
// machine without.
#pragma once

#include <cstdint>
#include <cstring>

#ifdef __AVX2__
#include <immintrin.h>
#endif

namespace unspool::UNSPOOL_ISA {

// kTileRows x (2 vectors) accumulators, two vectors of weights and one broadcast must fit the
// vector registers.
#if defined(__AVX512F__)
constexpr int kLanes = 16, kTileRows = 14;  // 32 registers of 16
#elif defined(__AVX2__)
constexpr int kLanes = 8, kTileRows = 6;  // 16 registers of 8
#elif defined(__ARM_NEON)
constexpr int kLanes = 4, kTileRows = 12;  // 32 registers of 4
#else
constexpr int kLanes = 4,
              kTileRows = 6;  // 16 registers of 4 (SSE2), or whatever the compiler makes of it
#endif

using Vec = float __attribute__((vector_size(4 * kLanes)));
using IntVec = int32_t __attribute__((vector_size(4 * kLanes)));
using UnalignedVec = float __attribute__((vector_size(4 * kLanes), aligned(4), may_alias));

inline Vec broadcast(float x) { return Vec{} + x; }

inline Vec load(const float* from) { return *reinterpret_cast<const UnalignedVec*>(from); }

inline void store(float* to, Vec x) { *reinterpret_cast<UnalignedVec*>(to) = x; }

// Into the second-level cache, to be written as well as read.
inline void prefetch(const float* line) { __builtin_prefetch(line, 1, 2); }

#ifdef __AVX512F__

inline __mmask16 first_lanes(int lanes) { return static_cast<__mmask16>((1u << lanes) - 1u); }

inline Vec load(const float* from, int lanes) {
  return _mm512_maskz_loadu_ps(first_lanes(lanes), from);
}

inline void store(float* to, Vec x, int lanes) { _mm512_mask_storeu_ps(to, first_lanes(lanes), x); }

#else

inline Vec load(const float* from, int lanes) {
  if (lanes == kLanes) return load(from);
  Vec x{};
  std::memcpy(&x, from, sizeof(float) * lanes);
  return x;
}

inline void store(float* to, Vec x, int lanes) {
  if (lanes == kLanes) return store(to, x);
  std::memcpy(to, &x, sizeof(float) * lanes);
}

#endif

}  // namespace unspool::UNSPOOL_ISA
