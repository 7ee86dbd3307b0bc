// No solver leaves supply behind from which demand can still be reached, where floats round too.
#include <cstdint>
#include <cstdio>
#include <fstream>
#include <limits>
#include <string>
#include <utility>
#include <vector>

#include "choices.hpp"
#include "maxflow/graph.hpp"
#include "maxflow/incremental_bfs.hpp"
#include "maxflow/pseudoflow.hpp"
#include "maxflow/push_relabel.hpp"
#include "oracle.hpp"

namespace graphcut::test {
namespace {

struct Edge {
  std::int32_t u, v;
  float forward, backward;
};

struct Problem {
  std::vector<float> excess;
  std::vector<Edge> edges;

  maxflow::Graph<float> graph() const {
    maxflow::Graph<float> graph;
    maxflow::build_topology(
        graph, static_cast<std::int32_t>(excess.size()), static_cast<std::int64_t>(edges.size()),
        [this](std::int64_t e) {
          const Edge& edge = edges[static_cast<std::size_t>(e)];
          return std::pair{edge.u, edge.v};
        },
        [this, &graph](std::int64_t e, std::int32_t arc) {
          const Edge& edge = edges[static_cast<std::size_t>(e)];
          if (arc >= 0) graph.set_residuals(arc, edge.forward, edge.backward);
        });
    graph.excess = excess;
    return graph;
  }
};

// The file that comes with this test: push-relabel once retired supply in it that could reach
// demand after others had pushed, and called what it could reach then the source set.
Problem stored(const std::string& path) {
  std::ifstream file(path);
  for (int line = 0; line < 2; ++line) {
    file.ignore(std::numeric_limits<std::streamsize>::max(), '\n');
  }
  std::size_t nodes = 0, edges = 0;
  file >> nodes >> edges;
  Problem problem{std::vector<float>(nodes), std::vector<Edge>(edges)};
  for (float& excess : problem.excess) file >> excess;
  for (Edge& edge : problem.edges) file >> edge.u >> edge.v >> edge.forward >> edge.backward;
  require(static_cast<bool>(file), "cannot read " + path);
  return problem;
}

// A grid whose links have been used already, so that they are not alike both ways.
Problem worn_grid(std::uint64_t seed) {
  Choices choices(seed);
  const auto real = [&choices] { return static_cast<float>(choices.below(1 << 20)) / (1 << 20); };
  const auto side = static_cast<std::int32_t>(choices.between(4, 30));
  Problem problem;
  const float slope = 4 * real() / static_cast<float>(side), noise = 4 * real();
  for (std::int32_t i = 0; i < side * side; ++i) {
    const std::int32_t across = i % side - side / 2;
    problem.excess.push_back(slope * static_cast<float>(across) + noise * (real() - 0.5F));
    for (const std::int32_t step : {1, side, side + 1, 2 * side}) {
      if (i + step >= side * side || choices.one_in(4)) continue;
      const float capacity = 0.3F + 0.6F * real(), sent = capacity * (2 * real() - 1);
      const bool full = choices.one_in(3);
      problem.edges.push_back(
          {i, i + step, full ? 0 : capacity - sent, full ? 2 * capacity : capacity + sent});
    }
  }
  return problem;
}

template <class Solver>
double check(const Problem& problem, const char* name) {
  auto graph = problem.graph();
  Solver solver;
  require(solver.solve(graph), std::string(name) + " solves it");
  const std::size_t nodes = problem.excess.size();
  std::vector<std::int32_t> reached;
  std::vector<char> seen(nodes, 0);
  for (std::size_t i = 0; i < nodes; ++i) {
    if (!(graph.excess[i] > 0)) continue;
    seen[i] = 1;
    reached.push_back(static_cast<std::int32_t>(i));
  }
  for (std::size_t k = 0; k < reached.size(); ++k) {
    const auto v = static_cast<std::size_t>(reached[k]);
    require(!(graph.excess[v] < 0), std::string(name) + ": supply left can reach no demand");
    for (auto a = graph.first[v]; a != graph.first[v + 1]; ++a) {
      const auto& arc = graph.arcs[static_cast<std::size_t>(a)];
      const auto w = static_cast<std::size_t>(arc.head());
      if (!arc.open() || seen[w] != 0) continue;
      seen[w] = 1;
      reached.push_back(arc.head());
    }
  }
  double cost = 0;
  for (std::size_t i = 0; i < nodes; ++i) {
    const double paid =
        solver.in_source_set(static_cast<std::int32_t>(i)) ? -problem.excess[i] : problem.excess[i];
    if (paid > 0) cost += paid;
  }
  for (const Edge& edge : problem.edges) {
    const bool u = solver.in_source_set(edge.u), v = solver.in_source_set(edge.v);
    if (u != v) cost += u ? edge.forward : edge.backward;
  }
  return cost;
}

void check_all(const Problem& problem) {
  const double expected = check<maxflow::IncrementalBfs<float>>(problem, "ibfs");
  const auto same = [expected](double cost) {
    return cost > expected - 1e-4 * (1 + expected) && cost < expected + 1e-4 * (1 + expected);
  };
  require(same(check<maxflow::PushRelabel<float>>(problem, "push_relabel")), "push_relabel");
  require(same(check<maxflow::Pseudoflow<float>>(problem, "hpf")), "hpf");
}

}  // namespace
}  // namespace graphcut::test

// stuck_supply_test FILE: the stored problem.
int main(int count, char** arguments) {
  using namespace graphcut::test;
  context() = "stored problem";
  require(count == 2, "the path of retired_supply.txt is the argument");
  check_all(stored(arguments[1]));
  for (std::uint64_t seed = 0; seed < 400; ++seed) {
    context() = "seed " + std::to_string(seed);
    check_all(worn_grid(seed));
  }
  std::puts("supply that is left can reach no demand");
}
