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
        words_((static_cast<std::size_t>(search.problem.labels) + 63) / 64),
        settled_(words_ * static_cast<std::size_t>(search.problem.nodes)),
        chunks_(search.problem.nodes < 2 * kChunk || search.threads < 2
                    ? 1
                    : static_cast<std::size_t>(search.problem.nodes / kChunk)) {}

  std::size_t count() const { return static_cast<std::size_t>(search_.problem.labels); }

  // Makes a move where that lowers the energy, and the time then `next`; returns whether it does.
  bool make(std::size_t move, std::int64_t /*next*/) {
    const auto alpha = static_cast<std::int32_t>(move);
    search_.table.expansion(alpha);
    find_candidates(alpha);
    auto& choice = search_.choice;
    choice.solve(search_.method);
    for (const std::int32_t i : choice.nodes()) {
      if (choice.takes_second(i)) search_.labels.propose(i, alpha);
    }
    choice.clear();
    return keep_if_better();
  }

  // Takes at every node the label of `other` (nodes) instead of the present one where that makes
  // the energy lower, as far as a cut tells: V. Lempitsky, C. Rother, S. Roth, A. Blake, "Fusion
  // moves for Markov random field optimization", PAMI 2010. Returns whether it does anywhere.
  bool fuse(const std::vector<std::int32_t>& other) {
    auto& choice = search_.choice;
    search_.table.fusion(other.data());
    for (std::int32_t i = 0; i < static_cast<std::int32_t>(other.size()); ++i) {
      const std::int32_t first = search_.labels[i], second = other[static_cast<std::size_t>(i)];
      if (first == second) continue;
      const Cost difference = search_.labels.unary(second)[i] - search_.labels.own()[i];
      if (choice.weigh(i, difference + search_.loops(i, first, second)) != Answer::first) {
        choice.add(i);
      }
    }
    choice.solve(search_.method);
    search_.table.end_fusion();
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
    if (!search_.labels.improves()) {
      search_.labels.reject();
      return false;
    }
    search_.each_affected([this](std::int32_t i) {
      std::fill_n(settled_.begin() + static_cast<std::ptrdiff_t>(place(i, 0)), words_, 0);
    });
    search_.labels.accept();
    return true;
  }

  std::size_t place(std::int32_t i, std::int32_t label) const {
    return static_cast<std::size_t>(i) * words_ + static_cast<std::size_t>(label) / 64;
  }

  // Nodes that may gain by alpha. Those that are sure not to are passed over from now on, until
  // they or a neighbour change.
  void find_candidates(std::int32_t alpha) {
    const auto count = static_cast<std::int64_t>(chunks_.size());
    parallel_for(count, search_.threads, [&](int /*worker*/, std::int64_t chunk) {
      const auto from = static_cast<std::int32_t>(search_.problem.nodes * chunk / count);
      const auto to = static_cast<std::int32_t>(search_.problem.nodes * (chunk + 1) / count);
      weigh(alpha, from, to, chunks_[static_cast<std::size_t>(chunk)]);
    });
    for (const auto& found : chunks_) {
      for (const std::int32_t i : found) search_.choice.add(i);
    }
  }

  void weigh(std::int32_t alpha, std::int32_t from, std::int32_t to,
             std::vector<std::int32_t>& found) {
    const Cost* const costs = search_.labels.unary(alpha);
    const Cost* const own = search_.labels.own();
    const std::uint64_t bit = std::uint64_t{1} << (alpha % 64);
    found.clear();
    for (std::int32_t i = from; i < to; ++i) {
      std::uint64_t& settled = settled_[place(i, alpha)];
      if ((settled & bit) != 0) continue;
      const std::int32_t label = search_.labels[i];
      const bool chooses = label != alpha && !is_forbidden(costs[i]);
      if (chooses && search_.choice.weigh(i, costs[i] - own[i] + search_.loops(i, label, alpha)) !=
                         Answer::first) {
        found.push_back(i);
      } else {
        settled |= bit;
      }
    }
  }

  Search<Cost>& search_;
  std::size_t words_;
  std::vector<std::uint64_t> settled_;  // (nodes, words_): a bit a label
  std::vector<std::vector<std::int32_t>> chunks_;
};

}  // namespace graphcut::moves
