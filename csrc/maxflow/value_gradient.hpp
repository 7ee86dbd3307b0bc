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

  void write() const;
};

}  // namespace graphcut::maxflow
