// Flow sent before a solver starts, so that little is left to it.
//
//   Spread<float> spread;                   // keeps its memory from one graph to the next
//   spread.run(edges, ends, capacities, terminals, excess);
//   R sent = spread.flow(e);                // from the first end of edge e to the second
//
// Edge after edge, flow evens out the excess of the two ends as far as the capacities let it, a few
// times over: pairwise averaging, as in S. Boyd, A. Ghosh, B. Prabhakar, D. Shah, "Randomized
// gossip algorithms", IEEE Transactions on Information Theory 2006. Supply and demand that lie near
// each other are gone then, and where much of both meets, the edges between them are full. Any
// flow may be sent: solvers start from what it leaves, and undo what was too much.
//
// Note [Exact sums]: a solver finds the same cut as ever only where what it sums is exact, as it is
// for whole numbers, also in floats. So what is sent is a capacity or a multiple of a quantum, a
// power of two well below the capacities: multiples of it lose nothing when they are added, unless
// there is more excess than the digits of R span. Then the quantum is as fine as the digits allow,
// if that suits the numbers given, whose sums are not exact otherwise.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <type_traits>
#include <vector>

#include "maxflow/graph.hpp"

namespace graphcut::maxflow {

template <class R>
class Spread {
 public:
  // Sends flow where that pays, and changes `excess` (nodes), of which `terminals` are not zero.
  // ends(e) gives the nodes that edge e joins, capacities(e) its capacities there and back.
  template <class Ends, class Capacities>
  void run(std::int64_t edges, Ends&& ends, Capacities&& capacities, std::int64_t terminals,
           std::vector<R>& excess) {
    used_ = 10 * terminals >= static_cast<std::int64_t>(excess.size()) &&
            pays(edges, capacities, excess);
    if (!used_) return;
    flow_.assign(static_cast<std::size_t>(edges), R{0});
    R* const nodes = excess.data();
    R* const flows = flow_.data();
    const auto even_out = [&](std::int64_t e) {
      const auto [u, v] = ends(e);
      const auto [forward, backward] = capacities(e);
      const R first = nodes[u], before = flows[e];
      const R wanted = before + share(first, nodes[v]);
      const R least = R{0} - backward;
      const R above = wanted < least ? least : wanted;
      const R flow = above < forward ? above : forward;
      flows[e] = flow;
      nodes[u] = first - (flow - before);
      nodes[v] += flow - before;
    };
    // Edges that follow each other often share a node and would wait for it: four that do not.
    const std::int64_t quarter = (edges + 3) / 4;
    for (int pass = 0; pass < kPasses; ++pass) {
      for (std::int64_t first = 0; first < quarter; ++first) {
        for (std::int64_t e = first; e < edges; e += quarter) even_out(e);
      }
    }
  }

  bool used() const { return used_; }
  R flow(std::int64_t e) const { return used_ ? flow_[static_cast<std::size_t>(e)] : R{0}; }

  // Gives memory back where it is much; flow() is gone.
  void release() {
    used_ = false;
    if (flow_.size() > kKept) std::vector<R>().swap(flow_);
  }

 private:
  static constexpr int kPasses = 5;      // of 2 to 8 and shares of 0.4 to 0.8 the fastest, with the
  static constexpr double kShare = 0.7;  // solver, on graphs of neighbours
  static constexpr std::int64_t kSamples = 128;
  static constexpr std::size_t kKept = std::size_t{1} << 18;

  // What should go from a node with excess `first` to one with `second`.
  R share(R first, R second) const {
    if constexpr (std::is_floating_point_v<R>) {
      return (static_cast<R>(kShare) * (first - second) + rounder_) - rounder_;
    } else {
      return (first >> 1) - (second >> 1);  // cannot overflow
    }
  }

  // It does not where terminals are weak, so that the cut is regularised strongly and supply goes
  // a long way, nor where most edges are open one way only, as in moves of expansion: measured on
  // pictures and on stereo matching. Where sums may leave the range of R nothing is sent.
  template <class Capacities>
  bool pays(std::int64_t edges, Capacities&& capacities, const std::vector<R>& excess) {
    double imbalance = 0;
    for (const R e : excess) imbalance += std::abs(static_cast<double>(e));
    const std::int64_t step = edges / kSamples | 1;
    double both = 0, samples = 0, single = 0;
    for (std::int64_t e = 0; e < edges; e += step, ++samples) {
      const auto [forward, backward] = capacities(e);
      both += static_cast<double>(forward) + static_cast<double>(backward);
      single += static_cast<double>((forward > R{0}) != (backward > R{0}));
    }
    const double mean = both / (2 * samples);
    constexpr bool kFloats = std::is_floating_point_v<R>;
    constexpr double kMost =
        static_cast<double>(std::numeric_limits<R>::max()) / (kFloats ? 1e12 : 100);
    if (!(mean > 0 && mean < kMost && imbalance < kMost) || 2 * single > samples) return false;
    if constexpr (kFloats) set_quantum(edges, step, capacities, excess, mean, imbalance);
    return 25 * imbalance >= 2 * mean * static_cast<double>(edges);
  }

  // See Note [Exact sums].
  template <class Capacities>
  void set_quantum(std::int64_t edges, std::int64_t step, Capacities&& capacities,
                   const std::vector<R>& excess, double mean, double imbalance) {
    constexpr int kDigits = std::numeric_limits<R>::digits - 1;
    int exponent = std::ilogb(mean) - 6;
    const int exact = std::ilogb(imbalance) - kDigits;
    if (exponent < exact) {
      const auto suits = [unit = std::ldexp(1.0, exact)](R value) {
        return std::isinf(value) || std::fmod(static_cast<double>(value), unit) == 0;
      };
      bool all = std::all_of(excess.begin(), excess.end(), suits);
      for (std::int64_t e = 0; all && e < edges; e += step) {
        all = suits(capacities(e).first) && suits(capacities(e).second);
      }
      if (all) exponent = exact;
    }
    rounder_ = static_cast<R>(std::ldexp(1.5, exponent + kDigits));
  }

  std::vector<R> flow_;
  R rounder_{0};  // rounds what it is added to and taken from again to multiples of the quantum
  bool used_ = false;
};

}  // namespace graphcut::maxflow
