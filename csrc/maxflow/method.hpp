// The solvers by name, and the choice among them.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <stdexcept>
#include <string>
#include <string_view>

#include "maxflow/graph.hpp"
#include "maxflow/solver_list.hpp"

namespace graphcut::maxflow {

enum class Method : std::uint8_t {
  automatic,
#define GRAPHCUT_ENTRY(name, method, Solver) method,
  GRAPHCUT_SOLVERS(GRAPHCUT_ENTRY)
#undef GRAPHCUT_ENTRY
};

// By value of Method.
inline constexpr std::array kSolverNames{"auto",
#define GRAPHCUT_ENTRY(name, method, Solver) name,
                                         GRAPHCUT_SOLVERS(GRAPHCUT_ENTRY)
#undef GRAPHCUT_ENTRY
};

inline Method method_named(std::string_view name) {
  const auto found = std::find(kSolverNames.begin(), kSolverNames.end(), name);
  if (found == kSolverNames.end()) {
    throw std::invalid_argument("solver: unknown name " + std::string(name));
  }
  return static_cast<Method>(found - kSolverNames.begin());
}

// Calls look(v, begin, end), with the arcs of node v, for some `count` nodes, in a picture of
// several columns.
template <class R, class Look>
void sample_nodes(const Graph<R>& graph, std::int32_t count, Look&& look) {
  const std::int32_t step = (graph.nodes() / count) | 1;
  for (std::int32_t v = 0; v < graph.nodes(); v += step) {
    const Arc<R>* const arcs = graph.arcs.data();
    look(v, arcs + graph.first[static_cast<std::size_t>(v)],
         arcs + graph.first[static_cast<std::size_t>(v) + 1]);
  }
}

// Whether neighbours of a node are often neighbours of one another, as the nearest ones are in any
// space: of the first two of a node, one in ten or more.
template <class R>
bool has_triangles(const Graph<R>& graph) {
  int pairs = 0, joined = 0;
  sample_nodes(graph, 64, [&](std::int32_t, const Arc<R>* arc, const Arc<R>* end) {
    if (end - arc < 2) return;
    const auto v = static_cast<std::size_t>(arc[0].head());
    const std::int32_t w = arc[1].head();
    ++pairs;
    joined += static_cast<int>(std::any_of(graph.arcs.data() + graph.first[v],
                                           graph.arcs.data() + graph.first[v + 1],
                                           [w](const Arc<R>& other) { return other.head() == w; }));
  });
  return joined > 0 && 10 * joined >= pairs;
}

// Whether much is left to be sent after Spread, by the open arcs from supply to demand: 1 % of all
// arcs on graphs of neighbours with weighted links, 4 % where links are of one weight, none in
// volumes.
template <class R>
bool much_is_left(const Graph<R>& graph) {
  std::int64_t arcs = 0, open = 0;
  sample_nodes(graph, 256, [&](std::int32_t v, const Arc<R>* arc, const Arc<R>* end) {
    arcs += end - arc;
    if (!(graph.excess[static_cast<std::size_t>(v)] > R{0})) return;
    for (; arc != end; ++arc) {
      const R other = graph.excess[static_cast<std::size_t>(arc->head())];
      open += static_cast<int>(arc->open() && other < R{0});
    }
  });
  return 40 * open > arcs;
}

// Note [Choice of solver]: pseudoflow wins where terminals are few, so that supply has a long way
// to go: flow networks and scribbled pictures. Push-relabel wins where much is left between
// neighbours after Spread, as in graphs whose links have one weight. Elsewhere incremental
// breadth-first search does. Counts decide, and signs, no sizes: infinite capacities do not change
// the choice, nor does the type of the capacities.
//
// `terminals`: how many nodes had excess before it was spread, `spread`: whether it was.
template <class R>
Method chosen(Method method, const Graph<R>& graph, std::int64_t terminals, bool spread) {
  if (method != Method::automatic) return method;
  if (5 * terminals < graph.nodes()) return Method::pseudoflow;
  if (spread && has_triangles(graph) && much_is_left(graph)) return Method::push_relabel;
  return Method::incremental_bfs;
}

}  // namespace graphcut::maxflow
