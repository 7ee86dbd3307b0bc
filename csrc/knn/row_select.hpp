// Selection of a row's nearest neighbours by one warp: see warp.hpp for Warp.
//
// Candidates come in ascending order of index, and one of equal distance is put behind those that
// are there. So ties go to the lower index. There are no atomic operations.
#pragma once

#include <cstdint>

#include "knn/bounds.hpp"
#include "knn/select.hpp"
#include "knn/warp.hpp"

namespace graphcut::knn {

// One row of the problem.
template <class T>
struct Target {
  const T* norm;  // (points,) of its item
  const T* x;     // (points, channels) of its item
  double rescale;
  std::int64_t self;
  std::int64_t length;  // points that may be neighbours
  std::int64_t channels;

  GRAPHCUT_BLOCK Target(const Points<T>& points, std::int64_t item, std::int64_t row)
      : norm(points.norm + item * points.points),
        x(points.x + item * points.points * points.channels),
        rescale(points.rescale[item]),
        self(row),
        length(points.length(item)),
        channels(points.channels) {}
};

// |x_self - x_j|^2 in the order of bounds.hpp, the same bits as on the CPU.
template <class Warp, class T>
GRAPHCUT_BLOCK double squared_distance(const Warp& warp, const Target<T>& target, std::int64_t j) {
  const T* a = target.x + target.self * target.channels;
  const T* b = target.x + j * target.channels;
  typename Warp::template PerLane<double> sum{};
  warp.lanes([&](int lane) {
    for (std::int64_t c = lane; c < target.channels; c += kLanes) {
      const double d = difference(a[c], b[c], target.rescale);
      sum[lane] = rounded_sum(sum[lane], rounded_product(d, d));
    }
  });
  return warp.sum(sum);
}

// The least values so far, ascending, ties in the order of arrival.
template <class V>
struct Sorted {
  V* value;             // (places,)
  std::int64_t* index;  // (places,), or nullptr where values alone are kept
  std::int64_t places;
  std::int64_t count = 0;

  // Whether no later value of at least 0 can enter: the list is full of zeros, or has no places.
  GRAPHCUT_BLOCK bool closed() const {
    return count == places && (places == 0 || value[places - 1] == V{0});
  }

  template <class Warp>
  GRAPHCUT_BLOCK void insert(const Warp& warp, V candidate, std::int64_t j) {
    if (count == places && (places == 0 || !(candidate < value[places - 1]))) return;
    std::int64_t at = 0;
    for (std::int64_t first = 0; first < count; first += kLanes) {
      const std::uint32_t before = warp.ballot(
          [&](int lane) { return first + lane < count && value[first + lane] <= candidate; });
      at += set_bits(before);
      if (before != ~std::uint32_t{0}) break;
    }
    const std::int64_t end = count < places ? count : places - 1;
    make_room(warp, at, end);
    warp.lanes([&](int lane) {
      if (lane != 0) return;
      value[at] = candidate;
      if (index != nullptr) index[at] = j;
    });
    warp.sync();
    count = end + 1;
  }

 private:
  // Entries [at, end) move up by one, from the top, a warp at a time.
  template <class Warp>
  GRAPHCUT_BLOCK void make_room(const Warp& warp, std::int64_t at, std::int64_t end) {
    warp.sync();
    for (std::int64_t top = end; top > at; top -= kLanes) {
      typename Warp::template PerLane<V> moved_value{};
      typename Warp::template PerLane<std::int64_t> moved_index{};
      warp.lanes([&](int lane) {
        const std::int64_t p = top - 1 - lane;
        if (p < at) return;
        moved_value[lane] = value[p];
        if (index != nullptr) moved_index[lane] = index[p];
      });
      warp.sync();
      warp.lanes([&](int lane) {
        const std::int64_t p = top - 1 - lane;
        if (p < at) return;
        value[p + 1] = moved_value[lane];
        if (index != nullptr) index[p + 1] = moved_index[lane];
      });
      warp.sync();
    }
  }
};

// best.index is the row's place in nearest.indices.
template <class Warp, class T>
GRAPHCUT_BLOCK void write_row(const Warp& warp, const Sorted<double>& best, double rescale,
                              std::int64_t measured, const Nearest<T>& nearest,
                              std::int64_t result) {
  const double undo = 1.0 / rescale;
  warp.lanes([&](int lane) {
    for (std::int64_t t = lane; t < nearest.k; t += kLanes) {
      const bool found = t < best.count;
      nearest.distances[result * nearest.k + t] =
          found ? static_cast<T>(best.value[t] * undo * undo) : kInfinity<T>;
      nearest.indices[result * nearest.k + t] = found ? best.index[t] : -1;
    }
    if (lane == 0) nearest.measured[result] = measured;
  });
}

// The k-th smallest of a multiset of keys, of which count_below(lane, v) tells how many are < v:
// the largest v below which lie fewer than k.
template <class Bits, class Warp, class CountBelow>
GRAPHCUT_BLOCK Bits kth_smallest(const Warp& warp, std::int64_t k, CountBelow count_below) {
  Bits result = 0;
  for (int bit = static_cast<int>(sizeof(Bits)) * 8 - 1; bit >= 0; --bit) {
    const Bits trial = result | (static_cast<Bits>(1) << bit);
    typename Warp::template PerLane<int> below{};
    warp.lanes([&](int lane) { below[lane] = count_below(lane, trial); });
    if (warp.sum(below) < k) result = trial;
  }
  return result;
}

// The k-th smallest upper bound, or a value above it met by k points: the minima of disjoint groups
// belong to different points. product: (length,)
template <class Warp, class T>
GRAPHCUT_BLOCK T kth_upper(const Warp& warp, const Bounds<T>& bounds, const Target<T>& target,
                           const T* product, std::int64_t k) {
  using Bits = typename Key<T>::Bits;
  constexpr int kBins = 4;  // groups per lane
  constexpr std::int64_t kGroups = std::int64_t{kLanes} * kBins;
  constexpr Bits kNone = ~static_cast<Bits>(0);
  const auto key = [&](std::int64_t j) {
    return j < target.length && j != target.self
               ? Key<T>::of(bounds.upper(target.norm[j], product[j]))
               : kNone;
  };
  if (target.length < 4 * kGroups || 2 * k > kGroups) {
    return Key<T>::value(kth_smallest<Bits>(warp, k, [&](int lane, Bits trial) {
      int count = 0;
      for (std::int64_t j = lane; j < target.length; j += kLanes) count += key(j) < trial ? 1 : 0;
      return count;
    }));
  }
  typename Warp::template PerLane<Bits> least[kBins];
  warp.lanes([&](int lane) {
    GRAPHCUT_UNROLL
    for (int bin = 0; bin < kBins; ++bin) least[bin][lane] = kNone;
    for (std::int64_t first = lane; first < target.length; first += kGroups) {
      GRAPHCUT_UNROLL
      for (int bin = 0; bin < kBins; ++bin) {
        const Bits bits = key(first + std::int64_t{bin} * kLanes);
        if (bits < least[bin][lane]) least[bin][lane] = bits;
      }
    }
  });
  return Key<T>::value(kth_smallest<Bits>(warp, k, [&](int lane, Bits trial) {
    int count = 0;
    GRAPHCUT_UNROLL
    for (int bin = 0; bin < kBins; ++bin) count += least[bin][lane] < trial ? 1 : 0;
    return count;
  }));
}

// Row `at` of (items, rows): its k-th smallest upper bound, then the distances of all candidates.
template <class Warp, class T>
GRAPHCUT_BLOCK void select_row(const Warp& warp, const Points<T>& points, const Rows<T>& rows,
                               const Bounds<T>& bounds, const Nearest<T>& nearest,
                               double* workspace, std::int64_t at) {
  const std::int64_t item = at / rows.rows;
  const Target<T> target(points, item, rows.first_row + at % rows.rows);
  const std::int64_t result = points.result(item, target.self);
  const T* product = rows.products + at * points.searched;
  const std::int64_t k = points.neighbours(item, target.self, nearest.k);
  Sorted<double> best{workspace + at * nearest.k, nearest.indices + result * nearest.k, k};
  std::int64_t measured = 0;
  const T limit =
      k == 0 ? T{0}
             : bounds.limit(kth_upper(warp, bounds, target, product, k), target.norm[target.self]);
  for (std::int64_t first = 0; first < target.length && !best.closed(); first += kLanes) {
    std::uint32_t candidates = warp.ballot([&](int lane) {
      const std::int64_t j = first + lane;
      return j < target.length && j != target.self &&
             bounds.lower(target.norm[j], product[j]) <= limit;
    });
    for (; candidates != 0; candidates &= candidates - 1) {
      const std::int64_t j = first + lowest_bit(candidates);
      best.insert(warp, squared_distance(warp, target, j), j);
      ++measured;
    }
  }
  write_row(warp, best, target.rescale, measured, nearest, result);
}

}  // namespace graphcut::knn
