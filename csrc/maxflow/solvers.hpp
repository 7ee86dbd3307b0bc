// The solvers themselves. Included where they are compiled, once for each type of residuals.
#pragma once

#include <cmath>
#include <cstdint>
#include <memory>

#include "maxflow/boykov_kolmogorov.hpp"
#include "maxflow/cut.hpp"
#include "maxflow/graph.hpp"
#include "maxflow/incremental_bfs.hpp"
#include "maxflow/method.hpp"
#include "maxflow/pseudoflow.hpp"
#include "maxflow/push_relabel.hpp"
#include "maxflow/solver_list.hpp"

namespace graphcut::maxflow {

template <class R>
struct Solvers<R>::All {
#define GRAPHCUT_ENTRY(name, method, Solver) Solver<R> method;
  GRAPHCUT_SOLVERS(GRAPHCUT_ENTRY)
#undef GRAPHCUT_ENTRY
};

template <class R>
Solvers<R>::Solvers() = default;
template <class R>
Solvers<R>::~Solvers() = default;

template <class Solver>
void write_side(const Solver& solver, std::int32_t nodes, bool* side) {
  if constexpr (requires { solver.write_source_set(nodes, side); }) {
    solver.write_source_set(nodes, side);
    return;
  }
  for (std::int32_t i = 0; i < nodes; ++i) side[i] = solver.in_source_set(i);
}

// Note [Limited patience]: no look at a graph before it is solved tells apart all that
// breadth-first search is good at from what takes it very long, as strong smoothness does, or hubs.
// So where nobody has named it, it stops after so many looks at every arc, on average, and
// pseudoflow goes on from where it is.
template <class R>
Left Solvers<R>::cut(Graph<R>& graph, Choice choice, bool* side) {
  if (all_ == nullptr) all_ = std::make_unique<All>();
  Method used = choice.method;
  if (used == Method::incremental_bfs && !std::isinf(choice.looks)) {
    if (all_->incremental_bfs.solve(graph, choice.looks)) {
      write_side(all_->incremental_bfs, graph.nodes(), side);
      return all_->incremental_bfs.left();
    }
    used = Method::pseudoflow;
  }
  const auto solved_by = [&](auto& solver) {
    if (!solver.solve(graph)) return false;
    write_side(solver, graph.nodes(), side);
    return true;
  };
  switch (used) {
#define GRAPHCUT_ENTRY(name, method, Solver)                 \
  case Method::method:                                       \
    if (solved_by(all_->method)) return all_->method.left(); \
    break;
    GRAPHCUT_SOLVERS(GRAPHCUT_ENTRY)
#undef GRAPHCUT_ENTRY
    case Method::automatic:
      break;
  }
  solved_by(all_->boykov_kolmogorov);
  return Left::flow;
}

}  // namespace graphcut::maxflow
