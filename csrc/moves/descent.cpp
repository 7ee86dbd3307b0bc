#include "moves/descent.hpp"

#include <algorithm>
#include <cstddef>
#include <limits>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "moves/expansions.hpp"
#include "moves/regions.hpp"
#include "moves/search.hpp"
#include "moves/steps.hpp"
#include "moves/swaps.hpp"
#include "parallel/interruption.hpp"

namespace graphcut::moves {
namespace {

constexpr std::int64_t kNoLimit = std::numeric_limits<std::int64_t>::max();  // of rounds

// Rounds over the moves of a kind. A move that was tried is passed over until something that it
// depends on has changed: no move lowers the energy twice in a row.
template <class Kind>
class Rounds {
 public:
  // Of all moves, or of those but one.
  explicit Rounds(Kind& kind, std::int64_t passed_over = -1)
      : kind_(kind), passed_over_(passed_over), tried_(kind.count(), -1) {}

  // Makes the moves in turn, the first or the last first, until none lowers the energy, in at most
  // `most` rounds; returns how many of these are left.
  std::int64_t run(std::int64_t most, bool last_first = false) {
    for (; most > 0; --most) {
      bool any = false;
      for (std::size_t k = 0; k < tried_.size(); ++k) {
        const std::size_t move = last_first ? tried_.size() - 1 - k : k;
        if (static_cast<std::int64_t>(move) == passed_over_) continue;
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
  std::int64_t passed_over_;
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

// Goes on from other labels, until no expansion lowers the energy; goes back where that ends above
// the present labels. Returns whether it ends below them.
template <class Cost>
bool try_from(Search<Cost>& search, Expansions<Cost>& expansions,
              const std::vector<std::int32_t>& labels, std::int64_t most,
              std::int64_t passed_over = -1) {
  const std::vector<std::int32_t> found = search.labels.all();
  const Cost energy = search.labels.energy();
  expansions.go_on_from(labels);
  Rounds(expansions, passed_over).run(most);
  if (search.labels.energy() < energy) return true;
  expansions.go_on_from(found);
  return false;
}

// The present labels, but for one, whose nodes have the cheapest other one in use; none where a
// node may have none.
template <class Cost>
std::vector<std::int32_t> without(const Search<Cost>& search, std::int32_t label,
                                  const std::vector<std::int32_t>& in_use) {
  std::vector<std::int32_t> labels = search.labels.all();
  for (std::int32_t i = 0; i < static_cast<std::int32_t>(labels.size()); ++i) {
    if (search.labels[i] != label) continue;
    const Cost* least = nullptr;
    for (const std::int32_t other : in_use) {
      const Cost* const cost = other == label ? nullptr : search.labels.unary().find(i, other);
      if (cost == nullptr || (least != nullptr && *cost >= *least)) continue;
      least = cost;
      labels[static_cast<std::size_t>(i)] = other;
    }
    if (least == nullptr) return {};
  }
  return labels;
}

// Those of the fewest nodes first.
template <class Cost>
std::vector<std::int32_t> labels_in_use(const Search<Cost>& search) {
  std::vector<std::int32_t> labels, nodes(static_cast<std::size_t>(search.problem.labels), 0);
  for (const std::int32_t label : search.labels.all()) {
    if (nodes[static_cast<std::size_t>(label)]++ == 0) labels.push_back(label);
  }
  std::sort(labels.begin(), labels.end(), [&](std::int32_t a, std::int32_t b) {
    const std::int32_t of_a = nodes[static_cast<std::size_t>(a)];
    const std::int32_t of_b = nodes[static_cast<std::size_t>(b)];
    return of_a != of_b ? of_a < of_b : a < b;
  });
  return labels;
}

// Tries to do without labels in use, up to `tries` times; returns whether it does without any.
template <class Cost>
bool give_labels_up(Search<Cost>& search, Expansions<Cost>& expansions, std::int64_t tries) {
  constexpr std::int64_t kRounds = 2;
  bool any = false;
  for (bool better = true; better;) {
    better = false;
    const std::vector<std::int32_t> in_use = labels_in_use(search);
    if (in_use.size() == 1) break;
    for (auto label = in_use.begin(); label != in_use.end() && !better && tries > 0; ++label) {
      const std::vector<std::int32_t> others = without(search, *label, in_use);
      if (others.empty()) continue;
      better = try_from(search, expansions, others, kRounds, *label);
      --tries;
    }
    any |= better;
  }
  return any;
}

// Note [From regions]: with costs of labels in use, which labels are left depends on the way, and
// no single expansion makes good for it. So the search starts from labels that are found without
// those costs. Their regions are the nodes of a small problem, where there is time to start from
// two labellings, and to try to do without every label. Expansions of all nodes go on from its
// labels.
template <class Cost>
std::vector<std::int32_t> by_regions(const Search<Cost>& search,
                                     const std::vector<std::int32_t>& start) {
  const Problem<Cost>& all = search.problem;
  std::vector<std::int32_t> found;
  {
    Problem<Cost> plain = all;
    plain.sets = 0;
    const std::vector<std::int64_t> labels(start.begin(), start.end());
    Search<Cost> free(plain, search.method, search.threads, labels.data());
    expand(free, kNoLimit);
    found = free.labels.all();
  }
  const Regions<Cost> regions(all, found);
  const Problem<Cost>& small = regions.problem();
  Search<Cost> few(small, search.method, search.threads, regions.cheapest().data());
  Expansions<Cost> expansions(few);
  expansions.keep_shares(true);
  Rounds(expansions).run(kNoLimit);
  if (const auto one = one_for_all(few)) {
    const std::vector<std::int32_t> same(static_cast<std::size_t>(small.nodes), *one);
    try_from(few, expansions, same, kNoLimit);
  }
  // For the time of a round over all nodes.
  give_labels_up(few, expansions, (all.nodes + all.edges) / (small.nodes + small.edges) / 2);
  return regions.spread(few.labels.all());
}

// Whether every node has the label that costs least at the node.
template <class Cost>
bool is_cheapest(const Search<Cost>& search) {
  const Problem<Cost>& problem = search.problem;
  for (std::int64_t i = 0, k = 0; i < problem.nodes; ++i) {
    for (std::int64_t column = 0; column < problem.columns; ++column, ++k) {
      if (problem.candidates != nullptr && problem.candidates[k] < 0) continue;
      if (problem.unary[k] < search.labels.own()[i]) return false;
    }
  }
  return true;
}

// From the cheapest labels the way by regions is gone alone, as far as that leads down. Other
// labels that are given to start from may be good ones, and both ways are gone.
template <class Cost>
void expand_with_sets(Search<Cost>& search, std::int64_t max_cycles) {
  if (search.problem.nodes == 0) return;
  const std::vector<std::int32_t> start = search.labels.all();
  const bool starts_anew = max_cycles == kNoLimit && is_cheapest(search);
  Expansions<Cost> expansions(search);
  expansions.keep_shares(max_cycles > 1);
  if (!starts_anew || !try_from(search, expansions, by_regions(search, start), kNoLimit)) {
    Rounds(expansions).run(max_cycles);
    if (max_cycles != kNoLimit) return;
    if (!starts_anew) try_from(search, expansions, by_regions(search, start), kNoLimit);
  }
  while (give_labels_up(search, expansions, 1)) Rounds(expansions).run(kNoLimit);
}

}  // namespace

template <class Cost>
Cost descend(const Problem<Cost>& problem, Moves moves, std::int64_t max_cycles,
             maxflow::Method method, int threads, std::int64_t* labels) {
  Search<Cost> search(problem, method, threads, labels);
  const std::int64_t most = max_cycles < 0 ? kNoLimit : max_cycles;
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
