// Breadth-first search that is stopped early leaves what other solvers can go on from.
#include <cstdint>
#include <cstdio>
#include <string>
#include <utility>
#include <vector>

#include "choices.hpp"
#include "maxflow/boykov_kolmogorov.hpp"
#include "maxflow/cut.hpp"
#include "maxflow/graph.hpp"
#include "maxflow/incremental_bfs.hpp"
#include "maxflow/pseudoflow.hpp"
#include "maxflow/push_relabel.hpp"
#include "oracle.hpp"

namespace graphcut::test {
namespace {

using maxflow::Graph;

// Whole numbers; now and then a node is joined to all others.
template <class R>
Graph<R> random_graph(std::uint64_t seed) {
  Choices choices(seed);
  const auto nodes = static_cast<std::int32_t>(choices.between(2, 120));
  std::vector<std::pair<std::int32_t, std::int32_t>> ends;
  const auto any = [&] { return static_cast<std::int32_t>(choices.between(0, nodes - 1)); };
  for (std::int64_t e = choices.between(0, std::int64_t{3} * nodes); e > 0; --e)
    ends.emplace_back(any(), any());
  if (choices.one_in(3)) {
    for (std::int32_t v = 1; v < nodes; ++v) ends.emplace_back(0, v);
  }
  Graph<R> graph;
  graph.bounded = true;
  maxflow::build_topology(
      graph, nodes, static_cast<std::int64_t>(ends.size()),
      [&](std::int64_t e) { return ends[static_cast<std::size_t>(e)]; },
      [&](std::int64_t /*edge*/, std::int32_t arc) {
        const auto capacity = [&] { return static_cast<R>(choices.between(0, 9)); };
        if (arc >= 0) graph.set_residuals(arc, capacity(), capacity());
      });
  const std::int64_t strength = choices.one_in(2) ? 4 : 40;
  for (std::int32_t v = 0; v < nodes; ++v) {
    graph.excess.push_back(static_cast<R>(choices.between(-strength, strength)));
  }
  return graph;
}

template <class Solver>
std::vector<bool> source_set(const Solver& solver, std::int32_t nodes) {
  std::vector<bool> set;
  set.reserve(static_cast<std::size_t>(nodes));
  for (std::int32_t v = 0; v < nodes; ++v) set.push_back(solver.in_source_set(v));
  return set;
}

template <class R>
int check(std::uint64_t seeds) {
  maxflow::IncrementalBfs<R> search;  // kept, so that one problem cannot disturb the next
  maxflow::PushRelabel<R> push_relabel;
  maxflow::Pseudoflow<R> pseudoflow;
  int stopped = 0;
  for (std::uint64_t seed = 0; seed < seeds; ++seed) {
    context() = "seed " + std::to_string(seed);
    Graph<R> expected = random_graph<R>(seed);
    const std::int32_t nodes = expected.nodes();
    maxflow::BoykovKolmogorov<R> reference;
    require(reference.solve(expected), "the reference solves it");
    const auto set = source_set(reference, nodes);
    for (const double looks : {0.0, 0.2, 0.5, 1.0, 1.5, 3.0}) {
      Graph<R> graph = random_graph<R>(seed);
      if (search.solve(graph, looks)) {
        require(source_set(search, nodes) == set, "the whole search finds the minimal source set");
        continue;
      }
      ++stopped;
      Graph<R> again = graph;
      require(pseudoflow.solve(graph), "pseudoflow goes on");
      require(source_set(pseudoflow, nodes) == set, "pseudoflow finds the minimal source set");
      require(push_relabel.solve(again), "push-relabel goes on");
      require(source_set(push_relabel, nodes) == set, "push-relabel finds the minimal source set");
    }
  }
  return stopped;
}

// A star whose leaves have supply and demand in turn: the search stops at the hub.
void check_star() {
  context() = "star";
  constexpr std::int32_t kLeaves = 20000;
  Graph<std::int32_t> graph;
  graph.bounded = true;
  maxflow::build_topology(
      graph, kLeaves + 1, kLeaves,
      [](std::int64_t e) { return std::pair{0, static_cast<std::int32_t>(e) + 1}; },
      [&](std::int64_t, std::int32_t arc) { graph.set_residuals(arc, 5, 5); });
  for (std::int32_t v = 0; v <= kLeaves; ++v) graph.excess.push_back(v % 2 == 0 ? 3 : -4);
  maxflow::IncrementalBfs<std::int32_t> search;
  require(!search.solve(graph, 0.25), "it stops");
  maxflow::Pseudoflow<std::int32_t> pseudoflow;
  require(pseudoflow.solve(graph), "pseudoflow goes on");
  for (std::int32_t v = 0; v <= kLeaves; ++v) {
    require(!pseudoflow.in_source_set(v), "demand takes all supply");
  }
}

}  // namespace
}  // namespace graphcut::test

int main() {
  const int stopped = graphcut::test::check<std::int32_t>(1500) +
                      graphcut::test::check<float>(1500) + graphcut::test::check<double>(500);
  graphcut::test::require(stopped > 1000, "many searches are stopped");
  graphcut::test::check_star();
  std::printf("%d searches were stopped, and others went on\n", stopped);
}
