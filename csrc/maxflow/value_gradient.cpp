#include "maxflow/value_gradient.hpp"

namespace graphcut::maxflow {

template <class T>
void ValueGradient<T>::write() const {
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

template struct ValueGradient<float>;
template struct ValueGradient<double>;

}  // namespace graphcut::maxflow
