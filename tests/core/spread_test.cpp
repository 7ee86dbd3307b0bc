// Flow sent ahead: within capacities, nothing lost, and only where it pays.
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <limits>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include "choices.hpp"
#include "maxflow/spread.hpp"
#include "oracle.hpp"

namespace graphcut::test {
namespace {

template <class R>
struct Problem {
  struct Edge {
    std::int32_t u, v;
    R forward, backward;
  };
  std::vector<Edge> edges;
  std::vector<R> excess;

  // The first `terminals` nodes have excess.
  bool spread(maxflow::Spread<R>& spread, std::int64_t terminals) {
    spread.run(
        static_cast<std::int64_t>(edges.size()),
        [this](std::int64_t e) {
          const Edge& edge = edges[static_cast<std::size_t>(e)];
          return std::pair{edge.u, edge.v};
        },
        [this](std::int64_t e) {
          const Edge& edge = edges[static_cast<std::size_t>(e)];
          return std::pair{edge.forward, edge.backward};
        },
        terminals, excess);
    return spread.used();
  }
};

// Whole numbers, self-loops and parallel edges among them; now and then there is an excess of
// nearly `largest`.
template <class R>
Problem<R> random_problem(Choices& choices, std::int64_t largest) {
  Problem<R> problem;
  const std::int64_t nodes = choices.between(1, 60), edges = choices.between(1, 4 * nodes);
  const std::int64_t widest = choices.one_in(2) ? 1 : 20;
  for (std::int64_t e = 0; e < edges; ++e) {
    const auto node = [&] { return static_cast<std::int32_t>(choices.between(0, nodes - 1)); };
    const auto capacity = [&] { return static_cast<R>(choices.between(0, widest)); };
    problem.edges.push_back({node(), node(), capacity(), capacity()});
  }
  for (std::int64_t i = 0; i < nodes; ++i) {
    const std::int64_t small = choices.between(-20, 20);
    problem.excess.push_back(static_cast<R>(choices.one_in(10) ? largest - small : small));
  }
  return problem;
}

template <class R>
void check_sums(std::uint64_t seed) {
  context() = "seed " + std::to_string(seed);
  Choices choices(seed);
  const std::int64_t largest = std::int64_t{1} << choices.between(5, 20);
  Problem<R> problem = random_problem<R>(choices, largest);
  const std::vector<R> before = problem.excess;
  maxflow::Spread<R> spread;
  problem.spread(spread, static_cast<std::int64_t>(before.size()));
  std::vector<long double> expected(before.begin(), before.end());
  for (std::size_t e = 0; e < problem.edges.size(); ++e) {
    const auto& edge = problem.edges[e];
    const R flow = spread.flow(static_cast<std::int64_t>(e));
    require(flow <= edge.forward && flow >= -edge.backward, "flow is within capacities");
    expected[static_cast<std::size_t>(edge.u)] -= flow;
    expected[static_cast<std::size_t>(edge.v)] += flow;
  }
  for (std::size_t i = 0; i < before.size(); ++i) {
    require(expected[i] == problem.excess[i], "sums are exact");
  }
}

// A path along which supply and demand alternate.
template <class R>
Problem<R> alternating(std::int32_t nodes, R excess, R forward, R backward) {
  Problem<R> problem;
  for (std::int32_t i = 0; i < nodes; ++i) {
    problem.excess.push_back(i % 2 == 0 ? excess : -excess);
    if (i > 0) problem.edges.push_back({i - 1, i, forward, backward});
  }
  return problem;
}

// A path from supply to demand, once at all places.
template <class R>
Problem<R> matching(std::int32_t nodes) {
  Problem<R> problem = alternating<R>(nodes, 4, 3, 0);
  for (std::size_t e = 0; e < problem.edges.size(); ++e) {
    if (e % 2 == 1) std::swap(problem.edges[e].u, problem.edges[e].v);
  }
  return problem;
}

// Supply in one half of a path, demand in the other.
template <class R>
Problem<R> halves(std::int32_t nodes) {
  Problem<R> problem = alternating<R>(nodes, 4, 3, 3);
  for (std::int32_t i = 0; i < nodes; ++i) {
    problem.excess[static_cast<std::size_t>(i)] = static_cast<R>(2 * i < nodes ? 4 : -4);
  }
  return problem;
}

template <class R>
bool used(Problem<R> problem, std::int64_t terminals) {
  maxflow::Spread<R> spread;
  const std::vector<R> before = problem.excess;
  const bool is_used = problem.spread(spread, terminals);
  if (!is_used) {
    for (std::size_t i = 0; i < before.size(); ++i) {
      require(problem.excess[i] == before[i] || std::isnan(static_cast<double>(before[i])),
              "excess is left alone where nothing is sent");
    }
    require(spread.flow(0) == R{0}, "nothing is sent");
  }
  return is_used;
}

template <class R>
void check_choice() {
  context() = "a path";
  require(used(alternating<R>(200, 4, 3, 3), 200), "many terminals");
  require(!used(alternating<R>(200, 4, 3, 3), 19), "few terminals");
  require(used(alternating<R>(200, 4, 3, 0), 200), "one-way, supply and demand in turn");
  require(!used(matching<R>(200), 200), "one-way, from supply to demand");
  require(used(alternating<R>(200, 1, 30, 30), 200), "small terminals");
  require(!used(alternating<R>(200, 1, 300, 300), 200), "weak terminals");
  require(!used(halves<R>(200), 200), "supply and demand far from each other");
  require(!used(alternating<R>(200, 4, 0, 0), 200), "no capacity");
  require(!used(Problem<R>{}, 0), "no nodes");
  if constexpr (sizeof(R) == 8 || std::is_floating_point_v<R>) {  // int32 is for sums known to fit
    auto huge = alternating<R>(200, 4, 3, 3);
    huge.excess[7] = std::numeric_limits<R>::max() / 2;
    require(!used(huge, 200), "sums that may overflow");
  }
  if constexpr (std::is_floating_point_v<R>) {
    auto endless = alternating<R>(200, 4, 3, 3);
    endless.excess[7] = std::numeric_limits<R>::infinity();
    require(!used(endless, 200), "infinite excess");
    endless.excess[7] = std::numeric_limits<R>::quiet_NaN();
    require(!used(endless, 200), "excess without a sign");
  }
}

// What lies side by side is gone; what is parted by full edges stays.
template <class R>
void check_effect() {
  context() = "effect";
  maxflow::Spread<R> spread;
  auto paired = alternating<R>(400, 8, 9, 9);
  require(paired.spread(spread, 400), "it is used");
  double left = 0;
  for (const R e : paired.excess) left += std::abs(static_cast<double>(e));
  require(left < 0.2 * 8 * 400, "most of what could cancel has");
}

template <class R>
void check_all() {
  for (std::uint64_t seed = 0; seed < 2000; ++seed) check_sums<R>(seed);
  check_choice<R>();
  check_effect<R>();
}

}  // namespace
}  // namespace graphcut::test

int main() {
  graphcut::test::check_all<float>();
  graphcut::test::check_all<double>();
  graphcut::test::check_all<std::int32_t>();
  graphcut::test::check_all<std::int64_t>();
  std::puts("flow sent ahead stays within capacities, and nothing is lost");
}
