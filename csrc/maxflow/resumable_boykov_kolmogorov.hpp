// Boykov-Kolmogorov that goes on from its trees and its flow when capacities have changed.
//
//   ResumableBoykovKolmogorov<double> solver;
//   solver.solve(graph);
//   ...                                     // change residuals, set_flow, set_excess
//   solver.resume(graph, changed_nodes);
//
// Written from: P. Kohli, P. Torr, "Dynamic graph cuts for efficient inference in Markov random
// fields", PAMI 2007.
#pragma once

#include <cstddef>
#include <cstdint>
#include <limits>
#include <vector>

#include "maxflow/boykov_kolmogorov.hpp"
#include "maxflow/graph.hpp"

namespace graphcut::maxflow {

// Net flow of every pair of arcs. Residuals alone do not tell it: those of infinite capacities stay
// infinite, and those of very large ones round it away.
template <class R>
struct FlowLedger {
  std::vector<R> net;  // (arcs): at the lower of two sister arcs, flow through it less flow back

  void record(std::int32_t arc, std::int32_t sister, R flow) {
    if (arc < sister) {
      net[static_cast<std::size_t>(arc)] += flow;
    } else {
      net[static_cast<std::size_t>(sister)] -= flow;
    }
  }
};

template <class R>
class ResumableBoykovKolmogorov : private BoykovKolmogorov<R, FlowLedger<R>> {
  using Base = BoykovKolmogorov<R, FlowLedger<R>>;
  using Base::active_head_;
  using Base::active_tail_;
  using Base::arcs_;
  using Base::first_;
  using Base::kNone;
  using Base::kOrphan;
  using Base::kTerminal;
  using Base::ledger_;
  using Base::looked_;
  using Base::most_looked_;
  using Base::node_store_;
  using Base::nodes_;
  using Base::time_;
  using typename Base::Node;
  using typename Base::Tree;

 public:
  // Valid from a solve or resume until this object is copied or moved.
  using Base::in_source_set;

  // As BoykovKolmogorov::solve; all that was known before is forgotten.
  void solve(Graph<R>& graph) {
    ledger_.net.assign(graph.arcs.size(), R{0});
    Base::solve(graph);
  }

  // Prepares to resume `graph`; settle() sets the excess that a flow has left, and tells that flow
  // by set_flow. Trees are grown by the first resume.
  template <class Settle>
  void begin(Graph<R>& graph, Settle&& settle) {
    ledger_.net.assign(graph.arcs.size(), R{0});
    settle();
    this->attach(graph);
    this->plant();
  }

  // As solve, but paths are looked for from these nodes only, which is enough where one of them is
  // at the end of every path. Only the flow is of use then, not the trees.
  void solve_from(Graph<R>& graph, const std::vector<std::int32_t>& ends) {
    ledger_.net.assign(graph.arcs.size(), R{0});
    this->attach(graph);
    this->plant();
    for (auto& node : node_store_) node.next_active = kNone;
    active_head_ = active_tail_ = kNone;
    for (const std::int32_t i : ends) this->activate(i);
    this->run();
  }

  // Net flow from the tail of arc `a` to its head.
  R flow(std::int32_t a, std::int32_t sister) const {
    return a < sister ? ledger_.net[static_cast<std::size_t>(a)]
                      : -ledger_.net[static_cast<std::size_t>(sister)];
  }
  void set_flow(std::int32_t a, std::int32_t sister, R flow) {
    if (a < sister) {
      ledger_.net[static_cast<std::size_t>(a)] = flow;
    } else {
      ledger_.net[static_cast<std::size_t>(sister)] = -flow;
    }
  }
  // As in_sink_set, but of a copy too, and for roots before the trees are grown.
  bool in_sink_tree(std::int32_t i) const {
    return node_store_[static_cast<std::size_t>(i)].tree == Tree::sink;
  }

  // What node i has left from the source (> 0) or to the sink (< 0).
  void set_excess(std::int32_t i, R excess) {
    node_store_[static_cast<std::size_t>(i)].excess = excess;
  }

  // Solves `graph`, the one solved last or a copy of it, from where that ended. `changed` holds,
  // each once, the nodes whose excess changed and both ends of the arcs that opened or closed.
  // Returns false, with residuals and excess of what was sent in `graph`, where that takes long:
  // trees that hang from few nodes of many arcs are taken apart again and again.
  [[nodiscard]] bool resume(Graph<R>& graph, const std::vector<std::int32_t>& changed) {
    this->attach(graph);
    looked_ = 0;
    most_looked_ = kPatience * (std::int64_t{graph.arc_count()} + graph.nodes());
    this->tick();
    for (const std::int32_t i : changed) root(i);
    for (const std::int32_t i : changed) detach(i);
    this->adopt_orphans();
    this->run();
    const bool solved = !this->too_long();
    most_looked_ = std::numeric_limits<std::int64_t>::max();
    if (!solved) {
      for (std::size_t i = 0; i < node_store_.size(); ++i) graph.excess[i] = node_store_[i].excess;
    }
    return solved;
  }

 private:
  // Looks at an arc by orphans, for each arc and node; pictures whose terminals all change take 1
  // to 10.
  static constexpr std::int64_t kPatience = 16;

  // Hangs i on the terminal that its excess joins it to. All nodes are hung before any is detached,
  // so that none that has a terminal becomes an orphan.
  void root(std::int32_t i) {
    Node& node = nodes_[i];
    if (node.excess == R{0}) return;
    const Tree side = node.excess > R{0} ? Tree::source : Tree::sink;
    if (node.tree == side && node.parent == kTerminal) return;
    node.tree = side;
    node.parent = kTerminal;
    node.stamp = time_;
    node.distance = 1;
  }

  // Makes orphans of i, if its parent no longer holds it, and of the children i left for the other
  // tree. Queues i, whose arcs may lead to new places, and the nodes of the other tree that lead to
  // i: should i become free again, they have to take it.
  void detach(std::int32_t i) {
    const Tree side = nodes_[i].tree;
    if (side == Tree::free) return;
    this->activate(i);
    if (nodes_[i].parent != kOrphan && !held(nodes_[i])) this->orphan_last(i);
    for (std::int32_t a = first_[i]; a != first_[i + 1]; ++a) {
      const std::int32_t j = arcs_[a].head();
      const Node& node = nodes_[j];
      if (node.tree == side || node.tree == Tree::free) continue;
      if (side == Tree::source ? arcs_[a].open() : arcs_[a].sister_open()) this->activate(j);
      if (node.parent >= 0 && arcs_[node.parent].head() == i) this->orphan_last(j);
    }
  }

  // Whether the link from `node` to its parent can stay.
  bool held(const Node& node) const {
    if (node.parent == kTerminal) return node.excess != R{0};
    const Arc<R>& up = arcs_[node.parent];
    if (nodes_[up.head()].tree != node.tree) return false;
    return node.tree == Tree::source ? up.sister_open() : up.open();
  }
};

}  // namespace graphcut::maxflow
