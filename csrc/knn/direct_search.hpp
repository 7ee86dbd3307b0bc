// Neighbours of few points, where every pair is measured: nothing has to be prepared for that.
#pragma once

#include <cstdint>

#include "knn/select.hpp"

namespace graphcut::knn {

// Writes all results, on the calling thread. points.norm and points.rescale are not used. Returns
// the first item with a value that is NaN or infinite, else -1; then results are undefined.
template <class T>
std::int64_t search_directly(const Points<T>& points, const Nearest<T>& nearest);

}  // namespace graphcut::knn
