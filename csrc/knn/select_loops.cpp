#include "knn/select_loops.hpp"

#include <algorithm>
#include <bit>
#include <cstring>
#include <limits>
#include <type_traits>

#include "knn/clones.hpp"

// The *_of templates are inlined into one function per type and x86 level, so that the choice of
// level costs one indirect call per row or pair and not one per value.
namespace graphcut::knn::loops {
namespace {

inline constexpr std::int64_t kStripe = 256;
inline constexpr std::int64_t kWord = 8;  // flags that are looked at together
inline constexpr std::int64_t kBits = 64;
// A product of it and 8 bytes of 0 or 1 has them as the bits of its highest byte, in order.
inline constexpr std::uint64_t kGather =
    std::endian::native == std::endian::little ? 0x0102040810204080U : 0x8040201008040201U;
inline constexpr int kCacheLine = 64;

template <class T>
GRAPHCUT_INLINE void widen_of(const T* x, std::int64_t channels, double rescale, double* wide) {
  for (std::int64_t c = 0; c < channels; ++c) wide[c] = widened(x[c], rescale);
}

template <class T>
GRAPHCUT_INLINE double squared_distance_of(const double* a, const T* b, const T* next,
                                           std::int64_t channels, double rescale) {
  constexpr int kLine = kCacheLine / static_cast<int>(sizeof(T));
  double lane[kLanes] = {};
  std::int64_t c = 0;
  for (; c + kLanes <= channels; c += kLanes) {
    for (int l = 0; l < kLanes; l += kLine) GRAPHCUT_PREFETCH(next + c + l);
    for (int l = 0; l < kLanes; ++l) {
      const double d = a[c + l] - widened(b[c + l], rescale);
      lane[l] += d * d;
    }
  }
  for (int l = 0; c + l < channels; ++l) {
    const double d = a[c + l] - widened(b[c + l], rescale);
    lane[l] += d * d;
  }
  for (int width = kLanes / 2; width > 0; width /= 2) {
    for (int l = 0; l < width; ++l) lane[l] += lane[l + width];
  }
  return lane[0];
}

template <class T>
GRAPHCUT_INLINE void group_minima_of(const Bounds<T>& bounds, const T* norm, const T* product,
                                     std::int64_t points, T* minima) {
  T least[kGroups];
  std::copy_n(minima, kGroups, least);
  std::int64_t j = 0;
  for (; j + kGroups <= points; j += kGroups) {
    for (std::int64_t l = 0; l < kGroups; ++l) {
      const T value = bounds.upper(norm[j + l], product[j + l]);
      least[l] = value < least[l] ? value : least[l];
    }
  }
  for (std::int64_t l = 0; j + l < points; ++l) {
    least[l] = std::min(least[l], bounds.upper(norm[j + l], product[j + l]));
  }
  std::copy_n(least, kGroups, minima);
}

// Floating-point values as integers of the same order.
template <class T>
using Ordered = std::conditional_t<sizeof(T) == sizeof(float), std::int32_t, std::int64_t>;

template <class T>
GRAPHCUT_INLINE Ordered<T> ordered(T value) {
  const auto bits = std::bit_cast<Ordered<T>>(value);
  return bits < 0 ? bits ^ std::numeric_limits<Ordered<T>>::max() : bits;
}

template <class T>
GRAPHCUT_INLINE T kth_least_of(const T* values, std::int64_t k) {
  Ordered<T> keys[kGroups];
  for (std::int64_t l = 0; l < kGroups; ++l) keys[l] = ordered(values[l]);
  Ordered<T> low = keys[0];
  Ordered<T> high = keys[0];
  for (std::int64_t l = 0; l < kGroups; ++l) {
    low = keys[l] < low ? keys[l] : low;
    high = keys[l] > high ? keys[l] : high;
  }
  while (low < high) {  // fewer than k are below `low`, at least k are at most `high`
    const Ordered<T> middle = (low & high) + ((low ^ high) >> 1);
    Ordered<T> count = 0;
    for (std::int64_t l = 0; l < kGroups; ++l) count += keys[l] <= middle ? 1 : 0;
    if (count >= k) {
      high = middle;
    } else {
      low = middle + 1;
    }
    if (count == k) break;
  }
  return std::bit_cast<T>(ordered(std::bit_cast<T>(high)));
}

template <class T>
GRAPHCUT_INLINE std::int64_t collect_of(const Bounds<T>& bounds, const T* norm, const T* product,
                                        std::int64_t points, T limit, std::int64_t* found) {
  std::int64_t count = 0;
  std::int64_t j = 0;
  for (; j + kStripe <= points; j += kStripe) {
    std::uint8_t near[kStripe];
    for (std::int64_t l = 0; l < kStripe; ++l) {
      near[l] = bounds.lower(norm[j + l], product[j + l]) <= limit ? 1 : 0;
    }
    for (std::int64_t l = 0; l < kStripe; l += kBits) {
      std::uint64_t bits = 0;
      for (std::int64_t m = 0; m < kBits; m += kWord) {
        std::uint64_t word = 0;
        std::memcpy(&word, near + l + m, sizeof(word));
        bits |= (word * kGather >> (kBits - kWord)) << m;
      }
      for (; bits != 0; bits &= bits - 1) found[count++] = j + l + std::countr_zero(bits);
    }
  }
  for (; j < points; ++j) {
    if (bounds.lower(norm[j], product[j]) <= limit) found[count++] = j;
  }
  return count;
}

GRAPHCUT_INLINE bool rank_of(const double* values, std::int64_t count, std::int64_t* rank) {
  std::int64_t sum = 0;
  for (std::int64_t i = 0; i < count; ++i) {
    std::int64_t below = 0;
    for (std::int64_t j = 0; j < count; ++j) below += values[j] < values[i] ? 1 : 0;
    rank[i] = below;
    sum += below;
  }
  return sum == count * (count - 1) / 2;
}

}  // namespace

GRAPHCUT_CLONES bool rank(const double* values, std::int64_t count, std::int64_t* rank) {
  return rank_of(values, count, rank);
}

#define GRAPHCUT_KNN_LOOPS(T)                                                                      \
  GRAPHCUT_CLONES void widen(const T* x, std::int64_t channels, double rescale, double* wide) {    \
    widen_of(x, channels, rescale, wide);                                                          \
  }                                                                                                \
  GRAPHCUT_CLONES double squared_distance(const double* a, const T* b, const T* next,              \
                                          std::int64_t channels, double rescale) {                 \
    return squared_distance_of(a, b, next, channels, rescale);                                     \
  }                                                                                                \
  GRAPHCUT_CLONES void group_minima(const Bounds<T>& bounds, const T* norm, const T* product,      \
                                    std::int64_t points, T* minima) {                              \
    group_minima_of(bounds, norm, product, points, minima);                                        \
  }                                                                                                \
  GRAPHCUT_CLONES T kth_least(const T* values, std::int64_t k) { return kth_least_of(values, k); } \
  GRAPHCUT_CLONES std::int64_t collect(const Bounds<T>& bounds, const T* norm, const T* product,   \
                                       std::int64_t points, T limit, std::int64_t* found) {        \
    return collect_of(bounds, norm, product, points, limit, found);                                \
  }

GRAPHCUT_KNN_LOOPS(float)
GRAPHCUT_KNN_LOOPS(double)
#undef GRAPHCUT_KNN_LOOPS

}  // namespace graphcut::knn::loops
