// Neighbours by products of rounded points, multiplied and selected some at a time.
#pragma once

#include <cstdint>
#include <vector>

#include "knn/panels.hpp"
#include "knn/select.hpp"

namespace graphcut::knn {

// Searched points whose products with a few rows stay in the cache.
inline constexpr std::int64_t kSegment = 42 * kPanel;
// Items of more than kSegment points are searched for at most so many neighbours.
inline constexpr std::int64_t kMaxNeighbours = 64;

// Writes all results. points.norm are those of `rounded`. Returns the items that were given up: see
// select().
std::vector<std::int64_t> search_rounded(const Points<float>& points, const Panels& panels,
                                         const Rounded& rounded, const Nearest<float>& nearest,
                                         std::int64_t most, int threads);

}  // namespace graphcut::knn
