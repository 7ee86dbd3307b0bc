#include "knn/tree_search.hpp"

#include <algorithm>
#include <cstdint>
#include <limits>
#include <utility>
#include <vector>

#include "knn/bounds.hpp"
#include "knn/box_tree.hpp"
#include "knn/candidates.hpp"
#include "knn/center.hpp"
#include "knn/clones.hpp"
#include "parallel/parallel_for.hpp"

namespace graphcut::knn {
namespace {

constexpr int kMaxLevels = 11;  // 8^11 > 2^31 leaves
constexpr std::int64_t kInserted = 32;
constexpr std::int64_t kRows = 256;  // of a task

// The nearest so far: up to kInserted in their order, more as a heap with the farthest on top.
class Best {
 public:
  void begin(std::int64_t k) {
    k_ = k;
    found_.clear();
    farthest_ = {std::numeric_limits<double>::infinity(), -1};
  }

  // Whether a point of this distance, or one of these indices or more, may still enter.
  bool wants(double distance, std::int64_t index) const {
    return distance < farthest_.distance ||
           (distance == farthest_.distance && index < farthest_.index);
  }

  void insert(double distance, std::int64_t index) {
    const Candidate candidate{distance, index};
    if (k_ > kInserted) return insert_heap(candidate);
    if (static_cast<std::int64_t>(found_.size()) < k_) found_.emplace_back();
    std::size_t at = found_.size() - 1;
    for (; at > 0 && candidate < found_[at - 1]; --at) found_[at] = found_[at - 1];
    found_[at] = candidate;
    if (static_cast<std::int64_t>(found_.size()) == k_) farthest_ = found_.back();
  }

  const std::vector<Candidate>& sorted() {
    if (k_ > kInserted) std::sort_heap(found_.begin(), found_.end());
    return found_;
  }

 private:
  void insert_heap(const Candidate& candidate) {
    if (static_cast<std::int64_t>(found_.size()) == k_) {
      std::pop_heap(found_.begin(), found_.end());
      found_.back() = candidate;
    } else {
      found_.push_back(candidate);
    }
    std::push_heap(found_.begin(), found_.end());
    if (static_cast<std::int64_t>(found_.size()) == k_) farthest_ = found_.front();
  }

  std::int64_t k_ = 0;
  std::vector<Candidate> found_;
  Candidate farthest_{};
};

// What one thread needs while it searches.
struct Search {
  struct Pending {
    double bound;
    std::int32_t least;
    std::int32_t level;  // of the node, 0 for leaves
    std::int64_t number;
  };

  Best best;
  std::vector<Pending> pending = std::vector<Pending>(std::size_t{kMaxLevels + 1} * kSide);
};

// Sums of squares in the order of bounds.hpp; channels that are missing add 0.
template <int kChannels>
GRAPHCUT_INLINE void add_up(double (&square)[kChannels][kSide], double (&sum)[kSide]) {
  for (int half = kChannels > 4 ? 4 : kChannels > 2 ? 2 : 1; half > 0; half /= 2) {
    for (int c = 0; c < half && c + half < kChannels; ++c) {
      for (int i = 0; i < kSide; ++i) square[c][i] += square[c + half][i];
    }
  }
  for (int i = 0; i < kSide; ++i) sum[i] = square[0][i];
}

// At most the distances of the points in the boxes: every step rounds as theirs, and rounding keeps
// the order.
template <int kChannels>
GRAPHCUT_INLINE void bound_boxes(const Node<kChannels>& node, const double* center,
                                 double (&bound)[kSide]) {
  double square[kChannels][kSide];
  for (int c = 0; c < kChannels; ++c) {
    for (int i = 0; i < kSide; ++i) {
      const double below = node.low[c][i] - center[c];
      const double above = center[c] - node.high[c][i];
      const double outside = below > above ? below : above;
      const double gap = outside > 0 ? outside : 0;
      square[c][i] = gap * gap;
    }
  }
  add_up(square, bound);
}

template <int kChannels>
GRAPHCUT_INLINE void measure_points(const Leaf<kChannels>& leaf, const double* center,
                                    double (&distance)[kSide]) {
  double square[kChannels][kSide];
  for (int c = 0; c < kChannels; ++c) {
    for (int i = 0; i < kSide; ++i) {
      const double difference = center[c] - leaf.x[c][i];
      square[c][i] = difference * difference;
    }
  }
  add_up(square, distance);
}

// Finds the nearest of `center` but for the point `self`; returns how many points it measured.
template <int kChannels>
GRAPHCUT_INLINE std::int64_t search_of(const BoxTree<kChannels>& tree, const double* center,
                                       std::int64_t self, std::int64_t k, Search& search) {
  Best& best = search.best;
  best.begin(k);
  Search::Pending* const pending = search.pending.data();
  std::int64_t waiting = 0;
  pending[waiting++] = {0, 0, static_cast<std::int32_t>(tree.levels().size()), 0};
  std::int64_t measured = 0;
  while (waiting > 0) {
    const Search::Pending next = pending[--waiting];
    if (!best.wants(next.bound, next.least)) continue;
    double distance[kSide];
    if (next.level == 0) {
      const Leaf<kChannels>& leaf = tree.leaves()[static_cast<std::size_t>(next.number)];
      measure_points(leaf, center, distance);
      for (int i = 0; i < kSide; ++i) {
        const std::int32_t index = leaf.index[i];
        measured += index != kNoPoint && index != self ? 1 : 0;
        if (best.wants(distance[i], index) && index != self && index != kNoPoint) {
          best.insert(distance[i], index);
        }
      }
      continue;
    }
    const Node<kChannels>& node = tree.levels()[static_cast<std::size_t>(next.level - 1)]
                                               [static_cast<std::size_t>(next.number)];
    bound_boxes(node, center, distance);
    const std::int64_t first = waiting;
    for (int i = 0; i < kSide; ++i) {
      if (node.least[i] == kNoPoint || !best.wants(distance[i], node.least[i])) continue;
      std::int64_t at = waiting++;
      for (; at > first && pending[at - 1].bound < distance[i]; --at) pending[at] = pending[at - 1];
      pending[at] = {distance[i], node.least[i], next.level - 1, next.number * kSide + i};
    }
  }
  return measured;
}

#define GRAPHCUT_TREE_SEARCH(kChannels)                                                     \
  GRAPHCUT_CLONES std::int64_t search(const BoxTree<kChannels>& tree, const double* center, \
                                      std::int64_t self, std::int64_t k, Search& search) {  \
    return search_of(tree, center, self, k, search);                                        \
  }
GRAPHCUT_TREE_SEARCH(1)
GRAPHCUT_TREE_SEARCH(2)
GRAPHCUT_TREE_SEARCH(3)
GRAPHCUT_TREE_SEARCH(4)
GRAPHCUT_TREE_SEARCH(6)
GRAPHCUT_TREE_SEARCH(8)
#undef GRAPHCUT_TREE_SEARCH

template <class T, int kChannels>
void widen(const Points<T>& points, std::int64_t item, std::int64_t row, double rescale,
           double* wide) {
  const T* const x = points.x + (item * points.points + row) * points.channels;
  for (std::int64_t c = 0; c < kChannels; ++c) {
    wide[c] = c < points.channels ? widened(x[c], rescale) : 0.0;
  }
}

template <class T, int kChannels>
void search_item(const Points<T>& points, std::int64_t item, double rescale,
                 const Nearest<T>& nearest, int threads) {
  const std::int64_t length = points.length(item);
  const std::int64_t first = points.first_result();
  const std::int64_t results = points.points - first;
  const double undo = 1.0 / rescale;
  std::vector<Placed<kChannels>> placed(static_cast<std::size_t>(length));
  for (std::int64_t i = 0; i < length; ++i) {
    widen<T, kChannels>(points, item, i, rescale, placed[static_cast<std::size_t>(i)].x.data());
    placed[static_cast<std::size_t>(i)].index = static_cast<std::int32_t>(i);
  }
  const BoxTree<kChannels> tree(std::move(placed), threads);
  // Points are searched for leaf by leaf, so that the same boxes come up again; the rest is
  // padding.
  const bool own = first == 0 && points.points == points.searched;
  const auto row_at = [&](std::int64_t at) {
    if (!own || at >= length) return first + at;
    return std::int64_t{tree.leaves()[static_cast<std::size_t>(at / kSide)].index[at % kSide]};
  };
  const std::int64_t tasks = (results + kRows - 1) / kRows;
  std::vector<Search> searches(static_cast<std::size_t>(worker_count(tasks, threads)));
  parallel_for(tasks, threads, [&](int worker, std::int64_t task) {
    double center[kChannels];
    for (std::int64_t at = task * kRows; at < std::min(results, (task + 1) * kRows); ++at) {
      const std::int64_t row = row_at(at);
      const std::int64_t k = begin_row(points, item, row, nearest);
      if (k == 0) continue;
      widen<T, kChannels>(points, item, row, rescale, center);
      Search& own_search = searches[static_cast<std::size_t>(worker)];
      const std::int64_t result = points.result(item, row);
      nearest.measured[result] = search(tree, center, row, k, own_search);
      std::int64_t place = result * nearest.k;
      for (const Candidate& found : own_search.best.sorted()) {
        nearest.distances[place] = static_cast<T>(found.distance * undo * undo);
        nearest.indices[place++] = found.index;
      }
    }
  });
}

}  // namespace

template <class T>
std::int64_t search_tree(const Points<T>& points, const Nearest<T>& nearest, int threads) {
  std::vector<double> rescale(static_cast<std::size_t>(points.items));
  const std::int64_t bad =
      find_rescale(points.x, points.items, points.points, points.channels, rescale.data());
  if (bad >= 0) return bad;
  const auto search_by = [&](auto search_item_of) {
    for (std::int64_t item = 0; item < points.items; ++item) {
      if (points.length(item) == 0) {
        for (std::int64_t row = points.first_result(); row < points.points; ++row) {
          begin_row(points, item, row, nearest);
        }
        continue;
      }
      search_item_of(points, item, rescale[static_cast<std::size_t>(item)], nearest, threads);
    }
  };
  switch (points.channels) {
    case 1:
      search_by(search_item<T, 1>);
      break;
    case 2:
      search_by(search_item<T, 2>);
      break;
    case 3:
      search_by(search_item<T, 3>);
      break;
    case 4:
      search_by(search_item<T, 4>);
      break;
    case 5:
    case 6:
      search_by(search_item<T, 6>);
      break;
    default:
      search_by(search_item<T, 8>);
  }
  return -1;
}

template std::int64_t search_tree(const Points<float>&, const Nearest<float>&, int);
template std::int64_t search_tree(const Points<double>&, const Nearest<double>&, int);

}  // namespace graphcut::knn
