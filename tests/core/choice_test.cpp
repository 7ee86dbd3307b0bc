// The solver that is chosen for graphs of known form.
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <limits>
#include <utility>
#include <vector>

#include "maxflow/graph.hpp"
#include "maxflow/method.hpp"
#include "oracle.hpp"

namespace graphcut::test {
namespace {

using maxflow::Method;
using Edges = std::vector<std::pair<std::int32_t, std::int32_t>>;

constexpr std::int32_t kSide = 41, kNodes = kSide * kSide;

// Capacities of 1, one way or both.
template <class R>
maxflow::Graph<R> graph_of(const Edges& edges, bool one_way = false) {
  maxflow::Graph<R> graph;
  maxflow::build_topology(
      graph, kNodes, static_cast<std::int64_t>(edges.size()),
      [&](std::int64_t e) { return edges[static_cast<std::size_t>(e)]; },
      [&](std::int64_t, std::int32_t arc) {
        if (arc >= 0) graph.set_residuals(arc, R{100}, one_way ? R{0} : R{100});
      });
  return graph;
}

// Node i has excess excess(i); `spread` says whether it is what Spread left.
template <class R, class Excess>
maxflow::Choice choice(maxflow::Graph<R> graph, bool spread, Excess&& excess) {
  std::int64_t terminals = 0;
  for (std::int32_t i = 0; i < kNodes; ++i) {
    graph.excess.push_back(excess(i));
    terminals += static_cast<std::int64_t>(graph.excess.back() != R{0});
  }
  return maxflow::chosen(Method::automatic, graph, terminals, spread);
}
template <class R, class Excess>
Method chosen(const maxflow::Graph<R>& graph, bool spread, Excess&& excess) {
  return choice(graph, spread, excess).method;
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

// Nodes on a circle, each joined to the next three: neighbours of neighbours.
Edges ring(std::int32_t nodes) {
  Edges edges;
  for (std::int32_t i = 0; i < nodes; ++i) {
    for (std::int32_t step = 1; step <= 3; ++step) {
      edges.emplace_back(i, (i + step) % nodes);
    }
  }
  return edges;
}

constexpr Method kNear = Method::incremental_bfs, kFar = Method::pseudoflow;

template <class R>
void check(const Edges& edges) {
  const auto graph = graph_of<R>(edges), one_way = graph_of<R>(edges, true);
  const auto strong = [](std::int32_t i) { return i % 2 == 0 ? R{90} : R{-90}; };
  require(chosen(graph, false, strong) == kNear, "strong terminals");
  require(chosen(one_way, false, strong) == kNear, "strong terminals, one-way arcs");
  const auto few = [](std::int32_t i) { return i < kNodes / 6 ? R{90} : R{0}; };
  require(chosen(graph, false, few) == kFar, "few terminals");
  require(chosen(one_way, false, few) == kFar, "few terminals, one-way arcs");
  const auto wide = [](std::int32_t i) { return i < kNodes / 4 ? R{90} : R{0}; };
  const auto strong_wide = [](std::int32_t i) { return i < kNodes * 24 / 100 ? R{900} : R{0}; };
  require(chosen(graph, true, strong_wide) == kFar, "however strong, and though flow was sent");
  require(chosen(graph, false, wide) == kFar, "labels of a fourth, together");
  for (const std::int32_t share : {17, 25}) {  // hundredths
    const auto scattered = [share](std::int32_t i) { return i * 37 % 101 < share ? R{90} : R{0}; };
    require(chosen(graph, false, scattered) == kNear, "labels that are scattered");
    require(chosen(one_way, false, scattered) == kNear, "the same, one-way arcs");
  }
  const auto halves = [](std::int32_t i) { return i < kNodes / 2 ? R{9} : R{-9}; };
  require(chosen(graph, false, halves) == kNear, "weak terminals in two regions");
  const auto mixed = [](std::int32_t i) { return i % 8 == 0 ? R{-1} : R{1}; };
  require(chosen(graph, false, mixed) == kFar, "weak terminals that are mixed");
  require(chosen(one_way, false, mixed) == kNear, "the same, one-way");
  const auto left = [](std::int32_t i) { return i % 4 == 0 ? R{-5} : R{5}; };
  require(chosen(graph, true, left) == kFar, "much is left, terminals are weak");
  require(chosen(graph, true, halves) == kNear, "little is left, terminals are weak");
  const auto stronger = [](std::int32_t i) { return i % 2 == 0 ? R{190} : R{-190}; };
  require(chosen(graph, true, stronger) == kNear, "much is left, terminals are strong");
  const double patient = choice(graph, true, stronger).looks;
  const double doubtful = choice(graph, true, halves).looks;
  require(patient == maxflow::kPatience, "strong terminals: the search is given time");
  require(doubtful > 3 && doubtful < patient / 2, "weak terminals: it gives up soon");
  require(choice(graph, false, strong).looks == maxflow::kPatience, "no flow was sent ahead");
  for (const Method named : {Method::push_relabel, Method::incremental_bfs}) {
    const maxflow::Choice taken = maxflow::chosen(named, graph, 0, false);
    require(taken.method == named, "what is named is taken");
    require(std::isinf(taken.looks), "what is named goes on to the end");
  }
}

// Capacities that are infinite, or large for infinite, here and there change nothing.
template <class R>
void check_endless(const Edges& edges, R endless) {
  auto graph = graph_of<R>(edges);
  for (std::int32_t a = 0; a < graph.arc_count(); a += 7) {
    graph.set_residuals(a, endless, endless);
  }
  const auto seeded = [endless](std::int32_t i) {
    const R small = i % 8 == 0 ? R{-1} : R{1};
    return i % 50 == 0 ? static_cast<R>(small * endless) : small;
  };
  require(chosen(graph, false, seeded) == kFar, "weak terminals and infinite ones");
  const auto strong = [endless](std::int32_t i) {
    const R size = i % 50 == 0 ? endless : R{90};
    return i % 2 == 0 ? size : static_cast<R>(-size);
  };
  require(chosen(graph, false, strong) == kNear, "strong terminals and infinite ones");
}

void check_small() {
  for (std::int32_t nodes = 0; nodes < 3; ++nodes) {
    for (const bool spread : {false, true}) {
      maxflow::Graph<float> graph;
      graph.first.assign(static_cast<std::size_t>(nodes) + 1, 0);
      graph.excess.assign(static_cast<std::size_t>(nodes), 1);
      require(maxflow::chosen(Method::automatic, graph, nodes, spread).method != Method::automatic,
              "a graph without edges");
    }
  }
}

void check_all() {
  for (const Edges& edges : {grid(kSide, false), grid(kSide, true), ring(kNodes)}) {
    check<float>(edges);
    check<double>(edges);
    check<std::int32_t>(edges);
    check<std::int64_t>(edges);
    check_endless<float>(edges, 1e30F);
    check_endless<double>(edges, std::numeric_limits<double>::infinity());
    check_endless<std::int32_t>(edges, 1 << 28);
    check_endless<std::int64_t>(edges, std::int64_t{1} << 58);
  }
  check_small();
}

}  // namespace
}  // namespace graphcut::test

int main() {
  graphcut::test::check_all();
  std::puts("the solver follows the form of the graph");
}
