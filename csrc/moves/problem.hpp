// A multi-label energy: costs of labels at nodes, of pairs of labels at edges, and of labels in
// use.
#pragma once

#include <cmath>
#include <cstdint>
#include <type_traits>

#include "maxflow/grid_layout.hpp"

namespace graphcut::moves {

// sum_i unary[i, l[i]] + sum_e weights[e] pairwise[tables[e], l[u], l[v]], e = (u, v), and the cost
// of every set of labels of which one is in use. `Cost` is double or std::int64_t. The energy is
// the sum of these terms, each rounded once; the operator has checked that no sum of them can
// overflow, and that `pairwise` suits the moves.
template <class Cost>
struct Problem {
  std::int64_t nodes = 0, labels = 0, edges = 0;
  const std::int64_t* edge_index = nullptr;  // (2, edges): tails, then heads; null: those of `grid`
  maxflow::GridLayout grid;
  std::int64_t columns = 0;                  // of `unary`
  const Cost* unary = nullptr;               // (nodes, columns); infinite: forbidden
  const std::int64_t* candidates = nullptr;  // (nodes, columns): labels that `unary` is of, -1:
                                             // none; null: 0 .. labels - 1
  const Cost* weights = nullptr;             // (edges), >= 0
  const Cost* pairwise = nullptr;            // (.., labels, labels); null: 1 for different labels
  const std::int64_t* tables = nullptr;  // (edges): the `pairwise` of an edge; null: one for all
  std::int64_t sets = 0;                 // of labels
  const Cost* set_costs = nullptr;       // (sets), >= 0
  const bool* set_members = nullptr;     // (sets, labels)

  // Calls act(e, tail, head) for every edge, in their order.
  template <class Act>
  void each_edge(Act&& act) const {
    if (edge_index == nullptr) return grid.each_edge(act);
    for (std::int64_t e = 0; e < edges; ++e) {
      act(e, static_cast<std::int32_t>(edge_index[e]),
          static_cast<std::int32_t>(edge_index[edges + e]));
    }
  }
  std::int32_t table(std::int64_t e) const {
    return tables == nullptr ? 0 : static_cast<std::int32_t>(tables[e]);
  }
  Cost between(std::int32_t table, std::int32_t first, std::int32_t second) const {
    if (pairwise == nullptr) return static_cast<Cost>(first != second);
    return pairwise[(table * labels + first) * labels + second];
  }
};

template <class Cost>
bool is_forbidden(Cost cost) {
  if constexpr (std::is_floating_point_v<Cost>) return std::isinf(cost);
  return false;
}

}  // namespace graphcut::moves
