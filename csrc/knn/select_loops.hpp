// The inner loops of the selection, written for the compiler's vectoriser: compiled for several x86
// levels, of which the best is taken at load. All levels round alike.
#pragma once

#include <cstdint>

#include "knn/bounds.hpp"

namespace graphcut::knn::loops {

inline constexpr std::int64_t kGroups = 128;

// widen: a point in double, multiplied by rescale where it is one of doubles.
// squared_distance: |a - b|^2 in the order of bounds.hpp, `a` widened. `next` is the point measured
//   after b, fetched meanwhile.
// group_minima: lowers minima[l] to the upper bounds of points l, l + kGroups, l + 2 kGroups, ...
// kth_least: the k-th smallest of kGroups values without NaN, or one above it and below the next;
//   1 <= k <= kGroups.
// collect: writes every point with lower bound <= limit to `found`, ascending; returns their
// number.
#define GRAPHCUT_KNN_LOOPS(T)                                                                      \
  void widen(const T* x, std::int64_t channels, double rescale, double* wide);                     \
  double squared_distance(const double* a, const T* b, const T* next, std::int64_t channels,       \
                          double rescale);                                                         \
  void group_minima(const Bounds<T>& bounds, const T* norm, const T* product, std::int64_t points, \
                    T* minima);                                                                    \
  T kth_least(const T* values, std::int64_t k);                                                    \
  std::int64_t collect(const Bounds<T>& bounds, const T* norm, const T* product,                   \
                       std::int64_t points, T limit, std::int64_t* found);

GRAPHCUT_KNN_LOOPS(float)
GRAPHCUT_KNN_LOOPS(double)
#undef GRAPHCUT_KNN_LOOPS

// rank[i]: how many values are less than values[i]. Returns whether all values differ.
bool rank(const double* values, std::int64_t count, std::int64_t* rank);

}  // namespace graphcut::knn::loops
