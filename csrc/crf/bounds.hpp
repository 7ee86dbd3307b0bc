// The range of values.
#pragma once

#include <cstdint>
#include <utility>

namespace graphcut::crf {

// The least and the greatest of at least one value; NaN where there is a NaN. T is float, double or
// std::uint8_t.
template <class T>
std::pair<double, double> bounds(const T* values, std::int64_t count);

}  // namespace graphcut::crf
