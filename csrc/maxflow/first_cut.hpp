// The first cut of a graph that may change later, by the solver that suits it.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <memory>
#include <type_traits>
#include <utility>
#include <vector>

#include "maxflow/cut.hpp"
#include "maxflow/graph.hpp"
#include "maxflow/infinite_path.hpp"
#include "maxflow/method.hpp"
#include "maxflow/network.hpp"
#include "maxflow/spread.hpp"

namespace graphcut::maxflow {

// Lays out `graph` and `slots` (edges), the arcs from tail to head, -1 for self-loops, unless
// `laid_out`, and sets the residuals that spread.flow(e) leaves.
template <class Capacity>
void load(const Network<Capacity>& network, const Spread<Value<Capacity>>& spread, bool laid_out,
          Graph<Value<Capacity>>& graph, std::vector<std::int32_t>& slots) {
  using Wide = Value<Capacity>;
  const auto residuals = [&](std::size_t e) {
    const Wide flow = spread.flow(static_cast<std::int64_t>(e));
    return std::pair{static_cast<Wide>(network.capacity[e]) - flow,
                     static_cast<Wide>(network.reverse[e]) + flow};
  };
  if (laid_out) {
    for (std::size_t e = 0; e < slots.size(); ++e) {
      if (slots[e] < 0) continue;
      const auto [forward, backward] = residuals(e);
      graph.set_residuals(slots[e], forward, backward);
    }
    return;
  }
  std::vector<std::int32_t> degree(network.source.size());
  for (std::size_t e = 0; e < network.tail.size(); ++e) {
    const auto u = static_cast<std::size_t>(network.tail[e]);
    const auto v = static_cast<std::size_t>(network.head[e]);
    degree[u] += static_cast<std::int32_t>(u != v);
    degree[v] += static_cast<std::int32_t>(u != v);
  }
  slots.resize(static_cast<std::size_t>(network.edges()));
  build_graph(
      graph, degree, network.edges(),
      [&](std::int64_t e) {
        const auto place = static_cast<std::size_t>(e);
        return std::pair{network.tail[place], network.head[place]};
      },
      [&](std::int64_t e) { return residuals(static_cast<std::size_t>(e)); }, slots.data());
}

// As Solvers::cut, with memory that is given back.
template <class R>
Left cut_to_bytes(Graph<R>& graph, Choice used, std::vector<std::uint8_t>& side) {
  Solvers<R> solvers;
  const auto nodes = static_cast<std::size_t>(graph.nodes());
  const std::unique_ptr<bool[]> found(new bool[nodes]);
  const Left left = solvers.cut(graph, used, found.get());
  side.assign(found.get(), found.get() + nodes);
  return left;
}

// Solves `graph` from a flow that was sent, in a time that hubs do not make quadratic. Writes the
// minimal source set to `side` (nodes).
template <class R>
Left finish_cut(Graph<R>& graph, std::vector<std::uint8_t>& side) {
  graph.evened_out = false;
  return cut_to_bytes(graph, Choice{Method::pseudoflow}, side);
}

// Solves `network` by `method`, sending flow ahead where that pays. `check` refuses infinite paths.
// Writes the minimal source set to `side` (nodes).
template <class Capacity>
Left first_cut(const Network<Capacity>& network, Method method, bool check, bool laid_out,
               Graph<Value<Capacity>>& graph, std::vector<std::int32_t>& slots,
               std::vector<std::uint8_t>& side) {
  using Wide = Value<Capacity>;
  const std::int64_t terminals =
      set_excess(network.source.data(), network.sink.data(),
                 static_cast<std::int32_t>(network.nodes()), graph.excess);
  Choice used{method};
  {
    Spread<Wide> spread;
    spread.run(
        network.edges(),
        [&](std::int64_t e) {
          const auto place = static_cast<std::size_t>(e);
          return std::pair{network.tail[place], network.head[place]};
        },
        [&](std::int64_t e) {
          const auto place = static_cast<std::size_t>(e);
          return std::pair{static_cast<Wide>(network.capacity[place]),
                           static_cast<Wide>(network.reverse[place])};
        },
        terminals, graph.excess);
    load(network, spread, laid_out, graph, slots);
    graph.evened_out = spread.little_meets();
    if constexpr (std::is_floating_point_v<Capacity>) {
      if (check) refuse_infinite_path(graph, network.source.data(), network.sink.data(), "");
    }
    used = chosen(method, graph, terminals, spread.used());
  }
  return cut_to_bytes(graph, used, side);
}

// Bound of what residuals in floating point round away of all flows. It is infinite, and residuals
// do not tell the flow, where both capacities of an edge are, or terminals sum up past the range.
template <class Capacity>
double rounding_of_residuals(const Network<Capacity>& network) {
  if constexpr (std::is_integral_v<Capacity>) return 0;
  double lost = 0, terminals = 0;
  for (std::size_t e = 0; e < network.capacity.size(); ++e) {
    lost += static_cast<double>(std::min(network.capacity[e], network.reverse[e]));
  }
  for (std::size_t i = 0; i < network.source.size(); ++i) {
    const auto size = std::abs(static_cast<double>(network.source[i] - network.sink[i]));
    if (!std::isinf(size)) terminals += size;
  }
  constexpr double kMost = std::numeric_limits<double>::max() / 8;
  if (!(terminals < kMost)) return std::numeric_limits<double>::infinity();
  return lost * std::numeric_limits<double>::epsilon();
}

template <class Capacity>
bool any_infinite_terminal(const Network<Capacity>& network) {
  if constexpr (std::is_integral_v<Capacity>) return false;
  for (std::size_t i = 0; i < network.source.size(); ++i) {
    if (std::isinf(static_cast<double>(network.source[i] - network.sink[i]))) return true;
  }
  return false;
}

// Turns a graph that was left `reversed` round again, and tells flow(e, net) the flow of every edge
// but self-loops, from tail to head. Excess that a solver may have cut short is what it was: where
// any terminal is infinite, finite ones may be cut short too. What is summed anew rounds: a bound
// of that is added to `rounding`. Returns false where an excess is out of range.
template <class Capacity, class Flow>
bool settle_first_cut(const Network<Capacity>& network, const std::vector<std::int32_t>& slots,
                      bool reversed, Graph<Value<Capacity>>& graph, double& rounding, Flow&& flow) {
  using Wide = Value<Capacity>;
  constexpr bool kExact = std::is_integral_v<Wide>;
  const bool anew = kExact || any_infinite_terminal(network);
  std::vector<Wide> out(anew ? network.source.size() : 0);
  double passed = 0;
  for (std::size_t e = 0; e < slots.size(); ++e) {
    if (slots[e] < 0) continue;
    const Arc<Wide>& arc = graph.arcs[static_cast<std::size_t>(slots[e])];
    Wide forward = arc.residual;
    Wide backward = graph.arcs[static_cast<std::size_t>(arc.sister)].residual;
    if (reversed) {
      std::swap(forward, backward);
      graph.set_residuals(slots[e], forward, backward);
    }
    const auto capacity = static_cast<Wide>(network.capacity[e]);
    const auto reverse = static_cast<Wide>(network.reverse[e]);
    // The smaller capacity is rounded less.
    const Wide net = capacity <= reverse ? capacity - forward : backward - reverse;
    flow(e, net);
    if (!anew) continue;
    out[static_cast<std::size_t>(network.tail[e])] += net;
    out[static_cast<std::size_t>(network.head[e])] -= net;
    if constexpr (!kExact) passed += 2 * std::abs(static_cast<double>(net));
  }
  if constexpr (!kExact) rounding += passed * std::numeric_limits<Wide>::epsilon();
  for (std::size_t i = 0; i < graph.excess.size(); ++i) {
    const Wide supply = static_cast<Wide>(network.source[i]) - static_cast<Wide>(network.sink[i]);
    if constexpr (kExact) {
      constexpr Wide kMost = std::numeric_limits<Wide>::max() / 4;
      if (supply > kMost || supply < -kMost || out[i] > kMost || out[i] < -kMost) return false;
      graph.excess[i] = supply - out[i];
    } else {
      if (reversed) graph.excess[i] = -graph.excess[i];
      if (anew) graph.excess[i] = std::isinf(supply) ? supply : supply - out[i];
    }
  }
  return true;
}

}  // namespace graphcut::maxflow
