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
using Quad = float __attribute__((vector_size(16)));

template <class V>
V larger(V a, V b) {
  return a > b ? a : b;
}
// 2 ** n for a whole n in [-126, 127] that is given as n + 1.5 * 2 ** 23.
template <class V>
V power_of_two(V shifted) {
  using Integers = decltype(shifted > shifted);
  return (V)(((Integers)shifted + 127) << 23);  // casts of vectors keep the bits
}

#else

template <int kCount>
struct Pack {
  float v[kCount];
  float operator[](std::int64_t i) const { return v[i]; }
};
using Lanes = Pack<GRAPHCUT_LANES>;
using Quad = Pack<4>;

template <int n, class F>
Pack<n> each(F&& f) {
  Pack<n> a;
  for (std::int64_t i = 0; i < n; ++i) a.v[i] = f(i);
  return a;
}
template <int n>
Pack<n> operator+(Pack<n> a, Pack<n> b) {
  return each<n>([&](std::int64_t i) { return a.v[i] + b.v[i]; });
}
template <int n>
Pack<n> operator-(Pack<n> a, Pack<n> b) {
  return each<n>([&](std::int64_t i) { return a.v[i] - b.v[i]; });
}
template <int n>
Pack<n> operator*(Pack<n> a, Pack<n> b) {
  return each<n>([&](std::int64_t i) { return a.v[i] * b.v[i]; });
}
template <int n>
Pack<n> operator/(Pack<n> a, Pack<n> b) {
  return each<n>([&](std::int64_t i) { return a.v[i] / b.v[i]; });
}
template <int n>
Pack<n> operator+(Pack<n> a, float b) {
  return each<n>([&](std::int64_t i) { return a.v[i] + b; });
}
template <int n>
Pack<n> operator-(Pack<n> a, float b) {
  return a + -b;
}
template <int n>
Pack<n> operator*(Pack<n> a, float b) {
  return each<n>([&](std::int64_t i) { return a.v[i] * b; });
}
template <int n>
Pack<n>& operator+=(Pack<n>& a, Pack<n> b) {
  return a = a + b;
}
template <int n>
Pack<n> larger(Pack<n> a, Pack<n> b) {
  return each<n>([&](std::int64_t i) { return a.v[i] > b.v[i] ? a.v[i] : b.v[i]; });
}
template <int n>
Pack<n> power_of_two(Pack<n> shifted) {
  return each<n>([&](std::int64_t i) {
    return std::bit_cast<float>((std::bit_cast<std::uint32_t>(shifted.v[i]) + 127U) << 23U);
  });
}

#endif

template <class V>
constexpr std::int64_t kSize = static_cast<std::int64_t>(sizeof(V) / sizeof(float));

template <class V = Lanes>
V load(const float* from) {
  V a;
  std::memcpy(&a, from, sizeof a);
  return a;
}
template <class V>
void store(float* to, V a) {
  std::memcpy(to, &a, sizeof a);
}
template <class V = Lanes>
V all(float a) {
  return V{} + a;
}

// Folds the lanes together by pairs.
template <class V, class Fold>
float folded(V a, Fold&& fold) {
  float lane[kSize<V>];
  std::memcpy(lane, &a, sizeof a);
  for (std::int64_t half = kSize<V> / 2; half > 0; half /= 2) {
    for (std::int64_t i = 0; i < half; ++i) lane[i] = fold(lane[i], lane[i + half]);
  }
  return lane[0];
}
template <class V>
float largest(V a) {
  return folded(a, [](float x, float y) { return x > y ? x : y; });
}
template <class V>
float sum(V a) {
  return folded(a, [](float x, float y) { return x + y; });
}

// Of every four lanes of both, the first two or the last two, one of `a` and one of `b` in turn.
#if defined(__GNUC__) && !defined(__clang__)
#define GRAPHCUT_SHUFFLE(a, b, ...) __builtin_shuffle(a, b, decltype((a) > (b)){__VA_ARGS__})
#elif defined(__clang__)
#define GRAPHCUT_SHUFFLE(a, b, ...) __builtin_shufflevector(a, b, __VA_ARGS__)
#else
#define GRAPHCUT_SHUFFLE(a, b, ...) shuffled(a, b, {__VA_ARGS__})
inline Lanes shuffled(Lanes a, Lanes b, const std::int64_t (&from)[kLanes]) {
  return each<kLanes>(
      [&](std::int64_t i) { return from[i] < kLanes ? a.v[from[i]] : b.v[from[i] - kLanes]; });
}
#endif
#if GRAPHCUT_LANES == 8
inline Lanes first_two(Lanes a, Lanes b) {
  return GRAPHCUT_SHUFFLE(a, b, 0, 8, 1, 9, 4, 12, 5, 13);
}
inline Lanes last_two(Lanes a, Lanes b) {
  return GRAPHCUT_SHUFFLE(a, b, 2, 10, 3, 11, 6, 14, 7, 15);
}
#else
inline Lanes first_two(Lanes a, Lanes b) { return GRAPHCUT_SHUFFLE(a, b, 0, 4, 1, 5); }
inline Lanes last_two(Lanes a, Lanes b) { return GRAPHCUT_SHUFFLE(a, b, 2, 6, 3, 7); }
#endif
#undef GRAPHCUT_SHUFFLE

// Rows and columns of every block of 4 x 4 lanes change places.
inline void transpose(Lanes (&row)[4]) {
  const Lanes low_even = first_two(row[0], row[2]);
  const Lanes low_odd = first_two(row[1], row[3]);
  const Lanes high_even = last_two(row[0], row[2]);
  const Lanes high_odd = last_two(row[1], row[3]);
  row[0] = first_two(low_even, low_odd);
  row[1] = last_two(low_even, low_odd);
  row[2] = first_two(high_even, high_odd);
  row[3] = last_two(high_even, high_odd);
}

// e ** x for x <= 0, relative error below 2e-7; x below -60 counts as -60 (9e-27), so that no
// product with a filter's weight is subnormal, which processors are slow with.
template <class V>
V exponential(V x) {
  constexpr float kShift = 12582912.0F;  // 1.5 * 2 ** 23: adding it rounds to a whole number
  x = larger(x, all<V>(-60.0F));
  const V shifted = x * 1.44269504F + kShift;
  const V n = shifted - kShift;
  // x - n ln 2 in two steps, so that it is exact to the last bit; |r| <= ln 2 / 2.
  const V r = (x - n * 0.693145752F) - n * 1.42860677e-6F;
  // Taylor's polynomial of degree 7: the next term is below 6e-9.
  V p = r * 1.98412698e-4F + 1.38888889e-3F;
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
