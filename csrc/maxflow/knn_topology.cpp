#include "maxflow/knn_topology.hpp"

#include "maxflow/capacities.hpp"

namespace graphcut::maxflow {

// Row i meets an edge that an earlier row made through the list of edges that list i, so that a
// pair is found in constant time whatever k is.
template <class R, class Capacity>
void collect_knn_edges(const std::int64_t* indices, const Capacity* weights, std::int32_t nodes,
                       std::int32_t k, KnnEdges<R>& scratch) {
  auto& edges = scratch.edges;
  edges.clear();
  edges.reserve(static_cast<std::size_t>(nodes) * static_cast<std::size_t>(k));
  scratch.listed.assign(static_cast<std::size_t>(nodes), -1);
  scratch.joined.resize(static_cast<std::size_t>(nodes));
  std::int32_t* listed = scratch.listed.data();
  std::int32_t* joined = scratch.joined.data();

  std::int64_t entry = 0;
  for (std::int32_t i = 0; i < nodes; ++i) {
    // joined[j] is looked at for the j of this row only, and holds for them either -1 or the edge.
    for (std::int32_t p = 0; p < k; ++p) {
      if (indices[entry + p] >= 0) joined[indices[entry + p]] = -1;
    }
    for (std::int32_t e = listed[i]; e >= 0; e = edges[static_cast<std::size_t>(e)].next_listed) {
      joined[edges[static_cast<std::size_t>(e)].u] = e;
    }
    for (std::int32_t p = 0; p < k; ++p, ++entry) {
      const auto j = static_cast<std::int32_t>(indices[entry]);
      const auto weight = static_cast<R>(weights[entry]);
      if (j == i || j < 0) continue;
      if (joined[j] >= 0) {
        R& sum = edges[static_cast<std::size_t>(joined[j])].weight;
        check_sum(sum, weight, "weights", entry);
        sum += weight;
        check_sum(sum, sum, "weights", entry);
      } else {
        check_sum(weight, weight, "weights", entry);
        joined[j] = static_cast<std::int32_t>(edges.size());
        edges.push_back({i, j, listed[j], weight});
        listed[j] = joined[j];
      }
    }
  }
}

template void collect_knn_edges(const std::int64_t*, const float*, std::int32_t, std::int32_t,
                                KnnEdges<float>&);
template void collect_knn_edges(const std::int64_t*, const double*, std::int32_t, std::int32_t,
                                KnnEdges<double>&);
template void collect_knn_edges(const std::int64_t*, const std::int32_t*, std::int32_t,
                                std::int32_t, KnnEdges<std::int64_t>&);
template void collect_knn_edges(const std::int64_t*, const std::int64_t*, std::int32_t,
                                std::int32_t, KnnEdges<std::int64_t>&);

}  // namespace graphcut::maxflow
