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

// Note [Kept shares]: the product of an edge is shared by its ends, and a node supplies what its
// shares are more than its second label costs. A cut moves shares until no node supplies but those
// that take their second label. With the shares that the last expansion of a label left, only nodes
// at which, or beside which, a label has changed since can supply. Where none does, the expansion
// gains nothing. Else a cut of the nodes around those is enough: it goes on where nodes that take
// their second label have a share to hand to others. That is the result of a cut of all nodes.
//
// Note [Sets that stay]: then a node demands what its second label costs more than its shares. All
// nodes of a label take alpha at that price at least, in sum. Where it is not below what the sets
// of no label else could save, none is given up, and the cut without sets is the best one with
// them.
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
  bool make(std::size_t move, std::int64_t /*next*/) {
    const auto alpha = static_cast<std::int32_t>(move);
    auto& choice = search_.choice;
    find_savings(alpha);
    if (!expand_nearby(alpha)) expand_all(alpha);
    for (const std::int32_t i : choice.nodes()) {
      if (choice.takes_second(i)) search_.labels.propose(i, alpha);
    }
    choice.clear();
    const bool is_kept = choice.are_shares_kept();
    choice.keep_shares(nullptr, false);
    if (is_kept) known_.refused[move] = search_.labels.changed();
    const bool better = keep_if_better();
    if (better) known_.refused[move].clear();
    known_.seen[move] = is_kept ? known_.now : kNever;
    return better;
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

  // From now on shares are kept, or not: of labels times edges, where that is not too much memory.
  void keep_shares(bool keep) {
    const std::int64_t all = search_.problem.labels * search_.problem.edges;
    if (keep && all <= kMostShares) shares_.resize(count());
    is_keeping_ = keep;
  }

  // What moves have found out about labels.
  struct Known {
    std::vector<std::uint64_t> settled;  // (nodes, words_): a bit for every cost of a label
    std::vector<std::int64_t> changed;   // (nodes): when a label at it or beside it changed last
    std::vector<std::int64_t> seen;      // (labels): when its shares were kept, or kNever
    std::vector<std::vector<std::int32_t>>
        refused;           // (labels): nodes that would supply, but the move was refused
    std::int64_t now = 0;  // how often labels changed
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
  static constexpr std::int64_t kNever = -1;
  static constexpr int kPatience = 4;
  static constexpr std::int64_t kMostShares = std::int64_t{1} << 27;

  void forget() {
    known_.settled.assign(words_ * static_cast<std::size_t>(search_.problem.nodes), 0);
    known_.changed.assign(static_cast<std::size_t>(search_.problem.nodes), 0);
    known_.seen.assign(count(), kNever);
    known_.refused.assign(count(), {});
    known_.now = 0;
  }

  // The shares of a label's expansions; null where none are kept.
  Cost* row(std::size_t label) {
    if (!is_keeping_ || shares_.empty()) return nullptr;
    auto& row = shares_[label];
    if (row.empty()) row.assign(static_cast<std::size_t>(search_.problem.edges), Cost{0});
    return row.data();
  }

  // Expands alpha where a label has changed since the last time; returns false, with nothing done,
  // where too little is known for that.
  bool expand_nearby(std::int32_t alpha) {
    const auto move = static_cast<std::size_t>(alpha);
    if (known_.seen[move] == kNever || row(move) == nullptr) return false;
    find_affected(known_.seen[move]);
    affected_.insert(affected_.end(), known_.refused[move].begin(), known_.refused[move].end());
    search_.table.expansion(alpha, affected_.size() > count() * count() / 4);
    search_.choice.keep_shares(row(move), true);
    const auto weigh_one = [&](std::int32_t i) { return weigh(i, alpha); };
    if (!nearby_.solve(affected_, weigh_one, search_.method)) return false;
    if (search_.labels.sets().empty()) return true;
    ++tries_;
    if (!may_save(alpha)) return true;
    search_.choice.clear();
    ++failures_;
    if (4 * failures_ > 3 * tries_ && failures_ >= kPatience) shares_.clear();
    return false;
  }

  void expand_all(std::int32_t alpha) {
    const auto move = static_cast<std::size_t>(alpha);
    search_.table.expansion(alpha, true);
    find_candidates(alpha);
    find_sets(alpha);
    search_.choice.keep_shares(row(move), known_.seen[move] != kNever);
    search_.choice.solve(search_.method);
  }

  void find_affected(std::int64_t since) {
    affected_.clear();
    for (std::size_t i = 0; i < known_.changed.size(); ++i) {
      if (known_.changed[i] > since) affected_.push_back(static_cast<std::int32_t>(i));
    }
  }

  bool keep_if_better() {
    if (search_.labels.change() >= 0) {
      search_.labels.reject();
      return false;
    }
    ++known_.now;
    search_.each_affected([&](std::int32_t i) {
      std::fill_n(known_.settled.begin() + static_cast<std::ptrdiff_t>(place(i, 0)), words_, 0);
      known_.changed[static_cast<std::size_t>(i)] = known_.now;
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
    search_.choice.add_users();
  }

  // Whether a cut with costs of sets could be a better one than that just made nearby without: see
  // Note [Sets that stay].
  bool may_save(std::int32_t alpha) {
    auto& choice = search_.choice;
    missing_ = savings_;
    kept_.assign(count(), 0);
    for (std::int32_t i = 0; i < static_cast<std::int32_t>(search_.problem.nodes); ++i) {
      const auto label = static_cast<std::size_t>(search_.labels[i]);
      if (!(missing_[label] > Cost{0}) || choice.takes_second(i)) continue;
      kept_[label] = 1;
      if (weigh(i, alpha) == Answer::first) {
        missing_[label] = Cost{0};
      } else {
        missing_[label] -= std::max(Cost{0}, -choice.supply(i));
      }
      choice.drop(i);
    }
    for (std::size_t label = 0; label < count(); ++label) {
      if (kept_[label] != 0 && missing_[label] > Cost{0}) return true;
    }
    return false;
  }

  Search<Cost>& search_;
  std::size_t words_;
  Known known_;
  Nearby<Cost> nearby_;
  std::vector<std::vector<Cost>> shares_;  // (labels, edges); rows are empty before they are needed
  std::vector<std::int32_t> affected_;     // nodes, ascending
  bool is_keeping_ = false;
  std::vector<std::vector<std::int32_t>> chunks_;
  std::vector<Cost> savings_;             // (labels) where sets have costs
  std::vector<std::int32_t> candidates_;  // (sets): users that may take alpha
  std::vector<Cost> missing_;             // (labels): of what users must demand to keep it
  std::vector<std::uint8_t> kept_;        // (labels): whether a node keeps it
  // Moves nearby where sets have costs, and those in vain, as a set might have been given up. Where
  // nearly all are, shares are kept no longer.
  int tries_ = 0, failures_ = 0;
};

}  // namespace graphcut::moves
