// Minimum cuts over K-nearest-neighbour graphs: many items, and many cuts (classes) over each.
#pragma once

#include <cstdint>

#include "maxflow/capacities.hpp"
#include "maxflow/graph.hpp"
#include "maxflow/method.hpp"

namespace graphcut::maxflow {

template <class Capacity>
struct KnnBatch {
  std::int64_t items = 0, cuts = 0, nodes = 0, k = 0;
  Method method = Method::automatic;
  const std::int64_t* indices = nullptr;  // (items, nodes, k)
  const Capacity* weights = nullptr;      // (items, nodes, k)
  const Capacity* source = nullptr;       // (items, cuts, nodes): source -> node
  const Capacity* sink = nullptr;         // (items, cuts, nodes): node -> sink
  Value<Capacity>* value = nullptr;       // out (items, cuts)
  bool* source_side = nullptr;            // out (items, cuts, nodes): the minimal source set
};

// Checks everything first and throws std::invalid_argument or std::out_of_range, naming argument
// and position, with nothing written. The result does not depend on `threads`.
template <class Capacity>
void solve(const KnnBatch<Capacity>& batch, int threads);

}  // namespace graphcut::maxflow
