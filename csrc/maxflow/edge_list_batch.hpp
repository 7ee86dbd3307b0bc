// Minimum cuts of graphs given as edge lists: many graphs, and many cuts over each.
#pragma once

#include <cstdint>

#include "maxflow/capacities.hpp"
#include "maxflow/graph.hpp"
#include "maxflow/method.hpp"

namespace graphcut::maxflow {

template <class Capacity>
struct EdgeListBatch {
  std::int64_t nodes = 0, edges = 0, graphs = 0, cuts = 0;
  Method method = Method::automatic;
  const std::int64_t* edge_index = nullptr;  // (2, edges): tails, then heads
  const std::int64_t* ptr = nullptr;  // (graphs + 1): graph g holds the nodes ptr[g] .. ptr[g+1]-1
  Rows<Capacity> capacity;            // (cuts, edges): tail -> head
  Rows<Capacity> reverse_capacity;    // (cuts, edges): head -> tail; may be `capacity` again
  Rows<Capacity> source, sink;        // (cuts, nodes): source -> node, node -> sink
  Value<Capacity>* value = nullptr;   // out (cuts, graphs): capacity of the minimum cut
  bool* source_side = nullptr;        // out (cuts, nodes): the minimal source set
  // out (cuts, edges): net flow tail -> head; needs finite capacities. Null: not wanted; the flow
  // is that of Boykov-Kolmogorov, whatever `method` says.
  Capacity* flow = nullptr;
};

// Checks everything first and throws std::invalid_argument or std::out_of_range, naming argument
// and position, with nothing written. The result does not depend on `threads`.
template <class Capacity>
void solve(const EdgeListBatch<Capacity>& batch, int threads);

}  // namespace graphcut::maxflow
