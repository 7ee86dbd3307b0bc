// The solver that is chosen for graphs of known form.
#include <cstdint>
#include <cstdio>
#include <limits>
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

// Every `apart`-th node hangs on a terminal.
Method chosen(std::int32_t nodes, const Edges& edges, std::int32_t apart = 1,
              bool one_way = false) {
  auto graph = graph_of(nodes, edges, one_way);
  for (std::int32_t i = 0; i < nodes; ++i) graph.excess.push_back(i % apart == 0 ? 1.0F : 0.0F);
  return maxflow::chosen(Method::automatic, graph, (nodes + apart - 1) / apart, false);
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
  const Edges ring = shuffled_ring(choices, 1681), random = random_graph(choices, 1681);
  for (const Edges& edges : {grid(41, false), grid(41, true), ring, random}) {
    for (const bool one_way : {false, true}) {
      require(chosen(1681, edges, 1, one_way) == Method::incremental_bfs, "many terminals");
      require(chosen(1681, edges, 4, one_way) == Method::incremental_bfs, "enough of them");
      require(chosen(1681, edges, 6, one_way) == Method::pseudoflow, "few terminals");
    }
    require(chosen_after(1681, edges, 1681) == Method::incremental_bfs, "little is left");
  }
  require(chosen_after(1681, ring, 4) == Method::push_relabel, "much is left among neighbours");
  require(chosen_after(1681, random, 4) == Method::incremental_bfs, "much is left, no geometry");
  require(chosen_after(1681, grid(41, false), 4) == Method::incremental_bfs, "the same on a grid");
  for (std::int32_t nodes = 0; nodes < 3; ++nodes) {
    static_cast<void>(chosen(nodes, {}));
    static_cast<void>(chosen_after(nodes, {}, 1));
  }
}

// An infinite arc or terminal here and there, and the type of the capacities, change nothing.
template <class R>
Method chosen_of_type(R endless) {
  const Edges edges = grid(41, true);
  maxflow::Graph<R> graph;
  maxflow::build_topology(
      graph, 1681, static_cast<std::int64_t>(edges.size()),
      [&](std::int64_t e) { return edges[static_cast<std::size_t>(e)]; },
      [&](std::int64_t e, std::int32_t arc) {
        graph.set_residuals(arc, e % 7 == 0 ? endless : R{3}, R{2});
      });
  for (std::int32_t i = 0; i < 1681; ++i) graph.excess.push_back(i % 9 == 0 ? endless : R{-1});
  return maxflow::chosen(Method::automatic, graph, 1681, false);
}

void check_types() {
  require(chosen_of_type(1e30F) == Method::incremental_bfs, "float32");
  require(chosen_of_type(std::numeric_limits<double>::infinity()) == Method::incremental_bfs,
          "float64");
  require(chosen_of_type(std::int32_t{1} << 30) == Method::incremental_bfs, "int32");
  require(chosen_of_type(std::int64_t{1} << 60) == Method::incremental_bfs, "int64");
}

}  // namespace
}  // namespace graphcut::test

int main() {
  graphcut::test::check();
  graphcut::test::check_types();
  std::puts("the solver follows the form of the graph");
}
