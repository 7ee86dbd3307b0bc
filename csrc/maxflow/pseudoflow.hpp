// Hochbaum's pseudoflow algorithm, highest label first, without the flow that realises the cut.
//
//   Pseudoflow<float> solver;               // keeps its memory from one solve to the next
//   solver.solve(graph);                    // graph.arcs end as residuals of a pseudoflow
//   bool foreground = solver.in_source_set(i);
//
// Written from: D. Hochbaum, "The pseudoflow algorithm: a new algorithm for the maximum-flow
// problem", Operations Research 2008; B. Chandran, D. Hochbaum, "A computational study of the
// pseudoflow and push-relabel algorithms for the maximum flow problem", Operations Research 2009.
//
// The nodes form trees, at first one node each. Only roots have excess: supply, which makes the
// tree strong, or demand. The solver searches a strong tree for an open arc that leads down by one
// in `label`. Such an arc merges two trees: its tail becomes the root of the strong tree, which
// then hangs from the head. The supply moves up to the root of the merged tree. An arc that cannot
// take all of it is cut, and its tail becomes a root with the rest as supply. Of the strong trees
// with the highest label, the one that waited longest is next.
//
// Note [Labels]: a label is a lower bound of the distance to demand. Nodes with demand have label
// 1, and an open arc leads down by at most one. A child has its parent's label or one more. Three
// rules keep it so: a search visits only the root and descendants of its label; children are
// relabelled before their parents; only paths of one label are reversed. So no label in a tree is
// below its root's, and an arc down leads to another tree. A node's current arc (`sought`) moves on
// only: an arc that was passed over stays useless until the label of its tail changes. If no node
// has some label, trees above that gap cannot reach demand, now or later.
//
// Note [Distances]: labels start at 2 for supply and 1 for all others. So supply spreads to nodes
// that have none before anything is relabelled, which is faster than the way by exact distances.
// Where the search takes long nevertheless, labels are reset to the distances. This replaces many
// relabels by one search. No label falls by it, since labels are lower bounds. A child whose new
// label is neither its parent's nor one more is cut off and becomes a tree without excess.
//
// Note [Branches]: what moves up a tree needs of each node its parent and the residuals of the arc
// that leads there. They are kept together, and the arcs get theirs back when they leave the tree:
// Arc::residual and Arc::bits of tree arcs are out of date. No search asks for these: a tree arc
// leads to the same label or up by one, or from a child to its parent.
#pragma once

#include <algorithm>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <utility>
#include <vector>

#include "maxflow/graph.hpp"
#include "maxflow/imbalances.hpp"
#include "maxflow/lanes.hpp"
#include "maxflow/source_set.hpp"
#include "parallel/interruption.hpp"

namespace graphcut::maxflow {

template <class R>
class Pseudoflow {
 public:
  // Requires non-negative residuals and no path of infinite capacity from source to sink. Returns
  // false, with nothing solved, where sums of capacities may leave the range of R.
  [[nodiscard]] bool solve(Graph<R>& graph) {
    arcs_ = graph.arcs.data();
    first_ = graph.first.data();
    nodes_ = graph.nodes();
    unreached_ = nodes_ + 1;
    Imbalances<R> imbalances(graph);
    if (!imbalances.arrange(Turn::when_smaller)) return false;
    reversed_ = imbalances.reversed();
    imbalances.push_to_neighbours();
    plant(graph.excess);
    label_by_supply();
    const std::int64_t pause = kPause * (std::int64_t{graph.arc_count()} + nodes_);
    while (highest_ > 0) {
      Queue& queue = queues_[highest_];
      const std::int32_t root = queue.first;
      if (root == kNone) {
        --highest_;
        continue;
      }
      queue.first = tree_[root].visit;
      if (count_[highest_ - 1] == 0) {
        gap_ = std::min(gap_, highest_ - 1);
        retire(root);
      } else {
        search(root);
      }
      interruption_point_();
      if (looked_ > pause) {
        store_residuals();
        label_by_distance();
        unhook();
      }
    }
    store_residuals();
    for (std::int32_t v = 0; v < nodes_; ++v) graph.excess[v] = branch_[v].excess;
    mark_source_set(graph, reversed_, order_, source_set_);
    return true;
  }

  Left left() const { return reversed_ ? Left::reversed : Left::pseudoflow; }
  bool in_source_set(std::int32_t i) const { return source_set_[i] != 0; }

 private:
  static constexpr std::int32_t kNone = -1;
  static constexpr std::int32_t kNoGap = std::numeric_limits<std::int32_t>::max();
  // Looks at an arc, for each arc and node, until the labels become the distances.
  static constexpr std::int64_t kPause = 64;

  // See Note [Branches].
  struct Branch {
    R excess;             // of a root: supply > 0, demand < 0; else 0
    R up, down;           // residuals of the arc to the parent, and of its sister
    std::int32_t parent;  // kNone: a root
  };
  // Aligned, so that a node lies in one line of the cache.
  struct alignas(32) Node {
    std::int32_t arc, sister;     // to the parent and back
    std::int32_t child;           // the first one, or kNone
    std::int32_t next, previous;  // siblings, or kNone
    std::int32_t sought;          // arcs before this one need no look
    std::int32_t end;             // after the last arc
    std::int32_t visit;  // in a search: the next child to look at; in a queue: the next root
  };
  // Roots with supply, linked by `visit`; `last` means nothing where there is no first.
  struct Queue {
    std::int32_t first, last;
  };

  // Makes every node a tree.
  void plant(const std::vector<R>& excess) {
    const auto n = static_cast<std::size_t>(nodes_);
    tree_.resize(n);
    branch_.resize(n);
    label_.resize(n);
    labels_ = label_.data();
    order_.resize(n + 1);
    count_.resize(n + 2);
    queues_.resize(n + 2);
    for (std::int32_t v = 0; v < nodes_; ++v) {
      branch_[v] = {excess[v], R{0}, R{0}, kNone};
      tree_[v] = {kNone, kNone, kNone, kNone, kNone, first_[v], first_[v + 1], kNone};
    }
  }

  void clear_labels() {
    highest_ = 0;
    looked_ = 0;
    gap_ = kNoGap;
    std::fill(count_.begin(), count_.end(), 0);
    std::fill(queues_.begin(), queues_.end(), Queue{kNone, kNone});
    count_[0] = 1;  // the sink's, so that there is no gap below demand
  }

  // Sets the labels to 2 for roots with supply, which it queues, and to 1 for others.
  void label_by_supply() {
    clear_labels();
    for (std::int32_t v = 0; v < nodes_; ++v) {
      const bool supplies = branch_[v].excess > R{0};
      label_[v] = supplies ? 2 : 1;
      ++count_[label_[v]];
      if (supplies) enqueue(v);
    }
    top_ = 2;
  }

  // Sets the labels to the distances, 1 at demand, and queues the roots with supply.
  void label_by_distance() {
    interruption_point();
    clear_labels();
    std::int32_t* const order = order_.data();
    std::int32_t end = 0;
    for (std::int32_t v = 0; v < nodes_; ++v) {
      const bool demands = branch_[v].excess < R{0};
      label_[v] = demands ? 1 : unreached_;
      order[end] = v;  // kept only where `end` moves on
      end += static_cast<std::int32_t>(demands);
    }
    for (std::int32_t k = 0; k < end; ++k) {
      const std::int32_t v = order[k];
      ++count_[label_[v]];
      if (branch_[v].excess > R{0}) enqueue(v);
      for (std::int32_t a = first_[v]; a != first_[v + 1]; ++a) {
        const std::int32_t w = arcs_[a].head();
        if (!arcs_[a].sister_open() || label_[w] != unreached_) continue;
        label_[w] = label_[v] + 1;
        order[end++] = w;
      }
    }
    top_ = end == 0 ? 0 : label_[order[end - 1]];
  }

  // Makes trees of their own what hangs from a label that is not its own or one less.
  void unhook() {
    for (std::int32_t v = 0; v < nodes_; ++v) {
      tree_[v].sought = first_[v];
      if (branch_[v].parent == kNone) continue;
      const std::int32_t up = label_[branch_[v].parent];
      if (label_[v] != up && label_[v] != up + 1) cut(v);
    }
  }

  void enqueue(std::int32_t root) {
    const std::int32_t label = label_[root];
    Queue& queue = queues_[label];
    tree_[root].visit = kNone;
    (queue.first == kNone ? queue.first : tree_[queue.last].visit) = root;
    queue.last = root;
    highest_ = std::max(highest_, label);
  }

  // Merges the tree of `root` with another one, or relabels it by one.
  void search(std::int32_t root) {
    const std::int32_t label = label_[root];
    std::int32_t v = root;
    tree_[v].visit = tree_[v].child;
    for (;;) {
      const std::int32_t arc = arc_down(v, label);
      if (arc != kNone) {
        hang(root, v, arc);
        push_up(root);
        return;
      }
      std::int32_t child = tree_[v].visit;
      while (child != kNone && label_[child] != label) child = tree_[child].next;
      if (child != kNone) {
        tree_[v].visit = tree_[child].next;
        v = child;
        tree_[v].visit = tree_[v].child;
        continue;
      }
      if (label + 1 == gap_) retire_above_gap();
      --count_[label];
      ++count_[label + 1];
      label_[v] = label + 1;
      top_ = std::max(top_, label + 1);
      tree_[v].sought = first_[v];
      if (v == root) break;
      v = branch_[v].parent;
    }
    enqueue(root);
  }

  // An open arc of v, which has `label`, to a node one below, or kNone.
  std::int32_t arc_down(std::int32_t v, std::int32_t label) {
    const std::int32_t last = tree_[v].end;
    const std::int32_t from = tree_[v].sought;
    const Lanes below = Lanes::all(label - 1);
    for (std::int32_t a = from; a < last; a += 4) {
      const Arc<R>* const arc = arcs_ + a;
      const auto label_of = [arc, this](int i) { return labels_[arc[i].head()]; };
      const auto open = [arc](int i) { return static_cast<std::int32_t>(arc[i].bits << 31); };
      const Lanes labels = Lanes::of(label_of(0), label_of(1), label_of(2), label_of(3));
      const std::uint64_t found =
          bits(Lanes::of(open(0), open(1), open(2), open(3))) & bits(labels == below);
      if (found == 0) continue;
      const std::int32_t first = a + std::countr_zero(found);
      if (first >= last) break;
      looked_ += first - from + 1;
      tree_[v].sought = first;
      return first;
    }
    looked_ += last - from + 1;
    tree_[v].sought = last;
    return kNone;
  }

  // Makes v the root of its tree, by reversing the path from `root`, and hangs it from `arc`.
  void hang(std::int32_t root, std::int32_t v, std::int32_t arc) {
    std::int32_t parent = arcs_[arc].head(), sister = arcs_[arc].sister;
    R up = arcs_[arc].residual, down = arcs_[sister].residual;
    for (;;) {
      Node& node = tree_[v];
      Branch& branch = branch_[v];
      const std::int32_t above = branch.parent;
      if (above != kNone) unlink(v);
      std::swap(node.arc, arc);
      std::swap(node.sister, sister);
      std::swap(branch.up, up);
      std::swap(branch.down, down);
      branch.parent = parent;
      link(v);
      if (v == root) return;
      std::swap(arc, sister);
      std::swap(up, down);
      parent = v;
      v = above;
    }
  }

  // Adds v to its parent's children, or takes it out of them.
  void link(std::int32_t v) {
    Node& node = tree_[v];
    std::int32_t& front = tree_[branch_[v].parent].child;
    node.previous = kNone;
    node.next = front;
    if (front != kNone) tree_[front].previous = v;
    front = v;
  }
  void unlink(std::int32_t v) {
    const Node& node = tree_[v];
    if (node.previous != kNone) {
      tree_[node.previous].next = node.next;
    } else {
      tree_[branch_[v].parent].child = node.next;
    }
    if (node.next != kNone) tree_[node.next].previous = node.previous;
  }

  // Makes v, which has a parent, a root.
  void cut(std::int32_t v) {
    unlink(v);
    store_residuals(v);
    branch_[v].parent = kNone;
  }

  // Gives the arcs between v and its parent their residuals back.
  void store_residuals(std::int32_t v) {
    const auto [arc, sister] = std::pair{tree_[v].arc, tree_[v].sister};
    const auto [up, down] = std::pair{branch_[v].up, branch_[v].down};
    arcs_[arc].residual = up;
    arcs_[sister].residual = down;
    arcs_[arc].mark(up > R{0}, down > R{0});
    arcs_[sister].mark(down > R{0}, up > R{0});
  }
  void store_residuals() {
    for (std::int32_t v = 0; v < nodes_; ++v) {
      if (branch_[v].parent != kNone) store_residuals(v);
    }
  }

  // Moves the excess of v, which is no root any more, to its root. Cuts every arc on the way that
  // cannot take all of it.
  void push_up(std::int32_t v) {
    R flow = std::exchange(branch_[v].excess, R{0});
    while (branch_[v].parent != kNone) {
      Branch& branch = branch_[v];
      const std::int32_t parent = branch.parent;
      const R sent = std::min(branch.up, flow);
      const R left = flow - sent;
      branch.up -= sent;
      branch.down += sent;
      if (left > R{0}) {
        branch.excess = left;
        cut(v);
        enqueue(v);
        if (!(sent > R{0})) return;
        flow = sent;
      }
      v = parent;
    }
    R& excess = branch_[v].excess;
    const bool strong = excess > R{0};
    excess += flow;
    if (!strong && excess > R{0}) enqueue(v);
  }

  // Takes the tree of `root`, which can reach no demand, out of all searches. No arc may lead to
  // its nodes any more: supply pushed there would open arcs back, and demand could be in reach
  // again.
  void retire(std::int32_t root) {
    order_[0] = root;
    std::int32_t end = 1;
    for (std::int32_t k = 0; k < end; ++k) {
      const std::int32_t v = order_[k];
      --count_[label_[v]];
      label_[v] = unreached_;
      for (std::int32_t c = tree_[v].child; c != kNone; c = tree_[c].next) order_[end++] = c;
    }
  }

  // Retires all nodes above the gap, before a node is relabelled to it. Retired nodes may have open
  // arcs to nodes above the gap; supply that arrived there from below would give them a way to
  // demand. No tree crosses a gap.
  void retire_above_gap() {
    const auto above = count_.begin() + gap_ + 1, end = count_.begin() + top_ + 1;
    if (std::any_of(above, end, [](std::int32_t nodes) { return nodes > 0; })) {
      for (std::int32_t& label : label_) label = label > gap_ ? unreached_ : label;
      std::fill(above, end, 0);
    }
    gap_ = kNoGap;
  }

  Arc<R>* arcs_ = nullptr;
  const std::int32_t* first_ = nullptr;
  const std::int32_t* labels_ = nullptr;
  std::int32_t nodes_ = 0;
  std::int32_t unreached_ = 0;  // label of nodes that reach no demand
  std::int64_t looked_ = 0;     // arcs since the labels were last the distances
  std::int32_t highest_ = 0;    // no tree with supply has a root of a higher label
  std::int32_t top_ = 0;        // no node has a higher label, but for unreached ones
  std::int32_t gap_ = kNoGap;   // the lowest label that no node had when a tree above it retired
  std::vector<Node> tree_;
  std::vector<Branch> branch_;
  std::vector<std::int32_t> label_, order_;
  std::vector<std::int32_t> count_;  // nodes of each label, but for unreached ones
  std::vector<Queue> queues_;        // of each label
  std::vector<std::uint8_t> source_set_;
  bool reversed_ = false;
  InterruptionPoint<256> interruption_point_;
};

}  // namespace graphcut::maxflow
