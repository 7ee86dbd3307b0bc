#include "maxflow/edge_groups.hpp"

#include <algorithm>
#include <numeric>
#include <stdexcept>
#include <string>

#include "maxflow/graph.hpp"

namespace graphcut::maxflow {
namespace {

void check_ptr(const std::int64_t* ptr, std::int64_t graphs, std::int64_t nodes) {
  auto fail = [](const std::string& what) { throw std::invalid_argument("ptr " + what); };
  if (ptr[0] != 0) fail("must start at 0, not " + std::to_string(ptr[0]));
  for (std::int64_t g = 0; g < graphs; ++g) {
    if (ptr[g + 1] < ptr[g]) {
      fail("must not decrease: ptr[" + std::to_string(g + 1) + "] = " + std::to_string(ptr[g + 1]) +
           " after " + std::to_string(ptr[g]));
    }
    if (ptr[g + 1] - ptr[g] > kMaxNodes) {
      fail("gives graph " + std::to_string(g) + " too many nodes; at most 2^30 - 1 per graph");
    }
  }
  if (ptr[graphs] != nodes) {
    fail("must end at the number of nodes, " + std::to_string(nodes) + ", not " +
         std::to_string(ptr[graphs]));
  }
}

// Whether first <= ends[e] < last for all e in [from, to).
bool all_within(const std::int64_t* ends, std::int64_t from, std::int64_t to, std::int64_t first,
                std::int64_t last) {
  const auto size = static_cast<std::uint64_t>(last - first);
  bool outside = false;
  for (std::int64_t e = from; e < to; ++e) {
    outside |= static_cast<std::uint64_t>(ends[e]) - static_cast<std::uint64_t>(first) >= size;
  }
  return !outside;
}

// Where the edges of graph g end, which begin at `from`, if they lie grouped and in order.
std::int64_t end_of_group(const std::int64_t* edge_index, std::int64_t from, std::int64_t edges,
                          std::int64_t g, const std::int64_t* ptr, std::int64_t graphs) {
  if (g + 1 == graphs) return edges;
  return std::partition_point(edge_index + from, edge_index + edges,
                              [last = ptr[g + 1]](std::int64_t tail) { return tail < last; }) -
         edge_index;
}

// Fills `begin` where the edges lie grouped and in order, and are right; else returns false.
bool grouped(const std::int64_t* edge_index, std::int64_t edges, const std::int64_t* ptr,
             std::int64_t graphs, std::vector<std::int64_t>& begin) {
  begin[0] = 0;
  for (std::int64_t g = 0; g < graphs; ++g) {
    const std::int64_t from = begin[static_cast<std::size_t>(g)];
    const std::int64_t last = ptr[g + 1];
    const std::int64_t to = end_of_group(edge_index, from, edges, g, ptr, graphs);
    begin[static_cast<std::size_t>(g) + 1] = to;
    if (!all_within(edge_index, from, to, ptr[g], last)) return false;
    if (!all_within(edge_index + edges, from, to, ptr[g], last)) return false;
  }
  return graphs > 0 || edges == 0;
}

void check_edges(const std::int64_t* edge_index, std::int64_t edges, std::int64_t nodes) {
  for (int end = 0; end < 2; ++end) {
    const std::int64_t* ends = edge_index + end * edges;
    for (std::int64_t e = 0; e < edges; ++e) {
      if (ends[e] < 0 || ends[e] >= nodes) {
        throw std::out_of_range("edge_index[" + std::to_string(end) + ", " + std::to_string(e) +
                                "] = " + std::to_string(ends[e]) + " is out of range for " +
                                std::to_string(nodes) + " nodes");
      }
    }
  }
}

}  // namespace

EdgeGroups::EdgeGroups(const std::int64_t* edge_index, std::int64_t edges, const std::int64_t* ptr,
                       std::int64_t graphs, std::int64_t nodes)
    : begin(static_cast<std::size_t>(graphs) + 1, 0) {
  check_ptr(ptr, graphs, nodes);
  if (grouped(edge_index, edges, ptr, graphs, begin)) return;
  check_edges(edge_index, edges, nodes);

  const std::int64_t* end = ptr + graphs + 1;
  std::vector<std::int64_t> graph_of(static_cast<std::size_t>(edges));
  std::fill(begin.begin(), begin.end(), 0);
  std::int64_t g = 0;  // mostly that of the edge before
  for (std::int64_t e = 0; e < edges; ++e) {
    const std::int64_t u = edge_index[e], v = edge_index[edges + e];
    if (u < ptr[g] || u >= ptr[g + 1]) g = std::upper_bound(ptr, end, u) - ptr - 1;
    if (v < ptr[g] || v >= ptr[g + 1]) {
      throw std::invalid_argument("edge_index: edge " + std::to_string(e) + " joins node " +
                                  std::to_string(u) + " of graph " + std::to_string(g) +
                                  " to node " + std::to_string(v) + " of another graph");
    }
    graph_of[static_cast<std::size_t>(e)] = g;
    ++begin[static_cast<std::size_t>(g) + 1];
  }
  std::partial_sum(begin.begin(), begin.end(), begin.begin());
  order.resize(static_cast<std::size_t>(edges));
  auto next = begin;
  for (std::int64_t e = 0; e < edges; ++e) {
    auto& place = next[static_cast<std::size_t>(graph_of[static_cast<std::size_t>(e)])];
    order[static_cast<std::size_t>(place++)] = e;
  }
}

EdgeGroups EdgeGroups::of_grouped(const std::int64_t* edge_index, std::int64_t edges,
                                  const std::int64_t* ptr, std::int64_t graphs,
                                  std::int64_t nodes) {
  check_ptr(ptr, graphs, nodes);
  EdgeGroups groups;
  groups.begin.reserve(static_cast<std::size_t>(graphs) + 1);
  groups.begin.push_back(0);
  for (std::int64_t g = 0; g < graphs; ++g) {
    groups.begin.push_back(end_of_group(edge_index, groups.begin.back(), edges, g, ptr, graphs));
  }
  return groups;
}

}  // namespace graphcut::maxflow
