#include "maxflow/cut.hpp"

#include <cmath>
#include <cstdint>

namespace graphcut::maxflow {
namespace {

template <class Solver>
void write_side(const Solver& solver, std::int32_t nodes, bool* side) {
  if constexpr (requires { solver.write_source_set(nodes, side); }) {
    solver.write_source_set(nodes, side);
    return;
  }
  for (std::int32_t i = 0; i < nodes; ++i) side[i] = solver.in_source_set(i);
}

}  // namespace

template <class R>
Left cut(Graph<R>& graph, Solvers<R>& solvers, Choice choice, bool* side) {
  Method used = choice.method;
  if (used == Method::incremental_bfs && !std::isinf(choice.looks)) {
    if (solvers.incremental_bfs.solve(graph, choice.looks)) {
      write_side(solvers.incremental_bfs, graph.nodes(), side);
      return solvers.incremental_bfs.left();
    }
    used = Method::pseudoflow;
  }
  const auto solved_by = [&](auto& solver) {
    if (!solver.solve(graph)) return false;
    write_side(solver, graph.nodes(), side);
    return true;
  };
  switch (used) {
#define GRAPHCUT_ENTRY(name, method, Solver)                     \
  case Method::method:                                           \
    if (solved_by(solvers.method)) return solvers.method.left(); \
    break;
    GRAPHCUT_SOLVERS(GRAPHCUT_ENTRY)
#undef GRAPHCUT_ENTRY
    case Method::automatic:
      break;
  }
  solved_by(solvers.boykov_kolmogorov);
  return Left::flow;
}

template Left cut(Graph<float>&, Solvers<float>&, Choice, bool*);
template Left cut(Graph<double>&, Solvers<double>&, Choice, bool*);
template Left cut(Graph<std::int32_t>&, Solvers<std::int32_t>&, Choice, bool*);
template Left cut(Graph<std::int64_t>&, Solvers<std::int64_t>&, Choice, bool*);

}  // namespace graphcut::maxflow
