// The costs of labels at nodes, by label: a move looks at all nodes' costs of one.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "maxflow/uninitialized.hpp"
#include "moves/problem.hpp"

namespace graphcut::moves {

// A node's costs have places: that of a label is the label, or the column where the node has a list
// of candidates.
template <class Cost>
class Unary {
 public:
  explicit Unary(const Problem<Cost>& problem) : problem_(problem) {
    if (problem.candidates == nullptr) {
      transpose();
    } else {
      index();
    }
  }

  std::int64_t places() const { return problem_.columns; }

  // The cost of a label that node i may have; null where it may not.
  const Cost* find(std::int32_t i, std::int32_t label) const {
    const Cost* const cost = find_place(i, label).cost;
    return cost == nullptr || is_forbidden(*cost) ? nullptr : cost;
  }
  struct Place {
    std::int32_t place;
    const Cost* cost;
  };
  // The same with its place, and infinite where it is forbidden.
  Place find_place(std::int32_t i, std::int32_t label) const {
    if (problem_.candidates == nullptr) {
      return {label, columns_.data() + label * problem_.nodes + i};
    }
    const std::int64_t* const first = problem_.candidates + i * problem_.columns;
    const std::int64_t* const last = first + problem_.columns;
    const std::int64_t* const at = std::find(first, last, std::int64_t{label});
    if (at == last) return {0, nullptr};
    return {static_cast<std::int32_t>(at - first), problem_.unary + (at - problem_.candidates)};
  }

  // How many costs there are of a label, numbered by ascending nodes.
  std::int64_t count(std::int32_t label) const {
    if (problem_.candidates == nullptr) return problem_.nodes;
    return first_[static_cast<std::size_t>(label) + 1] - first_[static_cast<std::size_t>(label)];
  }
  // Calls act(i, place, cost) for the costs from .. to - 1 of a label.
  template <class Act>
  void each(std::int32_t label, std::int64_t from, std::int64_t to, Act&& act) const {
    if (problem_.candidates == nullptr) {
      const Cost* const column = columns_.data() + label * problem_.nodes;
      for (auto i = static_cast<std::int32_t>(from); i < static_cast<std::int32_t>(to); ++i) {
        act(i, label, column[i]);
      }
      return;
    }
    const Entry* const entries = entries_.data() + first_[static_cast<std::size_t>(label)];
    for (std::int64_t k = from; k < to; ++k) {
      const auto [i, column] = entries[k];
      act(i, column, problem_.unary[i * problem_.columns + column]);
    }
  }

 private:
  struct Entry {
    std::int32_t node, column;
  };

  void transpose() {
    constexpr std::int64_t kBlock = 64;
    columns_.resize(static_cast<std::size_t>(problem_.nodes * problem_.labels));
    for (std::int64_t from = 0; from < problem_.nodes; from += kBlock) {
      const std::int64_t to = std::min(from + kBlock, problem_.nodes);
      for (std::int64_t label = 0; label < problem_.labels; ++label) {
        Cost* const column = columns_.data() + label * problem_.nodes;
        for (std::int64_t i = from; i < to; ++i) {
          column[i] = problem_.unary[i * problem_.labels + label];
        }
      }
    }
  }

  void index() {
    first_.assign(static_cast<std::size_t>(problem_.labels) + 2, 0);
    std::int64_t* const after = first_.data() + 1;  // where the next cost of a label goes
    const std::int64_t all = problem_.nodes * problem_.columns;
    for (std::int64_t k = 0; k < all; ++k) {
      if (problem_.candidates[k] >= 0) ++after[problem_.candidates[k] + 1];
    }
    for (std::size_t label = 1; label < first_.size(); ++label) first_[label] += first_[label - 1];
    entries_.resize(static_cast<std::size_t>(first_.back()));
    for (std::int64_t i = 0, k = 0; i < problem_.nodes; ++i) {
      for (std::int64_t column = 0; column < problem_.columns; ++column, ++k) {
        if (problem_.candidates[k] < 0) continue;
        entries_[static_cast<std::size_t>(after[problem_.candidates[k]]++)] = {
            static_cast<std::int32_t>(i), static_cast<std::int32_t>(column)};
      }
    }
  }

  const Problem<Cost>& problem_;
  maxflow::Store<Cost> columns_;     // (labels, nodes), or empty
  std::vector<std::int64_t> first_;  // (labels + 2), the last of no use, or empty
  maxflow::Store<Entry> entries_;    // of label 0, of 1, ..., or none
};

}  // namespace graphcut::moves
