// Expansions and swaps on small graphs against all labellings one move away, and exact sums.
#include <algorithm>
#include <array>
#include <cstdint>
#include <cstdio>
#include <limits>
#include <memory>
#include <numeric>
#include <optional>
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
  std::vector<std::int64_t> edge_index, start, tables, candidates;
  std::vector<Cost> unary, weights, pairwise, set_costs;
  std::unique_ptr<bool[]> set_members;
  Problem<Cost> problem;
};

// What a scene has beside costs of nodes and of pairs.
struct Extras {
  bool tables = false, candidates = false, sets = false;
};

template <class Cost>
Scene<Cost> scene(std::int64_t nodes, std::int64_t labels, unsigned seed, Extras extras = {}) {
  std::mt19937 random(seed);
  const auto below = [&](std::int64_t n) { return static_cast<std::int64_t>(random() % n); };
  Scene<Cost> s;
  const std::int64_t edges = below(3 * nodes);
  for (std::int64_t k = 0; k < 2 * edges; ++k) s.edge_index.push_back(below(nodes));
  for (std::int64_t k = 0; k < edges; ++k) s.weights.push_back(static_cast<Cost>(below(5)));
  const std::int64_t columns = extras.candidates ? 1 + below(labels) : labels;
  for (std::int64_t k = 0; k < nodes * columns; ++k) {
    s.unary.push_back(static_cast<Cost>(below(19) - 9));
  }
  for (std::int64_t i = 0; i < nodes; ++i) {
    std::vector<std::int64_t> all(static_cast<std::size_t>(labels));
    std::iota(all.begin(), all.end(), 0);
    if (extras.candidates) {
      std::shuffle(all.begin(), all.end(), random);
      s.candidates.insert(s.candidates.end(), all.begin(), all.begin() + columns);
      if (columns > 1 && below(3) == 0) s.candidates.back() = -1;
    }
    s.start.push_back(all[static_cast<std::size_t>(below(columns > 1 ? columns - 1 : 1))]);
  }
  // Asymmetric distances between points on a line, and costs of single labels.
  const std::int64_t kinds = extras.tables ? 3 : 1;
  for (std::int64_t k = 0; k < kinds; ++k) {
    const std::int64_t up = 1 + below(3), down = 1 + below(3);
    for (std::int64_t a = 0; a < labels; ++a) {
      for (std::int64_t b = 0; b < labels; ++b) {
        const std::int64_t distance = a < b ? up * (b - a) : down * (a - b);
        s.pairwise.push_back(
            static_cast<Cost>(std::min<std::int64_t>(distance, 4) + a % 2 - b % 3));
      }
    }
  }
  for (std::int64_t e = 0; extras.tables && e < edges; ++e) s.tables.push_back(below(kinds));
  const std::int64_t sets = extras.sets ? labels + 2 : 0;
  s.set_members = std::make_unique<bool[]>(static_cast<std::size_t>(sets * labels));
  for (std::int64_t k = 0; k < sets; ++k) {
    s.set_costs.push_back(static_cast<Cost>(below(12)));
    for (std::int64_t label = 0; label < labels; ++label) {
      s.set_members[static_cast<std::size_t>(k * labels + label)] =
          k < labels ? k == label : below(2) == 0;
    }
  }
  Problem<Cost>& p = s.problem;
  p.nodes = nodes;
  p.labels = labels;
  p.edges = edges;
  p.edge_index = s.edge_index.data();
  p.columns = columns;
  p.unary = s.unary.data();
  p.candidates = extras.candidates ? s.candidates.data() : nullptr;
  p.weights = s.weights.data();
  p.pairwise = s.pairwise.data();
  p.tables = extras.tables ? s.tables.data() : nullptr;
  p.sets = sets;
  p.set_costs = s.set_costs.data();
  p.set_members = s.set_members.get();
  return s;
}

// None where a node has a label that it may not have.
template <class Cost>
std::optional<Cost> energy(const Problem<Cost>& p, const std::vector<std::int64_t>& labels) {
  Cost sum{0};
  for (std::int64_t i = 0; i < p.nodes; ++i) {
    std::int64_t column = labels[i];
    if (p.candidates != nullptr) {
      for (column = 0; column < p.columns; ++column) {
        if (p.candidates[i * p.columns + column] == labels[i]) break;
      }
      if (column == p.columns) return std::nullopt;
    }
    sum += p.unary[i * p.columns + column];
  }
  for (std::int64_t e = 0; e < p.edges; ++e) {
    const std::int64_t u = labels[p.edge_index[e]], v = labels[p.edge_index[p.edges + e]];
    const std::int64_t table = p.tables == nullptr ? 0 : p.tables[e];
    sum += p.weights[e] * p.pairwise[(table * p.labels + u) * p.labels + v];
  }
  for (std::int64_t set = 0; set < p.sets; ++set) {
    const bool used = std::any_of(labels.begin(), labels.end(), [&](std::int64_t label) {
      return p.set_members[set * p.labels + label];
    });
    if (used) sum += p.set_costs[set];
  }
  return sum;
}

// The least energy one move away.
template <class Cost>
Cost best_move(const Problem<Cost>& p, Moves moves, const std::vector<std::int64_t>& labels) {
  Cost best = energy(p, labels).value_or(std::numeric_limits<Cost>::max());
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
        best = std::min(best, energy(p, other).value_or(best));
      }
      if (moves == Moves::expansions) break;
    }
  }
  return best;
}

template <class Cost>
bool no_move_improves(unsigned seed) {
  const Extras extras{seed % 2 == 1, seed / 2 % 2 == 1, seed / 4 % 2 == 1};
  const auto s = scene<Cost>(1 + seed % 6, 1 + seed % 5, seed, extras);
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

// The edges of a grid that are listed and those that are not.
bool grids_need_no_list() {
  graphcut::maxflow::GridLayout grid;
  grid.size = {1, 7, 9};
  grid.directions = 4;
  grid.offset = {{{0, 0, 1}, {0, 1, -1}, {0, 1, 0}, {0, 1, 1}}};
  auto s = scene<std::int64_t>(grid.nodes(), 5, 3);
  Problem<std::int64_t>& p = s.problem;
  p.edges = grid.edges();
  s.edge_index.assign(static_cast<std::size_t>(2 * p.edges), 0);
  s.weights.clear();
  grid.each_edge([&](std::int64_t e, std::int32_t tail, std::int32_t head) {
    s.edge_index[static_cast<std::size_t>(e)] = tail;
    s.edge_index[static_cast<std::size_t>(p.edges + e)] = head;
    s.weights.push_back(e % 3);
  });
  p.edge_index = s.edge_index.data();
  p.weights = s.weights.data();
  auto listed = s.start, unlisted = s.start;
  const auto method = graphcut::maxflow::Method::automatic;
  const std::int64_t first =
      graphcut::moves::descend(p, Moves::expansions, -1, method, 1, listed.data());
  p.edge_index = nullptr;
  p.grid = grid;
  const std::int64_t second =
      graphcut::moves::descend(p, Moves::expansions, -1, method, 1, unlisted.data());
  p.edge_index = s.edge_index.data();
  if (first == second && listed == unlisted && first == energy(p, listed)) return true;
  std::printf("a grid and its list of edges differ\n");
  return false;
}

// A swap that did not pay may do so once a label that it does not touch is out of use: node 0 gives
// up the set {0, 2} for label 3 after node 1 has left label 2.
bool swaps_see_labels_leave_sets() {
  const std::vector<std::int64_t> unary{0, 99, 99, 1, 99, -5, 0, 99}, costs{10};
  const std::array<bool, 4> members{true, false, true, false};
  Problem<std::int64_t> p;
  p.nodes = 2;
  p.labels = p.columns = 4;
  p.edge_index = unary.data();  // of no edges
  p.unary = unary.data();
  p.sets = 1;
  p.set_costs = costs.data();
  p.set_members = members.data();
  std::vector<std::int64_t> labels{0, 2};
  const auto method = graphcut::maxflow::Method::automatic;
  const std::int64_t found =
      graphcut::moves::descend(p, Moves::swaps, -1, method, 1, labels.data());
  if (found == -4 && labels == std::vector<std::int64_t>{3, 1}) return true;
  std::printf("a swap that pays off is passed over\n");
  return false;
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
  bool right = sums_are_exact() && threads_do_not_matter() && grids_need_no_list() &&
               swaps_see_labels_leave_sets();
  for (unsigned seed = 0; seed < 240; ++seed) {
    right = no_move_improves<double>(seed) && no_move_improves<std::int64_t>(seed) && right;
  }
  std::printf("%s\n", right ? "passed" : "failed");
  return right ? 0 : 1;
}
