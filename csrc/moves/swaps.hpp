// Swaps: nodes of two labels take either.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <iterator>
#include <vector>

#include "moves/choice.hpp"
#include "moves/search.hpp"

namespace graphcut::moves {

// The swap of a pair depends on the nodes of its labels and on the labels of their neighbours.
template <class Cost>
class Swaps {
 public:
  explicit Swaps(Search<Cost>& search)
      : search_(search),
        members_(static_cast<std::size_t>(search.problem.labels)),
        touched_(members_.size(), 0) {
    const auto labels = static_cast<std::int32_t>(search.problem.labels);
    for (std::int32_t a = 0; a < labels; ++a) {
      for (std::int32_t b = a + 1; b < labels; ++b) pairs_.push_back({a, b});
    }
    for (std::int32_t i = 0; i < search.problem.nodes; ++i) of(search.labels[i]).push_back(i);
  }

  std::size_t count() const { return pairs_.size(); }

  bool make(std::size_t move, std::int64_t next) {
    const auto [alpha, beta] = pairs_[move];
    if (of(alpha).empty() && of(beta).empty()) return false;
    both_.clear();
    std::merge(of(alpha).begin(), of(alpha).end(), of(beta).begin(), of(beta).end(),
               std::back_inserter(both_));
    search_.table.swap(alpha, beta);
    auto& choice = search_.choice;
    for (const std::int32_t i : both_) weigh(i, alpha, beta);
    choice.solve(search_.method);
    for (const std::int32_t i : both_) {
      const std::int32_t label = choice.takes_second(i) ? beta : alpha;
      if (label != search_.labels[i]) search_.labels.propose(i, label);
    }
    const bool improves = search_.labels.improves();
    if (improves) {
      touch(alpha, beta, next);
      search_.labels.accept();
      split(alpha, beta);
    } else {
      search_.labels.reject();
    }
    choice.clear();
    return improves;
  }

  bool is_due(std::size_t move, std::int64_t since, std::int64_t /*now*/) const {
    const auto [alpha, beta] = pairs_[move];
    return since < std::max(touched_[place(alpha)], touched_[place(beta)]);
  }

 private:
  struct Pair {
    std::int32_t alpha, beta;
  };

  static std::size_t place(std::int32_t label) { return static_cast<std::size_t>(label); }
  std::vector<std::int32_t>& of(std::int32_t label) { return members_[place(label)]; }

  void weigh(std::int32_t i, std::int32_t alpha, std::int32_t beta) {
    const Cost first = search_.labels.unary(alpha)[i], second = search_.labels.unary(beta)[i];
    auto& choice = search_.choice;
    if (is_forbidden(first) || is_forbidden(second)) {
      if (search_.labels[i] == beta) choice.add_second(i);
    } else if (choice.weigh(i, second - first + search_.loops(i, alpha, beta)) !=
               Choice<Cost>::State::first) {
      choice.add(i);
    }
  }

  void touch(std::int32_t alpha, std::int32_t beta, std::int64_t next) {
    touched_[place(alpha)] = touched_[place(beta)] = next;
    search_.each_affected([&](std::int32_t i) { touched_[place(search_.labels[i])] = next; });
  }

  void split(std::int32_t alpha, std::int32_t beta) {
    of(alpha).clear();
    of(beta).clear();
    for (const std::int32_t i : both_) of(search_.labels[i]).push_back(i);
  }

  Search<Cost>& search_;
  std::vector<Pair> pairs_;
  std::vector<std::vector<std::int32_t>> members_;  // nodes of every label, ascending
  std::vector<std::int64_t> touched_;  // time when a node of a label, or next to one, changed
  std::vector<std::int32_t> both_;
};

}  // namespace graphcut::moves
