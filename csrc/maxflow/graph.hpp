// Residual graph of one cut, in compressed sparse rows.
#pragma once

#include <cstdint>
#include <limits>
#include <stdexcept>
#include <string>
#include <type_traits>
#include <vector>

#include "maxflow/uninitialized.hpp"

namespace graphcut::maxflow {

// Residuals of float32 graphs stay in float (half the memory traffic), values are always summed in
// double; integers are widened to 64 bits so that capacity + reverse capacity cannot overflow.
template <class Capacity>
using Residual = std::conditional_t<std::is_floating_point_v<Capacity>, Capacity, std::int64_t>;
// What residuals of small integers, whose sums fit, may be in: a half of the memory traffic again.
template <class Capacity>
using NarrowResidual =
    std::conditional_t<std::is_floating_point_v<Capacity>, Capacity, std::int32_t>;
template <class Capacity>
using Value = std::conditional_t<std::is_floating_point_v<Capacity>, double, std::int64_t>;

// Note [Open bits]: solvers ask of many arcs whether they, or the *opposite* arcs, which lie
// elsewhere in memory, have residual capacity. Both answers are kept beside the arc's head; whoever
// changes a residual keeps them right.
template <class R>
struct Arc {
  static constexpr std::uint32_t kOpen = 1, kSisterOpen = 2;

  std::uint32_t bits;   // 4 * head + kSisterOpen + kOpen
  std::int32_t sister;  // the opposite arc
  R residual;

  std::int32_t head() const { return static_cast<std::int32_t>(bits >> 2); }
  bool open() const { return (bits & kOpen) != 0; }
  bool sister_open() const { return (bits & kSisterOpen) != 0; }
  void mark(bool is_open, bool is_sister_open) {
    bits = (bits & ~3U) | static_cast<std::uint32_t>(is_open) |
           (static_cast<std::uint32_t>(is_sister_open) << 1);
  }
};

// Of a graph: heads take 30 bits, and the arcs of all edges are numbered by int32.
inline constexpr std::int64_t kMaxNodes = (std::int64_t{1} << 30) - 1;
inline constexpr std::int64_t kMaxEdges = (std::int64_t{1} << 30) - 1;

// Owned by the caller and reused from one cut to the next without giving memory back.
template <class R>
struct Graph {
  // Arcs after the last that may be read, and say nothing, so that four can be looked at at a time.
  static constexpr std::size_t kPadding = 3;

  std::vector<std::int32_t> first;  // (nodes + 1): the arcs leaving i are first[i] .. first[i+1]-1
  Store<Arc<R>> arcs;               // (2 * edges + kPadding)
  std::vector<R> excess;            // (nodes): capacity source->i minus capacity i->sink
  bool bounded = false;  // whether no flow within the capacities can lead to an excess out of range
  bool evened_out = false;  // whether little is left to be sent from a node to its neighbour

  std::int32_t nodes() const { return static_cast<std::int32_t>(first.size()) - 1; }
  std::int32_t arc_count() const { return first.back(); }

  // Capacity of arc `a` and of its sister.
  void set_residuals(std::int32_t a, R forward, R backward) {
    Arc<R>& arc = arcs[static_cast<std::size_t>(a)];
    Arc<R>& sister = arcs[static_cast<std::size_t>(arc.sister)];
    arc.residual = forward;
    sister.residual = backward;
    arc.mark(forward > R{0}, backward > R{0});
    sister.mark(backward > R{0}, forward > R{0});
  }
};

// How a solver leaves a graph: with residuals and excess of a pseudoflow, or of one of the graph
// with all arcs reversed and source and sink swapped; or with residuals of a flow, excess as given.
enum class Left : std::uint8_t { pseudoflow, reversed, flow };

// Moves `flow`, more than nothing and at most the residual, through `arc`; returns whether that
// closes it. `arcs` are those of its graph.
template <class R>
bool push(Arc<R>* arcs, Arc<R>& arc, R flow) {
  Arc<R>& sister = arcs[arc.sister];
  const R left = arc.residual - flow;
  arc.residual = left;
  sister.residual += flow;
  if (!arc.sister_open()) {
    arc.bits |= Arc<R>::kSisterOpen;
    sister.bits |= Arc<R>::kOpen;
  }
  if (left > R{0}) return false;
  arc.bits &= ~Arc<R>::kOpen;
  sister.bits &= ~Arc<R>::kSisterOpen;
  return true;
}

inline void check_edge_count(std::int64_t edges) {
  if (edges > kMaxEdges) {
    throw std::invalid_argument("edge_index: a graph of " + std::to_string(edges) +
                                " edges is too large; at most 2^30 - 1 edges per graph");
  }
}

// Lays out the arcs of `edges` edges over `nodes` nodes, grouped by tail. endpoints(e) gives the
// two ends of edge e as a pair of int32. placed(e, a) is called once for every edge: `a` is its arc
// from the first end to the second, whose sister is the arc back; or -1, and no arc, for a
// self-loop, which no cut can separate. Residuals are left unset, to be given by set_residuals, in
// `placed` or later.
template <class R, class Endpoints, class Placed>
void build_topology(Graph<R>& graph, std::int32_t nodes, std::int64_t edges, Endpoints&& endpoints,
                    Placed&& placed) {
  check_edge_count(edges);
  auto& first = graph.first;
  first.assign(static_cast<std::size_t>(nodes) + 1, 0);
  for (std::int64_t e = 0; e < edges; ++e) {
    const auto [u, v] = endpoints(e);
    if (u == v) continue;
    ++first[static_cast<std::size_t>(u)];
    ++first[static_cast<std::size_t>(v)];
  }
  std::int32_t total = 0;  // first[i] becomes the end of i's arcs, and is lowered while filling
  for (auto& f : first) f = total += f;

  graph.arcs.resize(static_cast<std::size_t>(total) + Graph<R>::kPadding);
  for (std::size_t a = 0; a < Graph<R>::kPadding; ++a) {
    graph.arcs[static_cast<std::size_t>(total) + a] = {0, 0, R{0}};
  }
  for (std::int64_t e = edges - 1; e >= 0; --e) {
    const auto [u, v] = endpoints(e);
    if (u == v) {
      placed(e, -1);
      continue;
    }
    const std::int32_t a = --first[static_cast<std::size_t>(u)];
    const std::int32_t b = --first[static_cast<std::size_t>(v)];
    Arc<R>& arc = graph.arcs[static_cast<std::size_t>(a)];
    Arc<R>& sister = graph.arcs[static_cast<std::size_t>(b)];
    arc.bits = 4 * static_cast<std::uint32_t>(v);
    arc.sister = b;
    sister.bits = 4 * static_cast<std::uint32_t>(u);
    sister.sister = a;
    placed(e, a);
  }
}

// The same for nodes of known `degree` (nodes), self-loops aside, all at once: residuals(e) gives
// what is left of the capacities of edge e, there and back. `slots` (edges), unless null, gets the
// arcs that build_topology passes to `placed`.
template <class R, class Endpoints, class Residuals>
void build_graph(Graph<R>& graph, const std::vector<std::int32_t>& degree, std::int64_t edges,
                 Endpoints&& endpoints, Residuals&& residuals, std::int32_t* slots) {
  graph.first.resize(degree.size() + 1);
  std::int32_t* const first = graph.first.data();
  std::int32_t total = 0;  // first[i] becomes the end of i's arcs, and is lowered while filling
  for (std::size_t i = 0; i < degree.size(); ++i) first[i] = total += degree[i];
  first[degree.size()] = total;
  graph.arcs.resize(static_cast<std::size_t>(total) + Graph<R>::kPadding);
  Arc<R>* const arcs = graph.arcs.data();
  for (std::size_t a = 0; a < Graph<R>::kPadding; ++a) {
    arcs[static_cast<std::size_t>(total) + a] = {0, 0, R{0}};
  }
  for (std::int64_t e = edges - 1; e >= 0; --e) {
    const auto [u, v] = endpoints(e);
    if (u == v) {
      if (slots != nullptr) slots[e] = -1;
      continue;
    }
    const auto [forward, backward] = residuals(e);
    const std::int32_t a = --first[u];
    const std::int32_t b = --first[v];
    const auto open = static_cast<std::uint32_t>(forward > R{0});
    const auto back = static_cast<std::uint32_t>(backward > R{0});
    arcs[a] = {4 * static_cast<std::uint32_t>(v) + 2 * back + open, b, forward};
    arcs[b] = {4 * static_cast<std::uint32_t>(u) + 2 * open + back, a, backward};
    if (slots != nullptr) slots[e] = a;
  }
}

}  // namespace graphcut::maxflow
