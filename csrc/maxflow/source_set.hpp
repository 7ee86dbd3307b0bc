// The minimal source set, read off a pseudoflow from whose supply no demand can be reached.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "maxflow/graph.hpp"

namespace graphcut::maxflow {

// Note [Minimal source set]: give back to the source what supply is left, and to the sink what
// demand is: that is a flow, and it leaves the arc source->v open to a node v with supply left,
// v->sink from one with demand. Without a residual path from supply to demand it has no augmenting
// path, so it is maximum, and what the source reaches, which is what supply reaches, is a minimum
// cut. It lies in every other: no minimum cut has an open arc out of it. `reversed`, source and
// sink are swapped: the same nodes are then those from which demand can be reached.
//
// Marks the set in `set`; `queue` is workspace. Both are resized.
template <class R>
void mark_source_set(const Graph<R>& graph, bool reversed, std::vector<std::int32_t>& queue_store,
                     std::vector<std::uint8_t>& set_store) {
  const std::int32_t nodes = graph.nodes();
  queue_store.resize(static_cast<std::size_t>(nodes) + 1);
  set_store.resize(static_cast<std::size_t>(nodes));
  std::int32_t* const queue = queue_store.data();
  std::uint8_t* const set = set_store.data();
  const R* const excess = graph.excess.data();
  const std::int32_t* const first = graph.first.data();
  const Arc<R>* const arcs = graph.arcs.data();
  std::int32_t end = 0;
  for (std::int32_t v = 0; v < nodes; ++v) {
    const bool root = reversed ? excess[v] < R{0} : excess[v] > R{0};
    set[v] = static_cast<std::uint8_t>(root);
    queue[end] = v;
    end += static_cast<std::int32_t>(root);
  }
  const int bit = reversed ? 1 : 0;  // Arc::kSisterOpen or Arc::kOpen
  for (std::int32_t k = 0; k < end; ++k) {
    const std::int32_t last = first[queue[k] + 1];
    for (std::int32_t a = first[queue[k]]; a != last; ++a) {
      const std::int32_t w = arcs[a].head();
      const std::uint32_t fresh = (arcs[a].bits >> bit) & (set[w] ^ 1U) & 1U;
      queue[end] = w;
      end += static_cast<std::int32_t>(fresh);
      set[w] |= static_cast<std::uint8_t>(fresh);
    }
  }
}

}  // namespace graphcut::maxflow
