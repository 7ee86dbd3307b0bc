// The solvers by name, and the choice among them.
#pragma once

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <cstdlib>
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

// Whether the nodes are numbered along the rows of a grid: arcs then join numbers that differ by
// one of few amounts, 13 where neighbours in space share a corner.
template <class R>
bool looks_like_grid(const Graph<R>& graph) {
  std::array<std::int32_t, 13> known{};
  std::size_t count = 0;
  bool grid = true;
  sample_nodes(graph, 64, [&](std::int32_t v, const Arc<R>* arc, const Arc<R>* end) {
    for (; grid && arc != end; ++arc) {
      const std::int32_t apart = std::abs(arc->head() - v);
      if (std::find(known.begin(), known.begin() + count, apart) != known.begin() + count) continue;
      if (count == known.size()) {
        grid = false;
      } else {
        known[count++] = apart;
      }
    }
  });
  return grid;
}

// Whether most edges have capacity one way only, as in moves of expansion.
template <class R>
bool one_way(const Graph<R>& graph) {
  std::int64_t arcs = 0, single = 0;
  sample_nodes(graph, 64, [&](std::int32_t, const Arc<R>* arc, const Arc<R>* end) {
    for (; arc != end; ++arc, ++arcs) single += static_cast<int>(arc->open() != arc->sister_open());
  });
  return 2 * single > arcs;
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

// Whether what nodes have from the source or can give to the sink is little, on average, beside
// what their arcs let through, so that the cut is regularised strongly.
template <class R>
bool has_weak_terminals(const Graph<R>& graph) {
  double imbalance = 0, through = 0, nodes = 0;
  for (const R excess : graph.excess) imbalance += std::abs(static_cast<double>(excess));
  sample_nodes(graph, 64, [&](std::int32_t, const Arc<R>* arc, const Arc<R>* end) {
    for (; arc != end; ++arc) through += static_cast<double>(arc->residual);
    ++nodes;
  });
  return 25 * imbalance * nodes < through * graph.nodes();
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

// Note [Choice of solver]: pseudoflow wins where terminal links are rare, so that paths are long:
// flow networks (10 times and more, 1.1 to 2 before push-relabel) and scribbled pictures; and on
// pictures and volumes that are regularised strongly (up to 2.5 times). Boykov-Kolmogorov wins on
// the moves of stereo matching (1.2 times): grids of arcs that are open one way. Elsewhere excess
// is spread first. Where that leaves little to be sent, incremental breadth-first search wins (1.2
// to 2 times), else, and on graphs without geometry, push-relabel (1.1 to 2 times).
// `python -m benchmarks maxflow` shows all of them on every family.
//
// `terminals`: how many nodes had excess before it was spread, `spread`: whether it was.
template <class R>
Method chosen(Method method, const Graph<R>& graph, std::int64_t terminals, bool spread) {
  if (method != Method::automatic) return method;
  constexpr std::int32_t kLarge = 8192;
  if (10 * terminals < graph.nodes()) return Method::pseudoflow;
  const bool grid = looks_like_grid(graph);
  if (spread) {
    const bool little = (grid || has_triangles(graph)) && !much_is_left(graph);
    return little ? Method::incremental_bfs : Method::push_relabel;
  }
  if (grid) {
    const bool move = graph.arc_count() < std::int64_t{5} * graph.nodes() && one_way(graph);
    if (move) return Method::boykov_kolmogorov;
    return has_weak_terminals(graph) ? Method::pseudoflow : Method::incremental_bfs;
  }
  if (graph.nodes() >= kLarge && has_triangles(graph)) return Method::incremental_bfs;
  return Method::push_relabel;
}

}  // namespace graphcut::maxflow
