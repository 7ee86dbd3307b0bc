// Neighbours among points of few channels, by a tree of boxes: exact, without products.
//
// Points are divided as in a k-d tree (Bentley, "Multidimensional binary search trees used for
// associative searching", CACM 1975), by the widest side of their box, into leaves of eight; eight
// leaves or nodes beside each other make a node. So the distances of eight points, and those of
// eight boxes, are computed together.
#pragma once

#include <cstdint>

#include "knn/select.hpp"

namespace graphcut::knn {

inline constexpr std::int64_t kMaxTreeChannels = 8;

// Writes all results. points.norm and points.rescale are not used. Requires at most
// kMaxTreeChannels channels and fewer than 2^31 points an item. Returns the first item with a value
// that is NaN or infinite, else -1; then results are undefined.
template <class T>
std::int64_t search_tree(const Points<T>& points, const Nearest<T>& nearest, int threads);

}  // namespace graphcut::knn
