// Pixels or voxels joined to their neighbours, whose edges need not be listed.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>

namespace graphcut::maxflow {

// Nodes are numbered in C order, over axes of which the first are 1 long where there are fewer than
// three. Edges of the first direction come first, and within a direction those of lower tails.
struct GridLayout {
  static constexpr int kMostDirections = 13;
  using Offset = std::array<std::int32_t, 3>;

  std::array<std::int32_t, 3> size{1, 1, 1};
  int directions = 0;
  std::array<Offset, kMostDirections> offset{};  // tail to head; the first entry not 0 is 1

  std::int64_t nodes() const { return std::int64_t{size[0]} * size[1] * size[2]; }
  // What leads from the number of a tail to that of its head.
  std::int32_t step(int d) const {
    const Offset& by = offset[static_cast<std::size_t>(d)];
    return (by[0] * size[1] + by[1]) * size[2] + by[2];
  }

  // Tails of direction d along an axis: begin .. end - 1.
  std::int32_t begin(int d, std::size_t axis) const {
    return std::max(0, -offset[static_cast<std::size_t>(d)][axis]);
  }
  std::int32_t end(int d, std::size_t axis) const {
    const std::int32_t last = size[axis] - std::max(0, offset[static_cast<std::size_t>(d)][axis]);
    return std::max(begin(d, axis), last);
  }
  std::int64_t edges(int d) const {
    std::int64_t count = 1;
    for (std::size_t axis = 0; axis < 3; ++axis) count *= end(d, axis) - begin(d, axis);
    return count;
  }
  std::int64_t edges() const {
    std::int64_t count = 0;
    for (int d = 0; d < directions; ++d) count += edges(d);
    return count;
  }

  // The axis along which the grid is cut into slabs, ranges of nodes that follow each other.
  std::size_t slab_axis() const { return size[0] != 1 ? 0 : 1; }
  std::int64_t slab_nodes() const {
    return slab_axis() == 0 ? std::int64_t{size[1]} * size[2] : size[2];
  }

  // Calls row(first_edge, first_tail, count) for every row of edges of direction d, which and whose
  // tails follow each other, with tails in the slabs first .. last - 1.
  template <class Row>
  void each_row(int d, std::int32_t first, std::int32_t last, Row&& row) const {
    std::int64_t edge = 0;
    for (int before = 0; before < d; ++before) edge += edges(before);
    const std::size_t slab = slab_axis();
    const std::int32_t count = end(d, 2) - begin(d, 2);
    if (count <= 0) return;
    for (std::int32_t z = begin(d, 0); z < end(d, 0); ++z) {
      for (std::int32_t y = begin(d, 1); y < end(d, 1); ++y, edge += count) {
        const std::int32_t at = slab == 0 ? z : y;
        if (at < first || at >= last) continue;
        row(edge, (z * size[1] + y) * size[2] + begin(d, 2), count);
      }
    }
  }
  template <class Row>
  void each_row(int d, Row&& row) const {
    each_row(d, 0, size[slab_axis()], row);
  }
  // Calls edge(e, tail, head) for every edge, in their order.
  template <class Edge>
  void each_edge(Edge&& edge) const {
    for (int d = 0; d < directions; ++d) {
      each_row(d, [&, by = step(d)](std::int64_t e, std::int32_t tail, std::int32_t count) {
        for (std::int32_t x = 0; x < count; ++x) edge(e + x, tail + x, tail + x + by);
      });
    }
  }
};

}  // namespace graphcut::maxflow
