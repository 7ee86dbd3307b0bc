// Highest-label push-relabel, first phase: the minimum cut without the flow that realises it.
//
//   PushRelabel<float> solver;              // keeps its memory from one solve to the next
//   solver.solve(graph);                    // graph.arcs end as residuals of a pseudoflow
//   bool foreground = solver.in_source_set(i);
//
// Written from: A. Goldberg, R. Tarjan, "A new approach to the maximum-flow problem", JACM 1988;
// B. Cherkassky, A. Goldberg, "On implementing the push-relabel method for the maximum flow
// problem", Algorithmica 1997 (global updates, gaps).
//
// Supply at nodes with excess is pushed towards nodes with demand, along arcs that go down by one
// in `label`, a lower bound of the distance to the nearest demand. Supply that no demand can be
// reached from stays where it is: with it, and without any residual path from supply to demand, the
// nodes that residual arcs reach from supply are the minimal source set.
//
// Note [Direction]: the problem is the same with all arcs reversed and source and sink swapped. The
// solver takes the way round that has the smaller total to push, most of which then arrives; what
// does not arrive is what costs time.
#pragma once

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdint>
#include <limits>
#include <type_traits>
#include <utility>
#include <vector>

#include "maxflow/graph.hpp"

namespace graphcut::maxflow {

template <class R>
class PushRelabel {
 public:
  // Requires non-negative residuals and no path of infinite capacity from source to sink. Returns
  // false, with nothing solved, where sums of capacities may leave the range of R.
  [[nodiscard]] bool solve(Graph<R>& graph) {
    arcs_ = graph.arcs.data();
    first_ = graph.first.data();
    excess_ = graph.excess.data();
    nodes_ = graph.nodes();
    unreached_ = nodes_ + 1;
    prepare();
    if (!choose_direction()) return false;
    push_to_neighbours();
    update_labels();
    while (highest_ > 0) {
      const std::int32_t v = bucket_[highest_];
      if (v == kNone) {
        --highest_;
        continue;
      }
      bucket_[highest_] = next_[v];
      discharge(v);
      if (relabels_ > kUpdateEvery * nodes_) update_labels();
    }
    mark_source_set();
    return true;
  }

  bool in_source_set(std::int32_t i) const { return source_set_[i] != 0; }

 private:
  static constexpr std::int32_t kNone = -1;
  // Relabels per node between two global updates: the fastest of 0.5, 1 and 2 on neighbour graphs.
  static constexpr std::int64_t kUpdateEvery = 2;

  void prepare() {
    const auto n = static_cast<std::size_t>(nodes_);
    std::int32_t degree = 0;
    for (std::int32_t v = 0; v < nodes_; ++v) degree = std::max(degree, first_[v + 1] - first_[v]);
    label_store_.resize(n);
    next_.resize(n);
    queue_.resize(n + 1);
    source_set_.resize(n);
    count_.resize(n + 2);
    bucket_.resize(n + 2);
    near_.resize(static_cast<std::size_t>(degree));
    label_ = label_store_.data();
  }

  // See Note [Direction]. What a node has beyond what its arcs let through never moves; of it only
  // enough is kept that some is left at the end. Sums then stay precise, and finite. Returns
  // whether they stay in range.
  bool choose_direction() {
    Sum supply{0}, demand{0};
    Sum everything{0};  // the finite capacities, once they are asked for
    for (std::int32_t v = 0; v < nodes_; ++v) {
      R& excess = excess_[v];
      if (excess == R{0}) continue;
      const bool supplies = excess > R{0};
      Sum through{0};
      for (std::int32_t a = first_[v]; a != first_[v + 1]; ++a) {
        add(through, supplies ? arcs_[a].residual : arcs_[arcs_[a].sister()].residual);
      }
      auto size = static_cast<Sum>(supplies ? excess : -excess);
      if constexpr (std::is_floating_point_v<R>) {
        if (std::isinf(size) && std::isinf(through)) {  // a maximum flow is at most `everything`
          if (everything == 0) everything = finite_capacities();
          through = everything;
        }
      }
      const Sum enough = std::is_integral_v<R> ? through + 1 : 2 * through;
      if (through > 0 && through < enough && enough < size) {
        size = enough;
        excess = supplies ? static_cast<R>(size) : -static_cast<R>(size);
      }
      add(supplies ? supply : demand, std::min(size, through));
    }
    if constexpr (std::is_floating_point_v<R>) {
      if (!(std::min(supply, demand) <= std::numeric_limits<R>::max() / 4)) return false;
    }
    reversed_ = demand < supply;
    if (reversed_) reverse();
    return true;
  }

  // The sum of the finite capacities, or 1 where there are none.
  double finite_capacities() const {
    double sum = 0;
    for (std::int32_t v = 0; v < nodes_; ++v) {
      if (std::isfinite(excess_[v])) sum += std::abs(excess_[v]);
    }
    for (std::int32_t a = 0; a != first_[nodes_]; ++a) {
      if (std::isfinite(arcs_[a].residual)) sum += arcs_[a].residual;
    }
    return sum > 0 ? sum : 1;
  }

  // Sums of capacities saturate where R is an integer.
  using Sum = std::conditional_t<std::is_floating_point_v<R>, double, std::uint64_t>;
  template <class Term>
  static void add(Sum& sum, Term term) {
    const auto value = static_cast<Sum>(term);
    if constexpr (std::is_integral_v<R>) {
      if (value > std::numeric_limits<Sum>::max() - sum) {
        sum = std::numeric_limits<Sum>::max();
        return;
      }
    }
    sum += value;
  }

  void reverse() {
    for (std::int32_t a = 0; a != first_[nodes_]; ++a) {
      Arc<R>& arc = arcs_[a];
      if (arc.sister() < a) continue;
      Arc<R>& sister = arcs_[arc.sister()];
      std::swap(arc.residual, sister.residual);
      arc.mark_sister(sister.open());
      sister.mark_sister(arc.open());
    }
    for (std::int32_t v = 0; v < nodes_; ++v) excess_[v] = -excess_[v];
  }

  // Moves `flow`, at most the arc's residual, and returns whether that closes the arc.
  bool push(Arc<R>& arc, R flow) {
    Arc<R>& sister = arcs_[arc.sister()];
    arc.residual -= flow;
    sister.residual += flow;
    arc.mark_sister(true);
    if (arc.open()) return false;
    sister.mark_sister(false);
    return true;
  }

  // Much of the flow goes one arc far: sent first, it needs no labels.
  void push_to_neighbours() {
    for (std::int32_t v = 0; v < nodes_; ++v) {
      R excess = excess_[v];
      for (std::int32_t a = first_[v]; excess > R{0} && a != first_[v + 1]; ++a) {
        Arc<R>& arc = arcs_[a];
        R& other = excess_[arc.head];
        if (!(other < R{0}) || !arc.open()) continue;
        const R flow = std::min({excess, arc.residual, static_cast<R>(-other)});
        push(arc, flow);
        other += flow;
        excess -= flow;
        excess_[v] = excess;
      }
    }
  }

  // Sets every label to the true distance, 1 at demand, and refills the buckets.
  void update_labels() {
    relabels_ = 0;
    highest_ = 0;
    gap_ = std::numeric_limits<std::int32_t>::max();
    std::fill(count_.begin(), count_.end(), 0);
    std::fill(bucket_.begin(), bucket_.end(), kNone);
    std::int32_t* const queue = queue_.data();
    std::int32_t end = 0;
    for (std::int32_t v = 0; v < nodes_; ++v) {
      const bool demands = excess_[v] < R{0};
      label_[v] = demands ? 1 : unreached_;
      queue[end] = v;  // kept only where `end` moves on: a branch here would be mispredicted
      end += static_cast<std::int32_t>(demands);
    }
    for (std::int32_t k = 0; k < end; ++k) {
      const std::int32_t v = queue[k];
      const std::int32_t label = label_[v];
      ++count_[label];
      if (excess_[v] > R{0}) activate(v, label);
      for (std::int32_t a = first_[v]; a != first_[v + 1]; ++a) {
        const std::int32_t w = arcs_[a].head;
        const bool fresh = arcs_[a].sister_open() & (label_[w] == unreached_);
        queue[end] = w;
        end += static_cast<std::int32_t>(fresh);
        label_[w] = fresh ? label + 1 : label_[w];
      }
    }
  }

  void activate(std::int32_t v, std::int32_t label) {
    next_[v] = bucket_[label];
    bucket_[label] = v;
    highest_ = std::max(highest_, label);
  }

  // Pushes the excess of v down, raising its label where it must, until it is gone or can reach no
  // demand. Labels of neighbours do not change meanwhile, so they are looked up once.
  void discharge(std::int32_t v) {
    Arc<R>* const arcs = arcs_ + first_[v];
    const std::int32_t degree = first_[v + 1] - first_[v];
    std::int32_t* const near = near_.data();  // labels of the neighbours that open arcs lead to
    std::int32_t least = unreached_;
    for (std::int32_t i = 0; i < degree; ++i) {
      const std::int32_t label = label_[arcs[i].head];
      near[i] = arcs[i].open() ? label : unreached_;
      least = std::min(least, near[i]);
    }
    for (;;) {
      if (least != label_[v] - 1 && !raise(v, least + 1)) return;
      for (std::int32_t from = 0; from < degree; from += 64) {
        std::uint64_t down = 0;
        const std::int32_t some = std::min(64, degree - from);
        for (std::int32_t i = 0; i < some; ++i) {
          down |= static_cast<std::uint64_t>(near[from + i] == least) << i;
        }
        for (; down != 0; down &= down - 1) {
          const std::int32_t i = from + std::countr_zero(down);
          if (push_down(v, arcs[i], least)) near[i] = unreached_;
          if (!(excess_[v] > R{0})) return;
        }
      }
      least = unreached_;
      for (std::int32_t i = 0; i < degree; ++i) least = std::min(least, near[i]);
    }
  }

  // Pushes what fits from v through `arc`, whose head has `label`; returns whether that closes it.
  bool push_down(std::int32_t v, Arc<R>& arc, std::int32_t label) {
    const R flow = std::min(excess_[v], arc.residual);
    R& other = excess_[arc.head];
    const bool was_active = other > R{0};
    excess_[v] -= flow;
    other += flow;
    if (!was_active && other > R{0}) activate(arc.head, label);
    return push(arc, flow);
  }

  // Gives v a higher label. Returns false, and retires v, where no demand can be reached: past
  // `gap_`, a level below which no node is left that could be reached.
  bool raise(std::int32_t v, std::int32_t label) {
    ++relabels_;
    if (--count_[label_[v]] == 0) gap_ = std::min(gap_, label_[v]);
    if (label > nodes_ || label > gap_) {
      label_[v] = unreached_;
      return false;
    }
    if (label == gap_) gap_ = std::numeric_limits<std::int32_t>::max();
    label_[v] = label;
    ++count_[label];
    return true;
  }

  // What supply is left reaches the minimal source set; reversed, the set is what reaches demand.
  void mark_source_set() {
    std::int32_t* const queue = queue_.data();
    std::int32_t end = 0;
    for (std::int32_t v = 0; v < nodes_; ++v) {
      const bool root = reversed_ ? excess_[v] < R{0} : excess_[v] > R{0};
      source_set_[v] = static_cast<std::uint8_t>(root);
      if (root) queue[end++] = v;
    }
    for (std::int32_t k = 0; k < end; ++k) {
      for (std::int32_t a = first_[queue[k]]; a != first_[queue[k] + 1]; ++a) {
        const Arc<R>& arc = arcs_[a];
        if (source_set_[arc.head] != 0 || !(reversed_ ? arc.sister_open() : arc.open())) continue;
        source_set_[arc.head] = 1;
        queue[end++] = arc.head;
      }
    }
  }

  Arc<R>* arcs_ = nullptr;
  const std::int32_t* first_ = nullptr;
  R* excess_ = nullptr;  // supply > 0, demand < 0
  std::int32_t* label_ = nullptr;
  std::int32_t nodes_ = 0;
  std::int32_t unreached_ = 0;  // label of nodes that reach no demand
  std::int32_t highest_ = 0;    // no active node has a higher label
  std::int32_t gap_ = 0;        // a label below `unreached_` that no node has, or the largest int32
  std::int64_t relabels_ = 0;
  bool reversed_ = false;
  std::vector<std::int32_t> label_store_, queue_, near_;
  std::vector<std::int32_t> count_;   // nodes of each label
  std::vector<std::int32_t> bucket_;  // first active node of each label, kNone if there is none
  std::vector<std::int32_t> next_;    // the next one in its bucket
  std::vector<std::uint8_t> source_set_;
};

}  // namespace graphcut::maxflow
