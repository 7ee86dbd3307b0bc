// The inner loops of the neighbour search, written for the compiler's vectoriser.
//
// The *_of templates are inlined into one function per type and x86 level, so that the choice of
// level costs one indirect call per row or pair and not one per value. All levels round alike.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>

#include "knn/bounds.hpp"
#include "knn/clones.hpp"

namespace graphcut::knn::loops {
namespace {

inline constexpr std::int64_t kGroups = 128;
inline constexpr std::int64_t kStripe = 64;
inline constexpr int kCacheLine = 64;

// `next`: the point measured after b, fetched meanwhile.
template <class T>
GRAPHCUT_INLINE double squared_distance_of(const T* a, const T* b, const T* next,
                                           std::int64_t channels, double rescale) {
  constexpr int kLine = kCacheLine / static_cast<int>(sizeof(T));
  double lane[kLanes] = {};
  std::int64_t c = 0;
  for (; c + kLanes <= channels; c += kLanes) {
    for (int l = 0; l < kLanes; l += kLine) GRAPHCUT_PREFETCH(next + c + l);
    for (int l = 0; l < kLanes; ++l) {
      const double d = difference(a[c + l], b[c + l], rescale);
      lane[l] += d * d;
    }
  }
  for (int l = 0; c + l < channels; ++l) {
    const double d = difference(a[c + l], b[c + l], rescale);
    lane[l] += d * d;
  }
  for (int width = kLanes / 2; width > 0; width /= 2) {
    for (int l = 0; l < width; ++l) lane[l] += lane[l + width];
  }
  return lane[0];
}

// minima[l] = least upper bound among points l, l + kGroups, l + 2 kGroups, ...
template <class T>
GRAPHCUT_INLINE void group_minima_of(const Bounds<T>& bounds, const T* norm, const T* product,
                                     std::int64_t points, T* minima) {
  T least[kGroups];
  for (std::int64_t l = 0; l < kGroups; ++l) least[l] = std::numeric_limits<T>::infinity();
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

// Appends to `found` every point with lower bound <= limit, ascending; returns their number.
template <class T>
GRAPHCUT_INLINE std::int64_t collect_of(const Bounds<T>& bounds, const T* norm, const T* product,
                                        std::int64_t points, T limit, std::int64_t* found) {
  std::int64_t count = 0;
  std::int64_t j = 0;
  for (; j + kStripe <= points; j += kStripe) {
    int any = 0;
    for (std::int64_t l = 0; l < kStripe; ++l) {
      any |= bounds.lower(norm[j + l], product[j + l]) <= limit;
    }
    if (any == 0) continue;
    for (std::int64_t l = 0; l < kStripe; ++l) {
      if (bounds.lower(norm[j + l], product[j + l]) <= limit) found[count++] = j + l;
    }
  }
  for (; j < points; ++j) {
    if (bounds.lower(norm[j], product[j]) <= limit) found[count++] = j;
  }
  return count;
}

// sum[c] += x[., c] * factor and peak[c] >= |x[., c]| over points. A NaN or infinity in a channel
// leaves its sum NaN or infinite; a finite sum never overflows.
template <class T>
GRAPHCUT_INLINE void column_sums_of(const T* x, std::int64_t points, std::int64_t channels,
                                    double factor, double* GRAPHCUT_RESTRICT sum,
                                    T* GRAPHCUT_RESTRICT peak) {
  for (std::int64_t i = 0; i < points; ++i) {
    const T* row = x + i * channels;
    for (std::int64_t c = 0; c < channels; ++c) {
      const T value = row[c] < 0 ? -row[c] : row[c];
      peak[c] = value > peak[c] ? value : peak[c];
      sum[c] += static_cast<double>(row[c]) * factor;
    }
  }
}

// y = x * scale - mean; returns |y|^2.
template <class T>
GRAPHCUT_INLINE double center_row_of(const T* x, const T* mean, T scale, std::int64_t channels,
                                     T* y) {
  double lane[kLanes] = {};
  std::int64_t c = 0;
  for (; c + kLanes <= channels; c += kLanes) {
    for (int l = 0; l < kLanes; ++l) {
      const T value = x[c + l] * scale - mean[c + l];
      y[c + l] = value;
      lane[l] += static_cast<double>(value) * static_cast<double>(value);
    }
  }
  for (int l = 0; c + l < channels; ++l) {
    const T value = x[c + l] * scale - mean[c + l];
    y[c + l] = value;
    lane[l] += static_cast<double>(value) * static_cast<double>(value);
  }
  double total = 0.0;
  for (const double part : lane) total += part;
  return total;
}

#define GRAPHCUT_KNN_LOOPS(T)                                                                    \
  GRAPHCUT_CLONES double squared_distance(const T* a, const T* b, const T* next,                 \
                                          std::int64_t channels, double rescale) {               \
    return squared_distance_of(a, b, next, channels, rescale);                                   \
  }                                                                                              \
  GRAPHCUT_CLONES void group_minima(const Bounds<T>& bounds, const T* norm, const T* product,    \
                                    std::int64_t points, T* minima) {                            \
    group_minima_of(bounds, norm, product, points, minima);                                      \
  }                                                                                              \
  GRAPHCUT_CLONES std::int64_t collect(const Bounds<T>& bounds, const T* norm, const T* product, \
                                       std::int64_t points, T limit, std::int64_t* found) {      \
    return collect_of(bounds, norm, product, points, limit, found);                              \
  }                                                                                              \
  GRAPHCUT_CLONES void column_sums(const T* x, std::int64_t points, std::int64_t channels,       \
                                   double factor, double* sum, T* peak) {                        \
    column_sums_of(x, points, channels, factor, sum, peak);                                      \
  }                                                                                              \
  GRAPHCUT_CLONES double center_row(const T* x, const T* mean, T scale, std::int64_t channels,   \
                                    T* y) {                                                      \
    return center_row_of(x, mean, scale, channels, y);                                           \
  }

GRAPHCUT_KNN_LOOPS(float)
GRAPHCUT_KNN_LOOPS(double)
#undef GRAPHCUT_KNN_LOOPS

}  // namespace
}  // namespace graphcut::knn::loops
