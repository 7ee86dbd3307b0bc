// Expansions: every node keeps its label or takes alpha.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "moves/choice.hpp"
#include "moves/search.hpp"
#include "parallel/parallel_for.hpp"

namespace graphcut::moves {

template <class Cost>
class Expansions {
 public:
  explicit Expansions(Search<Cost>& search)
      : search_(search),
        words_((static_cast<std::size_t>(search.labels.unary().places()) + 63) / 64),
        settled_(words_ * static_cast<std::size_t>(search.problem.nodes)),
        chunks_(search.problem.nodes < 2 * kChunk || search.threads < 2
                    ? 1
                    : static_cast<std::size_t>(search.problem.nodes / kChunk)) {}

  std::size_t count() const { return static_cast<std::size_t>(search_.problem.labels); }

  // Makes a move where that lowers the energy, and the time then `next`; returns whether it does.
  bool make(std::size_t move, std::int64_t /*next*/) {
    const auto alpha = static_cast<std::int32_t>(move);
    search_.table.expansion(alpha);
    find_savings(alpha);
    find_candidates(alpha);
    find_sets(alpha);
    auto& choice = search_.choice;
    choice.solve(search_.method);
    for (const std::int32_t i : choice.nodes()) {
      if (choice.takes_second(i)) search_.labels.propose(i, alpha);
    }
    choice.clear();
    return keep_if_better();
  }

  // Takes at every node the label of `other` (nodes) instead of the present one where that makes
  // the energy lower, as far as a cut without costs of sets tells: V. Lempitsky, C. Rother, S.
  // Roth, A. Blake, "Fusion moves for Markov random field optimization", PAMI 2010. Returns whether
  // it does anywhere.
  bool fuse(const std::vector<std::int32_t>& other) {
    auto& choice = search_.choice;
    search_.table.fusion(other.data());
    for (std::int32_t i = 0; i < static_cast<std::int32_t>(other.size()); ++i) {
      const std::int32_t first = search_.labels[i], second = other[static_cast<std::size_t>(i)];
      if (first == second) continue;
      const Cost difference = *search_.labels.unary().find(i, second) - search_.labels.own()[i];
      if (choice.weigh(i, difference + search_.loops(i, first, second)) != Answer::first) {
        choice.add(i);
      }
    }
    choice.solve(search_.method);
    for (const std::int32_t i : choice.nodes()) {
      if (choice.takes_second(i)) search_.labels.propose(i, other[static_cast<std::size_t>(i)]);
    }
    choice.clear();
    return keep_if_better();
  }

  // Goes on from other labels, with nothing known of them but what is in `known`; returns what was
  // known of those before.
  std::vector<std::uint64_t> go_on_from(const std::vector<std::int32_t>& labels,
                                        std::vector<std::uint64_t> known = {}) {
    search_.labels.set(labels);
    known.resize(settled_.size());
    settled_.swap(known);
    return known;
  }

  // Whether a move may lower the energy at time `now` that could not at time `since`.
  bool is_due(std::size_t /*move*/, std::int64_t since, std::int64_t now) const {
    return since < now;
  }

 private:
  using Answer = typename Choice<Cost>::State;
  static constexpr std::int64_t kChunk = 1 << 14;

  bool keep_if_better() {
    if (search_.labels.change() >= 0) {
      search_.labels.reject();
      return false;
    }
    search_.each_affected([this](std::int32_t i) {
      std::fill_n(settled_.begin() + static_cast<std::ptrdiff_t>(place(i, 0)), words_, 0);
    });
    search_.labels.accept();
    return true;
  }

  // Where the bit is of the cost at a place (see Unary).
  std::size_t place(std::int32_t i, std::int32_t at) const {
    return static_cast<std::size_t>(i) * words_ + static_cast<std::size_t>(at) / 64;
  }

  // What a node of a label may save of the costs of sets by taking alpha. That alpha itself comes
  // into use needs no such care: if the best labelling with it is worse than that without, then so
  // are all others with it.
  void find_savings(std::int32_t alpha) {
    const auto& sets = search_.labels.sets();
    if (sets.empty()) return;
    savings_.assign(count(), Cost{0});
    const auto& of_alpha = sets.of(alpha);
    for (std::int32_t label = 0; label < static_cast<std::int32_t>(count()); ++label) {
      for (const std::int32_t set : sets.of(label)) {
        if (std::binary_search(of_alpha.begin(), of_alpha.end(), set)) continue;
        savings_[static_cast<std::size_t>(label)] += sets.cost(set);
      }
    }
  }

  // Nodes that may gain by alpha. Those that are sure not to are passed over from now on, until
  // they or a neighbour change.
  void find_candidates(std::int32_t alpha) {
    const auto count = static_cast<std::int64_t>(chunks_.size());
    const std::int64_t costs = search_.labels.unary().count(alpha);
    parallel_for(count, search_.threads, [&](int /*worker*/, std::int64_t chunk) {
      weigh(alpha, costs * chunk / count, costs * (chunk + 1) / count,
            chunks_[static_cast<std::size_t>(chunk)]);
    });
    for (const auto& found : chunks_) {
      for (const std::int32_t i : found) search_.choice.add(i);
    }
  }

  void weigh(std::int32_t alpha, std::int64_t from, std::int64_t to,
             std::vector<std::int32_t>& found) {
    const Cost* const own = search_.labels.own();
    const Cost* const savings = savings_.empty() ? nullptr : savings_.data();
    found.clear();
    search_.labels.unary().each(alpha, from, to, [&](std::int32_t i, std::int32_t at, Cost cost) {
      std::uint64_t& settled = settled_[place(i, at)];
      const std::uint64_t bit = std::uint64_t{1} << (at % 64);
      if ((settled & bit) != 0) return;
      const std::int32_t label = search_.labels[i];
      const bool chooses = label != alpha && !is_forbidden(cost);
      if (chooses &&
          search_.choice.weigh(i, cost - own[i] + search_.loops(i, label, alpha),
                               savings == nullptr ? Cost{0} : savings[label]) != Answer::first) {
        found.push_back(i);
      } else {
        settled |= bit;
      }
    });
  }

  // The sets without alpha whose users all may take it: Note [Label costs].
  void find_sets(std::int32_t alpha) {
    const auto& sets = search_.labels.sets();
    if (sets.empty()) return;
    candidates_.assign(static_cast<std::size_t>(sets.count()), 0);
    for (const std::int32_t i : search_.choice.nodes()) {
      for (const std::int32_t set : sets.of(search_.labels[i])) {
        ++candidates_[static_cast<std::size_t>(set)];
      }
    }
    const auto& of_alpha = sets.of(alpha);
    for (std::int32_t set = 0; set < sets.count(); ++set) {
      const std::int32_t users = sets.users(set);
      if (users == 0 || candidates_[static_cast<std::size_t>(set)] < users) continue;
      if (std::binary_search(of_alpha.begin(), of_alpha.end(), set)) continue;
      search_.choice.add_set(set);
    }
  }

  Search<Cost>& search_;
  std::size_t words_;
  std::vector<std::uint64_t> settled_;  // (nodes, words_): a bit for every cost of a label
  std::vector<std::vector<std::int32_t>> chunks_;
  std::vector<Cost> savings_;             // (labels) where sets have costs
  std::vector<std::int32_t> candidates_;  // (sets): users that may take alpha
};

}  // namespace graphcut::moves
