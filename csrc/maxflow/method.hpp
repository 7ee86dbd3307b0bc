// The solvers by name, and the choice among them.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstdlib>
#include <stdexcept>
#include <string>

#include "maxflow/graph.hpp"

namespace graphcut::maxflow {

enum class Method : std::uint8_t { automatic, boykov_kolmogorov, push_relabel };

inline Method method_named(const std::string& name) {
  if (name == "auto") return Method::automatic;
  if (name == "bk") return Method::boykov_kolmogorov;
  if (name == "push_relabel") return Method::push_relabel;
  throw std::invalid_argument("solver: unknown name " + name);
}

// Whether the nodes are numbered along the rows of a grid: arcs then join numbers that differ by
// one of very few amounts. Looks at some 64 nodes.
template <class R>
bool looks_like_grid(const Graph<R>& graph) {
  constexpr std::size_t kMost = 4;
  std::array<std::int32_t, kMost> known{};
  std::size_t count = 0;
  const std::int32_t step = std::max(graph.nodes() / 64, 1);
  for (std::int32_t v = 0; v < graph.nodes(); v += step) {
    for (std::int32_t a = graph.first[static_cast<std::size_t>(v)];
         a != graph.first[static_cast<std::size_t>(v) + 1]; ++a) {
      const std::int32_t apart = std::abs(graph.arcs[static_cast<std::size_t>(a)].head() - v);
      if (std::find(known.begin(), known.begin() + count, apart) != known.begin() + count) continue;
      if (count == kMost) return false;
      known[count++] = apart;
    }
  }
  return true;
}

// Note [Choice of solver]: Boykov-Kolmogorov wins on grids of few neighbours where most nodes have
// a terminal link, so that paths are short: 4-connected pictures and moves of stereo matching (2
// times), 6-connected volumes (by a tenth). Push-relabel wins on small graphs in feature space (1.6
// to 2.7 times), on sparse graphs without geometry (2 to 5 times), and where terminal links are
// rare, so that paths are long (25 times). On large graphs in feature space either may win, by a
// quarter at most. `python -m benchmarks maxflow` shows both on every family.
template <class R>
Method chosen(Method method, const Graph<R>& graph, std::int64_t terminals) {
  if (method != Method::automatic) return method;
  const std::int64_t nodes = graph.nodes();
  const bool short_paths = graph.arc_count() < 7 * nodes && 10 * terminals >= nodes;
  return short_paths && looks_like_grid(graph) ? Method::boykov_kolmogorov : Method::push_relabel;
}

}  // namespace graphcut::maxflow
