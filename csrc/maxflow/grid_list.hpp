// Lists of edges that turn out to be those of a grid.
#pragma once

#include <algorithm>
#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <limits>
#include <memory>
#include <new>
#include <optional>
#include <type_traits>
#include <vector>

#include "maxflow/capacities.hpp"
#include "maxflow/grid_cut.hpp"
#include "maxflow/grid_layout.hpp"
#include "maxflow/zeros.hpp"
#include "parallel/parallel_for.hpp"

namespace graphcut::maxflow {

// The grid of `nodes` nodes whose rows and planes, in C order, make neighbours' numbers differ by
// `apart`, `count` amounts in ascending order; none where there is no such grid, or several.
inline std::optional<GridLayout> grid_of_steps(std::int64_t nodes, const std::int32_t* apart,
                                               std::size_t count) {
  if (count < 2 || apart[0] != 1) return std::nullopt;
  // Neighbours are joined by sides, and by corners too; or in space by edges and corners.
  const bool diagonal = count > 3;
  const std::int32_t row = diagonal ? apart[2] : apart[1];
  std::int32_t plane = 0;
  int reach = 1;
  switch (count) {
    case 2:
      break;
    case 3:
      plane = apart[2];
      break;
    case 4:
      reach = 2;
      break;
    case 9:
      plane = apart[6];
      reach = 2;
      break;
    case 13:
      plane = apart[8];
      reach = 3;
      break;
    default:
      return std::nullopt;
  }
  GridLayout layout;
  const std::int32_t whole = plane == 0 ? row : plane;
  if (whole < row || whole % row != 0 || nodes % whole != 0) return std::nullopt;
  const bool flat = plane == 0;
  layout.size = {flat ? 1 : static_cast<std::int32_t>(nodes / plane),
                 static_cast<std::int32_t>(flat ? nodes / row : plane / row), row};
  for (std::int32_t z = 0; z <= (flat ? 0 : 1); ++z) {
    for (std::int32_t y = z == 0 ? 0 : -1; y <= 1; ++y) {
      for (std::int32_t x = z == 0 && y == 0 ? 1 : -1; x <= 1; ++x) {
        if (z + std::abs(y) + std::abs(x) > reach) continue;
        layout.offset[static_cast<std::size_t>(layout.directions++)] = {z, y, x};
      }
    }
  }
  if (static_cast<std::size_t>(layout.directions) != count) return std::nullopt;
  for (int d = 0; d < layout.directions; ++d) {
    if (layout.step(d) != apart[d]) return std::nullopt;  // offsets ascend, and so do steps
  }
  return layout;
}

// A guess from some of the edges; ends(e) gives the nodes that edge e joins.
template <class Ends>
std::optional<GridLayout> guess_grid(std::int64_t nodes, std::int64_t edges, Ends&& ends) {
  constexpr std::int64_t kSamples = 512;
  std::array<std::int32_t, GridLayout::kMostDirections> apart{};
  std::size_t count = 0;
  const std::int64_t step = edges / kSamples | 1;
  for (std::int64_t e = 0; e < edges; e += step) {
    const auto [u, v] = ends(e);
    constexpr std::int64_t kMost = std::int64_t{1} << 30;
    if (u < 0 || v < 0 || u >= kMost || v >= kMost) return std::nullopt;
    const auto by = static_cast<std::int32_t>(std::abs(u - v));
    const auto end = apart.begin() + static_cast<std::ptrdiff_t>(count);
    const auto place = std::lower_bound(apart.begin(), end, by);
    if (by == 0 || (place != end && *place == by)) continue;
    if (count == apart.size()) return std::nullopt;
    std::copy_backward(place, end, end + 1);
    *place = by;
    ++count;
  }
  return grid_of_steps(nodes, apart.data(), count);
}

// The capacities of a list of edges as those of a grid.
template <class Capacity>
class GridList {
 public:
  // Returns whether all edges are edges of `grid`; then capacity() and reverse() have them, summed
  // up where they are parallel, and 0 where there is none. ends(e) gives the nodes of edge e, which
  // may be none of the grid, capacities(e) its capacities.
  template <class Ends, class Capacities>
  bool fill(const GridLayout& grid, std::int64_t edges, int threads, Ends&& ends,
            Capacities&& capacities) {
    const auto clear = [&] {
      capacity_ = zeros<Capacity>(grid.edges());
      reverse_ = zeros<Capacity>(grid.edges());
    };
    clear();
    const Places places(grid);
    const std::vector<Chunk> chunks = threads > 1 ? chunks_of(places, edges, ends) : Chunks{};
    if (!chunks.empty()) {
      std::atomic<bool> fits{true}, apart{true};
      parallel_for(static_cast<std::int64_t>(chunks.size()), threads, [&](int, std::int64_t c) {
        const Found found = fill(places, chunks[static_cast<std::size_t>(c)], ends, capacities);
        if (found == Found::other) fits = false;
        if (found == Found::outside) apart = false;
      });
      if (!fits) return false;
      if (apart) return true;
      clear();
    }
    return fill(places, {0, edges, By::any, 0, 0}, ends, capacities) == Found::edges;
  }

  const Capacity* capacity() const { return capacity_.get(); }
  const Capacity* reverse() const { return reverse_.get(); }

 private:
  // Edges from .. to - 1 of the list, which other threads do not meet as long as their tails, if
  // none is turned, or their places in the grid are low .. high - 1.
  enum class By : std::uint8_t { any, tail, place };
  struct Chunk {
    std::int64_t from, to;
    By by;
    std::int64_t low, high;
  };
  using Chunks = std::vector<Chunk>;
  enum class Found : std::uint8_t { edges, other, outside };

  // None, where the list is in neither order.
  template <class Place, class Ends>
  static Chunks chunks_of(Place places, std::int64_t edges, Ends&& ends) {
    constexpr std::int64_t kChunks = 16;
    for (const By by : {By::tail, By::place}) {
      Chunks chunks;
      for (std::int64_t c = 0; c < kChunks; ++c) {
        std::int64_t e = edges * c / kChunks;
        while (e > 0 && e < edges && ends(e).first == ends(e - 1).first) ++e;
        if (e == edges) continue;
        const auto [u, v] = ends(e);
        const std::int64_t low = by == By::tail ? u : places.of(u, v).edge;
        if (!chunks.empty() && (low <= chunks.back().low || e <= chunks.back().from)) {
          chunks.clear();
          break;
        }
        if (!chunks.empty()) chunks.back().to = e;
        if (!chunks.empty()) chunks.back().high = low;
        chunks.push_back({e, edges, by, low, std::numeric_limits<std::int64_t>::max()});
      }
      if (!chunks.empty()) return chunks;
    }
    return {};
  }

  template <class Place, class Ends, class Capacities>
  Found fill(Place places, const Chunk& chunk, Ends&& ends, Capacities&& capacities) const {
    Capacity* const along = capacity_.get();
    Capacity* const against = reverse_.get();
    for (std::int64_t e = chunk.from; e < chunk.to; ++e) {
      const auto [u, v] = ends(e);
      const auto [place, turned] = places.of(u, v);
      if (place < 0) {
        if (u != v || !places.has(u)) return Found::other;
        continue;
      }
      if (chunk.by != By::any) {
        const std::int64_t at = chunk.by == By::tail ? u : place;
        if (at < chunk.low || at >= chunk.high) return Found::outside;
        if (turned && chunk.by == By::tail) return Found::outside;
      }
      const auto [forward, backward] = capacities(e);
      const Capacity first = turned ? backward : forward, second = turned ? forward : backward;
      if constexpr (std::is_integral_v<Capacity>) {
        if (sum_overflows(along[place], first)) return Found::other;
        if (sum_overflows(against[place], second)) return Found::other;
      }
      along[place] = static_cast<Capacity>(along[place] + first);
      against[place] = static_cast<Capacity>(against[place] + second);
    }
    return Found::edges;
  }

  // Where in a grid edges stand. Quick for those that follow each other from node to node.
  class Places {
   public:
    explicit Places(const GridLayout& grid) : size_(grid.size), nodes_(grid.nodes()) {
      std::int64_t first = 0;
      for (int d = 0; d < grid.directions; ++d) most_ = std::max(most_, grid.step(d));
      arc_of_.assign(2 * static_cast<std::size_t>(most_) + 1, kNone);
      for (int d = 0; d < grid.directions; ++d) {
        const auto& by = grid.offset[static_cast<std::size_t>(d)];
        Arc along, against;
        along.row = grid.end(d, 2) - grid.begin(d, 2);
        along.plane = along.row * (grid.end(d, 1) - grid.begin(d, 1));
        for (std::size_t axis = 0; axis < 3; ++axis) {
          along.begin[axis] = grid.begin(d, axis);
          along.end[axis] = grid.end(d, axis);
          against.begin[axis] = along.begin[axis] + by[axis];
          against.end[axis] = along.end[axis] + by[axis];
        }
        along.first =
            first - along.begin[0] * along.plane - along.begin[1] * along.row - along.begin[2];
        against.row = along.row;
        against.plane = along.plane;
        against.first = along.first - by[0] * along.plane - by[1] * along.row - by[2];
        const int k = 2 * d;
        const std::int64_t middle = most_;
        arcs_[static_cast<std::size_t>(k)] = along;
        arcs_[static_cast<std::size_t>(k) + 1] = against;
        arc_of_[static_cast<std::size_t>(middle + grid.step(d))] = static_cast<std::int16_t>(k);
        arc_of_[static_cast<std::size_t>(middle - grid.step(d))] = static_cast<std::int16_t>(k + 1);
        first += grid.edges(d);
      }
    }

    struct Place {
      std::int64_t edge;  // -1: none
      bool turned;        // whether u is its head
    };
    bool has(std::int64_t node) const { return node >= 0 && node < nodes_; }
    Place of(std::int64_t u, std::int64_t v) {
      const std::int64_t apart = v - u + most_;
      if (!has(u) || apart < 0 || apart > 2 * std::int64_t{most_}) return {-1, false};
      const int k = arc_of_[static_cast<std::size_t>(apart)];
      if (k == kNone) return {-1, false};
      if (u != node_) go_to(static_cast<std::int32_t>(u));
      const Arc& arc = arcs_[static_cast<std::size_t>(k)];
      bool inside = true;
      for (std::size_t axis = 0; axis < 3; ++axis) {
        inside &= (at_[axis] >= arc.begin[axis]) & (at_[axis] < arc.end[axis]);
      }
      if (!inside) return {-1, false};
      return {arc.first + at_[0] * arc.plane + at_[1] * arc.row + at_[2], (k & 1) != 0};
    }

   private:
    static constexpr std::int16_t kNone = -1;
    struct Arc {
      std::int64_t first = 0;           // number of its edge, were it to leave the origin
      std::int64_t plane = 0, row = 0;  // edges of a plane and of a row of nodes
      std::array<std::int64_t, 3> begin{}, end{};  // nodes that have it
    };

    void go_to(std::int32_t node) {
      if (node == node_ + 1 && at_[2] + 1 < size_[2]) {
        ++at_[2];
      } else {
        const std::int32_t row = node / size_[2];
        at_ = {row / size_[1], row % size_[1], node % size_[2]};
      }
      node_ = node;
    }

    std::array<std::int32_t, 3> size_;
    std::int64_t nodes_;
    std::int32_t most_ = 0;
    std::vector<std::int16_t> arc_of_;  // by head - tail + most_
    std::array<Arc, 2 * static_cast<std::size_t>(GridLayout::kMostDirections)> arcs_{};
    std::int32_t node_ = -2;
    std::array<std::int64_t, 3> at_{};  // where node_ is
  };

  std::shared_ptr<Capacity[]> capacity_, reverse_;
};

}  // namespace graphcut::maxflow
