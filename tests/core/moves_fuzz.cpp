// Fuzz target of the moves: bytes make up a small energy that the operator would let through. The
// labels found must be allowed and cost what is said, no more than before; and no single move may
// improve on them, by brute force over all moves.
#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <type_traits>
#include <vector>

#include "choices.hpp"
#include "moves/descent.hpp"
#include "oracle.hpp"

namespace graphcut::test {
namespace {

using moves::Moves;

constexpr std::int64_t kNodes = 6, kLabels = 5, kEdges = 12;

template <class Cost>
class Energy {
 public:
  using W = Wide<Cost>;
  using Labels = std::vector<std::int64_t>;

  explicit Energy(Choices& choices)
      : whole_(!std::is_floating_point_v<Cost> || choices.one_in(2)),
        nodes_(choices.between(0, kNodes)),
        labels_(choices.between(1, kLabels)),
        edges_(nodes_ > 0 ? choices.between(0, kEdges) : 0) {
    // Sums stay exact in double, or below the 2^60 that the operator lets through.
    const std::uint64_t most = std::is_floating_point_v<Cost> ? 41 : 49;
    unit_ = static_cast<Cost>(std::int64_t{1} << (whole_ ? choices.below(most) : 0));
    for (std::int64_t k = 0; k < nodes_ * labels_; ++k) unary_.push_back(cost(choices, -99, 99));
    forbid(choices);
    for (std::int64_t k = 0; k < 2 * edges_; ++k) {
      edge_index_.push_back(choices.between(0, nodes_ - 1));
    }
    for (std::int64_t k = 0; k < edges_; ++k) weights_.push_back(weight(choices));
    make_pairwise(choices);
    for (std::int64_t i = 0; i < nodes_; ++i) {
      start_.push_back(choices.between(0, labels_ - 1));
      while (!allowed(i, start_.back())) start_.back() = (start_.back() + 1) % labels_;
    }
  }

  void check(Choices& choices) const {
    moves::Problem<Cost> problem;
    problem.nodes = nodes_;
    problem.labels = problem.columns = labels_;
    problem.edges = edges_;
    problem.edge_index = edge_index_.data();
    problem.unary = unary_.data();
    problem.weights = weights_.data();
    problem.pairwise = pairwise_.data();
    const Moves kind = choices.one_in(2) ? Moves::expansions : Moves::swaps;
    if (!suits(kind)) return;  // the operator refuses it
    const auto method = static_cast<maxflow::Method>(choices.below(maxflow::kSolverNames.size()));
    const std::int64_t cycles = choices.one_in(3) ? choices.between(0, 3) : -1;
    const int threads = choices.one_in(16) ? 2 : 1;
    Labels labels = start_;
    const Cost found = moves::descend(problem, kind, cycles, method, threads, labels.data());
    for (std::int64_t i = 0; i < nodes_; ++i) {
      const std::int64_t label = labels[static_cast<std::size_t>(i)];
      require(label >= 0 && label < labels_ && allowed(i, label), "labels are allowed");
    }
    const W energy = of(labels), slack = whole_ ? W{0} : round_off();
    require(std::abs(static_cast<long double>(energy - static_cast<W>(found))) <=
                (whole_ ? 0.0L : 2 * static_cast<long double>(slack)),
            "the energy is that of the labels");
    require(energy <= of(start_) + slack, "the energy does not rise");
    if (cycles == 0) require(labels == start_, "without a cycle nothing changes");
    if (cycles < 0) check_moves(kind, labels, energy - slack);
  }

 private:
  static std::size_t place(std::int64_t i) { return static_cast<std::size_t>(i); }

  Cost cost(Choices& choices, std::int64_t low, std::int64_t high) const {
    const auto value = static_cast<Cost>(choices.between(low, high));
    if (whole_) return value * unit_;
    return value + static_cast<Cost>(choices.between(-999, 999)) / static_cast<Cost>(997);
  }
  Cost weight(Choices& choices) const {
    if (whole_) return static_cast<Cost>(choices.between(0, 9));
    return std::abs(cost(choices, 0, 9)) * static_cast<Cost>(choices.one_in(4) ? 0 : 1);
  }
  void forbid(Choices& choices) {
    if constexpr (std::is_floating_point_v<Cost>) {
      if (!choices.one_in(3)) return;
      for (std::int64_t i = 0; i < nodes_; ++i) {
        const std::int64_t kept = choices.between(0, labels_ - 1);
        for (std::int64_t l = 0; l < labels_; ++l) {
          if (l == kept || !choices.one_in(3)) continue;
          unary_[place(i * labels_ + l)] = std::numeric_limits<Cost>::infinity();
        }
      }
    }
  }
  // Potts, asymmetric distances with costs of single labels, or anything.
  void make_pairwise(Choices& choices) {
    const std::uint64_t kind = choices.below(3);
    const Cost up = std::abs(cost(choices, 0, 5)), down = std::abs(cost(choices, 0, 5));
    const Cost most = std::abs(cost(choices, 0, 9));
    std::vector<Cost> leave, enter;
    for (std::int64_t l = 0; l < labels_; ++l) {
      leave.push_back(cost(choices, -3, 3));
      enter.push_back(cost(choices, -3, 3));
    }
    for (std::int64_t a = 0; a < labels_; ++a) {
      for (std::int64_t b = 0; b < labels_; ++b) {
        const Cost line = static_cast<Cost>(std::abs(a - b)) * (a < b ? up : down);
        Cost value = a == b ? Cost{0} : most;
        if (kind == 1) value = std::min(line, most) + leave[place(a)] + enter[place(b)];
        if (kind == 2) value = cost(choices, -9, 9);
        pairwise_.push_back(value);
      }
    }
  }
  Cost between(std::int64_t a, std::int64_t b) const { return pairwise_[place(a * labels_ + b)]; }

  // The conditions of the operator, with its allowance for round-off.
  bool suits(Moves kind) const {
    const auto more = [&](Cost left, Cost right) {
      const W slack = whole_ ? W{0} : static_cast<W>(1e-14) * 100;
      return static_cast<W>(left) - static_cast<W>(right) > slack;
    };
    for (std::int64_t a = 0; a < labels_; ++a) {
      for (std::int64_t b = 0; b < labels_; ++b) {
        if (kind == Moves::swaps &&
            more(between(a, a) + between(b, b), between(a, b) + between(b, a))) {
          return false;
        }
        for (std::int64_t c = 0; c < labels_ && kind == Moves::expansions; ++c) {
          if (more(between(b, c) + between(a, a), between(b, a) + between(a, c))) return false;
        }
      }
    }
    return true;
  }

  bool allowed(std::int64_t node, std::int64_t label) const {
    return !infinite(unary_[place(node * labels_ + label)]);
  }
  // Terms are rounded to Cost each, and summed in W.
  W of(const Labels& labels) const {
    W sum{0};
    for (std::int64_t i = 0; i < nodes_; ++i) {
      sum += static_cast<W>(unary_[place(i * labels_ + labels[place(i)])]);
    }
    for (std::int64_t e = 0; e < edges_; ++e) {
      const std::int64_t u = edge_index_[place(e)], v = edge_index_[place(edges_ + e)];
      const Cost term = weights_[place(e)] * between(labels[place(u)], labels[place(v)]);
      sum += static_cast<W>(term);
    }
    return sum;
  }
  // Of all that is summed: costs are below 100 in size, products below 2000.
  W round_off() const { return static_cast<W>(1e-9); }

  void check_moves(Moves kind, const Labels& labels, W least) const {
    for (std::int64_t a = 0; a < labels_; ++a) {
      for (std::int64_t b = 0; b < (kind == Moves::swaps ? labels_ : 1); ++b) {
        for (std::int64_t chosen = 0; chosen < std::int64_t{1} << nodes_; ++chosen) {
          Labels other = labels;
          bool possible = true;
          for (std::int64_t i = 0; i < nodes_; ++i) {
            const bool takes = (chosen >> i & 1) != 0;
            std::int64_t& label = other[place(i)];
            if (kind == Moves::expansions && takes) label = a;
            if (kind == Moves::swaps && (label == a || label == b)) label = takes ? a : b;
            possible = possible && allowed(i, label);
          }
          if (possible) require(of(other) >= least, "no move improves on the labels");
        }
      }
    }
  }

  bool whole_;  // all costs are whole numbers, so that every sum is exact
  std::int64_t nodes_, labels_, edges_;
  Cost unit_{1};
  std::vector<std::int64_t> edge_index_;
  std::vector<Cost> unary_, weights_, pairwise_;
  Labels start_;
};

}  // namespace
}  // namespace graphcut::test

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  graphcut::test::Choices choices(data, size);
  if (choices.one_in(2)) {
    graphcut::test::Energy<double>(choices).check(choices);
  } else {
    graphcut::test::Energy<std::int64_t>(choices).check(choices);
  }
  return 0;
}
