// A multi-label energy: costs of labels at nodes, and of pairs of labels at edges.
#pragma once

#include <cstdint>

namespace graphcut::moves {

// sum_i unary[i, l[i]] + sum_e weights[e] pairwise[l[u], l[v]], e = (u, v). `Cost` is double or
// std::int64_t. The energy is the sum of these terms, each rounded once; the operator has checked
// that no sum of them can overflow, and that `pairwise` suits the moves.
template <class Cost>
struct Problem {
  std::int64_t nodes = 0, labels = 0, edges = 0;
  const std::int64_t* edge_index = nullptr;  // (2, edges): tails, then heads
  const Cost* unary = nullptr;               // (nodes, labels); infinite: forbidden
  const Cost* weights = nullptr;             // (edges), >= 0
  const Cost* pairwise = nullptr;            // (labels, labels)

  std::int32_t tail(std::int64_t e) const { return static_cast<std::int32_t>(edge_index[e]); }
  std::int32_t head(std::int64_t e) const {
    return static_cast<std::int32_t>(edge_index[edges + e]);
  }
  Cost between(std::int32_t first, std::int32_t second) const {
    return pairwise[first * labels + second];
  }
};

}  // namespace graphcut::moves
