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
// reached from stays where it is: see Note [Minimal source set].
//
// Note [Retired nodes]: a node that can reach no demand retires together with all nodes that open
// arcs reach from it, which can reach none either. Nothing is pushed to retired nodes, so that no
// arc out of their set opens again, and they stay cut off.
//
// Note [Direction]: the problem is the same with all arcs reversed and source and sink swapped. The
// solver takes the way round that has the smaller total to push, most of which then arrives; what
// does not arrive is what costs time.
//
// Note [Mispredicted branches]: on graphs that fit the cache they are what costs time: degrees,
// labels and the sizes of pushes are random. Hence loops over four arcs at a time, a mask of the
// arcs that go down instead of a test of each, and stores that need no test.
#pragma once

#include <algorithm>
#include <bit>
#include <cstdint>
#include <limits>
#include <vector>

#include "maxflow/graph.hpp"
#include "maxflow/imbalances.hpp"
#include "maxflow/lanes.hpp"
#include "maxflow/source_set.hpp"
#include "parallel/interruption.hpp"

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
    Imbalances<R> imbalances(graph);
    if (!imbalances.arrange(Turn::when_smaller)) return false;  // see Note [Direction]
    prepare();
    reversed_ = imbalances.reversed();
    imbalances.push_to_neighbours();
    update_labels();
    while (highest_ > 0) {
      const std::int32_t v = bucket_[highest_];
      if (v == kNone) {
        --highest_;
        continue;
      }
      bucket_[highest_] = next_[v];
      if (label_[v] == unreached_) continue;
      discharge(v);
      interruption_point_();
      if (relabels_ > kUpdateEvery * nodes_) update_labels();
    }
    mark_source_set(graph, imbalances.reversed(), queue_, source_set_);
    return true;
  }

  Left left() const { return reversed_ ? Left::reversed : Left::pseudoflow; }
  bool in_source_set(std::int32_t i) const { return source_set_[i] != 0; }

 private:
  static constexpr std::int32_t kNone = -1;
  static constexpr std::int32_t kBeyond = std::numeric_limits<std::int32_t>::max();
  // Relabels per node between two global updates: the fastest of 1, 2 and 4 on neighbour graphs.
  static constexpr std::int64_t kUpdateEvery = 2;

  void prepare() {
    const auto n = static_cast<std::size_t>(nodes_);
    std::int32_t degree = 0;
    for (std::int32_t v = 0; v < nodes_; ++v) degree = std::max(degree, first_[v + 1] - first_[v]);
    label_store_.resize(n);
    next_.resize(n + 1);
    queue_.resize(n + 1);
    count_.resize(n + 2);
    bucket_.resize(n + 2);
    near_.resize(static_cast<std::size_t>(degree) / 4 + 1);
    label_ = label_store_.data();
  }

  // Sets every label to the true distance, 1 at demand, and refills the buckets.
  void update_labels() {
    interruption_point();
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
      queue[end] = v;  // kept only where `end` moves on
      end += static_cast<std::int32_t>(demands);
    }
    for (std::int32_t k = 0; k < end; ++k) {
      const std::int32_t v = queue[k];
      const std::int32_t label = label_[v];
      ++count_[label];
      if (excess_[v] > R{0}) {
        next_[v] = bucket_[label];
        bucket_[label] = v;
        highest_ = label;
      }
      const std::int32_t last = first_[v + 1];
      for (std::int32_t a = first_[v]; a != last; ++a) {
        const std::int32_t w = arcs_[a].head();
        const std::int32_t old = label_[w];
        const bool fresh = arcs_[a].sister_open() & (old == unreached_);
        queue[end] = w;
        end += static_cast<std::int32_t>(fresh);
        label_[w] = chosen(fresh, label + 1, old);
      }
    }
  }

  // `a` or `b` by arithmetic: compilers turn a conditional expression into a branch.
  static std::int32_t chosen(bool first, std::int32_t a, std::int32_t b) {
    return b ^ ((a ^ b) & -static_cast<std::int32_t>(first));
  }

  // Pushes the excess of v down, raising its label where it must, until it is gone or can reach no
  // demand. Labels of neighbours do not change meanwhile, so they are looked up once.
  void discharge(std::int32_t v) {
    const std::int32_t begin = first_[v];
    const std::int32_t chunks = (first_[v + 1] - begin + 3) / 4;
    const Lanes nowhere = Lanes::all(kBeyond);
    Lanes* const near = near_.data();  // labels of the neighbours that open arcs lead to
    Lanes nearest = nowhere;
    for (std::int32_t c = 0; c < chunks; ++c) {
      near[c] = look(begin + 4 * c, first_[v + 1]);
      nearest = lesser(nearest, near[c]);
    }
    R excess = excess_[v];
    for (std::int32_t level = least(nearest); raise(v, level); level = least(nearest)) {
      highest_ = std::max(highest_, level);
      nearest = nowhere;
      for (std::int32_t from = 0; from < chunks; from += 16) {
        std::uint64_t down = 0;
        const std::int32_t some = std::min(16, chunks - from);
        for (std::int32_t c = 0; c < some; ++c) {
          Lanes& labels = near[from + c];
          const Lanes here = labels == Lanes::all(level);
          down |= bits(here) << (4 * c);
          labels = labels | halved(here);  // closed by the push, unless it is the last
          nearest = lesser(nearest, labels);
        }
        for (; down != 0; down &= down - 1) {
          Arc<R>& arc = arcs_[begin + 4 * from + std::countr_zero(down)];
          Arc<R>& sister = arcs_[arc.sister];
          const R flow = arc.residual;
          if (flow < excess) {
            arc.residual = R{0};
            sister.residual += flow;
            arc.bits = (arc.bits & ~Arc<R>::kOpen) | Arc<R>::kSisterOpen;
            sister.bits = (sister.bits & ~Arc<R>::kSisterOpen) | Arc<R>::kOpen;
            receive(arc.head(), flow, level);
            excess -= flow;
            continue;
          }
          arc.residual = flow - excess;
          sister.residual += excess;
          arc.mark(flow > excess, true);
          sister.mark(true, flow > excess);
          receive(arc.head(), excess, level);
          excess_[v] = R{0};
          return;
        }
      }
    }
    excess_[v] = excess;
  }

  // Labels that the arcs a .. a + 3 lead to; beyond all labels for arcs that are closed or not
  // before `end`.
  Lanes look(std::int32_t a, std::int32_t end) const {
    const Arc<R>* const arc = arcs_ + a;
    const auto lane = [arc](int i) { return static_cast<std::int32_t>(arc[i].bits); };
    const auto label = [arc, this](int i) { return label_[arc[i].head()]; };
    const Lanes missing = Lanes::of(0, 1, 2, 3) > Lanes::all(end - 1 - a);
    const Lanes closed = odd(Lanes::of(lane(0), lane(1), lane(2), lane(3))) == Lanes::all(0);
    return Lanes::of(label(0), label(1), label(2), label(3)) | halved(closed | missing);
  }

  // Adds `flow` to the excess of w, which has `label`, and queues w where that makes it active.
  void receive(std::int32_t w, R flow, std::int32_t label) {
    const R before = excess_[w];
    const R after = before + flow;
    excess_[w] = after;
    const bool wakes = !(before > R{0}) & (after > R{0});
    const std::int32_t front = bucket_[label];
    next_[chosen(wakes, w, nodes_)] = front;
    bucket_[label] = chosen(wakes, w, front);
  }

  // Raises v, whose label is not higher, above `level`. Returns false, and retires v, where no
  // demand can be reached: past `gap_`, a label that no node has.
  bool raise(std::int32_t v, std::int32_t level) {
    const std::int32_t old = label_[v];
    const auto higher = static_cast<std::int32_t>(level >= old);
    relabels_ += higher;
    count_[old] -= higher;
    if (count_[old] == 0) gap_ = std::min(gap_, old);
    if (level >= nodes_ || level >= gap_) {
      count_[old] += higher;
      retire(v);
      return false;
    }
    const std::int32_t label = level + 1;
    if (label == gap_) gap_ = std::numeric_limits<std::int32_t>::max();
    label_[v] = label;
    count_[label] += higher;
    return true;
  }

  // See Note [Retired nodes].
  void retire(std::int32_t node) {
    std::int32_t* const queue = queue_.data();
    queue[0] = node;
    std::int32_t end = 1;
    --count_[label_[node]];
    label_[node] = unreached_;
    for (std::int32_t k = 0; k < end; ++k) {
      const std::int32_t last = first_[queue[k] + 1];
      for (std::int32_t a = first_[queue[k]]; a != last; ++a) {
        const std::int32_t w = arcs_[a].head();
        if (!arcs_[a].open() || label_[w] == unreached_) continue;
        --count_[label_[w]];
        label_[w] = unreached_;
        queue[end++] = w;
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
  std::vector<std::int32_t> label_store_, queue_;
  std::vector<Lanes> near_;
  std::vector<std::int32_t> count_;   // nodes of each label
  std::vector<std::int32_t> bucket_;  // first active node of each label, kNone if there is none
  std::vector<std::int32_t> next_;    // the next one in its bucket; one place more, never read
  std::vector<std::uint8_t> source_set_;
  bool reversed_ = false;
  InterruptionPoint<1024> interruption_point_;
};

}  // namespace graphcut::maxflow
