// What edges add to the choice between two labels, by the labels at their ends.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "moves/adjacency.hpp"
#include "moves/problem.hpp"

namespace graphcut::moves {

// With x = 1 for a node that takes the second of its two labels, an edge (u, v) costs ::
//
//   E00 + A x_u + B x_v - P x_u x_v,   A = E10 - E00,  B = E01 - E00,  P = B + E10 - E11 >= 0
//
// Each end sees its own part: A or B, and P.
template <class Cost>
struct Entry {
  Cost change;   // of the edge's cost where this end takes its second label, the other its first
  Cost product;  // what is saved where both take their second
};

// Entries are looked up where all edges have the same costs of pairs, of not too many labels, and
// else computed.
template <class Cost>
class Table {
 public:
  explicit Table(const Problem<Cost>& problem)
      : problem_(problem),
        labels_(static_cast<std::int32_t>(problem.labels)),
        pays_(problem.tables == nullptr && problem.labels * problem.labels <= problem.edges + 64) {}

  // For an expansion of alpha: the first label of a node is its present one, the second is alpha.
  // `many`: whether entries of many links will be asked for.
  void expansion(std::int32_t alpha, bool many) {
    move_ = Move::expansion;
    many_ = many;
    beta_ = alpha;
    if (!is_looked_up()) return;
    resize(labels_);
    for (std::int32_t first = 0; first < labels_; ++first) {
      for (std::int32_t other = 0; other < labels_; ++other) {
        set(first, other, first, alpha, other, alpha);
      }
    }
    row_of_label_ = 1;
  }

  // For a swap: the first label of the nodes that move is alpha, the second beta.
  void swap(std::int32_t alpha, std::int32_t beta) {
    move_ = Move::swap;
    many_ = true;
    alpha_ = alpha;
    beta_ = beta;
    if (!is_looked_up()) return;
    resize(1);
    for (std::int32_t other = 0; other < labels_; ++other) {
      const bool moves = other == alpha || other == beta;
      set(0, other, alpha, beta, moves ? alpha : other, moves ? beta : other);
    }
    row_of_label_ = 0;
  }

  // For a choice at every node between its present label and that of `second` (nodes). A product
  // below 0, which no cut can have, counts as 0: what comes out may then not be the best choice.
  void fusion(const std::int32_t* second) {
    move_ = Move::fusion;
    second_ = second;
  }

  bool is_looked_up() const { return move_ != Move::fusion && many_ && pays_; }
  // What an end i of an edge sees of it; of the present `labels` (nodes).
  Entry<Cost> of_link(const std::int32_t* labels, std::int32_t i, const Link<Cost>& link) const {
    const std::int32_t j = link.node();
    const auto [first, second] = choice(labels, i);
    const auto [other_first, other_second] = choice(labels, j);
    return entry(problem_.table(link.edge), link.towards(), first, second, other_first,
                 other_second);
  }

  // Entries by the other end's present label, for a node of label `own` that edges lead away from
  // (0) or to (1).
  std::array<const Entry<Cost>*, 2> rows(std::int32_t own) const {
    const std::size_t row = static_cast<std::size_t>(own) * row_of_label_ * size();
    return {entries_[0].data() + row, entries_[1].data() + row};
  }

 private:
  enum class Move : std::uint8_t { expansion, swap, fusion };

  std::size_t size() const { return static_cast<std::size_t>(labels_); }
  void resize(std::int32_t rows) {
    for (auto& entries : entries_) entries.resize(static_cast<std::size_t>(rows) * size());
  }

  void set(std::int32_t row, std::int32_t column, std::int32_t first, std::int32_t second,
           std::int32_t other_first, std::int32_t other_second) {
    const std::size_t place =
        static_cast<std::size_t>(row) * size() + static_cast<std::size_t>(column);
    for (std::size_t towards = 0; towards < 2; ++towards) {
      entries_[towards][place] = entry(0, towards, first, second, other_first, other_second);
    }
  }

  // The two labels of node i.
  std::array<std::int32_t, 2> choice(const std::int32_t* labels, std::int32_t i) const {
    const std::int32_t label = labels[i];
    if (move_ == Move::expansion) return {label, beta_};
    if (move_ == Move::fusion) return {label, second_[i]};
    const bool moves = label == alpha_ || label == beta_;
    return {moves ? alpha_ : label, moves ? beta_ : label};
  }

  Entry<Cost> entry(std::int32_t table, std::size_t towards, std::int32_t first,
                    std::int32_t second, std::int32_t other_first,
                    std::int32_t other_second) const {
    if (towards == 0) {
      return {problem_.between(table, second, other_first) -
                  problem_.between(table, first, other_first),
              product(table, first, second, other_first, other_second)};
    }
    return {
        problem_.between(table, other_first, second) - problem_.between(table, other_first, first),
        product(table, other_first, other_second, first, second)};
  }

  // P of an edge by the two labels of its tail and of its head; below 0 by round-off only, and
  // exactly 0 where one of them has no choice.
  Cost product(std::int32_t table, std::int32_t tail_first, std::int32_t tail_second,
               std::int32_t head_first, std::int32_t head_second) const {
    const Cost both = problem_.between(table, tail_second, head_second);
    const Cost neither = problem_.between(table, tail_first, head_first);
    const Cost head_alone = problem_.between(table, tail_first, head_second);
    const Cost tail_alone = problem_.between(table, tail_second, head_first);
    return std::max(Cost{0}, (head_alone - neither) + (tail_alone - both));
  }

  const Problem<Cost>& problem_;
  std::int32_t labels_;
  bool pays_;  // to look many entries up
  bool many_ = true;
  Move move_ = Move::expansion;
  std::int32_t alpha_ = 0, beta_ = 0;
  const std::int32_t* second_ = nullptr;
  std::size_t row_of_label_ = 1;
  std::array<std::vector<Entry<Cost>>, 2> entries_;
};

}  // namespace graphcut::moves
