// Finds paths of infinite capacity, which leave no finite cut.
#pragma once

#include <cstdint>
#include <limits>
#include <stdexcept>
#include <string>
#include <vector>

#include "maxflow/graph.hpp"

namespace graphcut::maxflow {

// Throws where a path of infinite capacity joins the source to the sink; source and sink are the
// terminal capacities (nodes) of the graph whose residuals are still its capacities. `where` names
// the graph in the message.
template <class R, class Capacity>
void refuse_infinite_path(const Graph<R>& graph, const Capacity* source, const Capacity* sink,
                          const std::string& where) {
  constexpr Capacity kInfinity = std::numeric_limits<Capacity>::infinity();
  const std::int32_t n = graph.nodes();
  std::vector<std::int32_t> origin(static_cast<std::size_t>(n), -1);
  std::vector<std::int32_t> reached;
  for (std::int32_t i = 0; i < n; ++i) {
    if (source[i] == kInfinity) {
      origin[static_cast<std::size_t>(i)] = i;
      reached.push_back(i);
    }
  }
  for (std::size_t next = 0; next < reached.size(); ++next) {
    const std::int32_t i = reached[next];
    const std::int32_t from = origin[static_cast<std::size_t>(i)];
    if (sink[i] == kInfinity) {
      throw std::invalid_argument("a path of infinite capacity joins source and sink" + where +
                                  ": it enters at node " + std::to_string(from) +
                                  " (source is inf) and leaves at node " + std::to_string(i) +
                                  " (sink is inf), so no finite cut exists");
    }
    for (auto a = graph.first[static_cast<std::size_t>(i)];
         a != graph.first[static_cast<std::size_t>(i) + 1]; ++a) {
      const Arc<R>& arc = graph.arcs[static_cast<std::size_t>(a)];
      auto& o = origin[static_cast<std::size_t>(arc.head())];
      if (o < 0 && arc.residual == std::numeric_limits<R>::infinity()) {
        o = from;
        reached.push_back(arc.head());
      }
    }
  }
}

}  // namespace graphcut::maxflow
