// Four int32 at a time: the few operations that the solvers need, on any machine.
#pragma once

#include <algorithm>
#include <cstdint>

#if defined(__SSE2__) || defined(_M_X64)
#include <emmintrin.h>
#define GRAPHCUT_SSE2 1
#endif

namespace graphcut::maxflow {

#ifdef GRAPHCUT_SSE2

struct Lanes {
  __m128i v;

  static Lanes of(std::int32_t a, std::int32_t b, std::int32_t c, std::int32_t d) {
    return {_mm_setr_epi32(a, b, c, d)};
  }
  static Lanes all(std::int32_t a) { return {_mm_set1_epi32(a)}; }
};

// Comparisons give masks: -1 where they hold, 0 where not.
inline Lanes operator>(Lanes a, Lanes b) { return {_mm_cmpgt_epi32(a.v, b.v)}; }
inline Lanes operator==(Lanes a, Lanes b) { return {_mm_cmpeq_epi32(a.v, b.v)}; }
inline Lanes operator|(Lanes a, Lanes b) { return {_mm_or_si128(a.v, b.v)}; }
inline Lanes odd(Lanes a) { return {_mm_and_si128(a.v, _mm_set1_epi32(1))}; }
inline Lanes operator-(Lanes a) { return {_mm_sub_epi32(_mm_setzero_si128(), a.v)}; }
// The largest int32 where the mask is -1.
inline Lanes halved(Lanes mask) { return {_mm_srli_epi32(mask.v, 1)}; }
// 0 where the mask is -1.
inline Lanes cleared(Lanes a, Lanes mask) { return {_mm_andnot_si128(mask.v, a.v)}; }
// Bit i: lane i is negative.
inline std::uint64_t bits(Lanes a) {
  return static_cast<std::uint64_t>(_mm_movemask_ps(_mm_castsi128_ps(a.v)));
}
inline Lanes lesser(Lanes a, Lanes b) {
  const __m128i greater = _mm_cmpgt_epi32(a.v, b.v);
  return {_mm_or_si128(_mm_and_si128(greater, b.v), _mm_andnot_si128(greater, a.v))};
}
inline std::int32_t least(Lanes a) {
  a = lesser(a, {_mm_shuffle_epi32(a.v, _MM_SHUFFLE(1, 0, 3, 2))});
  a = lesser(a, {_mm_shuffle_epi32(a.v, _MM_SHUFFLE(2, 3, 0, 1))});
  return _mm_cvtsi128_si32(a.v);
}

#else

struct Lanes {
  std::int32_t v[4];

  static Lanes of(std::int32_t a, std::int32_t b, std::int32_t c, std::int32_t d) {
    return {{a, b, c, d}};
  }
  static Lanes all(std::int32_t a) { return {{a, a, a, a}}; }
  template <class F>
  static Lanes each(F&& f) {
    return {{f(0), f(1), f(2), f(3)}};
  }
};

inline Lanes operator>(Lanes a, Lanes b) {
  return Lanes::each([&](int i) { return -static_cast<std::int32_t>(a.v[i] > b.v[i]); });
}
inline Lanes operator==(Lanes a, Lanes b) {
  return Lanes::each([&](int i) { return -static_cast<std::int32_t>(a.v[i] == b.v[i]); });
}
inline Lanes operator|(Lanes a, Lanes b) {
  return Lanes::each([&](int i) { return a.v[i] | b.v[i]; });
}
inline Lanes odd(Lanes a) {
  return Lanes::each([&](int i) { return a.v[i] & 1; });
}
inline Lanes halved(Lanes mask) {
  return Lanes::each([&](int i) { return mask.v[i] & 0x7fffffff; });
}
inline Lanes operator-(Lanes a) {
  return Lanes::each([&](int i) { return -a.v[i]; });
}
inline Lanes cleared(Lanes a, Lanes mask) {
  return Lanes::each([&](int i) { return a.v[i] & ~mask.v[i]; });
}
inline std::uint64_t bits(Lanes a) {
  const auto bit = [&a](int i) { return static_cast<std::uint64_t>(a.v[i] < 0) << i; };
  return bit(0) | bit(1) | bit(2) | bit(3);
}
inline Lanes lesser(Lanes a, Lanes b) {
  return Lanes::each([&](int i) { return std::min(a.v[i], b.v[i]); });
}
inline std::int32_t least(Lanes a) {
  return std::min(std::min(a.v[0], a.v[1]), std::min(a.v[2], a.v[3]));
}

#endif

// Asks for the memory at `p`, which is read soon.
inline void prefetch(const void* p) {
#ifdef GRAPHCUT_SSE2
  _mm_prefetch(static_cast<const char*>(p), _MM_HINT_T0);
#else
  static_cast<void>(p);
#endif
}

}  // namespace graphcut::maxflow
