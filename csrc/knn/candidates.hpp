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
  if (points <= loops::kGroups || 2 * k <= loops::kGroups) {
    upper.assign(loops::kGroups, std::numeric_limits<T>::infinity());
    loops::group_minima(bounds, norm, product, points, upper.data());
    return loops::kth_least(upper.data(), k);
  }
  upper.resize(static_cast<std::size_t>(points));
  for (std::int64_t j = 0; j < points; ++j) upper[j] = bounds.upper(norm[j], product[j]);
  std::nth_element(upper.begin(), upper.begin() + (k - 1), upper.end());
  return upper[k - 1];
}

// Drops candidates that cannot be among the k nearest, of those that a bound above the k-th
// smallest left; limit: of lower bounds by an upper one. `found` holds all points whose upper
// bounds are at most the k-th smallest, so that this is known now. Returns how many are left.
template <class T, class Limit>
std::int64_t refine(const Bounds<T>& bounds, const T* norm, const T* product, std::int64_t count,
                    std::int64_t k, const Limit& limit, std::vector<T>& upper,
                    std::int64_t* found) {
  if (count <= k) return count;
  upper.assign(static_cast<std::size_t>(std::max(count, loops::kGroups)),
               std::numeric_limits<T>::infinity());
  for (std::int64_t f = 0; f < count; ++f) {
    upper[f] = bounds.upper(norm[found[f]], product[f]);
  }
  T kth = 0;
  if (count <= loops::kGroups) {
    kth = loops::kth_least(upper.data(), k);
  } else {
    std::nth_element(upper.begin(), upper.begin() + (k - 1), upper.end());
    kth = upper[k - 1];
  }
  const T most = limit(kth);
  std::int64_t kept = 0;
  for (std::int64_t f = 0; f < count; ++f) {
    const bool near = bounds.lower(norm[found[f]], product[f]) <= most;
    found[kept] = found[f];
    kept += near ? 1 : 0;
  }
  return kept;
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

// What one thread needs to measure the points of a row.
struct Workspace {
  std::vector<double> row;  // (channels,)
  std::vector<double> distances;
  std::vector<std::int64_t> rank;
  std::vector<Candidate> candidates;
};

inline constexpr std::int64_t kMaxRanked = 256;  // more candidates are sorted

// Writes the k nearest of a row's candidates, which ascend.
template <class T>
void measure(const Points<T>& points, std::int64_t item, std::int64_t row,
             const std::int64_t* found, std::int64_t count, std::int64_t k,
             const Nearest<T>& nearest, Allowance& allowance, Workspace& work) {
  const std::int64_t channels = points.channels;
  const T* x = points.x + item * points.points * channels;
  const double rescale = points.rescale[item];
  work.row.resize(static_cast<std::size_t>(channels));
  loops::widen(x + row * channels, channels, rescale, work.row.data());
  work.distances.clear();
  std::int64_t zeros = 0;
  // Once k of them are at distance 0, no later one can precede them.
  for (std::int64_t f = 0; f < count && zeros < k; ++f) {
    const std::int64_t next = found[std::min(f + 1, count - 1)];
    const double distance = loops::squared_distance(work.row.data(), x + found[f] * channels,
                                                    x + next * channels, channels, rescale);
    zeros += distance == 0.0;
    work.distances.push_back(distance);
  }
  const auto measured = static_cast<std::int64_t>(work.distances.size());
  allowance.take(item, measured);
  const std::int64_t result = points.result(item, row);
  nearest.measured[result] = measured;
  const double undo = 1.0 / rescale;
  const auto write = [&](std::int64_t place, double distance, std::int64_t index) {
    nearest.distances[result * nearest.k + place] = static_cast<T>(distance * undo * undo);
    nearest.indices[result * nearest.k + place] = index;
  };
  if (measured <= kMaxRanked) {
    work.rank.resize(work.distances.size());
    if (loops::rank(work.distances.data(), measured, work.rank.data())) {
      for (std::int64_t f = 0; f < measured; ++f) {
        if (work.rank[f] < k) write(work.rank[f], work.distances[f], found[f]);
      }
      return;
    }
  }
  work.candidates.clear();
  for (std::int64_t f = 0; f < measured; ++f) {
    work.candidates.push_back({work.distances[f], found[f]});
  }
  std::partial_sort(work.candidates.begin(), work.candidates.begin() + k, work.candidates.end());
  for (std::int64_t t = 0; t < k; ++t) {
    write(t, work.candidates[t].distance, work.candidates[t].index);
  }
}

}  // namespace graphcut::knn
