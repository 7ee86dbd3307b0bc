// One cut of one graph, with the memory that is kept between cuts.
#pragma once

#include <cmath>
#include <cstdint>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

#include "maxflow/graph.hpp"
#include "maxflow/method.hpp"

namespace graphcut::maxflow {

// The solvers, each with the memory it keeps from one cut to the next.
template <class R>
class Solvers {
 public:
  Solvers();
  ~Solvers();
  Solvers(const Solvers&) = delete;
  Solvers& operator=(const Solvers&) = delete;

  // Solves `graph`, whose residuals and excess are the capacities, or what flow sent before has
  // left of them, and writes the minimal source set to `side`. Where the solver that was asked for
  // cannot go on, Boykov-Kolmogorov takes over: it sums nothing, so it can take any capacities.
  // Returns how the graph is left.
  Left cut(Graph<R>& graph, Choice choice, bool* side);

 private:
  struct All;  // see solvers.hpp
  std::unique_ptr<All> all_;
};

// Sets `excess` (nodes) to what each node has from the source less what it can give to the sink;
// returns how many have anything.
template <class Capacity, class R>
std::int64_t set_excess(const Capacity* source, const Capacity* sink, std::int32_t nodes,
                        std::vector<R>& excess) {
  excess.resize(static_cast<std::size_t>(nodes));
  std::int64_t terminals = 0;
  for (std::int32_t i = 0; i < nodes; ++i) {
    const R both = static_cast<R>(source[i]) - static_cast<R>(sink[i]);
    excess[static_cast<std::size_t>(i)] = both;
    terminals += static_cast<std::int64_t>(both != R{0});
  }
  return terminals;
}

// Capacity of the terminal arcs in the cut.
template <class Capacity>
Value<Capacity> terminal_cost(const Capacity* source, const Capacity* sink, const bool* side,
                              std::int32_t nodes) {
  Value<Capacity> sums[4] = {};  // that need not wait for each other
  const auto paid = [=](std::int32_t i) {
    const Capacity from_source = source[i], to_sink = sink[i];  // both read: no branch
    return static_cast<Value<Capacity>>(side[i] ? to_sink : from_source);
  };
  std::int32_t i = 0;
  for (; i + 4 <= nodes; i += 4) {
    for (std::int32_t k = 0; k < 4; ++k) sums[k] += paid(i + k);
  }
  for (; i < nodes; ++i) sums[0] += paid(i);
  return sums[0] + sums[1] + sums[2] + sums[3];
}

// A finite cut can still sum up past the largest double.
template <class V>
V checked_value(V value, const std::string& where) {
  if constexpr (std::is_floating_point_v<V>) {
    if (!std::isfinite(value)) {
      throw std::invalid_argument("the value of the minimum cut overflows float64" + where);
    }
  }
  return value;
}

}  // namespace graphcut::maxflow
