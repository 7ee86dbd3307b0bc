// The flow that proves a cut to be minimal.
#pragma once

#include <algorithm>
#include <cstdint>
#include <type_traits>
#include <utility>
#include <vector>

#include "maxflow/graph.hpp"
#include "maxflow/network.hpp"
#include "maxflow/resumable_boykov_kolmogorov.hpp"

namespace graphcut::maxflow {

// What leaves node i by its arcs less what enters. Integers wrap around, and back where the result
// is in range.
template <class R>
R net_outflow(const Graph<R>& graph, const ResumableBoykovKolmogorov<R>& solver, std::int32_t i) {
  using Sum = std::conditional_t<std::is_floating_point_v<R>, R, std::uint64_t>;
  const auto node = static_cast<std::size_t>(i);
  Sum sum{0};
  for (std::int32_t a = graph.first[node]; a != graph.first[node + 1]; ++a) {
    sum += static_cast<Sum>(solver.flow(a, graph.arcs[static_cast<std::size_t>(a)].sister));
  }
  return static_cast<R>(sum);
}

// Net flow from tail to head of an edge of these capacities, whose arc from tail to head is `arc`
// and which was sent `flow`. A closed arc carries its capacity, however flows were rounded.
template <class R>
R settled_flow(const Arc<R>& arc, R flow, R capacity, R reverse) {
  if (!arc.open()) return capacity;
  if (!arc.sister_open()) return R{0} - reverse;  // not -0.0
  return std::clamp(flow, R{0} - reverse, capacity);
}

// Note [Settling]: after a change, see Note [Reparameterisation], nodes may get more from their
// neighbours, or give more to them, than their terminals take or have; the cut needs no more. This
// flow is within the terminals too. What is too much on the source side goes back to nodes that had
// it from the source, and what is missing on the other side is fetched from nodes that gave it to
// the sink: either is possible, as the flow came or went that way, and without crossing the cut.
template <class Capacity>
class MaximumFlow {
 public:
  using Wide = Value<Capacity>;

  // Of a solved graph, whose edges have their arcs from tail to head at `slots` (edges) and whose
  // source set is `side` (nodes); all are referred to. `within`: the flow is within the terminals
  // already.
  MaximumFlow(const Network<Capacity>& network, const Graph<Wide>& solved,
              const ResumableBoykovKolmogorov<Wide>& solver, const std::vector<std::int32_t>& slots,
              const std::vector<std::uint8_t>& side, bool within)
      : network_(network), solved_(solved), solver_(solver), slots_(slots), side_(side) {
    if (!within) settle();
  }

  // Net flow of edge e from tail to head; 0 for a self-loop.
  Wide net(std::size_t e) const {
    const std::int32_t slot = slots_[e];
    if (slot < 0) return Wide{0};
    const Arc<Wide>& arc = graph(e).arcs[static_cast<std::size_t>(slot)];
    Wide flow = solver_.flow(slot, arc.sister);
    if (&graph(e) != &solved_) flow += settling_.flow(slot, arc.sister);
    return settled_flow(arc, flow, static_cast<Wide>(network_.capacity[e]),
                        static_cast<Wide>(network_.reverse[e]));
  }

  // What is left of the capacities of edge e, from tail to head and back.
  std::pair<Wide, Wide> residual(std::size_t e) const {
    const std::int32_t slot = slots_[e];
    if (slot < 0) {
      return {static_cast<Wide>(network_.capacity[e]), static_cast<Wide>(network_.reverse[e])};
    }
    const auto& arcs = graph(e).arcs;
    const Arc<Wide>& arc = arcs[static_cast<std::size_t>(slot)];
    return {arc.residual, arcs[static_cast<std::size_t>(arc.sister)].residual};
  }

 private:
  bool crosses(std::size_t e) const {
    return side_[static_cast<std::size_t>(network_.tail[e])] !=
           side_[static_cast<std::size_t>(network_.head[e])];
  }
  // The graph whose residuals are those of edge e.
  const Graph<Wide>& graph(std::size_t e) const {
    return settled_.arcs.empty() || crosses(e) ? solved_ : settled_;
  }

  void settle() {
    std::vector<Wide> excess(side_.size());
    std::vector<std::int32_t> wrong;
    for (std::size_t i = 0; i < side_.size(); ++i) {
      const Wide out = net_outflow(solved_, solver_, static_cast<std::int32_t>(i));
      const bool inside = side_[i] != 0;
      // Too much (> 0) or what could be taken back; outside missing (< 0) or what could be given.
      excess[i] = inside ? -(out + static_cast<Wide>(network_.sink[i]))
                         : static_cast<Wide>(network_.source[i]) - out;
      const bool right = inside ? excess[i] <= Wide{0} : excess[i] >= Wide{0};
      if (!right) wrong.push_back(static_cast<std::int32_t>(i));
    }
    if (wrong.empty()) return;
    settled_ = solved_;
    settled_.excess = std::move(excess);
    for (std::size_t e = 0; e < slots_.size(); ++e) {
      if (slots_[e] >= 0 && crosses(e)) settled_.set_residuals(slots_[e], Wide{0}, Wide{0});
    }
    settling_.solve_from(settled_, wrong);
  }

  const Network<Capacity>& network_;
  const Graph<Wide>& solved_;
  const ResumableBoykovKolmogorov<Wide>& solver_;
  const std::vector<std::int32_t>& slots_;
  const std::vector<std::uint8_t>& side_;
  // As solved_ after settling, but closed across the cut; empty if not needed.
  Graph<Wide> settled_;
  ResumableBoykovKolmogorov<Wide> settling_;
};

}  // namespace graphcut::maxflow
