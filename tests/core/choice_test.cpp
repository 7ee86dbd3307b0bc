// The solver that is chosen for graphs of known form.
#include <cstdint>
#include <cstdio>
#include <numeric>
#include <utility>
#include <vector>

#include "choices.hpp"
#include "maxflow/graph.hpp"
#include "maxflow/method.hpp"
#include "oracle.hpp"

namespace graphcut::test {
namespace {

using maxflow::Method;
using Edges = std::vector<std::pair<std::int32_t, std::int32_t>>;

maxflow::Graph<float> graph_of(std::int32_t nodes, const Edges& edges, bool one_way) {
  maxflow::Graph<float> graph;
  maxflow::build_topology(
      graph, nodes, static_cast<std::int64_t>(edges.size()),
      [&](std::int64_t e) { return edges[static_cast<std::size_t>(e)]; },
      [&](std::int64_t, std::int32_t arc) {
        if (arc >= 0) graph.set_residuals(arc, 1.0F, one_way ? 0.0F : 1.0F);
      });
  return graph;
}

Method chosen(std::int32_t nodes, const Edges& edges, bool one_way = false, bool terminals = true,
              float excess = 1.0F) {
  auto graph = graph_of(nodes, edges, one_way);
  graph.excess.assign(static_cast<std::size_t>(nodes), excess);
  return maxflow::chosen(Method::automatic, graph, terminals ? nodes : nodes / 20, false);
}

// After excess was spread: every `pair`-th node has demand, the others supply.
Method chosen_after(std::int32_t nodes, const Edges& edges, std::int32_t pair) {
  auto graph = graph_of(nodes, edges, false);
  for (std::int32_t i = 0; i < nodes; ++i) graph.excess.push_back(i % pair == 0 ? -1.0F : 1.0F);
  return maxflow::chosen(Method::automatic, graph, nodes, true);
}

// A square grid, with diagonals for 8 neighbours.
Edges grid(std::int32_t side, bool diagonals) {
  Edges edges;
  for (std::int32_t y = 0; y < side; ++y) {
    for (std::int32_t x = 0; x < side; ++x) {
      const std::int32_t i = y * side + x;
      if (x + 1 < side) edges.emplace_back(i, i + 1);
      if (y + 1 < side) edges.emplace_back(i, i + side);
      if (diagonals && x + 1 < side && y + 1 < side) {
        edges.emplace_back(i, i + side + 1);
        edges.emplace_back(i + 1, i + side);
      }
    }
  }
  return edges;
}

// Nodes in random order on a circle, each joined to the next three: neighbours of neighbours.
Edges shuffled_ring(Choices& choices, std::int32_t nodes) {
  std::vector<std::int32_t> order(static_cast<std::size_t>(nodes));
  std::iota(order.begin(), order.end(), 0);
  for (std::size_t i = order.size() - 1; i > 0; --i) {
    std::swap(order[i], order[choices.below(i + 1)]);
  }
  Edges edges;
  for (std::int32_t i = 0; i < nodes; ++i) {
    for (std::int32_t step = 1; step <= 3; ++step) {
      edges.emplace_back(order[static_cast<std::size_t>(i)],
                         order[static_cast<std::size_t>((i + step) % nodes)]);
    }
  }
  return edges;
}

Edges random_graph(Choices& choices, std::int32_t nodes) {
  Edges edges;
  for (std::int32_t e = 0; e < 3 * nodes; ++e) {
    edges.emplace_back(static_cast<std::int32_t>(choices.between(0, nodes - 1)),
                       static_cast<std::int32_t>(choices.between(0, nodes - 1)));
  }
  return edges;
}

void check() {
  Choices choices(1);
  require(chosen(10000, grid(100, false)) == Method::incremental_bfs, "a picture");
  require(chosen(10000, grid(100, true)) == Method::incremental_bfs, "one of 8 neighbours");
  require(chosen(10000, grid(100, true), false, true, 0.1F) == Method::pseudoflow, "a smooth one");
  require(chosen(10000, grid(100, false), true) == Method::boykov_kolmogorov, "a move");
  require(chosen(10000, grid(100, true), false, false) == Method::pseudoflow, "long paths");
  require(chosen(10000, shuffled_ring(choices, 10000)) == Method::incremental_bfs, "neighbours");
  require(chosen(1681, shuffled_ring(choices, 1681)) == Method::push_relabel, "few of them");
  require(chosen(10000, random_graph(choices, 10000)) == Method::push_relabel, "no geometry");
  const Edges ring = shuffled_ring(choices, 1681);
  require(chosen_after(1681, ring, 1681) == Method::incremental_bfs, "little is left");
  require(chosen_after(1681, ring, 4) == Method::push_relabel, "much is left");
  require(chosen_after(10000, grid(100, false), 10000) == Method::incremental_bfs, "a spread grid");
  require(chosen_after(10000, random_graph(choices, 10000), 10000) == Method::push_relabel,
          "no geometry, little left");
  for (std::int32_t nodes = 0; nodes < 3; ++nodes) {
    static_cast<void>(chosen(nodes, {}));
    static_cast<void>(chosen_after(nodes, {}, 1));
  }
}

}  // namespace
}  // namespace graphcut::test

int main() {
  graphcut::test::check();
  std::puts("the solver follows the form of the graph");
}
