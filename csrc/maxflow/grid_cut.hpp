// The minimum cut of a grid, without a list of its edges, on several threads.
#pragma once

#include <cstdint>
#include <memory>
#include <type_traits>

#include "maxflow/grid_layout.hpp"

namespace graphcut::maxflow {

template <class Capacity>
struct GridProblem {
  const GridLayout* layout = nullptr;
  const Capacity* capacity = nullptr;  // (edges): tail to head
  const Capacity* reverse = nullptr;   // (edges): head to tail; may be `capacity` again
  const Capacity* source = nullptr;    // (nodes)
  const Capacity* sink = nullptr;      // (nodes)
};

// The pseudoflow that a cut leaves. Copies share it.
template <class Capacity>
struct GridFlow {
  // Supply and demand add up, capacities do not.
  using Excess = std::conditional_t<std::is_integral_v<Capacity>, std::int64_t, Capacity>;

  int directions = 0;
  std::shared_ptr<Capacity[]> residual;  // (nodes, directions, 2): in and against each direction
  std::shared_ptr<Excess[]> excess;      // (nodes)

  // In direction d, or against it, from a node.
  Capacity along(std::int32_t node, int d) const { return residual[at(node, d)]; }
  Capacity against(std::int32_t node, int d) const { return residual[at(node, d) + 1]; }

 private:
  std::ptrdiff_t at(std::int32_t node, int d) const {
    return 2 * (static_cast<std::ptrdiff_t>(node) * directions + d);
  }
};

// Nodes of a part, at least: grids of twice as many and more are solved in parts, by several
// threads if there are.
inline constexpr std::int64_t kGridPart = std::int64_t{1} << 17;
// Nodes from which on a list of edges that make a grid is solved as one. On one thread that takes
// up to 1.4 times as long where the cut is easy, and results must not depend on the threads.
inline constexpr std::int64_t kLargeGrid = std::int64_t{1} << 19;

// Whether there are so many terminals that flow goes a short way, which this solver is for.
inline bool grid_suits(std::int64_t terminals, std::int64_t nodes) {
  return 5 * terminals >= nodes;
}

enum class GridResult : std::uint8_t {
  solved,
  refused,  // few nodes have terminals, capacities are infinite, or sums are out of range
  too_long  // for breadth-first search, as strong smoothness can make it: pseudoflow suits then
};

// Solves `problem`, whose capacities are >= 0 and not NaN and which has no path of infinite
// capacity from source to sink. Writes the minimal source set to `side` (nodes) and keeps the rest
// in `flow`; unless solved, nothing is written. The result does not depend on `threads`; the
// pseudoflow, and with it rounding, does on `part`.
template <class Capacity>
GridResult solve_grid(const GridProblem<Capacity>& problem, int threads, std::uint8_t* side,
                      GridFlow<Capacity>& flow, std::int64_t part = kGridPart);

}  // namespace graphcut::maxflow
