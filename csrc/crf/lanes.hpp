// Some floats at a time, on any machine, and the few functions of them that mean field needs.
//
// Included by loops.ipp only, which is compiled for several instruction sets: hence internal
// linkage. GRAPHCUT_LANES, the width of a register in floats, is set before.
#include <bit>
#include <cstdint>
#include <cstring>

namespace graphcut::crf {
namespace {

constexpr std::int64_t kLanes = GRAPHCUT_LANES;

#if defined(__GNUC__)

using Lanes = float __attribute__((vector_size(4 * GRAPHCUT_LANES)));
using Integers = std::int32_t __attribute__((vector_size(4 * GRAPHCUT_LANES)));

inline Lanes larger(Lanes a, Lanes b) { return a > b ? a : b; }
// 2 ** n for a whole n in [-126, 127] that is given as n + 1.5 * 2 ** 23.
inline Lanes power_of_two(Lanes shifted) {
  return (Lanes)(((Integers)shifted + 127) << 23);  // casts of vectors keep the bits
}

#else

struct Lanes {
  float v[kLanes];
  float operator[](std::int64_t i) const { return v[i]; }
};

template <class F>
Lanes each(F&& f) {
  Lanes a;
  for (std::int64_t i = 0; i < kLanes; ++i) a.v[i] = f(i);
  return a;
}
inline Lanes operator+(Lanes a, Lanes b) {
  return each([&](std::int64_t i) { return a.v[i] + b.v[i]; });
}
inline Lanes operator-(Lanes a, Lanes b) {
  return each([&](std::int64_t i) { return a.v[i] - b.v[i]; });
}
inline Lanes operator*(Lanes a, Lanes b) {
  return each([&](std::int64_t i) { return a.v[i] * b.v[i]; });
}
inline Lanes operator+(Lanes a, float b) {
  return each([&](std::int64_t i) { return a.v[i] + b; });
}
inline Lanes operator-(Lanes a, float b) { return a + -b; }
inline Lanes operator*(Lanes a, float b) {
  return each([&](std::int64_t i) { return a.v[i] * b; });
}
inline Lanes& operator+=(Lanes& a, Lanes b) { return a = a + b; }
inline Lanes larger(Lanes a, Lanes b) {
  return each([&](std::int64_t i) { return a.v[i] > b.v[i] ? a.v[i] : b.v[i]; });
}
inline Lanes power_of_two(Lanes shifted) {
  return each([&](std::int64_t i) {
    return std::bit_cast<float>((std::bit_cast<std::uint32_t>(shifted.v[i]) + 127U) << 23U);
  });
}

#endif

inline Lanes load(const float* from) {
  Lanes a;
  std::memcpy(&a, from, sizeof a);
  return a;
}
inline void store(float* to, Lanes a) { std::memcpy(to, &a, sizeof a); }
inline Lanes all(float a) { return Lanes{} + a; }

// Folds the lanes together by pairs.
template <class Fold>
inline float folded(Lanes a, Fold&& fold) {
  float lane[kLanes];
  std::memcpy(lane, &a, sizeof a);
  for (std::int64_t half = kLanes / 2; half > 0; half /= 2) {
    for (std::int64_t i = 0; i < half; ++i) lane[i] = fold(lane[i], lane[i + half]);
  }
  return lane[0];
}
inline float largest(Lanes a) {
  return folded(a, [](float x, float y) { return x > y ? x : y; });
}
inline float sum(Lanes a) {
  return folded(a, [](float x, float y) { return x + y; });
}

// e ** x for x <= 0, relative error below 2e-7; x below -60 counts as -60 (9e-27), so that no
// product with a filter's weight is subnormal, which processors are slow with.
inline Lanes exponential(Lanes x) {
  constexpr float kShift = 12582912.0F;  // 1.5 * 2 ** 23: adding it rounds to a whole number
  x = larger(x, all(-60.0F));
  const Lanes shifted = x * 1.44269504F + kShift;
  const Lanes n = shifted - kShift;
  // x - n ln 2 in two steps, so that it is exact to the last bit; |r| <= ln 2 / 2.
  const Lanes r = (x - n * 0.693145752F) - n * 1.42860677e-6F;
  // Taylor's polynomial of degree 7: the next term is below 6e-9.
  Lanes p = r * 1.98412698e-4F + 1.38888889e-3F;
  p = p * r + 8.33333333e-3F;
  p = p * r + 4.16666667e-2F;
  p = p * r + 1.66666667e-1F;
  p = p * r + 0.5F;
  p = p * r + 1.0F;
  p = p * r + 1.0F;
  return p * power_of_two(shifted);
}

}  // namespace
}  // namespace graphcut::crf
