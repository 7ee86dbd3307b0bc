// Incremental breadth-first search with excesses: maximum flow from two growing trees.
//
//   IncrementalBfs<float> solver;           // keeps its memory from one solve to the next
//   solver.solve(graph);                    // graph.arcs end as residuals of a pseudoflow
//   bool foreground = solver.in_source_set(i);
//
// Written from: A. Goldberg, S. Hed, H. Kaplan, R. Tarjan, R. Werneck, "Maximum flows by
// incremental breadth-first search", ESA 2011; A. Goldberg, S. Hed, H. Kaplan, P. Kohli, R. Tarjan,
// R. Werneck, "Faster and more dynamic maximum flow by incremental breadth-first search", ESA 2015.
//
// Two trees grow level by level, in turns. The source tree starts at supply and grows along open
// arcs. The sink tree starts at demand and grows against them. Where they meet, flow is sent from a
// root of the source tree to the node of the sink tree at the other end of the arc. There it is
// excess, and moves down the sink tree with all other excess, level by level.
//
// A node whose arc to its parent is closed is an orphan. Adoption has two steps. First an orphan
// looks for a parent on the same level as the old one; if there is none, its children become
// orphans too. Then the orphans that are left (`unadopted_`) are adopted anew, nearest to a root
// first. A node of the sink tree that has excess and is not adopted becomes a root of the source
// tree. When one tree cannot grow, no path is left.
//
// Note [Levels]: a level is grown once its nodes have been scanned. Such nodes have open arcs to
// nodes of their own tree only. So a node that adoption leaves free is found again by the growth of
// the next level, and a new root of the source tree may stand on the level that is grown next. A
// level in the source tree is a distance only as long as all roots are on the first level.
//
// Note [Mispredicted branches]: as in push_relabel.hpp, four arcs are looked at at a time, and what
// is done for those that matter follows from a mask.
#pragma once

#include <algorithm>
#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <vector>

#include "maxflow/forest.hpp"
#include "maxflow/graph.hpp"
#include "maxflow/imbalances.hpp"
#include "maxflow/lanes.hpp"
#include "parallel/interruption.hpp"

namespace graphcut::maxflow {

template <class R>
class IncrementalBfs {
 public:
  // Requires non-negative residuals and no path of infinite capacity from source to sink. Returns
  // false, with nothing solved, where sums of capacities may leave the range of R, or where `looks`
  // at every arc, on average, were not enough. Residuals and excess are then those of a pseudoflow,
  // from which another solver can go on.
  [[nodiscard]] bool solve(Graph<R>& graph,
                           double looks = std::numeric_limits<double>::infinity()) {
    Imbalances<R> imbalances(graph);
    if (!imbalances.arrange(Turn::when_needed)) return false;
    reversed_ = imbalances.reversed();
    if (reversed_) looks = std::numeric_limits<double>::infinity();  // others find the graph turned
    most_looks_ = static_cast<std::int64_t>(
        std::min(looks * (static_cast<double>(graph.arc_count()) + graph.nodes()), 0x1p62));
    worth_ = graph.arc_count();
    if (!graph.evened_out) imbalances.push_to_neighbours();
    plant(graph);
    while (!tree(Side::source).front.empty() && !tree(Side::sink).front.empty()) {
      if (source_is_next()) {
        grow<Side::source>();
      } else {
        grow<Side::sink>();
      }
      if (spent()) {
        forget();
        return false;
      }
    }
    most_looks_ = std::numeric_limits<std::int64_t>::max();
    if (reversed_) {
      finish<Side::sink>();
    } else {
      finish<Side::source>();
    }
    return true;
  }

  Left left() const { return reversed_ ? Left::reversed : Left::pseudoflow; }
  bool in_source_set(std::int32_t i) const { return reversed_ ? level_[i] < 0 : level_[i] > 0; }
  void write_source_set(std::int32_t nodes, bool* set) const {
    const std::int32_t* const level = level_;
    const std::int32_t sign = reversed_ ? -1 : 1;
    for (std::int32_t i = 0; i < nodes; ++i) set[i] = sign * level[i] > 0;
  }

 private:
  // The level above the roots is nobody's, so that roots find no parent there.
  static constexpr std::int32_t kFree = Forest<R>::kFree, kUnadopted = 1, kRootLevel = 3;
  static constexpr std::int32_t kNone = Forest<R>::kNone, kRoot = Forest<R>::kRoot;
  static constexpr std::int32_t kOrphan = Forest<R>::kOrphan;
  static constexpr std::int32_t kFar = std::numeric_limits<std::int32_t>::max();

  static constexpr std::size_t kUnlike = 16;  // fronts that many times as large as the other

  template <Side side>
  static constexpr std::int32_t kSign = side == Side::source ? 1 : -1;

  void plant(Graph<R>& graph) {
    forest_.plant(graph, kRootLevel);
    arcs_ = graph.arcs.data();
    excess_ = graph.excess.data();
    level_ = forest_.level;
    parent_ = forest_.parent;
    tree(Side::source).clear();
    tree(Side::sink).clear();
    const std::int32_t nodes = graph.nodes();
    const auto n = static_cast<std::size_t>(nodes);
    tree(Side::source).front.resize(n);
    tree(Side::sink).front.resize(n);
    std::int32_t* const source = tree(Side::source).front.data();
    std::int32_t* const sink = tree(Side::sink).front.data();
    std::size_t sources = 0, sinks = 0;
    std::int32_t degree = 0;
    for (std::int32_t v = 0; v < nodes; ++v) {
      degree = std::max(degree, forest_.first[v + 1] - forest_.first[v]);
      source[sources] = sink[sinks] = v;  // kept only where the number moves on
      sources += static_cast<std::size_t>(level_[v] > 0);
      sinks += static_cast<std::size_t>(level_[v] < 0);
    }
    tree(Side::source).front.resize(sources);
    tree(Side::sink).front.resize(sinks);
    free_ = n - sources - sinks;
    next_orphan_.resize(n);
    next_excess_.resize(n);
    row_.resize(static_cast<std::size_t>(degree) / 4 + 1);
  }

  // The tree that has much less to look at: no path is left once either tree cannot grow, so most
  // of the larger one need not be looked at where few nodes change sides. Once more was looked at
  // than the larger one is worth, or where they are alike, the one that has grown less: orphans of
  // deep trees take long.
  bool source_is_next() {
    const Tree& source = tree(Side::source);
    const Tree& sink = tree(Side::sink);
    const std::size_t sources = source.front.size(), sinks = sink.front.size();
    const bool alike =
        forest_.looked > worth_ || (sources < kUnlike * sinks && sinks < kUnlike * sources);
    if (alike && source.grown != sink.grown) return source.grown < sink.grown;
    return sources < sinks;
  }

  // With no path left, the one tree takes what else it reaches: from its front on, or, where less
  // is free, as it is found from there.
  template <Side side>
  void finish() {
    Tree& mine = tree(side);
    if (2 * free_ < mine.front.size()) return find_reached<side>();
    while (free_ > 0 && !mine.front.empty()) grow<side>();
  }

  // Puts free nodes that the tree reaches on its first level, without parents.
  template <Side side>
  void find_reached() {
    const auto free_beyond = [this](std::int32_t a) {
      return bits(forest_.outward(side, a)) & bits(forest_.levels(side, a) == Lanes{});
    };
    const auto in_tree_before = [this](std::int32_t a) {
      return bits(forest_.inward(side, a)) & bits(forest_.levels(side, a) > Lanes{});
    };
    const auto take = [this](std::int32_t v) {
      level_[v] = kSign<side> * kRootLevel;
      now_.push_back(v);
    };
    now_.clear();
    const auto nodes = static_cast<std::int32_t>(next_orphan_.size());
    for (std::int32_t v = 0; v < nodes; ++v) {
      if (level_[v] != kFree) continue;
      if (forest_.each_arc(v, in_tree_before, [](std::int32_t) { return false; })) continue;
      for (take(v); !now_.empty();) {
        const std::int32_t u = now_.back();
        now_.pop_back();
        forest_.each_arc(u, free_beyond, [&](std::int32_t a) {
          if (level_[arcs_[a].head()] == kFree) take(arcs_[a].head());
          return true;
        });
      }
    }
  }

  // Grows the tree by one level.
  template <Side side>
  void grow() {
    const std::int32_t level = ++tree(side).grown;
    const auto levels = static_cast<std::size_t>(level) + 3;
    if (orphans_on_.size() < levels) orphans_on_.resize(levels, kNone);
    if (excess_on_.size() < levels) excess_on_.resize(levels, kNone);
    now_.clear();
    std::swap(now_, tree(side).front);
    for (std::size_t k = 0; k < now_.size(); ++k) {
      if (k + 2 < now_.size()) forest_.prefetch_arcs(now_[k + 2]);
      interruption_point_();
      if (level_[now_[k]] == kSign<side> * level) scan<side>(now_[k], level);
      if (spent()) return;
    }
    adopt<Side::source>();
  }

  bool spent() const { return forest_.looked > most_looks_; }

  // Drops what was under way.
  void forget() {
    std::fill(orphans_on_.begin(), orphans_on_.end(), kNone);
    std::fill(excess_on_.begin(), excess_on_.end(), kNone);
    highest_excess_ = 0;
  }

  // Takes in the free neighbours of v, which is on `level`, and sends flow to or from those of the
  // other tree.
  template <Side side>
  void scan(std::int32_t v, std::int32_t level) {
    constexpr std::int32_t sign = kSign<side>;
    bool met = false;
    forest_.each_arc(
        v,
        [this](std::int32_t a) {
          return bits(forest_.outward(side, a)) & ~bits(forest_.levels(side, a) > Lanes{});
        },
        [&](std::int32_t a) {
          const std::int32_t w = arcs_[a].head();
          while (side == Side::source ? arcs_[a].open() : arcs_[a].sister_open()) {
            if (sign * level_[w] > 0) return true;
            if (level_[w] == kFree) {
              level_[w] = sign * (level + 1);
              parent_[w] = arcs_[a].sister;
              tree(side).front.push_back(w);
              --free_;
              return true;
            }
            met = true;
            augment(side == Side::source ? a : arcs_[a].sister);
            if (level_[v] != sign * level || spent()) return false;
          }
          return true;
        });
    if (met) drain();
  }

  // Sends flow from a root of the source tree through `middle`, an arc from there to the sink tree;
  // or, where an orphan is in the way, sees to the orphans.
  void augment(std::int32_t middle) {
    const std::int32_t end = arcs_[arcs_[middle].sister].head();
    R flow = arcs_[middle].residual;
    std::int32_t i = end;
    for (std::int32_t up = parent_[i]; up != kRoot; up = parent_[i]) {
      if (up == kOrphan) return adopt<Side::source>();
      flow = std::min(flow, arcs_[arcs_[up].sister].residual);
      i = arcs_[up].head();
    }
    flow = std::min(flow, excess_[i]);
    push(arcs_, arcs_[middle], flow);
    for (i = end; parent_[i] != kRoot;) {
      const std::int32_t up = parent_[i];
      if (push(arcs_, arcs_[arcs_[up].sister], flow)) orphan(Side::source, i);
      i = arcs_[up].head();
    }
    excess_[i] -= flow;
    if (excess_[i] == R{0}) orphan(Side::source, i);
    receive(arcs_[middle].head(), flow);
  }

  // Adds `flow` to the excess of w in the sink tree.
  void receive(std::int32_t w, R flow) {
    const R before = excess_[w];
    const R after = before + flow;
    excess_[w] = after;
    if (before < R{0} && !(after < R{0})) orphan(Side::sink, w);
    if (!(before > R{0}) && after > R{0}) queue_excess(w);
  }

  void queue_excess(std::int32_t w) {
    const std::int32_t level = -level_[w];
    next_excess_[w] = excess_on_[level];
    excess_on_[level] = w;
    highest_excess_ = std::max(highest_excess_, level);
  }

  void orphan(Side side, std::int32_t v) {
    if (parent_[v] == kOrphan) return;
    parent_[v] = kOrphan;
    tree(side).orphans.push_back(v);
  }

  // Sends all excess of the sink tree down to its roots, or out of the tree.
  void drain() {
    while (highest_excess_ != 0 && !spent()) {
      stuck_.clear();
      for (std::int32_t level = highest_excess_; level >= kRootLevel; --level) {
        for (std::int32_t v = excess_on_[level]; v != kNone; v = next_excess_[v]) {
          discharge(v, level);
        }
        excess_on_[level] = kNone;
      }
      highest_excess_ = 0;
      adopt<Side::sink>();
      for (const std::int32_t v : stuck_) {
        if (level_[v] < 0) queue_excess(v);
      }
    }
    adopt<Side::sink>();
  }

  // Pushes the excess of v to its parent, and to others it could have on the same level.
  void discharge(std::int32_t v, std::int32_t level) {
    if (parent_[v] != kOrphan) {
      if (push_to_parent(v, parent_[v])) return;
      const bool gone = !forest_.each_arc(
          v,
          [this, above = Lanes::all(level - 1)](std::int32_t a) {
            return bits(forest_.inward(Side::sink, a)) &
                   bits(forest_.levels(Side::sink, a) == above);
          },
          [this, v](std::int32_t a) {
            parent_[v] = a;
            return !push_to_parent(v, a);
          });
      if (gone) return;
      orphan(Side::sink, v);
    }
    stuck_.push_back(v);
  }

  // Whether no excess is left.
  bool push_to_parent(std::int32_t v, std::int32_t a) {
    Arc<R>& arc = arcs_[a];
    const R flow = std::min(excess_[v], arc.residual);
    const R left = excess_[v] - flow;
    excess_[v] = left;
    const bool closed = push(arcs_, arc, flow);
    receive(arc.head(), flow);
    if (left > R{0}) return false;
    if (closed) orphan(Side::sink, v);
    return true;
  }

  // Adopts every orphan of the tree, and the orphans that follow from them, or frees them.
  template <Side side>
  void adopt() {
    auto& orphans = tree(side).orphans;
    if (orphans.empty()) return;
    interruption_point_();
    std::int32_t level = kFar, last = 0;
    for (const std::int32_t v : orphans) {
      const std::int32_t l = kSign<side> * level_[v];
      link_orphan(v, l);
      level = std::min(level, l);
      last = std::max(last, l);
    }
    orphans.clear();
    unadopted_.clear();
    for (; level <= last; ++level) {
      for (std::int32_t v = orphans_on_[level], next = kNone; v != kNone; v = next) {
        next = next_orphan_[v];
        if (next != kNone) forest_.prefetch_arcs(next);
        if (adopted<side>(v, level, last)) continue;
        level_[v] = kSign<side> * kUnadopted;
        unadopted_.push_back(v);
      }
      orphans_on_[level] = kNone;
    }
    if (!unadopted_.empty()) adopt_anew<side>();
  }

  void link_orphan(std::int32_t v, std::int32_t level) {
    next_orphan_[v] = orphans_on_[level];
    orphans_on_[level] = v;
  }

  // Whether v, which is on `level`, finds a parent on the level above. If not, its children become
  // orphans; `last` is then the last level that has some.
  template <Side side>
  bool adopted(std::int32_t v, std::int32_t level, std::int32_t& last) {
    return !forest_.each_arc_or(
        v,
        [this, above = Lanes::all(level - 1)](std::int32_t a) {
          return bits(forest_.inward(side, a)) & bits(forest_.levels(side, a) == above);
        },
        [this, v](std::int32_t a) {
          parent_[v] = a;
          return false;
        },
        [this](std::int32_t a) { return bits(forest_.parents(a) == forest_.sisters(a)); },
        [&](std::int32_t a) {
          const std::int32_t w = arcs_[a].head();
          parent_[w] = kOrphan;
          link_orphan(w, level + 1);
          last = std::max(last, level + 1);
        });
  }

  // Second step of adoption: gives the nodes of unadopted_ parents as near to the roots as they can
  // have, on levels that have been grown or are grown next. Nodes that find none leave the tree.
  template <Side side>
  void adopt_anew() {
    std::int32_t level = kFar, last = 0;
    for (std::size_t k = 0; k < unadopted_.size(); ++k) {
      if (k + 1 < unadopted_.size()) forest_.prefetch_arcs(unadopted_[k + 1]);
      const std::int32_t v = unadopted_[k];
      const std::int32_t found = find_parent<side>(v);
      next_excess_[v] = found;  // see Note [One array, two uses]
      if (found == kFar) continue;
      link_orphan(v, found);
      level = std::min(level, found);
      last = std::max(last, found);
    }
    for (offered_.clear(); level <= last; ++level) {
      std::swap(offered_, offers_);
      offered_.clear();
      for (std::int32_t v = orphans_on_[level], next = kNone; v != kNone; v = next) {
        next = next_orphan_[v];
        settle<side>(v, level);
      }
      orphans_on_[level] = kNone;
      for (const std::int32_t v : offers_) settle<side>(v, level);
      if (!offered_.empty()) last = std::max(last, level + 1);
    }
    for (const std::int32_t v : unadopted_) {
      if (level_[v] == kSign<side> * kUnadopted) leave<side>(v);
    }
  }

  // The level below the nearest neighbour that could be the parent of v, which parent_ then names;
  // or kFar.
  template <Side side>
  std::int32_t find_parent(std::int32_t v) {
    const std::int32_t begin = forest_.first[v];
    const std::int32_t end = forest_.first[v + 1];
    Lanes nearest = Lanes::all(kFar);
    forest_.looked += end - begin;
    for (std::int32_t a = begin, c = 0; a < end; a += 4, ++c) {
      const Lanes level = forest_.levels(side, a);
      const Lanes never = (Lanes::all(kRootLevel) > level) |
                          (Lanes::of(0, 1, 2, 3) > Lanes::all(end - 1 - a)) |
                          (forest_.inward(side, a) > Lanes::all(-1));
      row_[c] = cleared(level, never) | halved(never);
      nearest = lesser(nearest, row_[c]);
    }
    const std::int32_t level = least(nearest);
    if (level > tree(side).grown) return kFar;
    std::int32_t c = 0;
    std::uint64_t here = 0;
    while ((here = bits(row_[c] == Lanes::all(level))) == 0) ++c;
    parent_[v] = begin + 4 * c + std::countr_zero(here);
    return level + 1;
  }

  // Puts v on `level`, if that is still its nearest, and offers it to unadopted neighbours as
  // parent.
  template <Side side>
  void settle(std::int32_t v, std::int32_t level) {
    if (level_[v] != kSign<side> * kUnadopted || next_excess_[v] != level) return;
    level_[v] = kSign<side> * level;
    if (level > tree(side).grown) {
      tree(side).front.push_back(v);
      return;
    }
    forest_.each_arc(
        v,
        [this](std::int32_t a) {
          return bits(forest_.outward(side, a)) &
                 bits(forest_.levels(side, a) == Lanes::all(kUnadopted));
        },
        [this, level](std::int32_t a) {
          const std::int32_t w = arcs_[a].head();
          if (next_excess_[w] <= level + 1) return true;
          next_excess_[w] = level + 1;
          parent_[w] = arcs_[a].sister;
          offered_.push_back(w);
          return true;
        });
  }

  template <Side side>
  void leave(std::int32_t v) {
    const bool supplies = side == Side::sink && excess_[v] > R{0};
    level_[v] = supplies ? tree(Side::source).grown + 1 : kFree;
    parent_[v] = supplies ? kRoot : kNone;
    free_ += static_cast<std::size_t>(!supplies);
    if (supplies) tree(Side::source).front.push_back(v);
  }

  struct Tree {
    std::int32_t grown = 0;             // levels below and this one have been grown, or are now
    Store<std::int32_t> front;          // the next level, and nodes that have left it
    std::vector<std::int32_t> orphans;  // not looked at yet

    void clear() {
      grown = kRootLevel - 1;
      front.clear();
      orphans.clear();
    }
  };
  Tree& tree(Side side) { return trees_[static_cast<std::size_t>(side)]; }

  Forest<R> forest_;
  Arc<R>* arcs_ = nullptr;
  R* excess_ = nullptr;
  std::int32_t* level_ = nullptr;
  std::int32_t* parent_ = nullptr;
  std::int32_t highest_excess_ = 0;
  std::int64_t most_looks_ = 0;
  std::int64_t worth_ = 0;  // looks that a whole tree takes to grow by a level
  bool reversed_ = false;
  std::array<Tree, 2> trees_;
  std::size_t free_ = 0;                                // nodes of neither tree
  Store<std::int32_t> now_;                             // nodes of the level that is being grown
  std::vector<std::int32_t> orphans_on_, next_orphan_;  // lists of orphans, one a level
  // Note [One array, two uses]: links the nodes of the sink tree that have excess, one list a
  // level. Unadopted nodes are in none of these lists; theirs is the level that they are to be put
  // on.
  std::vector<std::int32_t> excess_on_, next_excess_;
  std::vector<std::int32_t> unadopted_, offers_, offered_, stuck_;
  std::vector<Lanes> row_;
  InterruptionPoint<256> interruption_point_;
};

}  // namespace graphcut::maxflow
