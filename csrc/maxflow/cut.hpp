// One cut of one graph, with the memory that is kept between cuts.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <stdexcept>
#include <string>

#include "maxflow/boykov_kolmogorov.hpp"
#include "maxflow/graph.hpp"
#include "maxflow/incremental_bfs.hpp"
#include "maxflow/infinite_path.hpp"
#include "maxflow/method.hpp"
#include "maxflow/pseudoflow.hpp"
#include "maxflow/push_relabel.hpp"

namespace graphcut::maxflow {

// The solvers, each with the memory it keeps from one cut to the next.
template <class R>
struct Solvers {
  BoykovKolmogorov<R> boykov_kolmogorov;
  IncrementalBfs<R> incremental_bfs;
  PushRelabel<R> push_relabel;
  Pseudoflow<R> pseudoflow;
};

template <class Solver>
void write_side(const Solver& solver, std::int32_t nodes, bool* side) {
  for (std::int32_t i = 0; i < nodes; ++i) side[i] = solver.in_source_set(i);
}

// Solves `graph`, whose residuals are the capacities, for the given terminals (nodes each) and
// writes the minimal source set to `side`. `infinite`: whether a path of infinite capacity is
// possible.
template <class Capacity>
void cut(Graph<Residual<Capacity>>& graph, Solvers<Residual<Capacity>>& solvers, Method method,
         const Capacity* source, const Capacity* sink, bool infinite, const std::string& where,
         bool* side) {
  using R = Residual<Capacity>;
  const std::int32_t n = graph.nodes();
  if constexpr (std::is_floating_point_v<Capacity>) {
    if (infinite) refuse_infinite_path(graph, source, sink, where);
  }
  graph.excess.resize(static_cast<std::size_t>(n));
  std::int64_t terminals = 0;
  for (std::int32_t i = 0; i < n; ++i) {
    const R excess = static_cast<R>(source[i]) - static_cast<R>(sink[i]);
    graph.excess[static_cast<std::size_t>(i)] = excess;
    terminals += static_cast<std::int64_t>(excess != R{0});
  }
  const Method used = chosen(method, graph, terminals);
  if (used == Method::push_relabel && solvers.push_relabel.solve(graph)) {
    write_side(solvers.push_relabel, n, side);
    return;
  }
  if (used == Method::incremental_bfs && solvers.incremental_bfs.solve(graph)) {
    write_side(solvers.incremental_bfs, n, side);
    return;
  }
  if (used == Method::pseudoflow && solvers.pseudoflow.solve(graph)) {
    write_side(solvers.pseudoflow, n, side);
    return;
  }
  solvers.boykov_kolmogorov.solve(graph);  // sums nothing, so it can take any capacities
  write_side(solvers.boykov_kolmogorov, n, side);
}

// Capacity of the terminal arcs in the cut.
template <class Capacity>
Value<Capacity> terminal_cost(const Capacity* source, const Capacity* sink, const bool* side,
                              std::int32_t nodes) {
  Value<Capacity> cost{0};
  for (std::int32_t i = 0; i < nodes; ++i) {
    cost += static_cast<Value<Capacity>>(side[i] ? sink[i] : source[i]);
  }
  return cost;
}

// A finite cut can still sum up past the largest double.
template <class V>
V checked_value(V value, const std::string& where) {
  if constexpr (std::is_floating_point_v<V>) {
    if (!std::isfinite(value)) {
      throw std::invalid_argument("the value of the minimum cut overflows float64" + where);
    }
  }
  return value;
}

}  // namespace graphcut::maxflow
