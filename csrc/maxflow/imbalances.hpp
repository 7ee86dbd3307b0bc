// What the nodes of a graph supply and demand, made ready for a solver that sums what it moves.
//
// Positive excess is supply, negative excess demand.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <type_traits>
#include <utility>

#include "maxflow/graph.hpp"

namespace graphcut::maxflow {

// The problem is the same with all arcs reversed and source and sink swapped.
enum class Turn : std::uint8_t {
  when_needed,  // only where sums of the supply may leave the range of R
  when_smaller  // to have the smaller total to push, most of which then arrives
};

template <class R>
class Imbalances {
 public:
  explicit Imbalances(Graph<R>& graph)
      : arcs_(graph.arcs.data()),
        first_(graph.first.data()),
        excess_(graph.excess.data()),
        nodes_(graph.nodes()),
        bounded_(graph.bounded) {}

  // Turns the graph round as asked. Requires non-negative residuals and no path of infinite
  // capacity from source to sink. Returns false, with nothing changed that matters to a minimum
  // cut, where sums of supply may leave the range of R either way.
  [[nodiscard]] bool arrange(Turn turn) {
    const bool smaller = turn == Turn::when_smaller;
    if (!smaller && (bounded_ || in_range(everything()))) return true;
    const Sum typical = smaller ? typical_through() : Sum{0};
    Totals all, counted;
    for (std::int32_t v = 0; v < nodes_; ++v) {
      const R excess = excess_[v];
      const auto size = static_cast<Sum>(excess < R{0} ? -excess : excess);
      add(excess < R{0} ? all.demand : all.supply, size);
      // A node pushes no more than its arcs let through. So every node counts with at most what
      // the arcs of a typical node let through.
      add(excess < R{0} ? counted.demand : counted.supply, std::min(size, typical));
    }
    const bool reversed = smaller ? counted.demand < counted.supply : !in_range(all.supply);
    if (in_range(reversed ? all.demand : all.supply)) {
      if (reversed) reverse();
      return true;
    }
    const Totals kept = shed();
    if (!in_range(std::min(kept.supply, kept.demand))) return false;
    if (kept.demand < kept.supply) reverse();
    return true;
  }

  // Whether source and sink are swapped.
  bool reversed() const { return reversed_; }

  // Sends flow from supply to demand next to it. Such flow needs no search.
  void push_to_neighbours() {
    for (std::int32_t v = 0; v < nodes_; ++v) {
      R excess = excess_[v];
      for (std::int32_t a = first_[v]; excess > R{0} && a != first_[v + 1]; ++a) {
        Arc<R>& arc = arcs_[a];
        R& other = excess_[arc.head()];
        if (!(other < R{0}) || !arc.open()) continue;
        const R flow = std::min({excess, arc.residual, static_cast<R>(-other)});
        push(arcs_, arc, flow);
        other += flow;
        excess -= flow;
        excess_[v] = excess;
      }
    }
  }

 private:
  // Sums of capacities saturate where R is an integer.
  using Sum = std::conditional_t<std::is_floating_point_v<R>, double, std::uint64_t>;
  static void add(Sum& sum, Sum value) {
    if constexpr (std::is_integral_v<R>) {
      if (value > std::numeric_limits<Sum>::max() - sum) {
        sum = std::numeric_limits<Sum>::max();
        return;
      }
    }
    sum += value;
  }
  struct Totals {
    Sum supply{0}, demand{0};
  };

  // Supply and demand together.
  Sum everything() const {
    Sum sums[4] = {};  // that need not wait for each other
    std::int32_t v = 0;
    const auto size = [this](std::int32_t i) {
      const R excess = excess_[i];
      return static_cast<Sum>(excess < R{0} ? -excess : excess);
    };
    for (; v + 4 <= nodes_; v += 4) {
      for (std::int32_t k = 0; k < 4; ++k) add(sums[k], size(v + k));
    }
    for (; v < nodes_; ++v) add(sums[0], size(v));
    for (int k = 1; k < 4; ++k) add(sums[0], sums[k]);
    return sums[0];
  }

  bool in_range(Sum total) const {
    return bounded_ || total <= static_cast<Sum>(std::numeric_limits<R>::max() / 4);
  }

  Sum typical_through() const {
    const std::int32_t step = (nodes_ / 64) | 1;  // several columns of a picture
    Sum sum{0}, nodes{0};
    for (std::int32_t v = 0; v < nodes_; v += step, ++nodes) {
      for (std::int32_t a = first_[v]; a != first_[v + 1]; ++a) {
        add(sum, static_cast<Sum>(arcs_[a].residual));
      }
    }
    return sum / std::max(nodes, Sum{1});
  }

  // Cuts excess down to what may move. The arcs of a node limit that; more stays at the node
  // whatever is pushed. A little more is kept, so that the node ends with excess as it would have.
  // Returns the totals of what may move.
  Totals shed() {
    Totals kept;
    Sum everything{0};  // the finite capacities, once they are asked for
    for (std::int32_t v = 0; v < nodes_; ++v) {
      R& excess = excess_[v];
      if (excess == R{0}) continue;
      const bool supplies = excess > R{0};
      Sum through{0};
      for (std::int32_t a = first_[v]; a != first_[v + 1]; ++a) {
        const Arc<R>& arc = arcs_[a];
        add(through, static_cast<Sum>(supplies ? arc.residual : arcs_[arc.sister].residual));
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
      add(supplies ? kept.supply : kept.demand, std::min(size, through));
    }
    return kept;
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

  void reverse() {
    reversed_ = true;
    for (std::int32_t a = 0; a != first_[nodes_]; ++a) {
      Arc<R>& arc = arcs_[a];
      Arc<R>& sister = arcs_[arc.sister];
      if (arc.residual == sister.residual || arc.sister < a) continue;
      std::swap(arc.residual, sister.residual);
      arc.mark(arc.sister_open(), arc.open());
      sister.mark(sister.sister_open(), sister.open());
    }
    for (std::int32_t v = 0; v < nodes_; ++v) excess_[v] = -excess_[v];
  }

  Arc<R>* arcs_;
  const std::int32_t* first_;
  R* excess_;
  std::int32_t nodes_;
  bool bounded_;
  bool reversed_ = false;
};

}  // namespace graphcut::maxflow
