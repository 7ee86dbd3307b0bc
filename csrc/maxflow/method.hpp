// The solvers by name, and the choice among them.
#pragma once

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

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

// What a sample of the nodes and their arcs tells of a graph.
struct Sample {
  double fill = 0;   // what excess could fill of the capacity of its node's arcs, a mean, 0 to 1
  double meets = 0;  // what supply and demand could fill of an edge, in capacities of a typical one
  double contacts = 0;  // open arcs from supply to demand, by arcs
  double one_way = 0;   // arcs open in one direction only, by arcs
  double beside = 0;    // nodes without excess that have some beside them, by those without
};

// Whether any node that `v` has an edge to has excess.
template <class R>
bool has_excess_beside(const Arc<R>* arc, const Arc<R>* end, const R* excess) {
  bool any = false;
  for (; arc != end; ++arc) {
    any |= (excess[arc->head()] != R{0}) & (arc->open() | arc->sister_open());
  }
  return any;
}

// `sizes`: whether `meets` is asked for, `seeds`: whether `beside` is. Where `fill` is `enough`,
// nothing else is told.
template <class R>
Sample sample(const Graph<R>& graph, bool sizes, bool seeds, double enough) {
  constexpr std::int32_t kMost = 2048;  // arcs, of a large graph
  const std::int32_t nodes = graph.nodes();
  const std::int32_t all = std::max(graph.arc_count(), 1);
  const std::int64_t some = std::clamp(all / 16, 512, kMost);
  const auto count = std::max(static_cast<std::int32_t>(some * nodes / all), 1);
  const std::int32_t step = (nodes / count) | 1;  // odd: several columns of a picture
  const R* const excess = graph.excess.data();
  const Arc<R>* const arcs = graph.arcs.data();
  std::vector<R> capacities;
  double fill = 0, meets = 0, contacts = 0, one_way = 0, looked = 0;
  std::int32_t found = 0, free = 0, beside = 0;
  const std::int32_t looks = (nodes + step - 1) / step;  // nodes that are looked at
  const double full = enough * looks;
  if (sizes) capacities.reserve(static_cast<std::size_t>(looks));
  for (std::int32_t v = 0; v < nodes && fill < full; v += step, ++found) {
    const Arc<R>* arc = arcs + graph.first[static_cast<std::size_t>(v)];
    const Arc<R>* end = arcs + graph.first[static_cast<std::size_t>(v) + 1];
    if (end - arc > kMost) end = arc + kMost;  // a hub
    const auto size = std::abs(static_cast<double>(excess[v]));
    double through = 0;
    looked += static_cast<double>(end - arc);
    if (sizes && arc != end) capacities.push_back(arc[found % (end - arc)].residual);
    if (seeds && excess[v] == R{0}) {
      ++free;
      beside += static_cast<std::int32_t>(has_excess_beside(arc, end, excess));
    }
    for (; arc != end; ++arc) {
      const auto capacity = static_cast<double>(arc->residual);
      through += capacity;
      one_way += static_cast<double>(arc->open() != arc->sister_open());
      if (!(excess[v] > R{0})) continue;
      // No branch on what is random.
      const auto wanted = std::max(-static_cast<double>(excess[arc->head()]), 0.0);
      const double met = std::min({size, wanted, capacity});  // 0 where the arc is closed
      contacts += static_cast<double>(met > 0);
      meets += met;
    }
    if (size > 0) fill += size < through ? size / through : 1;
  }
  if (!(fill < full)) return {enough};
  if (!(looked > 0)) return {};
  if (!capacities.empty()) {  // an edge is two arcs, and met at one of them
    const auto middle = capacities.begin() + static_cast<std::ptrdiff_t>(capacities.size() / 2);
    std::nth_element(capacities.begin(), middle, capacities.end());
    meets = *middle > R{0} ? 2 * meets / (static_cast<double>(*middle) * looked) : 1;
  }
  return {fill / found, meets, contacts / looked, one_way / looked,
          static_cast<double>(beside) / std::max(free, 1)};
}

// A solver, and how often breadth-first search may look at every arc, on average, until pseudoflow
// takes over: see Note [Limited patience].
struct Choice {
  Method method;
  double looks = std::numeric_limits<double>::infinity();
};

// Where breadth-first search is the faster one it nearly always looks less often than that.
inline constexpr double kPatience = 14;

// Note [Choice of solver]: breadth-first search is the fastest where supply finds demand nearby,
// and pseudoflow where it has a long way to go. That is so
// - where few nodes have terminal edges, and few others have such a node beside them: flow
//   networks, scribbled pictures, but not labels that are scattered;
// - where terminals are weak beside arcs that lead both ways, and both kinds of them are mixed, but
//   what meets is little: pictures that are regularised strongly, with seeds or without;
// - where terminals are weak and Spread left much that meets: graphs of neighbours with links of
//   one weight, random graphs.
// Where it left little and terminals are weak, either may be much faster than the other: the
// weaker they are, the sooner breadth-first search gives up. Nothing here is changed by capacities
// that are infinite or large for infinite, here and there, nor by the type of the capacities.
// docs/solvers.md has the figures it comes from.
//
// `terminals`: how many nodes had excess before it was spread, `spread`: whether it was.
template <class R>
Choice chosen(Method method, const Graph<R>& graph, std::int64_t terminals, bool spread) {
  if (method != Method::automatic) return {method};
  constexpr Choice hpf{Method::pseudoflow};
  const Choice ibfs{Method::incremental_bfs, kPatience};
  const bool few = 4 * terminals < graph.nodes(), seeds = 2 * terminals < graph.nodes();
  const double most_fill = few ? 2 : spread ? 0.2 : 0.28;
  const Sample found = sample(graph, !few && !spread, seeds, most_fill);
  if (!(found.fill < most_fill)) return ibfs;
  if (found.beside > 0.4) return ibfs;
  if (few) return hpf;
  if (spread) {
    if (found.contacts > std::clamp(found.fill / 2, 0.02, 0.038)) return hpf;
    return {Method::incremental_bfs, std::min(3 + 100 * found.fill, kPatience)};
  }
  const double little = found.fill < 0.11 ? 0.0055 : found.contacts > 0.04 ? 0.0035 : 0.0012;
  const bool far_off = found.meets < little && found.contacts > 0.016 && found.one_way < 0.5;
  return far_off ? hpf : ibfs;
}

}  // namespace graphcut::maxflow
