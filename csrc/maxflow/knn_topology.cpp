#include "maxflow/knn_topology.hpp"

#include <cstddef>
#include <limits>

#include "maxflow/capacities.hpp"

namespace graphcut::maxflow {
namespace {

// Whether no sum of the weights of a pair, twice over, can leave the range of R.
template <class R, class Capacity>
bool sums_fit(const Capacity* weights, std::int64_t entries, std::int32_t k) {
  const R most = std::numeric_limits<R>::max() / 4 / (R{1} + static_cast<R>(k));
  bool fit = true;
  for (std::int64_t e = 0; e < entries; ++e) fit &= static_cast<R>(weights[e]) <= most;
  return fit;
}

// Row i meets an edge that an earlier row made through the list of edges that list i, so that a
// pair is found in constant time whatever k is. Whether a pair is a mutual one cannot be predicted,
// so nothing branches on it: an entry writes the next edge, which stays only where it is a new one.
template <bool checked, class R, class Capacity>
void collect(const std::int64_t* indices, const Capacity* weights, std::int32_t nodes,
             std::int32_t k, KnnEdges<R>& scratch) {
  scratch.listed.assign(static_cast<std::size_t>(nodes), -1);
  scratch.joined.resize(static_cast<std::size_t>(nodes));
  scratch.edges.resize(static_cast<std::size_t>(nodes) * static_cast<std::size_t>(k) + 1);
  std::int32_t* const listed = scratch.listed.data();
  std::int32_t* const joined = scratch.joined.data();
  KnnEdge<R>* const edges = scratch.edges.data();
  std::int32_t count = 0;
  std::int64_t entry = 0;
  for (std::int32_t i = 0; i < nodes; ++i) {
    // joined[j] is looked at for the j of this row only, and holds for them either -1 or the edge.
    for (std::int32_t p = 0; p < k; ++p) {
      if (indices[entry + p] >= 0) joined[indices[entry + p]] = -1;
    }
    for (std::int32_t e = listed[i]; e >= 0; e = edges[e].next_listed) joined[edges[e].u] = e;
    for (std::int32_t p = 0; p < k; ++p, ++entry) {
      const auto j = static_cast<std::int32_t>(indices[entry]);
      const auto weight = static_cast<R>(weights[entry]);
      if (j == i || j < 0) continue;
      const std::int32_t known = joined[j], before = listed[j];
      const std::int32_t fresh = known >> 31;  // all bits where the pair is met first, else none
      const std::int32_t e = (known & ~fresh) | (count & fresh);
      edges[count] = {i, j, before, R{0}};
      R& sum = edges[e].weight;
      if constexpr (checked) check_sum(sum, weight, "weights", entry);
      sum += weight;
      if constexpr (checked) check_sum(sum, sum, "weights", entry);
      joined[j] = e;
      listed[j] = (before & ~fresh) | (count & fresh);
      count -= fresh;
    }
  }
  scratch.edges.resize(static_cast<std::size_t>(count));
}

}  // namespace

template <class R, class Capacity>
void collect_knn_edges(const std::int64_t* indices, const Capacity* weights, std::int32_t nodes,
                       std::int32_t k, KnnEdges<R>& scratch) {
  if (sums_fit<R>(weights, std::int64_t{nodes} * k, k)) {
    collect<false>(indices, weights, nodes, k, scratch);
  } else {
    collect<true>(indices, weights, nodes, k, scratch);
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
