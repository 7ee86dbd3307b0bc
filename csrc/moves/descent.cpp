#include "moves/descent.hpp"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <iterator>
#include <type_traits>
#include <vector>

#include "moves/adjacency.hpp"
#include "moves/choice.hpp"
#include "moves/labelling.hpp"
#include "moves/table.hpp"
#include "parallel/parallel_for.hpp"

namespace graphcut::moves {
namespace {

template <class Cost>
bool is_forbidden(Cost cost) {
  if constexpr (std::is_floating_point_v<Cost>) return std::isinf(cost);
  return false;
}

// What all moves of a problem share.
template <class Cost>
struct State {
  State(const Problem<Cost>& given, maxflow::Method method_asked, int threads_given,
        const std::int64_t* start)
      : problem(given),
        adjacency(given),
        labels(given, adjacency, start),
        table(given),
        choice(adjacency, labels, table, given.nodes),
        method(method_asked == maxflow::Method::automatic ? maxflow::Method::boykov_kolmogorov
                                                          : method_asked),
        threads(threads_given) {}

  // What the choice between two labels at node i adds where i is joined to itself.
  Cost loops(std::int32_t i, std::int32_t first, std::int32_t second) const {
    return adjacency.loop_weight(i) *
           (problem.between(second, second) - problem.between(first, first));
  }

  // Calls act(j) for every node whose costs of a label depend on labels that are being changed.
  template <class Act>
  void each_affected(Act&& act) const {
    for (const std::int32_t i : labels.changed()) {
      act(i);
      for (auto link = adjacency.begin(i); link != adjacency.end(i); ++link) act(link->node());
    }
  }

  const Problem<Cost>& problem;
  Adjacency<Cost> adjacency;
  Labelling<Cost> labels;
  Table<Cost> table;
  Choice<Cost> choice;
  maxflow::Method method;
  int threads;
};

template <class Cost>
class Expansions {
 public:
  explicit Expansions(State<Cost>& state)
      : state_(state),
        words_((static_cast<std::size_t>(state.problem.labels) + 63) / 64),
        settled_(words_ * static_cast<std::size_t>(state.problem.nodes)),
        chunks_(state.problem.nodes < 2 * kChunk || state.threads < 2
                    ? 1
                    : static_cast<std::size_t>(state.problem.nodes / kChunk)) {}

  std::size_t count() const { return static_cast<std::size_t>(state_.problem.labels); }

  // Makes a move where that lowers the energy, and the time then `next`; returns whether it does.
  bool make(std::size_t move, std::int64_t /*next*/) {
    const auto alpha = static_cast<std::int32_t>(move);
    state_.table.expansion(alpha);
    find_candidates(alpha);
    auto& choice = state_.choice;
    choice.solve(state_.method);
    for (const std::int32_t i : choice.nodes()) {
      if (choice.takes_second(i)) state_.labels.propose(i, alpha);
    }
    choice.clear();
    if (!state_.labels.improves()) {
      state_.labels.reject();
      return false;
    }
    state_.each_affected([this](std::int32_t i) {
      std::fill_n(settled_.begin() + static_cast<std::ptrdiff_t>(place(i, 0)), words_, 0);
    });
    state_.labels.accept();
    return true;
  }

  // Whether a move may lower the energy at time `now` that could not at time `since`.
  bool is_due(std::size_t /*move*/, std::int64_t since, std::int64_t now) const {
    return since < now;
  }

 private:
  static constexpr std::int64_t kChunk = 1 << 14;

  std::size_t place(std::int32_t i, std::int32_t label) const {
    return static_cast<std::size_t>(i) * words_ + static_cast<std::size_t>(label) / 64;
  }

  // Nodes that may gain by alpha. Those that are sure not to are passed over from now on, until
  // they or a neighbour change.
  void find_candidates(std::int32_t alpha) {
    const auto count = static_cast<std::int64_t>(chunks_.size());
    parallel_for(count, state_.threads, [&](int /*worker*/, std::int64_t chunk) {
      const auto from = static_cast<std::int32_t>(state_.problem.nodes * chunk / count);
      const auto to = static_cast<std::int32_t>(state_.problem.nodes * (chunk + 1) / count);
      weigh(alpha, from, to, chunks_[static_cast<std::size_t>(chunk)]);
    });
    for (const auto& found : chunks_) {
      for (const std::int32_t i : found) state_.choice.add(i);
    }
  }

  void weigh(std::int32_t alpha, std::int32_t from, std::int32_t to,
             std::vector<std::int32_t>& found) {
    using Answer = typename Choice<Cost>::State;
    const Cost* const costs = state_.labels.unary(alpha);
    const Cost* const own = state_.labels.own();
    const std::uint64_t bit = std::uint64_t{1} << (alpha % 64);
    found.clear();
    for (std::int32_t i = from; i < to; ++i) {
      std::uint64_t& settled = settled_[place(i, alpha)];
      if ((settled & bit) != 0) continue;
      const std::int32_t label = state_.labels[i];
      const bool chooses = label != alpha && !is_forbidden(costs[i]);
      if (chooses && state_.choice.weigh(i, costs[i] - own[i] + state_.loops(i, label, alpha)) !=
                         Answer::first) {
        found.push_back(i);
      } else {
        settled |= bit;
      }
    }
  }

  State<Cost>& state_;
  std::size_t words_;
  std::vector<std::uint64_t> settled_;  // (nodes, words_): a bit a label
  std::vector<std::vector<std::int32_t>> chunks_;
};

// The swap of a pair depends on the nodes of its labels and on the labels of their neighbours.
template <class Cost>
class Swaps {
 public:
  explicit Swaps(State<Cost>& state)
      : state_(state),
        members_(static_cast<std::size_t>(state.problem.labels)),
        touched_(members_.size(), 0) {
    const auto labels = static_cast<std::int32_t>(state.problem.labels);
    for (std::int32_t a = 0; a < labels; ++a) {
      for (std::int32_t b = a + 1; b < labels; ++b) pairs_.push_back({a, b});
    }
    for (std::int32_t i = 0; i < state.problem.nodes; ++i) of(state.labels[i]).push_back(i);
  }

  std::size_t count() const { return pairs_.size(); }

  bool make(std::size_t move, std::int64_t next) {
    const auto [alpha, beta] = pairs_[move];
    if (of(alpha).empty() && of(beta).empty()) return false;
    both_.clear();
    std::merge(of(alpha).begin(), of(alpha).end(), of(beta).begin(), of(beta).end(),
               std::back_inserter(both_));
    state_.table.swap(alpha, beta);
    auto& choice = state_.choice;
    for (const std::int32_t i : both_) weigh(i, alpha, beta);
    choice.solve(state_.method);
    for (const std::int32_t i : both_) {
      const std::int32_t label = choice.takes_second(i) ? beta : alpha;
      if (label != state_.labels[i]) state_.labels.propose(i, label);
    }
    const bool improves = state_.labels.improves();
    if (improves) {
      touch(alpha, beta, next);
      state_.labels.accept();
      split(alpha, beta);
    } else {
      state_.labels.reject();
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
    const Cost first = state_.labels.unary(alpha)[i], second = state_.labels.unary(beta)[i];
    auto& choice = state_.choice;
    if (is_forbidden(first) || is_forbidden(second)) {
      if (state_.labels[i] == beta) choice.add_second(i);
    } else if (choice.weigh(i, second - first + state_.loops(i, alpha, beta)) !=
               Choice<Cost>::State::first) {
      choice.add(i);
    }
  }

  void touch(std::int32_t alpha, std::int32_t beta, std::int64_t next) {
    touched_[place(alpha)] = touched_[place(beta)] = next;
    state_.each_affected([&](std::int32_t i) { touched_[place(state_.labels[i])] = next; });
  }

  void split(std::int32_t alpha, std::int32_t beta) {
    of(alpha).clear();
    of(beta).clear();
    for (const std::int32_t i : both_) of(state_.labels[i]).push_back(i);
  }

  State<Cost>& state_;
  std::vector<Pair> pairs_;
  std::vector<std::vector<std::int32_t>> members_;  // nodes of every label, ascending
  std::vector<std::int64_t> touched_;  // time when a node of a label, or next to one, changed
  std::vector<std::int32_t> both_;
};

// A move that failed, or was made, is passed over while it can lower nothing. So is one that
// cannot
template <class Kind>
void make_all(Kind&& kind, std::int64_t max_cycles) {
  const std::size_t count = kind.count();
  std::vector<std::int64_t> tried(count, -1);  // time of the last try
  std::int64_t now = 0;
  for (std::int64_t cycle = 0; cycle != max_cycles; ++cycle) {
    bool any = false;
    for (std::size_t move = 0; move < count; ++move) {
      if (!kind.is_due(move, tried[move], now)) continue;
      any = true;
      if (kind.make(move, now + 1)) ++now;
      tried[move] = now;
    }
    if (!any) return;
  }
}

}  // namespace

template <class Cost>
Cost descend(const Problem<Cost>& problem, Moves moves, std::int64_t max_cycles,
             maxflow::Method method, int threads, std::int64_t* labels) {
  State<Cost> state(problem, method, threads, labels);
  if (moves == Moves::expansions) {
    make_all(Expansions<Cost>(state), max_cycles);
  } else {
    make_all(Swaps<Cost>(state), max_cycles);
  }
  std::copy_n(state.labels.labels(), problem.nodes, labels);
  return state.labels.energy();
}

template double descend(const Problem<double>&, Moves, std::int64_t, maxflow::Method, int,
                        std::int64_t*);
template std::int64_t descend(const Problem<std::int64_t>&, Moves, std::int64_t, maxflow::Method,
                              int, std::int64_t*);

}  // namespace graphcut::moves
