// Small multi-label energies of every kind that the moves take, and what must hold of a result: by
// brute force over all labellings one move away.
#pragma once

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <memory>
#include <type_traits>
#include <utility>
#include <vector>

#include "choices.hpp"
#include "moves/descent.hpp"
#include "oracle.hpp"

namespace graphcut::test {

using moves::Moves;

// A small energy that the operator would let through: of listed edges or of a grid, of one table of
// costs or of several, of all labels or of candidates, with costs of sets of labels or without.
template <class Cost>
class Energy {
 public:
  using W = Wide<Cost>;
  using Labels = std::vector<std::int64_t>;

  explicit Energy(Choices& choices)
      : whole_(!std::is_floating_point_v<Cost> || choices.one_in(2)),
        labels_(choices.between(1, kLabels)) {
    // Sums stay exact in double, or below the 2^60 that the operator lets through.
    const std::uint64_t most = std::is_floating_point_v<Cost> ? 41 : 49;
    unit_ = static_cast<Cost>(std::int64_t{1} << (whole_ ? choices.below(most) : 0));
    choices.one_in(4) ? make_grid(choices) : make_edges(choices);
    make_candidates(choices);
    for (std::int64_t k = 0; k < nodes_ * columns_; ++k) unary_.push_back(cost(choices, -99, 99));
    forbid(choices);
    for (std::int64_t k = 0; k < edges_; ++k) weights_.push_back(weight(choices));
    make_tables(choices);
    make_sets(choices);
    for (std::int64_t i = 0; i < nodes_; ++i) {
      start_.push_back(choices.between(0, labels_ - 1));
      while (!allowed(i, start_.back())) start_.back() = (start_.back() + 1) % labels_;
    }
  }

  void check(Choices& choices) const {
    const Moves kind = choices.one_in(2) ? Moves::expansions : Moves::swaps;
    if (!suits(kind)) return;  // the operator refuses it
    const auto method = static_cast<maxflow::Method>(choices.below(maxflow::kSolverNames.size()));
    const std::int64_t cycles = choices.one_in(3) ? choices.between(0, 3) : -1;
    const int threads = choices.one_in(16) ? 2 : 1;
    Labels labels = start_;
    const Cost found = moves::descend(problem(), kind, cycles, method, threads, labels.data());
    for (std::int64_t i = 0; i < nodes_; ++i) {
      const std::int64_t label = labels[place(i)];
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
  static constexpr std::int64_t kNodes = 6, kLabels = 5, kEdges = 12, kTables = 3, kSets = 6;

  static std::size_t place(std::int64_t i) { return static_cast<std::size_t>(i); }

  moves::Problem<Cost> problem() const {
    moves::Problem<Cost> problem;
    problem.nodes = nodes_;
    problem.labels = labels_;
    problem.columns = columns_;
    problem.edges = edges_;
    problem.edge_index = grid_.directions > 0 ? nullptr : edge_index_.data();
    problem.grid = grid_;
    problem.unary = unary_.data();
    problem.candidates = candidates_.empty() ? nullptr : candidates_.data();
    problem.weights = weights_.data();
    problem.pairwise = pairwise_.empty() ? nullptr : pairwise_.data();
    problem.tables = tables_.empty() ? nullptr : tables_.data();
    problem.sets = static_cast<std::int64_t>(set_costs_.size());
    problem.set_costs = set_costs_.data();
    problem.set_members = set_members_.get();
    return problem;
  }

  Cost cost(Choices& choices, std::int64_t low, std::int64_t high) const {
    const auto value = static_cast<Cost>(choices.between(low, high));
    if (whole_) return value * unit_;
    return value + static_cast<Cost>(choices.between(-999, 999)) / static_cast<Cost>(997);
  }
  Cost weight(Choices& choices) const {
    if (whole_) return static_cast<Cost>(choices.between(0, 9));
    return std::abs(cost(choices, 0, 9)) * static_cast<Cost>(choices.one_in(4) ? 0 : 1);
  }

  void make_edges(Choices& choices) {
    nodes_ = choices.between(0, kNodes);
    edges_ = nodes_ > 0 ? choices.between(0, kEdges) : 0;
    for (std::int64_t k = 0; k < 2 * edges_; ++k) {
      edge_index_.push_back(choices.between(0, nodes_ - 1));
    }
  }
  void make_grid(Choices& choices) {
    const auto height = static_cast<std::int32_t>(choices.between(1, 3));
    const auto width = static_cast<std::int32_t>(choices.between(1, kNodes / height));
    grid_.size = {1, height, width};
    const std::array<maxflow::GridLayout::Offset, 4> offsets{
        {{0, 0, 1}, {0, 1, 0}, {0, 1, -1}, {0, 1, 1}}};
    grid_.directions = choices.one_in(2) ? 4 : 2;
    std::copy_n(offsets.begin(), grid_.directions, grid_.offset.begin());
    nodes_ = grid_.nodes();
    edges_ = grid_.edges();
    edge_index_.resize(place(2 * edges_));
    grid_.each_edge([&](std::int64_t e, std::int32_t tail, std::int32_t head) {
      edge_index_[place(e)] = tail;
      edge_index_[place(edges_ + e)] = head;
    });
  }

  // The first of a node is a label, those behind it may be none.
  void make_candidates(Choices& choices) {
    columns_ = labels_;
    if (!choices.one_in(4)) return;
    columns_ = choices.between(1, labels_);
    for (std::int64_t i = 0; i < nodes_; ++i) {
      Labels all;
      for (std::int64_t label = 0; label < labels_; ++label) all.push_back(label);
      for (std::int64_t column = 0; column < columns_; ++column) {
        std::swap(all[place(column)], all[place(choices.between(column, labels_ - 1))]);
        const bool none = column > 0 && choices.one_in(4);
        candidates_.push_back(none ? -1 : all[place(column)]);
      }
    }
  }
  void forbid(Choices& choices) {
    if constexpr (std::is_floating_point_v<Cost>) {
      if (!choices.one_in(3)) return;
      for (std::int64_t i = 0; i < nodes_; ++i) {
        const std::int64_t kept = candidates_.empty() ? choices.between(0, columns_ - 1) : 0;
        for (std::int64_t column = 0; column < columns_; ++column) {
          if (column == kept || !choices.one_in(3)) continue;
          unary_[place(i * columns_ + column)] = std::numeric_limits<Cost>::infinity();
        }
      }
    }
  }

  // One table for all edges, one for each, or the one that an edge names.
  void make_tables(Choices& choices) {
    if (choices.one_in(8)) return;  // Potts without a table
    std::int64_t count = 1;
    if (choices.one_in(3) && edges_ > 0) {
      const bool of_each = choices.one_in(2);
      count = of_each ? edges_ : choices.between(1, kTables);
      for (std::int64_t e = 0; e < edges_; ++e) {
        tables_.push_back(of_each ? e : choices.between(0, count - 1));
      }
    }
    for (std::int64_t table = 0; table < count; ++table) make_table(choices);
  }
  // Potts, asymmetric distances with costs of single labels, or anything.
  void make_table(Choices& choices) {
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
  // Every label by itself, or any sets: empty ones, those of all labels, some that cost nothing.
  void make_sets(Choices& choices) {
    if (!choices.one_in(3)) return;
    const bool single = choices.one_in(2);
    const std::int64_t sets = single ? labels_ : choices.between(0, kSets);
    set_members_ = std::make_unique<bool[]>(place(sets * labels_));
    for (std::int64_t set = 0; set < sets; ++set) {
      set_costs_.push_back(choices.one_in(4) ? Cost{0} : std::abs(cost(choices, 0, 60)));
      for (std::int64_t label = 0; label < labels_; ++label) {
        set_members_[place(set * labels_ + label)] = single ? set == label : choices.one_in(2);
      }
    }
  }

  Cost between(std::int64_t table, std::int64_t a, std::int64_t b) const {
    if (pairwise_.empty()) return static_cast<Cost>(a != b);
    return pairwise_[place((table * labels_ + a) * labels_ + b)];
  }

  // The conditions of the operator, with its allowance for round-off.
  bool suits(Moves kind) const {
    const std::int64_t tables =
        static_cast<std::int64_t>(pairwise_.size()) / std::max<std::int64_t>(1, labels_ * labels_);
    for (std::int64_t table = 0; table < tables; ++table) {
      if (!suits(kind, table)) return false;
    }
    return true;
  }
  bool suits(Moves kind, std::int64_t table) const {
    const auto more = [&](Cost left, Cost right) {
      const W slack = whole_ ? W{0} : static_cast<W>(1e-14) * 100;
      return static_cast<W>(left) - static_cast<W>(right) > slack;
    };
    const auto v = [&](std::int64_t a, std::int64_t b) { return between(table, a, b); };
    for (std::int64_t a = 0; a < labels_; ++a) {
      for (std::int64_t b = 0; b < labels_; ++b) {
        if (kind == Moves::swaps && more(v(a, a) + v(b, b), v(a, b) + v(b, a))) return false;
        for (std::int64_t c = 0; c < labels_ && kind == Moves::expansions; ++c) {
          if (more(v(b, c) + v(a, a), v(b, a) + v(a, c))) return false;
        }
      }
    }
    return true;
  }

  // The place of a label's cost at a node; -1 where the label is no candidate.
  std::int64_t column(std::int64_t node, std::int64_t label) const {
    if (candidates_.empty()) return node * columns_ + label;
    for (std::int64_t k = node * columns_; k < (node + 1) * columns_; ++k) {
      if (candidates_[place(k)] == label) return k;
    }
    return -1;
  }
  bool allowed(std::int64_t node, std::int64_t label) const {
    const std::int64_t at = column(node, label);
    return at >= 0 && !infinite(unary_[place(at)]);
  }
  // Terms are rounded to Cost each, and summed in W.
  W of(const Labels& labels) const {
    W sum{0};
    for (std::int64_t i = 0; i < nodes_; ++i) {
      sum += static_cast<W>(unary_[place(column(i, labels[place(i)]))]);
    }
    for (std::int64_t e = 0; e < edges_; ++e) {
      const std::int64_t u = edge_index_[place(e)], v = edge_index_[place(edges_ + e)];
      const std::int64_t table = tables_.empty() ? 0 : tables_[place(e)];
      const Cost term = weights_[place(e)] * between(table, labels[place(u)], labels[place(v)]);
      sum += static_cast<W>(term);
    }
    for (std::size_t set = 0; set < set_costs_.size(); ++set) {
      const bool used = std::any_of(labels.begin(), labels.end(), [&](std::int64_t label) {
        return set_members_[set * place(labels_) + place(label)];
      });
      if (used) sum += static_cast<W>(set_costs_[set]);
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
  std::int64_t labels_, nodes_ = 0, edges_ = 0, columns_ = 0;
  Cost unit_{1};
  maxflow::GridLayout grid_;  // without directions where edges are listed
  std::vector<std::int64_t> edge_index_, candidates_, tables_;
  std::vector<Cost> unary_, weights_, pairwise_, set_costs_;
  std::unique_ptr<bool[]> set_members_;  // NOLINT(modernize-avoid-c-arrays): as the operator's
  Labels start_;
};

}  // namespace graphcut::test
