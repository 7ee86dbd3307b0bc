// The undirected graph of a K-nearest-neighbour relation.
#pragma once

#include <cstdint>
#include <vector>

namespace graphcut::maxflow {

// An undirected edge; its capacity is the same both ways.
template <class R>
struct KnnEdge {
  std::int32_t u, v;
  std::int32_t next_listed;  // next edge that lists v, -1 at the end
  R weight;
};

// Memory of collect_knn_edges, kept from one call to the next; `edges` is the result.
template <class R>
struct KnnEdges {
  std::vector<KnnEdge<R>> edges;
  std::vector<std::int32_t> listed;  // (nodes): first edge of an earlier row that lists the node
  std::vector<std::int32_t> joined;  // (nodes): edge between the node and the current row
};

// Collects one undirected edge {i, j} for every pair in which j is listed in row i or i in row j;
// its capacity, both ways, is the sum of the weights that list it. Entries with j = i or j < 0 are
// dropped. indices, weights: (nodes, k), indices in [-1, nodes).
//
// Two parallel edges for a mutual pair would give the same cuts; one makes the solver about 1.6
// times faster.
template <class R, class Capacity>
void collect_knn_edges(const std::int64_t* indices, const Capacity* weights, std::int32_t nodes,
                       std::int32_t k, KnnEdges<R>& scratch);

}  // namespace graphcut::maxflow
