// Residual graph of one cut, in compressed sparse rows.
#pragma once

#include <cstdint>
#include <limits>
#include <stdexcept>
#include <string>
#include <type_traits>
#include <vector>

namespace graphcut::maxflow {

// Residuals of float32 graphs stay in float (half the memory traffic), values are always summed in
// double; integers are widened to 64 bits so that capacity + reverse capacity cannot overflow.
template <class Capacity>
using Residual = std::conditional_t<std::is_floating_point_v<Capacity>, Capacity, std::int64_t>;
template <class Capacity>
using Value = std::conditional_t<std::is_floating_point_v<Capacity>, double, std::int64_t>;

// Note [Open bit]: solvers ask of many arcs whether the *opposite* arc, which lies elsewhere in
// memory, has residual capacity. The answer is kept in the arc itself, beside the index of its
// sister; whoever changes a residual keeps it right.
template <class R>
struct Arc {
  std::int32_t head;   // node the arc points to
  std::uint32_t link;  // 2 * index of the sister, the opposite arc, + 1 where the sister is open
  R residual;

  std::int32_t sister() const { return static_cast<std::int32_t>(link >> 1); }
  bool open() const { return residual > R{0}; }
  bool sister_open() const { return (link & 1) != 0; }
  void mark_sister(bool is_open) { link = (link & ~1U) | static_cast<std::uint32_t>(is_open); }
};

// Owned by the caller and reused from one cut to the next without giving memory back.
template <class R>
struct Graph {
  std::vector<std::int32_t> first;  // (nodes + 1): the arcs leaving i are first[i] .. first[i+1]-1
  std::vector<Arc<R>> arcs;         // (2 * edges)
  std::vector<R> excess;            // (nodes): capacity source->i minus capacity i->sink

  // Capacity of arc `a` and of its sister.
  void set_residuals(std::int32_t a, R forward, R backward) {
    Arc<R>& arc = arcs[static_cast<std::size_t>(a)];
    Arc<R>& sister = arcs[static_cast<std::size_t>(arc.sister())];
    arc.residual = forward;
    sister.residual = backward;
    arc.mark_sister(sister.open());
    sister.mark_sister(arc.open());
  }
  std::int32_t nodes() const { return static_cast<std::int32_t>(first.size()) - 1; }
};

// Lays out the arcs of `edges` edges over `nodes` nodes, grouped by tail. endpoints(e) gives the
// two ends of edge e as a pair of int32. slot[e] becomes the arc from the first end to the second,
// its sister is the arc back; a self-loop, which no cut can separate, gets slot -1 and no arc.
// Residuals are left unset, to be given by set_residuals.
template <class R, class Endpoints>
void build_topology(Graph<R>& graph, std::int32_t nodes, std::int64_t edges, Endpoints&& endpoints,
                    std::vector<std::int32_t>& slot) {
  if (edges > std::numeric_limits<std::int32_t>::max() / 2) {
    throw std::invalid_argument("edge_index: a graph of " + std::to_string(edges) +
                                " edges is too large; at most 2^30 - 1 edges per graph");
  }
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

  graph.arcs.resize(static_cast<std::size_t>(total));
  slot.resize(static_cast<std::size_t>(edges));
  for (std::int64_t e = edges - 1; e >= 0; --e) {
    const auto [u, v] = endpoints(e);
    auto& s = slot[static_cast<std::size_t>(e)];
    if (u == v) {
      s = -1;
      continue;
    }
    const std::int32_t a = --first[static_cast<std::size_t>(u)];
    const std::int32_t b = --first[static_cast<std::size_t>(v)];
    graph.arcs[static_cast<std::size_t>(a)].head = v;
    graph.arcs[static_cast<std::size_t>(a)].link = 2 * static_cast<std::uint32_t>(b);
    graph.arcs[static_cast<std::size_t>(b)].head = u;
    graph.arcs[static_cast<std::size_t>(b)].link = 2 * static_cast<std::uint32_t>(a);
    s = a;
  }
}

}  // namespace graphcut::maxflow
