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
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <numeric>
#include <type_traits>
#include <vector>

#include "maxflow/graph.hpp"
#include "parallel/interruption.hpp"

namespace graphcut::maxflow {

template <class R>
class Spread {
 public:
  // Sends flow where that pays, and changes `excess` (nodes), of which `terminals` are not zero.
  // ends(e) gives the nodes that edge e joins, capacities(e) its capacities there and back.
  template <class Ends, class Capacities>
  void run(std::int64_t edges, Ends&& ends, Capacities&& capacities, std::int64_t terminals,
           std::vector<R>& excess) {
    little_meets_ = true;
    imbalance_ = std::numeric_limits<double>::infinity();
    used_ = 10 * terminals >= static_cast<std::int64_t>(excess.size()) &&
            pays(edges, ends, capacities, excess);
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
    Progress progress(imbalance_);
    do {
      interruption_point();
      // Edges that follow each other often share a node and would wait for it: eight that do not.
      // They are near enough to be in memory that is fetched ahead.
      std::int64_t e = 0;
      for (; e + 8 * kApart <= edges; e += 7 * kApart) {
        for (const std::int64_t end = e + kApart; e < end; ++e) {
          even_out(e);
          even_out(e + kApart);
          even_out(e + 2 * kApart);
          even_out(e + 3 * kApart);
          even_out(e + 4 * kApart);
          even_out(e + 5 * kApart);
          even_out(e + 6 * kApart);
          even_out(e + 7 * kApart);
        }
      }
      for (; e < edges; ++e) even_out(e);
      imbalance_ = total(excess);
    } while (progress.another(imbalance_));
  }

  // Whether little is left to be sent from nodes to their neighbours.
  bool little_meets() const { return used_ || little_meets_; }
  bool used() const { return used_; }
  // What is left of supply and demand together, or infinity where nobody has looked.
  double imbalance() const { return imbalance_; }
  const R* flows() const { return flow_.data(); }  // (edges), if used
  R flow(std::int64_t e) const { return used_ ? flow_[static_cast<std::size_t>(e)] : R{0}; }

  // Gives memory back where it is much; flow() is gone.
  void release() {
    used_ = false;
    imbalance_ = std::numeric_limits<double>::infinity();
    if (flow_.size() > kKept) Store<R>().swap(flow_);
  }

 private:
  static constexpr double kShare = 0.7;  // of 0.4 to 0.8 the fastest on graphs of neighbours
  static constexpr std::int64_t kApart = 16;
  static constexpr std::int64_t kSamples = 128;
  static constexpr std::size_t kKept = std::size_t{1} << 18;

  // Whether to go over the edges once more. What a pass is worth is what meets in it, supply and
  // demand. Two are, nearly always; a third and more where the last did still a fourth of what the
  // one before did, or took a fourth of what was left.
  class Progress {
   public:
    explicit Progress(double total) : left_(total) {}

    bool another(double total) {
      const double met = left_ - total;
      const bool much = passes_ == 0 || 4 * met > met_ || 4 * met > left_;
      left_ = total;
      met_ = met;
      return ++passes_ < kMost && much;
    }

   private:
    static constexpr int kMost = 6;
    double left_, met_ = 0;
    int passes_ = 0;
  };

  // Supply and demand together.
  static double total(const std::vector<R>& excess) {
    double sums[8] = {};  // that need not wait for each other
    std::size_t i = 0;
    for (; i + 8 <= excess.size(); i += 8) {
      for (std::size_t k = 0; k < 8; ++k) sums[k] += std::abs(static_cast<double>(excess[i + k]));
    }
    for (; i < excess.size(); ++i) sums[0] += std::abs(static_cast<double>(excess[i]));
    return std::accumulate(sums, sums + 8, 0.0);
  }

  // What should go from a node with excess `first` to one with `second`.
  R share(R first, R second) const {
    if constexpr (std::is_floating_point_v<R>) {
      return (static_cast<R>(kShare) * (first - second) + rounder_) - rounder_;
    } else {
      const R apart = first - second;  // in range, as sums are
      return apart - (apart >> 2);
    }
  }

  // It does where supply and demand meet across edges: what meets must be a hundredth of a typical
  // capacity, on average over all edges. So neighbours that disagree are told from terminals that
  // are few or weak, whose supply goes a long way. It does not where nearly all edges lead straight
  // from supply to demand, as in a matching. Where sums may leave the range of R nothing is sent.
  template <class Ends, class Capacities>
  bool pays(std::int64_t edges, Ends&& ends, Capacities&& capacities,
            const std::vector<R>& excess) {
    const std::int64_t step = edges / kSamples | 1;
    std::int64_t samples = 0, opposite = 0, straight = 0;
    double meets = 0;
    std::array<double, 2 * kSamples> means;
    for (std::int64_t e = 0; e < edges; e += step) {
      const auto [forward, backward] = capacities(e);
      const auto [u, v] = ends(e);
      const auto tail = static_cast<double>(excess[static_cast<std::size_t>(u)]);
      const auto head = static_cast<double>(excess[static_cast<std::size_t>(v)]);
      const auto through = static_cast<double>(tail > head ? forward : backward);
      means[static_cast<std::size_t>(samples++)] =
          (static_cast<double>(forward) + static_cast<double>(backward)) / 2;
      if (!((tail > 0 && head < 0) || (tail < 0 && head > 0)) || !(through > 0)) continue;
      const double least = std::min(std::abs(tail), std::abs(head));
      meets += std::min(least, through);
      ++opposite;
      straight += static_cast<std::int64_t>((forward > R{0}) != (backward > R{0}));
    }
    if (samples == 0) return false;
    little_meets_ = 10 * opposite < samples;
    std::nth_element(means.begin(), means.begin() + samples / 2, means.begin() + samples);
    const double typical = means[static_cast<std::size_t>(samples / 2)];
    imbalance_ = total(excess);
    constexpr bool kFloats = std::is_floating_point_v<R>;
    // What is added up to, and in `wanted` beyond it, stays in range; int32 is for sums that fit.
    constexpr double kMost =
        static_cast<double>(std::numeric_limits<R>::max()) / (kFloats ? 1e12 : 100);
    const bool in_range =
        std::is_same_v<R, std::int32_t> || (typical < kMost && imbalance_ < kMost);
    if (!(typical > 0) || !in_range || 10 * straight > 9 * samples) return false;
    if constexpr (kFloats) set_quantum(edges, step, capacities, excess, typical, imbalance_);
    return 100 * meets >= typical * static_cast<double>(samples);
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

  Store<R> flow_;
  R rounder_{0};  // rounds what it is added to and taken from again to multiples of the quantum
  double imbalance_ = std::numeric_limits<double>::infinity();
  bool used_ = false, little_meets_ = false;
};

}  // namespace graphcut::maxflow
