#include "crf/bounds.hpp"

#include <algorithm>
#include <array>
#include <limits>

namespace graphcut::crf {

template <class T>
std::pair<double, double> bounds(const T* values, std::int64_t count) {
  constexpr std::int64_t kLanes = 16;  // so that compilers use vectors
  std::array<T, kLanes> low;
  std::array<T, kLanes> high;
  low.fill(values[0]);
  high.fill(values[0]);
  std::array<bool, kLanes> ordered;  // none is NaN
  ordered.fill(true);
  const auto look = [&](std::int64_t first, std::int64_t lanes) {
    for (std::int64_t i = 0; i < lanes; ++i) {
      const T value = values[first + i];
      low[i] = value < low[i] ? value : low[i];
      high[i] = value > high[i] ? value : high[i];
      ordered[i] = ordered[i] & (value == value);
    }
  };
  std::int64_t first = 0;
  for (; first + kLanes <= count; first += kLanes) look(first, kLanes);
  look(first, count - first);
  if (!std::all_of(ordered.begin(), ordered.end(), [](bool one) { return one; })) {
    const double nan = std::numeric_limits<double>::quiet_NaN();
    return {nan, nan};
  }
  return {*std::min_element(low.begin(), low.end()), *std::max_element(high.begin(), high.end())};
}

template std::pair<double, double> bounds(const float* values, std::int64_t count);
template std::pair<double, double> bounds(const double* values, std::int64_t count);
template std::pair<double, double> bounds(const std::uint8_t* values, std::int64_t count);

}  // namespace graphcut::crf
