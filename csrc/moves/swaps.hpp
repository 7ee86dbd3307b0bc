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
    bool improves = choose(alpha, beta) < 0;
    improves ? accept(next) : reject();
    // What the sets cost is the same for all labellings that use both labels.
    for (const std::int32_t label : {alpha, beta}) {
      if (search_.labels.sets().of(label == alpha ? beta : alpha).empty()) continue;
      for (const std::int32_t i : both_) {
        if (label != search_.labels[i] && search_.labels.unary().find(i, label) != nullptr) {
          search_.labels.propose(i, label);
        }
      }
      const bool better = search_.labels.change() < 0;
      better ? accept(next) : reject();
      improves = improves || better;
    }
    return improves;
  }

  // Tries the best swap but for costs of sets, of the cheapest the one of the fewest betas; returns
  // the sign of what it costs more. It is to be accepted or rejected then.
  int choose(std::int32_t alpha, std::int32_t beta) {
    alpha_ = alpha;
    beta_ = beta;
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
    choice.clear();
    return search_.labels.change();
  }

  void accept(std::int64_t next) {
    touch(next);
    search_.labels.accept();
    of(alpha_).clear();
    of(beta_).clear();
    for (const std::int32_t i : both_) of(search_.labels[i]).push_back(i);
  }
  void reject() { search_.labels.reject(); }

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
    const Cost* const first = search_.labels.unary().find(i, alpha);
    const Cost* const second = search_.labels.unary().find(i, beta);
    auto& choice = search_.choice;
    if (first == nullptr || second == nullptr) {
      if (search_.labels[i] == beta) choice.add_second(i);
    } else if (choice.weigh(i, *second - *first + search_.loops(i, alpha, beta)) !=
               Choice<Cost>::State::first) {
      choice.add(i);
    }
  }

  // What a swap saves of the costs of sets depends on which other labels use them.
  void touch(std::int64_t next) {
    if (!search_.labels.sets().empty() && use_changes()) {
      touched_.assign(touched_.size(), next);
      return;
    }
    touched_[place(alpha_)] = touched_[place(beta_)] = next;
    search_.each_affected([&](std::int32_t i) { touched_[place(search_.labels[i])] = next; });
  }

  // Whether the changes that are tried take one of the two labels into use or out of it.
  bool use_changes() {
    auto alphas = static_cast<std::ptrdiff_t>(of(alpha_).size());
    for (const std::int32_t i : search_.labels.changed()) {
      alphas += search_.labels[i] == alpha_ ? -1 : 1;
    }
    const auto betas = static_cast<std::ptrdiff_t>(both_.size()) - alphas;
    return (alphas == 0) != of(alpha_).empty() || (betas == 0) != of(beta_).empty();
  }

  Search<Cost>& search_;
  std::vector<Pair> pairs_;
  std::vector<std::vector<std::int32_t>> members_;  // nodes of every label, ascending
  std::vector<std::int64_t> touched_;  // time when a node of a label, or next to one, changed
  std::int32_t alpha_ = 0, beta_ = 0;
  std::vector<std::int32_t> both_;  // the nodes of both, ascending
};

}  // namespace graphcut::moves
