// Random grids, and what must hold of their minimum cuts.
#pragma once

#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <limits>
#include <string>
#include <type_traits>
#include <vector>

#include "choices.hpp"
#include "maxflow/grid_cut.hpp"
#include "maxflow/grid_layout.hpp"
#include "oracle.hpp"

namespace graphcut::test {

using maxflow::GridFlow;
using maxflow::GridLayout;
using maxflow::GridProblem;
using maxflow::GridResult;

// A grid in 2 or 3 dimensions whose neighbours differ in at most `reach` coordinates.
inline GridLayout layout_of(const std::array<std::int32_t, 3>& size, bool flat, int reach) {
  GridLayout layout;
  layout.size = size;
  for (std::int32_t z = flat ? 0 : -1; z <= (flat ? 0 : 1); ++z) {
    for (std::int32_t y = -1; y <= 1; ++y) {
      for (std::int32_t x = -1; x <= 1; ++x) {
        const bool first_is_one = z == 1 || (z == 0 && (y == 1 || (y == 0 && x == 1)));
        if (!first_is_one || std::abs(z) + std::abs(y) + std::abs(x) > reach) continue;
        layout.offset[static_cast<std::size_t>(layout.directions++)] = {z, y, x};
      }
    }
  }
  return layout;
}

inline GridLayout random_layout(Choices& choices, std::int64_t most_nodes) {
  const bool flat = choices.one_in(2);
  std::array<std::int32_t, 3> size{1, 1, 1};
  std::int64_t left = most_nodes;
  for (std::size_t axis = flat ? 1 : 0; axis < 3; ++axis) {
    size[axis] = static_cast<std::int32_t>(choices.between(choices.one_in(20) ? 0 : 1, left));
    left = size[axis] > 0 ? left / size[axis] : 1;
  }
  return layout_of(size, flat, static_cast<int>(choices.between(1, flat ? 2 : 3)));
}

template <class Capacity>
struct Grid {
  GridLayout layout;
  std::vector<Capacity> capacity, reverse, source, sink;

  GridProblem<Capacity> problem() const {
    return {&layout, capacity.data(), reverse.data(), source.data(), sink.data()};
  }
};

template <class Capacity>
Grid<Capacity> random_grid(Choices& choices, std::int64_t most_nodes) {
  Grid<Capacity> grid;
  grid.layout = random_layout(choices, most_nodes);
  const std::int64_t widest = choices.of({1, 3, 20}), strongest = choices.of({1, 4, 30});
  const bool directed = choices.one_in(3), sparse = choices.one_in(3);
  const auto drawn = [&](std::int64_t most, std::uint64_t rare) {
    return static_cast<Capacity>(choices.one_in(rare) ? 0 : choices.between(0, most));
  };
  for (std::int64_t e = 0; e < grid.layout.edges(); ++e) {
    grid.capacity.push_back(drawn(widest, sparse ? 2 : 9));
    grid.reverse.push_back(directed ? drawn(widest, 2) : grid.capacity.back());
  }
  for (std::int64_t i = 0; i < grid.layout.nodes(); ++i) {
    grid.source.push_back(drawn(strongest, 2));
    grid.sink.push_back(drawn(strongest, 2));
    if constexpr (std::is_floating_point_v<Capacity>) {
      if (choices.one_in(30)) {
        auto& seed = choices.one_in(2) ? grid.source : grid.sink;
        seed.back() = std::numeric_limits<Capacity>::infinity();
      }
      if (!std::isfinite(grid.source.back() + grid.sink.back()) && choices.one_in(2)) {
        (std::isfinite(grid.source.back()) ? grid.source : grid.sink).back() = 0;
      }
    }
  }
  for (std::size_t i = 0; i < grid.source.size(); ++i) {  // no infinite path within a node
    if (infinite(grid.source[i]) && infinite(grid.sink[i])) grid.sink[i] = 3;
  }
  return grid;
}

// Residuals and excess are those of a flow, and what supply reaches is `side`, free of demand: a
// proof that it is the minimal source set. All sums of these grids are exact.
template <class Capacity>
void require_proof(const Grid<Capacity>& grid, const GridFlow<Capacity>& flow,
                   const std::vector<std::uint8_t>& side) {
  using Excess = typename GridFlow<Capacity>::Excess;
  const int directions = grid.layout.directions;
  std::vector<Excess> left;
  left.reserve(side.size());
  for (std::size_t i = 0; i < side.size(); ++i) {
    left.push_back(static_cast<Excess>(grid.source[i]) - static_cast<Excess>(grid.sink[i]));
  }
  struct Arc {
    std::int32_t tail, head;
  };
  std::vector<Arc> open;
  for (int d = 0; d < directions; ++d) {
    grid.layout.each_row(d, [&](std::int64_t first, std::int32_t tail, std::int32_t count) {
      for (std::int32_t x = 0; x < count; ++x) {
        const auto e = static_cast<std::size_t>(first + x);
        const std::int32_t u = tail + x, v = u + grid.layout.step(d);
        const Capacity forward = flow.along(u, d), backward = flow.against(v, d);
        require(forward >= 0 && backward >= 0, "a residual is negative");
        require(forward + backward == grid.capacity[e] + grid.reverse[e],
                "residuals do not add up");
        left[static_cast<std::size_t>(u)] -= static_cast<Excess>(grid.capacity[e] - forward);
        left[static_cast<std::size_t>(v)] += static_cast<Excess>(grid.capacity[e] - forward);
        if (forward > 0) open.push_back({u, v});
        if (backward > 0) open.push_back({v, u});
      }
    });
  }
  std::vector<std::uint8_t> reached(side.size());
  for (std::size_t i = 0; i < side.size(); ++i) {
    require(left[i] == flow.excess[static_cast<std::ptrdiff_t>(i)], "excess is not what is left");
    reached[i] = static_cast<std::uint8_t>(left[i] > 0);
  }
  for (bool more = true; more;) {
    more = false;
    for (const Arc& arc : open) {
      const auto u = static_cast<std::size_t>(arc.tail), v = static_cast<std::size_t>(arc.head);
      if (reached[u] == 0 || reached[v] != 0) continue;
      reached[v] = 1;
      more = true;
    }
  }
  for (std::size_t i = 0; i < side.size(); ++i) {
    require(reached[i] == side[i], "the set is not what supply reaches");
    require(reached[i] == 0 || !(left[i] < 0), "supply reaches demand");
  }
}

template <class Capacity>
void require_oracle(const Grid<Capacity>& grid, const std::vector<std::uint8_t>& side) {
  Oracle<Capacity> oracle(grid.layout.nodes());
  grid.layout.each_edge([&](std::int64_t e, std::int32_t u, std::int32_t v) {
    oracle.add_edge(u, v, grid.capacity[static_cast<std::size_t>(e)],
                    grid.reverse[static_cast<std::size_t>(e)]);
  });
  for (std::size_t i = 0; i < side.size(); ++i) {
    oracle.add_terminals(static_cast<std::int64_t>(i), grid.source[i], grid.sink[i]);
  }
  oracle.solve();
  require(!oracle.endless(), "the grid was to have a finite cut");
  for (std::size_t i = 0; i < side.size(); ++i) {
    require(oracle.in_source_set(static_cast<std::int64_t>(i)) == (side[i] != 0),
            "node " + std::to_string(i) + " is on the other side");
  }
}

template <class Capacity>
bool solved(const Grid<Capacity>& grid, int threads, std::int64_t part,
            std::vector<std::uint8_t>& side, GridFlow<Capacity>& flow) {
  side.assign(grid.source.size(), 2);
  return solve_grid(grid.problem(), threads, side.data(), flow, part) == GridResult::solved;
}

// In parts of a few nodes, and with 1 thread and with several. Returns whether it was solved, which
// a grid of few terminals is not.
template <class Capacity>
bool check_grid(Choices& choices, const Grid<Capacity>& grid) {
  std::vector<std::uint8_t> side, again;
  GridFlow<Capacity> flow, flow_again;
  const std::int64_t part = choices.of({1, 2, 5, 11, 1000000});
  if (!solved(grid, 1, part, side, flow)) return false;
  require_proof(grid, flow, side);
  if (grid.layout.nodes() <= 40) require_oracle(grid, side);
  require(solved(grid, static_cast<int>(choices.between(2, 4)), part, again, flow_again),
          "not solved by threads");
  require(side == again, "threads change the cut");
  for (int d = 0; d < grid.layout.directions; ++d) {
    grid.layout.each_row(d, [&](std::int64_t, std::int32_t tail, std::int32_t count) {
      for (std::int32_t u = tail; u < tail + count; ++u) {
        const std::int32_t v = u + grid.layout.step(d);
        require(flow.along(u, d) == flow_again.along(u, d) &&
                    flow.against(v, d) == flow_again.against(v, d),
                "threads change the flow");
      }
    });
  }
  for (std::int64_t i = 0; i < grid.layout.nodes(); ++i) {
    require(flow.excess[i] == flow_again.excess[i], "threads change the excess");
  }
  return true;
}

}  // namespace graphcut::test
