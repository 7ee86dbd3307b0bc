// The proof that a cut is minimal: a flow worth as much.
#pragma once

#include <cstdint>

#include "maxflow/block.hpp"
#include "maxflow/block_push_relabel.hpp"

namespace graphcut::maxflow {

// Whether `state` holds a flow within the capacities that takes from each node what start(v) was to
// leave state.excess[v], and delivers exactly what the cut costs that leaves the nodes of
// on_supply_side with the supply. All in units.
template <class Block, class W, class R, class Start, class Side>
GRAPHCUT_BLOCK bool certified(Block& block, const Units<W, R>& units, const State<R>& state,
                              Start&& start, Side&& on_supply_side) {
  using Sum = std::uint64_t;  // wraps
  const bool broken = block.any(units.nodes, [&](std::int64_t v) {
    auto kept = static_cast<Sum>(start(v));
    bool within = true;
    for (std::int32_t a = units.first[v]; a < units.first[v + 1]; ++a) {
      const R flow = state.flow[units.links[a].number()];
      within &= units.residual(a, flow) >= R{0};
      kept -= static_cast<Sum>(units.links[a].forward() ? flow : -flow);
    }
    return !within || kept != static_cast<Sum>(state.excess[v]);
  });
  if (broken) return false;
  const Sum delivered = block.template total<Sum>(units.nodes, [&](std::int64_t v) {
    const R given = start(v), left = state.excess[v];
    return static_cast<Sum>(given > R{0} ? given : R{0}) -
           static_cast<Sum>(left > R{0} ? left : R{0});
  });
  const Sum cost = block.template total<Sum>(units.nodes, [&](std::int64_t v) {
    const R given = start(v);
    if (!on_supply_side(v)) return static_cast<Sum>(given > R{0} ? given : R{0});
    auto sum = static_cast<Sum>(given < R{0} ? -given : R{0});
    for (std::int32_t a = units.first[v]; a < units.first[v + 1]; ++a) {
      if (!on_supply_side(units.links[a].head)) {
        sum += static_cast<Sum>(units.scale(units.capacity[a]));
      }
    }
    return sum;
  });
  return delivered == cost;
}

}  // namespace graphcut::maxflow
