// Which edges of a list belong to which graph.
#pragma once

#include <cstdint>
#include <vector>

namespace graphcut::maxflow {

// The edges of every graph: those of graph g are order[begin[g]] .. order[begin[g+1]-1], or the
// indices begin[g] .. begin[g+1]-1 themselves where `order` is empty (edges already grouped).
struct EdgeGroups {
  std::vector<std::int64_t> begin, order;

  // edge_index: (2, edges); ptr: (graphs + 1), graph g holds the nodes ptr[g] .. ptr[g+1]-1.
  // Throws std::invalid_argument for a ptr that does not divide the nodes or an edge between two
  // graphs, std::out_of_range for a node that does not exist.
  EdgeGroups(const std::int64_t* edge_index, std::int64_t edges, const std::int64_t* ptr,
             std::int64_t graphs, std::int64_t nodes);

  // The same where edges are known to lie grouped, which is not checked, nor are the nodes.
  static EdgeGroups of_grouped(const std::int64_t* edge_index, std::int64_t edges,
                               const std::int64_t* ptr, std::int64_t graphs, std::int64_t nodes);

  std::int64_t edge(std::int64_t place) const {
    return order.empty() ? place : order[static_cast<std::size_t>(place)];
  }

 private:
  EdgeGroups() = default;
};

}  // namespace graphcut::maxflow
