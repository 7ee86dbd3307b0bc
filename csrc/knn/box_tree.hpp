// Points of few channels in a tree of boxes.
#pragma once

#include <algorithm>
#include <array>
#include <bit>
#include <cstdint>
#include <limits>
#include <utility>
#include <vector>

#include "parallel/parallel_for.hpp"

namespace graphcut::knn {

inline constexpr int kSide = 8;  // points of a leaf, and children of a node
inline constexpr std::int32_t kNoPoint = std::numeric_limits<std::int32_t>::max();

// Channels that are missing are 0 everywhere. Places without a point are infinitely far.
template <int kChannels>
struct Leaf {
  double x[kChannels][kSide];
  std::int32_t index[kSide];  // of the points; kNoPoint where there is none
};

// The boxes of its children, and the least index of their points.
template <int kChannels>
struct Node {
  double low[kChannels][kSide];
  double high[kChannels][kSide];
  std::int32_t least[kSide];
};

template <int kChannels>
struct Placed {
  std::array<double, kChannels> x;
  std::int32_t index;
};

// Child i of node j of a level is number kSide j + i of the level below, of which the lowest is
// that of the leaves. The highest level is one node.
template <int kChannels>
class BoxTree {
 public:
  using Point = Placed<kChannels>;

  // Requires points. The tree does not depend on `threads`.
  BoxTree(std::vector<Point> points, int threads) : points_(std::move(points)) {
    divide(threads);
    fill_leaves();
    for (std::size_t count = leaves_.size(); levels_.empty() || count > 1;) {
      count = add_level(count);
    }
    points_.clear();
    points_.shrink_to_fit();
  }

  const std::vector<Leaf<kChannels>>& leaves() const { return leaves_; }
  // levels()[0] has the leaves as children, levels().back() is one node.
  const std::vector<std::vector<Node<kChannels>>>& levels() const { return levels_; }

 private:
  static constexpr double kFar = std::numeric_limits<double>::infinity();
  static constexpr std::int64_t kSmall = 1 << 9;  // leaves that are not divided among threads

  struct Range {
    std::int64_t begin, end;  // of leaves
  };

  std::int64_t count() const { return static_cast<std::int64_t>(points_.size()); }
  std::int64_t leaf_count() const { return (count() + kSide - 1) / kSide; }

  // A part has a power of two of leaves where it can, so that the points of every node lie
  // together. The first parts are made on this thread, the others side by side.
  void divide(int threads) {
    std::vector<Range> ranges{{0, leaf_count()}};
    std::vector<Range> small;
    while (!ranges.empty()) {
      const Range range = ranges.back();
      ranges.pop_back();
      if (range.end - range.begin <= kSmall) {
        small.push_back(range);
        continue;
      }
      const std::int64_t middle = split(range);
      ranges.push_back({range.begin, middle});
      ranges.push_back({middle, range.end});
    }
    parallel_for(static_cast<std::int64_t>(small.size()), threads,
                 [&](int, std::int64_t i) { divide(small[static_cast<std::size_t>(i)]); });
  }

  void divide(const Range& range) {
    if (range.end - range.begin < 2) return;
    const std::int64_t middle = split(range);
    divide(Range{range.begin, middle});
    divide(Range{middle, range.end});
  }

  std::int64_t split(const Range& range) {
    const auto leaves = static_cast<std::uint64_t>(range.end - range.begin);
    const std::int64_t middle = range.begin + static_cast<std::int64_t>(std::bit_floor(leaves - 1));
    Point* const begin = points_.data() + range.begin * kSide;
    Point* const end = points_.data() + std::min(range.end * kSide, count());
    std::array<double, kChannels> low = begin->x;
    std::array<double, kChannels> high = begin->x;
    for (const Point* point = begin; point < end; ++point) {
      for (int c = 0; c < kChannels; ++c) {
        low[c] = std::min(low[c], point->x[c]);
        high[c] = std::max(high[c], point->x[c]);
      }
    }
    int widest = 0;
    for (int c = 1; c < kChannels; ++c) {
      if (high[c] - low[c] > high[widest] - low[widest]) widest = c;
    }
    std::nth_element(
        begin, points_.data() + middle * kSide, end,
        [widest](const Point& a, const Point& b) { return a.x[widest] < b.x[widest]; });
    return middle;
  }

  void fill_leaves() {
    leaves_.resize(static_cast<std::size_t>(leaf_count()));
    for (std::int64_t at = 0; at < leaf_count() * kSide; ++at) {
      Leaf<kChannels>& leaf = leaves_[static_cast<std::size_t>(at / kSide)];
      const std::int64_t place = at % kSide;
      const bool there = at < count();
      for (int c = 0; c < kChannels; ++c) leaf.x[c][place] = there ? points_[at].x[c] : kFar;
      leaf.index[place] = there ? points_[at].index : kNoPoint;
    }
  }

  // Nodes above so many children; returns how many.
  std::size_t add_level(std::size_t children) {
    std::vector<Node<kChannels>> nodes((children + kSide - 1) / kSide);
    for (std::size_t child = 0; child < nodes.size() * kSide; ++child) {
      Node<kChannels>& node = nodes[child / kSide];
      const std::size_t place = child % kSide;
      node.least[place] = kNoPoint;
      for (int c = 0; c < kChannels; ++c) node.low[c][place] = node.high[c][place] = kFar;
      if (child >= children) continue;
      if (levels_.empty()) {
        const Leaf<kChannels>& leaf = leaves_[child];
        enclose(node, place, leaf.x, leaf.x, leaf.index);
      } else {
        const Node<kChannels>& below = levels_.back()[child];
        enclose(node, place, below.low, below.high, below.least);
      }
    }
    levels_.push_back(std::move(nodes));
    return levels_.back().size();
  }

  // The box of those that are there, which come first.
  static void enclose(Node<kChannels>& node, std::size_t place,
                      const double (&low)[kChannels][kSide], const double (&high)[kChannels][kSide],
                      const std::int32_t (&index)[kSide]) {
    node.least[place] = *std::min_element(index, index + kSide);
    for (int c = 0; c < kChannels; ++c) {
      node.low[c][place] = low[c][0];
      node.high[c][place] = high[c][0];
      for (int i = 1; i < kSide && index[i] != kNoPoint; ++i) {
        node.low[c][place] = std::min(node.low[c][place], low[c][i]);
        node.high[c][place] = std::max(node.high[c][place], high[c][i]);
      }
    }
  }

  std::vector<Point> points_;
  std::vector<Leaf<kChannels>> leaves_;
  std::vector<std::vector<Node<kChannels>>> levels_;
};

}  // namespace graphcut::knn
