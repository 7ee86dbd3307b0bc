// Gradients of the values of cuts in their capacities: 1 for what a cut pays, else 0.
#pragma once

#include <cstdint>

namespace graphcut::maxflow {

// Cuts of one topology. Gradients that are not wanted are nullptr.
template <class T>
struct ValueGradient {
  std::int64_t cuts;
  std::int64_t nodes;
  std::int64_t edges;
  const std::int64_t* edge_index;  // (2, edges)
  const bool* source_side;         // (cuts, nodes)
  const double* gradient;          // (cuts,): of a loss in the values
  bool directed;                   // else `capacity` is of both directions
  T* capacity;                     // (cuts, edges)
  T* reverse_capacity;             // (cuts, edges)
  T* source;                       // (cuts, nodes)
  T* sink;                         // (cuts, nodes)

  void write() const {
    for (std::int64_t cut = 0; cut < cuts; ++cut) {
      const auto paid = static_cast<T>(gradient[cut]);
      const bool* const side = source_side + cut * nodes;
      for (std::int64_t edge = 0; edge < edges; ++edge) {
        const bool tail = side[edge_index[edge]];
        const bool head = side[edge_index[edges + edge]];
        const std::int64_t at = cut * edges + edge;
        if (capacity != nullptr) {
          capacity[at] = (directed ? tail && !head : tail != head) ? paid : T{0};
        }
        if (reverse_capacity != nullptr) reverse_capacity[at] = head && !tail ? paid : T{0};
      }
      for (std::int64_t node = 0; node < nodes; ++node) {
        const std::int64_t at = cut * nodes + node;
        if (source != nullptr) source[at] = side[node] ? T{0} : paid;
        if (sink != nullptr) sink[at] = side[node] ? paid : T{0};
      }
    }
  }
};

}  // namespace graphcut::maxflow
