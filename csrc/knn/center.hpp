// Scaled and centred points, as the products of a neighbour search take them.
#pragma once

#include <cstdint>

#include "knn/panels.hpp"

namespace graphcut::knn {

// Writes y (items, points, channels) = s x - m with s a power of two that brings the largest value
// of the item to about 1 and m near the scaled mean; norm (items, points): |y|^2; rescale (items,),
// the power of two by which distances are recomputed (1 unless x is double and extreme).
// Returns the first item with a value that is NaN or infinite, else -1; then outputs are undefined.
template <class T>
std::int64_t center(const T* x, std::int64_t items, std::int64_t points, std::int64_t channels,
                    T* y, T* norm, double* rescale, int threads);

// Only rescale of these, and the check of the values.
template <class T>
std::int64_t find_rescale(const T* x, std::int64_t items, std::int64_t points,
                          std::int64_t channels, double* rescale);

// The same for points that are rounded: q near t y for some t > 0 of the item, and e >= |t z - q|
// with z = s x - m before it is rounded to y.
std::int64_t center_rounded(const float* x, const Panels& panels, const Rounded& rounded,
                            double* rescale, int threads);

}  // namespace graphcut::knn
