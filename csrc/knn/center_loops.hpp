// The inner loops of centring: see select_loops.hpp.
#pragma once

#include <algorithm>
#include <cstdint>
#include <limits>

#include "knn/bounds.hpp"
#include "knn/clones.hpp"

namespace graphcut::knn::loops {
namespace {

// At least the sum of squares that were added up in lanes; squares below the normal range may be
// lost.
inline double above(const float* lane, std::int64_t channels) {
  double sum = 0.0;
  for (int l = 0; l < kLanes; ++l) sum += static_cast<double>(lane[l]);
  const auto terms = static_cast<double>(channels);
  return sum * (1.0 + terms * static_cast<double>(std::numeric_limits<float>::epsilon())) +
         terms * static_cast<double>(std::numeric_limits<float>::min());
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

// At least |x * scale - mean|^2.
GRAPHCUT_CLONES double norm_above(const float* x, const float* mean, float scale,
                                  std::int64_t channels) {
  float lane[kLanes] = {};
  std::int64_t c = 0;
  for (; c + kLanes <= channels; c += kLanes) {
    for (int l = 0; l < kLanes; ++l) {
      const float y = x[c + l] * scale - mean[c + l];
      lane[l] += y * y;
    }
  }
  for (int l = 0; c + l < channels; ++l) {
    const float y = x[c + l] * scale - mean[c + l];
    lane[l] += y * y;
  }
  return above(lane, channels);
}

struct RoundedRow {
  std::int32_t norm;    // |q|^2
  double square_error;  // at least |t y - q|^2
};

// q = t y rounded to integers, |q|^2 < 2^31; y = x * scale - mean.
GRAPHCUT_CLONES RoundedRow round_row(const float* x, const float* mean, float scale, float t,
                                     std::int64_t channels, std::int16_t* q) {
  constexpr float kInteger = 12582912.0F;  // 1.5 2^23: a small float added to it is rounded
  std::int32_t norm[kLanes] = {};
  float error[kLanes] = {};
  std::int64_t c = 0;
  for (; c + kLanes <= channels; c += kLanes) {
    for (int l = 0; l < kLanes; ++l) {
      const float value = (x[c + l] * scale - mean[c + l]) * t;
      const float rounded = (value + kInteger) - kInteger;
      const auto integer = static_cast<std::int32_t>(rounded);
      q[c + l] = static_cast<std::int16_t>(integer);
      norm[l] += integer * integer;
      error[l] += (value - rounded) * (value - rounded);
    }
  }
  for (int l = 0; c + l < channels; ++l) {
    const float value = (x[c + l] * scale - mean[c + l]) * t;
    const float rounded = (value + kInteger) - kInteger;
    const auto integer = static_cast<std::int32_t>(rounded);
    q[c + l] = static_cast<std::int16_t>(integer);
    norm[l] += integer * integer;
    error[l] += (value - rounded) * (value - rounded);
  }
  RoundedRow row{0, above(error, channels)};
  for (const std::int32_t part : norm) row.norm += part;
  return row;
}

#define GRAPHCUT_KNN_LOOPS(T)                                                                  \
  GRAPHCUT_CLONES void column_sums(const T* x, std::int64_t points, std::int64_t channels,     \
                                   double factor, double* sum, T* peak) {                      \
    column_sums_of(x, points, channels, factor, sum, peak);                                    \
  }                                                                                            \
  GRAPHCUT_CLONES double center_row(const T* x, const T* mean, T scale, std::int64_t channels, \
                                    T* y) {                                                    \
    return center_row_of(x, mean, scale, channels, y);                                         \
  }

GRAPHCUT_KNN_LOOPS(float)
GRAPHCUT_KNN_LOOPS(double)
#undef GRAPHCUT_KNN_LOOPS

}  // namespace
}  // namespace graphcut::knn::loops
