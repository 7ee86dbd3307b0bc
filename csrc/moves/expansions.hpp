// Expansions: every node keeps its label or takes alpha.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <utility>
#include <vector>

#include "moves/choice.hpp"
#include "moves/nearby.hpp"
#include "moves/search.hpp"
#include "parallel/parallel_for.hpp"

namespace graphcut::moves {

template <class Cost>
class Expansions {
 public:
  explicit Expansions(Search<Cost>& search)
      : search_(search),
        words_((static_cast<std::size_t>(search.labels.unary().places()) + 63) / 64),
        nearby_(search.choice, search.problem.nodes),
        chunks_(search.problem.nodes < 2 * kChunk || search.threads < 2
                    ? 1
                    : static_cast<std::size_t>(search.problem.nodes / kChunk)) {
    forget();
  }

  std::size_t count() const { return static_cast<std::size_t>(search_.problem.labels); }

  // Makes a move where that lowers the energy, and the time then `next`; returns whether it does.
  // Unless it is to be `thorough`, it may miss some of the nodes that gain.
  bool make(std::size_t move, std::int64_t /*next*/, bool thorough) {
    const auto alpha = static_cast<std::int32_t>(move);
    auto& choice = search_.choice;
    is_thorough_ = thorough || !suits_nearby(move);
    search_.table.expansion(alpha, is_thorough_);
    if (is_thorough_) {
      find_savings(alpha);
      find_candidates(alpha);
      find_sets(alpha);
      choice.solve(search_.method);
    } else {
      nearby_.solve(
          known_.changes.begin() + static_cast<std::ptrdiff_t>(known_.seen[move]),
          known_.changes.end(), [&](std::int32_t i) { return weigh(i, alpha); }, search_.method);
    }
    for (const std::int32_t i : choice.nodes()) {
      if (choice.takes_second(i)) search_.labels.propose(i, alpha);
    }
    choice.clear();
    const bool better = keep_if_better();
    known_.seen[move] = known_.changes.size();
    return better;
  }
  // Whether the last move missed nothing.
  bool was_thorough() const { return is_thorough_; }

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

  // What moves have found out about labels.
  struct Known {
    std::vector<std::uint64_t> settled;  // (nodes, words_): a bit for every cost of a label
    std::vector<std::int32_t> changes;   // nodes beside which, or at which, labels changed, in turn
    std::vector<std::size_t> seen;       // (labels): changes before its last expansion, or kNever
  };

  // Goes on from other labels, of which nothing is known; returns what was known of those before.
  Known go_on_from(const std::vector<std::int32_t>& labels) {
    search_.labels.set(labels);
    Known before = std::move(known_);
    forget();
    return before;
  }
  // Goes back to labels of which that much is known.
  void go_back_to(const std::vector<std::int32_t>& labels, Known known) {
    search_.labels.set(labels);
    known_ = std::move(known);
  }

  // Whether a move may lower the energy at time `now` that could not at time `since`.
  bool is_due(std::size_t /*move*/, std::int64_t since, std::int64_t now) const {
    return since < now;
  }

 private:
  using Answer = typename Choice<Cost>::State;
  static constexpr std::int64_t kChunk = 1 << 14;
  static constexpr std::size_t kNever = std::numeric_limits<std::size_t>::max();

  void forget() {
    known_.settled.assign(words_ * static_cast<std::size_t>(search_.problem.nodes), 0);
    forget_changes();
  }
  void forget_changes() {
    known_.changes.clear();
    known_.seen.assign(count(), kNever);
  }

  // Whether it is known where labels have changed since this one was last expanded. Costs of sets
  // change everywhere.
  bool suits_nearby(std::size_t move) const {
    return known_.seen[move] != kNever && search_.labels.sets().empty();
  }
  // That are worth to be remembered.
  std::size_t most_changes() const { return static_cast<std::size_t>(search_.problem.nodes); }

  bool keep_if_better() {
    if (search_.labels.change() >= 0) {
      search_.labels.reject();
      return false;
    }
    auto& changes = known_.changes;
    search_.each_affected([&](std::int32_t i) {
      std::fill_n(known_.settled.begin() + static_cast<std::ptrdiff_t>(place(i, 0)), words_, 0);
      if (changes.size() <= most_changes()) changes.push_back(i);
    });
    if (changes.size() > most_changes()) forget_changes();
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
    found.clear();
    search_.labels.unary().each(alpha, from, to, [&](std::int32_t i, std::int32_t at, Cost cost) {
      if (weigh(i, alpha, at, cost) != Answer::first) found.push_back(i);
    });
  }
  Answer weigh(std::int32_t i, std::int32_t alpha) {
    const auto [at, cost] = search_.labels.unary().find_place(i, alpha);
    return cost == nullptr ? Answer::first : weigh(i, alpha, at, *cost);
  }
  // `at`, `cost`: those of alpha at node i.
  Answer weigh(std::int32_t i, std::int32_t alpha, std::int32_t at, Cost cost) {
    std::uint64_t& settled = known_.settled[place(i, at)];
    const std::uint64_t bit = std::uint64_t{1} << (at % 64);
    if ((settled & bit) != 0) return Answer::first;
    const std::int32_t label = search_.labels[i];
    Answer answer = Answer::first;
    if (label != alpha && !is_forbidden(cost)) {
      const Cost difference = cost - search_.labels.own()[i] + search_.loops(i, label, alpha);
      const Cost saved = savings_.empty() ? Cost{0} : savings_[static_cast<std::size_t>(label)];
      answer = search_.choice.weigh(i, difference, saved);
    }
    if (answer == Answer::first) settled |= bit;
    return answer;
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
  Known known_;
  Nearby<Cost> nearby_;
  bool is_thorough_ = true;
  std::vector<std::vector<std::int32_t>> chunks_;
  std::vector<Cost> savings_;             // (labels) where sets have costs
  std::vector<std::int32_t> candidates_;  // (sets): users that may take alpha
};

}  // namespace graphcut::moves
