// What a row's selection consists of on the CPU: an upper bound, candidates, their exact distances.
#pragma once

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <limits>
#include <vector>

#include "knn/bounds.hpp"
#include "knn/select.hpp"
#include "knn/select_loops.hpp"

namespace graphcut::knn {

struct Candidate {
  double distance;
  std::int64_t index;

  bool operator<(const Candidate& other) const {
    return distance < other.distance || (distance == other.distance && index < other.index);
  }
};

// Counts the distances that are measured for an item, which is given up beyond a limit.
class Allowance {
 public:
  Allowance(std::int64_t items, std::int64_t most) : left_(static_cast<std::size_t>(items)) {
    for (auto& left : left_) left = most;
  }

  bool spent(std::int64_t item) const { return left_[item].load(std::memory_order_relaxed) < 0; }
  void take(std::int64_t item, std::int64_t distances) {
    left_[item].fetch_sub(distances, std::memory_order_relaxed);
  }
  void give_up(std::int64_t item) { left_[item].store(-1, std::memory_order_relaxed); }
  std::vector<std::int64_t> spent() const {
    std::vector<std::int64_t> items;
    for (std::size_t item = 0; item < left_.size(); ++item) {
      if (left_[item] < 0) items.push_back(static_cast<std::int64_t>(item));
    }
    return items;
  }

 private:
  std::vector<std::atomic<std::int64_t>> left_;
};

// A value that the upper bounds of at least k points do not exceed, near the k-th smallest bound:
// it is taken from the minima of groups, each of which belongs to another point. `product` is
// -infinity at the row's own point, so that it never counts.
template <class T>
T kth_upper(const Bounds<T>& bounds, const T* norm, const T* product, std::int64_t points,
            std::int64_t k, std::vector<T>& upper) {
  if (points >= 4 * loops::kGroups && 2 * k <= loops::kGroups) {
    upper.assign(loops::kGroups, std::numeric_limits<T>::infinity());
    loops::group_minima(bounds, norm, product, points, upper.data());
    return loops::kth_least(upper.data(), k);
  }
  upper.resize(static_cast<std::size_t>(points));
  for (std::int64_t j = 0; j < points; ++j) upper[j] = bounds.upper(norm[j], product[j]);
  std::nth_element(upper.begin(), upper.begin() + (k - 1), upper.end());
  return upper[k - 1];
}

// Writes (infinity, -1) where the row has no neighbour; returns how many it has.
template <class T>
std::int64_t begin_row(const Points<T>& points, std::int64_t item, std::int64_t row,
                       const Nearest<T>& nearest) {
  const std::int64_t k = points.neighbours(item, row, nearest.k);
  const std::int64_t result = points.result(item, row);
  const std::int64_t first = result * nearest.k;
  std::fill(nearest.distances + first + k, nearest.distances + first + nearest.k,
            std::numeric_limits<T>::infinity());
  std::fill(nearest.indices + first + k, nearest.indices + first + nearest.k, -1);
  nearest.measured[result] = 0;
  return k;
}

// Writes the k nearest of a row's candidates, which ascend.
template <class T>
void measure(const Points<T>& points, std::int64_t item, std::int64_t row,
             const std::int64_t* found, std::int64_t count, std::int64_t k,
             const Nearest<T>& nearest, Allowance& allowance, std::vector<Candidate>& candidates) {
  const T* x = points.x + item * points.points * points.channels;
  const double rescale = points.rescale[item];
  candidates.clear();
  std::int64_t zeros = 0;
  // Once k of them are at distance 0, no later one can precede them.
  for (std::int64_t f = 0; f < count && zeros < k; ++f) {
    const std::int64_t j = found[f];
    const std::int64_t next = found[std::min(f + 1, count - 1)];
    const double distance =
        loops::squared_distance(x + row * points.channels, x + j * points.channels,
                                x + next * points.channels, points.channels, rescale);
    zeros += distance == 0.0;
    candidates.push_back({distance, j});
  }
  const auto measured = static_cast<std::int64_t>(candidates.size());
  allowance.take(item, measured);
  std::partial_sort(candidates.begin(), candidates.begin() + k, candidates.end());
  const std::int64_t result = points.result(item, row);
  const double undo = 1.0 / rescale;
  for (std::int64_t t = 0; t < k; ++t) {
    nearest.distances[result * nearest.k + t] =
        static_cast<T>(candidates[t].distance * undo * undo);
    nearest.indices[result * nearest.k + t] = candidates[t].index;
  }
  nearest.measured[result] = measured;
}

}  // namespace graphcut::knn
