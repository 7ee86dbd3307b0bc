// Lists of edges that turn out to be those of a grid.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <optional>

#include "maxflow/capacities.hpp"
#include "maxflow/grid_cut.hpp"
#include "maxflow/grid_layout.hpp"

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
    const std::int32_t by = std::abs(u - v);
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
  // up where they are parallel, and 0 where there is none. capacities(e) gives those of edge e.
  template <class Ends, class Capacities>
  bool fill(const GridLayout& grid, std::int64_t edges, Ends&& ends, Capacities&& capacities) {
    const auto size = static_cast<std::size_t>(grid.edges());
    capacity_.reset(static_cast<Capacity*>(std::calloc(size, sizeof(Capacity))));
    reverse_.reset(static_cast<Capacity*>(std::calloc(size, sizeof(Capacity))));
    if (!capacity_ || !reverse_) throw std::bad_alloc();
    const Places places(grid);
    bool fits = true;
    for (std::int64_t e = 0; e < edges; ++e) {
      const auto [u, v] = ends(e);
      const auto [place, turned] = places.of(u, v);
      if (place < 0) {
        if (u != v) return false;
        continue;
      }
      const auto [forward, backward] = capacities(e);
      Capacity& along = capacity_[static_cast<std::size_t>(place)];
      Capacity& against = reverse_[static_cast<std::size_t>(place)];
      const Capacity first = turned ? backward : forward, second = turned ? forward : backward;
      fits &= !sum_overflows(along, first) && !sum_overflows(against, second);
      if (!fits) return false;
      along = static_cast<Capacity>(along + first);
      against = static_cast<Capacity>(against + second);
    }
    return true;
  }

  const Capacity* capacity() const { return capacity_.get(); }
  const Capacity* reverse() const { return reverse_.get(); }

 private:
  // Where in a grid an edge stands.
  class Places {
   public:
    explicit Places(const GridLayout& grid)
        : width_(grid.size[2]),
          height_(grid.size[1]),
          per_row_(1.0 / std::max(grid.size[2], 1)),
          per_plane_(1.0 / std::max(grid.size[1], 1)) {
      std::int64_t first = 0;
      for (int d = 0; d < grid.directions; ++d) {
        const auto& by = grid.offset[static_cast<std::size_t>(d)];
        Direction& there = directions_[index(by[0], by[1], by[2])];
        there.row = grid.end(d, 2) - grid.begin(d, 2);
        there.plane = there.row * (grid.end(d, 1) - grid.begin(d, 1));
        there.first = first - std::int64_t{grid.begin(d, 0)} * there.plane -
                      std::int64_t{grid.begin(d, 1)} * there.row - grid.begin(d, 2);
        there.sign = 1;
        Direction& back = directions_[index(-by[0], -by[1], -by[2])];
        back = there;
        back.sign = -1;
        first += grid.edges(d);
      }
    }

    struct Place {
      std::int64_t edge;  // -1: none
      bool turned;        // whether u is its head
    };
    Place of(std::int32_t u, std::int32_t v) const {
      const Point a = point(u), b = point(v);
      const std::int32_t z = b.z - a.z, y = b.y - a.y, x = b.x - a.x;
      const auto far = [](std::int32_t by) { return static_cast<std::uint32_t>(by + 1) > 2; };
      if (far(z) || far(y) || far(x)) return {-1, false};
      const Direction& found = directions_[index(z, y, x)];
      if (found.sign == 0) return {-1, false};
      const bool turned = found.sign < 0;
      const Point& tail = turned ? b : a;
      return {found.first + std::int64_t{tail.z} * found.plane + std::int64_t{tail.y} * found.row +
                  tail.x,
              turned};
    }

   private:
    struct Point {
      std::int32_t z, y, x;
    };
    struct Direction {
      std::int64_t first = 0;           // number of the edge whose tail is at the origin
      std::int64_t plane = 0, row = 0;  // edges of a plane and of a row of tails
      int sign = 0;                     // -1: from head to tail, 0: no neighbours
    };

    static std::size_t index(std::int32_t z, std::int32_t y, std::int32_t x) {
      return static_cast<std::size_t>((z + 1) * 9 + (y + 1) * 3 + x + 1);
    }
    // Exact: a quotient of numbers below 2^30 and a half is further from a whole one than rounding.
    Point point(std::int32_t node) const {
      const auto row = static_cast<std::int32_t>((node + 0.5) * per_row_);
      const auto plane = static_cast<std::int32_t>((row + 0.5) * per_plane_);
      return {plane, row - plane * height_, node - row * width_};
    }

    std::int32_t width_, height_;
    double per_row_, per_plane_;
    std::array<Direction, 27> directions_{};
  };

  struct Free {
    void operator()(Capacity* memory) const { std::free(memory); }
  };
  std::unique_ptr<Capacity[], Free> capacity_, reverse_;
};

}  // namespace graphcut::maxflow
