// One cut of one graph, with the memory that is kept between cuts.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <stdexcept>
#include <string>

#include "maxflow/boykov_kolmogorov.hpp"
#include "maxflow/graph.hpp"
#include "maxflow/infinite_path.hpp"

namespace graphcut::maxflow {

// Solves `graph`, whose residuals are the capacities, for the given terminals (nodes each) and
// writes the minimal source set to `side`. `infinite`: whether a path of infinite capacity is
// possible.
template <class Capacity>
void cut(Graph<Residual<Capacity>>& graph, BoykovKolmogorov<Residual<Capacity>>& solver,
         const Capacity* source, const Capacity* sink, bool infinite, const std::string& where,
         bool* side) {
  using R = Residual<Capacity>;
  const std::int32_t n = graph.nodes();
  if constexpr (std::is_floating_point_v<Capacity>) {
    if (infinite) refuse_infinite_path(graph, source, sink, where);
  }
  graph.excess.resize(static_cast<std::size_t>(n));
  for (std::int32_t i = 0; i < n; ++i) {
    graph.excess[static_cast<std::size_t>(i)] = static_cast<R>(source[i]) - static_cast<R>(sink[i]);
  }
  solver.solve(graph);
  for (std::int32_t i = 0; i < n; ++i) side[i] = solver.in_source_set(i);
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
