// Expansions and swaps on small graphs against all labellings one move away, and exact sums.
#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <random>
#include <vector>

#include "moves/descent.hpp"
#include "moves/exact_sum.hpp"
#include "moves/problem.hpp"

namespace {

using graphcut::moves::Moves;
using graphcut::moves::Problem;

// Whole numbers, which double holds too.
template <class Cost>
struct Scene {
  std::vector<std::int64_t> edge_index, start;
  std::vector<Cost> unary, weights, pairwise;
  Problem<Cost> problem;
};

template <class Cost>
Scene<Cost> scene(std::int64_t nodes, std::int64_t labels, unsigned seed) {
  std::mt19937 random(seed);
  const auto below = [&](std::int64_t n) { return static_cast<std::int64_t>(random() % n); };
  Scene<Cost> s;
  const std::int64_t edges = below(3 * nodes);
  for (std::int64_t k = 0; k < 2 * edges; ++k) s.edge_index.push_back(below(nodes));
  for (std::int64_t k = 0; k < edges; ++k) s.weights.push_back(static_cast<Cost>(below(5)));
  for (std::int64_t k = 0; k < nodes * labels; ++k) {
    s.unary.push_back(static_cast<Cost>(below(19) - 9));
  }
  for (std::int64_t k = 0; k < nodes; ++k) s.start.push_back(below(labels));
  // Asymmetric distances between points on a line, and costs of single labels.
  const std::int64_t up = 1 + below(3), down = 1 + below(3);
  for (std::int64_t a = 0; a < labels; ++a) {
    for (std::int64_t b = 0; b < labels; ++b) {
      const std::int64_t distance = a < b ? up * (b - a) : down * (a - b);
      s.pairwise.push_back(static_cast<Cost>(std::min<std::int64_t>(distance, 4) + a % 2 - b % 3));
    }
  }
  s.problem = {nodes,
               labels,
               edges,
               s.edge_index.data(),
               s.unary.data(),
               s.weights.data(),
               s.pairwise.data()};
  return s;
}

template <class Cost>
Cost energy(const Problem<Cost>& p, const std::vector<std::int64_t>& labels) {
  Cost sum{0};
  for (std::int64_t i = 0; i < p.nodes; ++i) sum += p.unary[i * p.labels + labels[i]];
  for (std::int64_t e = 0; e < p.edges; ++e) {
    const std::int64_t u = labels[p.edge_index[e]], v = labels[p.edge_index[p.edges + e]];
    sum += p.weights[e] * p.pairwise[u * p.labels + v];
  }
  return sum;
}

// The least energy one move away.
template <class Cost>
Cost best_move(const Problem<Cost>& p, Moves moves, const std::vector<std::int64_t>& labels) {
  Cost best = energy(p, labels);
  for (std::int64_t a = 0; a < p.labels; ++a) {
    for (std::int64_t b = 0; b < p.labels; ++b) {
      for (std::int64_t chosen = 0; chosen < std::int64_t{1} << p.nodes; ++chosen) {
        auto other = labels;
        for (std::int64_t i = 0; i < p.nodes; ++i) {
          const bool takes = (chosen >> i & 1) != 0;
          const bool either = labels[i] == a || labels[i] == b;
          if (moves == Moves::expansions && takes) other[i] = a;
          if (moves == Moves::swaps && either) other[i] = takes ? a : b;
        }
        best = std::min(best, energy(p, other));
      }
      if (moves == Moves::expansions) break;
    }
  }
  return best;
}

template <class Cost>
bool no_move_improves(unsigned seed) {
  const auto s = scene<Cost>(1 + seed % 6, 1 + seed % 5, seed);
  for (const Moves moves : {Moves::expansions, Moves::swaps}) {
    for (std::size_t m = 0; m < graphcut::maxflow::kSolverNames.size(); ++m) {
      auto labels = s.start;
      const Cost found = graphcut::moves::descend(
          s.problem, moves, -1, static_cast<graphcut::maxflow::Method>(m), 2, labels.data());
      if (found != energy(s.problem, labels) || found != best_move(s.problem, moves, labels)) {
        std::printf("seed %u: a move improves on the result\n", seed);
        return false;
      }
    }
  }
  return true;
}

// One thread and several, on a graph that is large enough for them.
bool threads_do_not_matter() {
  const auto s = scene<double>(40000, 5, 7);
  auto one = s.start, four = s.start;
  const double first = graphcut::moves::descend(
      s.problem, Moves::expansions, -1, graphcut::maxflow::Method::automatic, 1, one.data());
  const double second = graphcut::moves::descend(
      s.problem, Moves::expansions, -1, graphcut::maxflow::Method::automatic, 4, four.data());
  if (first == second && one == four && first == energy(s.problem, one)) return true;
  std::printf("threads change the result\n");
  return false;
}

bool sums_are_exact() {
  const auto sum = [](const std::vector<double>& terms) {
    return graphcut::moves::rounded_sum(double{}, [&](auto&& add) {
      for (const double term : terms) add(term);
    });
  };
  const auto sign = [](const std::vector<double>& terms) {
    return graphcut::moves::sign_of_sum(double{}, [&](auto&& add) {
      for (const double term : terms) add(term);
    });
  };
  const bool exact = sum({1e300, 1, -1e300}) == 1 && sum({1, 0x1p-53, 0x1p-106}) == 1 + 0x1p-52 &&
                     sum({1, 0x1p-53}) == 1 && sum({1, 0x1p-53, -0x1p-106}) == 1 && sum({}) == 0 &&
                     sign({1e300, -1, -1e300}) == -1 && sign({0.1, 0.2, -0.2, -0.1}) == 0 &&
                     sign({0x1p-1074, 1, -1}) == 1;
  if (!exact) std::printf("a sum is not exact\n");
  return exact;
}

}  // namespace

int main() {
  bool right = sums_are_exact() && threads_do_not_matter();
  for (unsigned seed = 0; seed < 120; ++seed) {
    right = no_move_improves<double>(seed) && no_move_improves<std::int64_t>(seed) && right;
  }
  std::printf("%s\n", right ? "passed" : "failed");
  return right ? 0 : 1;
}
