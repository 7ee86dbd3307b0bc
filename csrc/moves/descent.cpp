#include "moves/descent.hpp"

#include <algorithm>
#include <cstddef>
#include <limits>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "moves/expansions.hpp"
#include "moves/search.hpp"
#include "moves/steps.hpp"
#include "moves/swaps.hpp"
#include "parallel/interruption.hpp"

namespace graphcut::moves {
namespace {

// Rounds over the moves of a kind. A move that was tried is passed over until something that it
// depends on has changed: no move lowers the energy twice in a row.
template <class Kind>
class Rounds {
 public:
  explicit Rounds(Kind& kind) : kind_(kind), tried_(kind.count(), -1) {}

  // Makes the moves in turn, the first or the last first, until none lowers the energy, in at most
  // `most` rounds; returns how many of these are left.
  std::int64_t run(std::int64_t most, bool last_first = false) {
    for (; most > 0; --most) {
      bool any = false;
      for (std::size_t k = 0; k < tried_.size(); ++k) {
        const std::size_t move = last_first ? tried_.size() - 1 - k : k;
        if (!kind_.is_due(move, tried_[move], now_)) continue;
        any = true;
        make(move);
      }
      if (!any) return most;
    }
    return 0;
  }

  void labels_changed() { ++now_; }

 private:
  void make(std::size_t move) {
    interruption_point();
    if (kind_.make(move, now_ + 1)) ++now_;
    tried_[move] = now_;
  }

  Kind& kind_;
  std::vector<std::int64_t> tried_;  // time of the last try
  std::int64_t now_ = 0;             // how often labels changed
};

// Note [Two ways down]: which local minimum is reached is a matter of the order of the labels. So
// the search starts once more from the same labels, for one round in the reverse order, and a
// fusion move takes the better of the two results place by place. Expansions go on from there.
template <class Cost>
void expand(Search<Cost>& search, std::int64_t max_cycles) {
  constexpr std::int64_t kSecond = 1;
  const std::vector<std::int32_t> start = search.labels.all();
  Expansions<Cost> expansions(search);
  expansions.keep_shares(max_cycles > 1);
  Rounds rounds(expansions);
  const std::int64_t left = rounds.run(max_cycles);
  if (search.problem.labels < 3 || left <= kSecond || search.labels.all() == start) {
    rounds.run(left);
    return;
  }
  const std::vector<std::int32_t> found = search.labels.all();
  auto known = expansions.go_on_from(start);
  expansions.keep_shares(false);
  Rounds(expansions).run(kSecond, true);
  expansions.keep_shares(true);
  const std::vector<std::int32_t> other = search.labels.all();
  expansions.go_back_to(found, std::move(known));
  if (expansions.fuse(other)) rounds.labels_changed();
  rounds.run(left - kSecond);
}

// The label that costs least if all nodes have it; none where no label is allowed to all.
template <class Cost>
std::optional<std::int32_t> one_for_all(const Search<Cost>& search) {
  const auto& unary = search.labels.unary();
  const auto& sets = search.labels.sets();
  std::optional<std::int32_t> best;
  Cost least{0};
  for (std::int32_t label = 0; label < static_cast<std::int32_t>(search.problem.labels); ++label) {
    if (unary.count(label) < search.problem.nodes) continue;
    Cost sum{0};
    bool allowed = true;
    unary.each(label, 0, search.problem.nodes, [&](std::int32_t, std::int32_t, Cost cost) {
      if (is_forbidden(cost)) allowed = false;
      sum += cost;
    });
    if (!allowed) continue;
    for (const std::int32_t set : sets.of(label)) sum += sets.cost(set);
    if (!best || sum < least) {
      best = label;
      least = sum;
    }
  }
  return best;
}

// Note [From one label]: with costs of labels in use, many labels are given up one by one, or one
// is joined by others. Both ways are gone, and the better end is kept.
template <class Cost>
void expand_with_sets(Search<Cost>& search, std::int64_t max_cycles) {
  Expansions<Cost> expansions(search);
  expansions.keep_shares(max_cycles > 1);
  const std::int64_t left = Rounds(expansions).run(max_cycles);
  const std::optional<std::int32_t> one = left > 0 ? one_for_all(search) : std::nullopt;
  if (!one) return;
  const std::vector<std::int32_t> found = search.labels.all();
  const Cost energy = search.labels.energy();
  expansions.go_on_from(std::vector<std::int32_t>(found.size(), *one));
  Rounds(expansions).run(left);
  if (search.labels.energy() >= energy) expansions.go_on_from(found);
}

}  // namespace

template <class Cost>
Cost descend(const Problem<Cost>& problem, Moves moves, std::int64_t max_cycles,
             maxflow::Method method, int threads, std::int64_t* labels) {
  Search<Cost> search(problem, method, threads, labels);
  const std::int64_t most = max_cycles < 0 ? std::numeric_limits<std::int64_t>::max() : max_cycles;
  if (moves == Moves::expansions) {
    search.labels.sets().empty() ? expand(search, most) : expand_with_sets(search, most);
  } else {
    Swaps<Cost> swaps(search);
    Rounds(swaps).run(most);
  }
  std::copy_n(search.labels.labels(), problem.nodes, labels);
  return search.labels.energy();
}

template <class Cost>
struct Steps<Cost>::State {
  Search<Cost> search;
  std::optional<Expansions<Cost>> expansions{};
  std::optional<Swaps<Cost>> swaps{};
};

template <class Cost>
Steps<Cost>::Steps(const Problem<Cost>& problem, maxflow::Method method, int threads,
                   const std::int64_t* start)
    : state_(new State{Search<Cost>(problem, method, threads, start)}) {}

template <class Cost>
Steps<Cost>::~Steps() = default;

template <class Cost>
const std::vector<std::int32_t>& Steps<Cost>::labels() const {
  return state_->search.labels.all();
}

template <class Cost>
bool Steps<Cost>::expand(std::int32_t alpha) {
  auto& [search, expansions, swaps] = *state_;
  if (!expansions) expansions.emplace(search);
  if (!expansions->make(static_cast<std::size_t>(alpha), 0)) return false;
  swaps.reset();
  return true;
}

template <class Cost>
bool Steps<Cost>::exchange(std::int32_t alpha, std::int32_t beta, bool keep_equal) {
  auto& [search, expansions, swaps] = *state_;
  if (!swaps) swaps.emplace(search);
  const int change = swaps->choose(alpha, beta);
  if (change < 0 || (change == 0 && keep_equal)) {
    swaps->accept(0);
    expansions.reset();
  } else {
    swaps->reject();
  }
  return change < 0;
}

template class Steps<double>;
template class Steps<std::int64_t>;
template double descend(const Problem<double>&, Moves, std::int64_t, maxflow::Method, int,
                        std::int64_t*);
template std::int64_t descend(const Problem<std::int64_t>&, Moves, std::int64_t, maxflow::Method,
                              int, std::int64_t*);

}  // namespace graphcut::moves
