// Boykov-Kolmogorov maximum flow.
//
//   BoykovKolmogorov<float> solver;         // keeps its memory from one solve to the next
//   solver.solve(graph);                    // graph.arcs end as residuals of a maximum flow
//   bool foreground = solver.in_source_set(i);
//
// Written from: Y. Boykov, V. Kolmogorov, "An experimental comparison of min-cut/max-flow
// algorithms for energy minimization in vision", PAMI 2004, and, for the distance and time-stamp
// bookkeeping of orphans, V. Kolmogorov, "Graph based algorithms for scene reconstruction from two
// or more views", PhD thesis, Cornell 2004.
//
// Two trees grow towards each other: S from nodes with positive excess (fed by the source), T from
// nodes with negative excess (drained by the sink). Where they touch, flow is sent along the
// joining path; nodes whose link to their parent it saturates are orphans, and look for a new
// parent in their tree or become free. When neither tree can grow, S holds exactly the nodes that
// residual arcs reach from the source: the minimal source set, whatever the order of events.
#pragma once

#include <algorithm>
#include <cstdint>
#include <limits>
#include <vector>

#include "maxflow/graph.hpp"
#include "parallel/interruption.hpp"

namespace graphcut::maxflow {

// A ledger is told of every flow that is sent through an arc; this one keeps nothing.
struct NoLedger {
  template <class R>
  void record(std::int32_t /*arc*/, std::int32_t /*sister*/, R /*flow*/) {}
};

template <class R, class Ledger = NoLedger>
class BoykovKolmogorov {
 public:
  // Requires non-negative residuals and no path of infinite capacity from source to sink. Always
  // returns true: nothing is summed.
  bool solve(Graph<R>& graph) {
    attach(graph);
    plant();
    run();
    return true;
  }

  Left left() const { return Left::flow; }
  bool in_source_set(std::int32_t i) const { return nodes_[i].tree == Tree::source; }
  // Whether residual arcs lead from the node to the sink: in no minimum cut's source set.
  bool in_sink_set(std::int32_t i) const { return nodes_[i].tree == Tree::sink; }

 protected:
  enum class Tree : std::uint8_t { free, source, sink };

  // Values of Node::parent beside arc indices, and of Node::next_active beside node indices.
  static constexpr std::int32_t kNone = -1, kTerminal = -2, kOrphan = -3;

  struct Node {
    std::int32_t parent;       // arc towards the parent, kTerminal at a root
    std::int32_t next_active;  // kNone: not queued; itself: last of the queue
    std::int32_t stamp;        // time at which `distance` was known to be right
    std::int32_t distance;     // links up to the terminal
    R excess;                  // what is left from the source (> 0) or to the sink (< 0)
    Tree tree;
  };

  void attach(Graph<R>& graph) {
    graph_ = &graph;
    arcs_ = graph.arcs.data();
    first_ = graph.first.data();
    nodes_ = node_store_.data();
  }

  // Grows the trees until no node is active. Requires that no node is an orphan. Stops early once
  // orphans have looked at more arcs than most_looked_.
  void run() {
    for (std::int32_t i = pop_active(); i != kNone && !too_long(); i = pop_active()) {
      interruption_point_();
      if (nodes_[i].tree == Tree::source) {
        grow<Tree::source>(i);
      } else if (nodes_[i].tree == Tree::sink) {
        grow<Tree::sink>(i);
      }
    }
  }

  void plant() {
    const std::int32_t n = graph_->nodes();
    node_store_.resize(static_cast<std::size_t>(n));
    orphan_ring_.resize(static_cast<std::size_t>(n) + 1);
    nodes_ = node_store_.data();
    orphan_head_ = orphan_tail_ = 0;
    active_head_ = active_tail_ = kNone;
    time_ = 0;
    for (std::int32_t i = 0; i < n; ++i) {
      const R excess = graph_->excess[static_cast<std::size_t>(i)];
      nodes_[i] = {kNone, kNone, 0, 1, excess, Tree::free};
      if (excess == R{0}) continue;
      nodes_[i].tree = excess > R{0} ? Tree::source : Tree::sink;
      nodes_[i].parent = kTerminal;
      activate(i);
    }
  }

  void activate(std::int32_t i) {
    if (nodes_[i].next_active != kNone) return;
    nodes_[i].next_active = i;
    if (active_head_ == kNone) {
      active_head_ = i;
    } else {
      nodes_[active_tail_].next_active = i;
    }
    active_tail_ = i;
  }

  std::int32_t pop_active() {
    const std::int32_t i = active_head_;
    if (i == kNone) return kNone;
    const std::int32_t next = nodes_[i].next_active;
    active_head_ = next == i ? kNone : next;
    nodes_[i].next_active = kNone;
    return i;
  }

  // Whether flow fits through `arc` with its tail as parent and its head as child: source trees
  // send flow down to the child, sink trees receive it from the child.
  template <Tree side>
  bool downward(const Arc<R>& arc) const {
    return side == Tree::source ? arc.open() : arc.sister_open();
  }
  // The same with its tail as child and its head as parent.
  template <Tree side>
  bool upward(const Arc<R>& arc) const {
    return side == Tree::source ? arc.sister_open() : arc.open();
  }

  // Acquires the free neighbours of i and augments wherever the other tree is met. An arc that was
  // passed cannot become useful again without i being queued again: a neighbour that adopt() frees
  // queues every node that could take it, and one that the other tree acquires meets i from there.
  template <Tree side>
  void grow(std::int32_t i) {
    constexpr Tree other = side == Tree::source ? Tree::sink : Tree::source;
    for (std::int32_t a = first_[i]; a != first_[i + 1];) {
      const std::int32_t j = arcs_[a].head();
      Node& node = nodes_[j];
      if (node.tree == side) {
        // A shorter way up for j, when i's distance is at least as fresh.
        const Node& me = nodes_[i];
        if (node.stamp <= me.stamp && node.distance > me.distance + 1 && downward<side>(arcs_[a])) {
          node.parent = arcs_[a].sister;
          node.stamp = me.stamp;
          node.distance = me.distance + 1;
        }
        ++a;
      } else if (!downward<side>(arcs_[a])) {
        ++a;
      } else if (node.tree == other) {
        augment(side == Tree::source ? a : arcs_[a].sister);
        adopt_orphans();
        if (nodes_[i].tree != side || too_long()) return;
      } else {
        node.tree = side;
        node.parent = arcs_[a].sister;
        node.stamp = nodes_[i].stamp;
        node.distance = nodes_[i].distance + 1;
        activate(j);
        ++a;
      }
    }
  }

  // Sends as much flow as fits from source to sink through `middle`, an arc from S to T.
  void augment(std::int32_t middle) {
    const std::int32_t source_end = arcs_[arcs_[middle].sister].head();
    const std::int32_t sink_end = arcs_[middle].head();

    R flow = arcs_[middle].residual;
    std::int32_t i = source_end;
    for (; nodes_[i].parent != kTerminal; i = arcs_[nodes_[i].parent].head()) {
      flow = std::min(flow, arcs_[arcs_[nodes_[i].parent].sister].residual);
    }
    flow = std::min(flow, nodes_[i].excess);
    for (i = sink_end; nodes_[i].parent != kTerminal; i = arcs_[nodes_[i].parent].head()) {
      flow = std::min(flow, arcs_[nodes_[i].parent].residual);
    }
    flow = std::min(flow, static_cast<R>(-nodes_[i].excess));

    send(middle, flow);
    for (i = source_end; nodes_[i].parent != kTerminal;) {
      const std::int32_t up = nodes_[i].parent;
      const std::int32_t next = arcs_[up].head();
      if (send(arcs_[up].sister, flow)) orphan_first(i);
      i = next;
    }
    nodes_[i].excess -= flow;
    if (nodes_[i].excess == R{0}) orphan_first(i);
    for (i = sink_end; nodes_[i].parent != kTerminal;) {
      const std::int32_t up = nodes_[i].parent;
      const std::int32_t next = arcs_[up].head();
      if (send(up, flow)) orphan_first(i);
      i = next;
    }
    nodes_[i].excess += flow;
    if (nodes_[i].excess == R{0}) orphan_first(i);
  }

  bool send(std::int32_t a, R flow) {
    ledger_.record(a, arcs_[a].sister, flow);
    return push(arcs_, arcs_[a], flow);
  }

  // A node is an orphan at most once at a time, so a ring of nodes + 1 places never overflows.
  void orphan_first(std::int32_t i) {
    nodes_[i].parent = kOrphan;
    orphan_head_ = orphan_head_ == 0 ? orphan_ring_.size() - 1 : orphan_head_ - 1;
    orphan_ring_[orphan_head_] = i;
  }
  void orphan_last(std::int32_t i) {
    nodes_[i].parent = kOrphan;
    orphan_ring_[orphan_tail_] = i;
    if (++orphan_tail_ == orphan_ring_.size()) orphan_tail_ = 0;
  }

  // Starts a new time. When numbers run out all distances become equally old and, roots apart,
  // equally far: comparing stale ones could hang a node below itself.
  void tick() {
    if (++time_ < std::numeric_limits<std::int32_t>::max()) return;
    for (auto& node : node_store_) {
      node.stamp = 0;
      node.distance = node.parent == kTerminal ? 1 : std::numeric_limits<std::int32_t>::max() / 2;
    }
    time_ = 1;
  }

  void adopt_orphans() {
    interruption_point_();
    tick();
    while (orphan_head_ != orphan_tail_) {
      const std::int32_t i = orphan_ring_[orphan_head_];
      if (++orphan_head_ == orphan_ring_.size()) orphan_head_ = 0;
      if (nodes_[i].tree == Tree::source) {
        adopt<Tree::source>(i);
      } else {
        adopt<Tree::sink>(i);
      }
    }
  }

  bool too_long() const { return looked_ > most_looked_; }

  // Finds the orphan i the nearest parent that is still rooted at the terminal, or frees it.
  template <Tree side>
  void adopt(std::int32_t i) {
    std::int32_t parent = kNone;
    std::int32_t nearest = std::numeric_limits<std::int32_t>::max();
    looked_ += first_[i + 1] - first_[i];
    for (std::int32_t a = first_[i]; a != first_[i + 1]; ++a) {
      const std::int32_t j = arcs_[a].head();
      if (!upward<side>(arcs_[a]) || nodes_[j].tree != side) continue;
      const std::int32_t distance = rooted_distance(j);
      if (distance < nearest) {
        nearest = distance;
        parent = a;
      }
    }
    if (parent != kNone) {
      nodes_[i].parent = parent;
      nodes_[i].stamp = time_;
      nodes_[i].distance = nearest + 1;
      return;
    }
    for (std::int32_t a = first_[i]; a != first_[i + 1]; ++a) {
      const std::int32_t j = arcs_[a].head();
      if (nodes_[j].tree != side) continue;
      if (upward<side>(arcs_[a])) activate(j);
      if (nodes_[j].parent >= 0 && arcs_[nodes_[j].parent].head() == i) orphan_last(j);
    }
    nodes_[i].tree = Tree::free;
    nodes_[i].parent = kNone;
  }

  // Distance of j from its terminal, or the largest int32 where the way up ends at an orphan.
  // Nodes on a way that reaches the terminal are stamped, so that no link is walked twice in vain.
  std::int32_t rooted_distance(std::int32_t j) {
    std::int32_t distance = 0;
    for (std::int32_t k = j;; k = arcs_[nodes_[k].parent].head()) {
      Node& node = nodes_[k];
      if (node.stamp == time_) {
        distance += node.distance;
        break;
      }
      if (node.parent < 0) {
        if (node.parent != kTerminal) return std::numeric_limits<std::int32_t>::max();
        node.stamp = time_;
        node.distance = 1;
        ++distance;
        break;
      }
      ++distance;
    }
    std::int32_t d = distance;
    for (std::int32_t k = j; nodes_[k].stamp != time_; k = arcs_[nodes_[k].parent].head()) {
      nodes_[k].stamp = time_;
      nodes_[k].distance = d--;
    }
    return distance;
  }

  Graph<R>* graph_ = nullptr;
  Arc<R>* arcs_ = nullptr;
  const std::int32_t* first_ = nullptr;
  Node* nodes_ = nullptr;
  std::vector<Node> node_store_;
  std::vector<std::int32_t> orphan_ring_;
  std::size_t orphan_head_ = 0, orphan_tail_ = 0;
  std::int32_t active_head_ = kNone, active_tail_ = kNone;
  std::int32_t time_ = 0;
  std::int64_t looked_ = 0;  // arcs, by orphans for a parent
  std::int64_t most_looked_ = std::numeric_limits<std::int64_t>::max();
  InterruptionPoint<256> interruption_point_;
  [[no_unique_address]] Ledger ledger_;
};

}  // namespace graphcut::maxflow
