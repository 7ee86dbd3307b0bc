// One minimum cut by one thread block: checks, units, solver, source set and value.
#pragma once

#include <cmath>
#include <cstdint>
#include <type_traits>

#include "maxflow/block.hpp"
#include "maxflow/block_certificate.hpp"
#include "maxflow/block_push_relabel.hpp"
#include "maxflow/block_topology.hpp"
#include "maxflow/fixed_point.hpp"
#include "maxflow/graph.hpp"

namespace graphcut::maxflow {

enum class Status : std::uint8_t {
  solved = 0,
  refused = 1,    // the host refuses this problem, or it alone can solve it
  wrong = 2,      // the certificate does not hold, which is a bug
  unfinished = 3  // there were more rounds than there can be, which is a bug, or than was asked for
};

// Stands for the value of a cut that was not found: NaN, or -1 of integers.
template <class Capacity>
GRAPHCUT_BLOCK Value<Capacity> no_value() {
  if constexpr (std::is_integral_v<Capacity>) {
    return -1;
  } else {
    return static_cast<double>(NAN);
  }
}

template <class Capacity>
struct CutProblem {
  using W = Residual<Capacity>;
  const std::int32_t* first;  // these three as in Topology
  const Link* links;
  const W* capacity;
  const Capacity* source;  // (nodes)
  const Capacity* sink;    // (nodes)
  std::int32_t nodes, edges;
};

template <class Capacity>
struct CutAnswer {
  Value<Capacity> value;
  Status status;
  Work work;
};

// Memory of a cut, aligned to 8 bytes.
struct CutMemory {
  static constexpr std::int64_t kPerNode = 2 * 8 + 3 * 4, kPerEdge = 8;
  static GRAPHCUT_HD std::int64_t node_bytes(std::int64_t nodes) {
    return (kPerNode * nodes + 8 + 7) / 8 * 8;
  }

  char* nodes;  // node_bytes
  char* flow;   // kPerEdge * edges

  template <class R>
  GRAPHCUT_BLOCK State<R> state(std::int64_t n) const {
    State<R> state;
    state.excess = reinterpret_cast<R*>(nodes);
    state.incoming = reinterpret_cast<R*>(nodes + 8 * n);
    state.label = reinterpret_cast<std::int32_t*>(nodes + 16 * n);
    state.next = state.label + n;
    state.list = state.next + n;
    state.count = state.list + n;
    state.flow = reinterpret_cast<R*>(flow);
    return state;
  }
};

template <class Block, class Capacity>
class BlockCut {
 public:
  using W = Residual<Capacity>;
  using Answer = CutAnswer<Capacity>;

  GRAPHCUT_BLOCK BlockCut(Block& block, const CutProblem<Capacity>& problem,
                          const CutMemory& memory, std::int64_t most_rounds)
      : block_(block),
        problem_(problem),
        memory_(memory),
        most_rounds_(most_rounds),
        through_(reinterpret_cast<double*>(memory.nodes)) {}

  // Writes the minimal source set to `side` (nodes); no node is in it where there is no solution.
  GRAPHCUT_BLOCK Answer solve(bool certify, bool* side) {
    Answer answer{};
    answer.status = Status::refused;
    int exponent = 0;
    if (measure()) {
      if (find_exponent<std::int32_t>(most_, slack_, kIntegral, exponent) &&
          nothing_rounded(exponent)) {
        answer = solve_in<std::int32_t>(exponent, certify, side);
      } else if (find_exponent<std::int64_t>(most_, slack_, kIntegral, exponent)) {
        answer = solve_in<std::int64_t>(exponent, certify, side);
      }
    }
    if (answer.status == Status::solved) return answer;
    block_.each(problem_.nodes, [side](std::int64_t v) { side[v] = false; });
    answer.value = no_value<Capacity>();
    return answer;
  }

 private:
  static constexpr bool kIntegral = std::is_integral_v<Capacity>;
  using Terminal = std::conditional_t<kIntegral, std::int64_t, double>;

  // What the source gives a node less what the sink takes: one of them passes the node by.
  GRAPHCUT_BLOCK Terminal net(std::int64_t v) const {
    return static_cast<Terminal>(problem_.source[v]) - static_cast<Terminal>(problem_.sink[v]);
  }
  static GRAPHCUT_BLOCK double size(Terminal net) {
    return static_cast<double>(net < Terminal{0} ? -net : net);
  }
  static GRAPHCUT_BLOCK double finite_or_0(double x) { return x < HUGE_VAL ? x : 0; }

  // Looks at the capacities: sets what the units are chosen by. False where they are refused.
  GRAPHCUT_BLOCK bool measure() {
    const std::int64_t n = problem_.nodes;
    const bool bad = block_.any(n, [this](std::int64_t v) {
      double through = 0;
      for (std::int32_t a = problem_.first[v]; a < problem_.first[v + 1]; ++a) {
        through += static_cast<double>(problem_.capacity[a]);
      }
      through_[v] = through;
      const Capacity in = problem_.source[v], out = problem_.sink[v];
      return !(in >= Capacity{0}) || !(out >= Capacity{0}) || !(size(net(v)) >= 0);
    });
    if (bad) return false;
    const bool endless = !kIntegral && block_.any(n, [this](std::int64_t v) {
      return through_[v] == HUGE_VAL && size(net(v)) == HUGE_VAL;
    });
    if (endless) {
      everything_ = block_.template total<double>(n, [this](std::int64_t v) {
        double sum = finite_or_0(size(net(v)));
        for (std::int32_t a = problem_.first[v]; a < problem_.first[v + 1]; ++a) {
          sum += finite_or_0(static_cast<double>(problem_.capacity[a]));
        }
        return sum;
      });
    }
    const double supply = movable([](Terminal net) { return net > Terminal{0}; });
    const double demand = movable([](Terminal net) { return net < Terminal{0}; });
    reversed_ = demand < supply;
    most_ = lesser(supply, demand);
    // A unit for every capacity that is not 0, and one for supply that is left at every node.
    slack_ = 2.0 * static_cast<double>(n) + 4.0 * static_cast<double>(problem_.edges) + 8;
    if (endless) slack_ *= static_cast<double>(n + 1);
    if (!kIntegral) return true;
    constexpr double kMost = 4.0e18;  // what terminals could sum up to is left to the host
    return lesser(
               block_.template total<double>(
                   n, [this](std::int64_t v) { return static_cast<double>(problem_.source[v]); }),
               block_.template total<double>(n, [this](std::int64_t v) {
                 return static_cast<double>(problem_.sink[v]);
               })) < kMost;
  }

  // What nodes whose terminals are of one kind can pass on. No finite cut costs more than
  // `everything_`, so infinite supply need not be more.
  template <class Kind>
  GRAPHCUT_BLOCK double movable(Kind&& kind) {
    return block_.template total<double>(problem_.nodes, [&](std::int64_t v) {
      const Terminal given = net(v);
      return kind(given) ? lesser(lesser(size(given), through_[v]), everything_) : 0.0;
    });
  }

  GRAPHCUT_BLOCK bool nothing_rounded(int exponent) {
    const auto terminals = Scale<Terminal, std::int32_t>::of(exponent);
    const auto links = Scale<W, std::int32_t>::of(exponent);
    const std::int64_t n = problem_.nodes;
    return !block_.any(n + 2 * std::int64_t{problem_.edges}, [&](std::int64_t i) {
      if (i >= n) return !links.exact(problem_.capacity[i - n]);
      const Terminal given = net(i);
      return !terminals.exact(given < Terminal{0} ? -given : given);
    });
  }

  template <class R>
  GRAPHCUT_BLOCK Answer solve_in(int exponent, bool certify, bool* side) {
    const Units<W, R> units{problem_.first, problem_.links, problem_.capacity,
                            Scale<W, R>::of(exponent), problem_.nodes};
    const auto terminals = Scale<Terminal, R>::of(exponent);
    // More than any finite cut costs.
    const R beyond = everything_ < HUGE_VAL
                         ? Scale<double, R>::of(exponent)(everything_) + static_cast<R>(slack_) + 1
                         : kBound<R>;
    const auto start = [&](std::int64_t v) {
      const Terminal given = reversed_ ? -net(v) : net(v);
      if (given <= Terminal{0}) return static_cast<R>(-terminals(-given));
      // Beyond what the arcs let through one unit is enough to tell that some is left.
      R through = 0;
      for (std::int32_t a = units.first[v]; a < units.first[v + 1]; ++a) {
        through = sum_up_to(kBound<R>, through, units.scale(units.capacity[a]));
      }
      return lesser(lesser(terminals(given), static_cast<R>(through + 1)), beyond);
    };
    const State<R> state = memory_.state<R>(problem_.nodes);
    block_.each(problem_.nodes, [&](std::int64_t v) { state.excess[v] = start(v); });
    BlockPushRelabel<Block, W, R> solver(block_, units, state);
    Answer answer{};
    if (!solver.solve(problem_.edges, most_rounds_)) {
      answer.status = Status::unfinished;
      answer.work = solver.work();
      return answer;
    }
    solver.mark(reversed_);
    answer = {value(solver), Status::solved, solver.work()};
    if (!kIntegral && !(static_cast<double>(answer.value) < HUGE_VAL)) {
      answer.status = Status::refused;  // a path of infinite capacity
    } else if (certify && !certified(block_, units, state, start, [&](std::int64_t v) {
                 return solver.marked(v) != reversed_;
               })) {
      answer.status = Status::wrong;
    }
    block_.each(problem_.nodes, [&](std::int64_t v) { side[v] = solver.marked(v); });
    return answer;
  }

  // What the cut costs in the capacities that were given.
  template <class Solver>
  GRAPHCUT_BLOCK Value<Capacity> value(const Solver& solver) {
    return block_.template total<Value<Capacity>>(problem_.nodes, [&](std::int64_t v) {
      const bool in = solver.marked(v);
      auto sum = static_cast<Value<Capacity>>(in ? problem_.sink[v] : problem_.source[v]);
      for (std::int32_t a = problem_.first[v]; a < problem_.first[v + 1]; ++a) {
        const Link link = problem_.links[a];
        if (!link.forward() || solver.marked(link.head) == in) continue;
        sum += static_cast<Value<Capacity>>(problem_.capacity[a]);
      }
      return sum;
    });
  }

  Block& block_;
  CutProblem<Capacity> problem_;
  CutMemory memory_;
  std::int64_t most_rounds_;
  double* through_;  // (nodes): what the arcs of a node let through; gone once a solver starts
  double everything_ = HUGE_VAL;  // the sum of all finite capacities, where it is asked for
  double most_ = 0, slack_ = 0;   // see find_exponent
  bool reversed_ = false;         // whether source and sink are swapped
};

}  // namespace graphcut::maxflow
