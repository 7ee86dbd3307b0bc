// Incremental breadth-first search on a grid, whose arcs have no heads and no sisters.
//
//   GridTrees<float, float, std::uint8_t> trees(state, first_node, last_node);
//   trees.solve(looks);                     // no path is left from supply to demand
//   trees.join(others, ...);                // goes on across the border of two parts
//   trees.finish();                         // the nodes of level > 0 are the minimal source set
//
// The algorithm is that of incremental_bfs.hpp, which see for the references and for Note [Levels].
// Where neighbours are and which arcs are opposite follows from the direction of an arc, and what
// is asked most, whether arcs and their sisters are open, is one bit each: a node has all it needs
// for most steps in a few bytes.
//
// Note [Parts]: nodes of a range can be solved with all arcs that leave it closed, by their bits,
// and ranges beside it in other threads. Then these arcs are opened, and the search goes on from
// both pairs of trees at once (J. Liu, J. Sun, "Parallel graph-cuts by adaptive bottom-up merging",
// CVPR 2010). Nodes of any level may then have open arcs to other nodes than those of their own
// tree: such nodes are *active*. They stand in a list of their level, and the lists are worked off
// from the lowest on, so levels need not be distances: that a child is one level below its parent
// is all that is relied on.
#pragma once

#include <algorithm>
#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <limits>
#include <utility>
#include <vector>

#include "maxflow/forest.hpp"
#include "parallel/interruption.hpp"

namespace graphcut::maxflow {

// Of a grid: arc 2 * d goes in direction d, arc 2 * d + 1 the other way. `Mask` has a bit for each.
template <class R, class Excess, class Mask>
struct GridState {
  static constexpr std::size_t kMostArcs = std::numeric_limits<Mask>::digits;
  struct Bits {
    Mask open, sister_open;  // bit k: arc k, its sister
  };

  std::int32_t arcs;                         // of a node
  std::array<std::int32_t, kMostArcs> step;  // to the head
  R* residual;                               // (nodes, arcs)
  Excess* excess;                            // (nodes): supply > 0, demand < 0
  Bits* bits;                                // (nodes)
  std::int32_t* level;        // (nodes): > 0 in the source tree, < 0 in the sink tree
  std::int8_t* parent;        // (nodes): the arc to the parent, or kNone, kRoot, kOrphan
  std::uint8_t* active;       // (nodes): to be looked at, see Note [Parts]
  std::int32_t* next_orphan;  // (nodes)
  std::int32_t* next_excess;  // (nodes)

  static constexpr int opposite(int k) { return k ^ 1; }
  R& of(std::int32_t v, int k) const { return residual[static_cast<std::ptrdiff_t>(v) * arcs + k]; }
  static Mask bit(int k) { return static_cast<Mask>(Mask{1} << k); }

  // Moves `flow` through arc k of v; returns whether that closes it.
  bool push(std::int32_t v, int k, R flow) const {
    const std::int32_t w = v + step[static_cast<std::size_t>(k)];
    const int back = opposite(k);
    R& residual_here = of(v, k);
    const R left = static_cast<R>(residual_here - flow);
    residual_here = left;
    of(w, back) = static_cast<R>(of(w, back) + flow);
    if ((bits[v].sister_open & bit(k)) == 0) {
      bits[v].sister_open |= bit(k);
      bits[w].open |= bit(back);
    }
    if (left > R{0}) return false;
    bits[v].open &= static_cast<Mask>(~bit(k));
    bits[w].sister_open &= static_cast<Mask>(~bit(back));
    return true;
  }
};

template <class R, class Excess, class Mask>
class GridTrees {
 public:
  using State = GridState<R, Excess, Mask>;

  // Of the nodes begin .. end - 1, whose supply and demand are roots. Sums of supply must be in the
  // range of Excess.
  GridTrees(const State& state, std::int32_t begin, std::int32_t end)
      : s_(state), begin_(begin), end_(end) {
    for (std::int32_t v = begin; v < end; ++v) {
      s_.active[v] = 0;
      const Excess excess = s_.excess[v];
      s_.parent[v] = excess != Excess{0} ? kRoot : kNone;
      s_.level[v] = excess > Excess{0} ? kRootLevel : excess < Excess{0} ? -kRootLevel : kFree;
    }
  }

  // Goes on until no path is left, or until it has looked at every arc of its nodes `looks` times,
  // all in all; returns whether no path is left.
  bool solve(std::int64_t looks) {
    const std::int64_t most = looks * s_.arcs * (end_ - begin_);
    while (any<Side::source>() && any<Side::sink>()) {
      if (looked_ * s_.arcs > most) return false;
      if (tree(Side::source).lowest < tree(Side::sink).lowest) {
        grow<Side::source>();
      } else {
        grow<Side::sink>();
      }
    }
    return true;
  }

  // Takes over the trees of `other`, whose nodes follow on those of this one. The arcs between both
  // are open where they have residual capacity; each_border(f) calls f(v) for all their ends.
  template <class EachBorder>
  void join(GridTrees& other, EachBorder&& each_border) {
    sweep_all(other);
    for (const Side side : {Side::source, Side::sink}) {
      Tree& mine = tree(side);
      Tree& theirs = other.tree(side);
      mine.grown = std::max(mine.grown, theirs.grown);
      if (mine.lists.size() < theirs.lists.size()) mine.lists.resize(theirs.lists.size());
      for (std::size_t level = 0; level < theirs.lists.size(); ++level) {
        auto& list = mine.lists[level];
        list.insert(list.end(), theirs.lists[level].begin(), theirs.lists[level].end());
      }
      theirs.lists.clear();
      mine.lowest = std::min(mine.lowest, theirs.lowest);
    }
    end_ = other.end_;
    looked_ += other.looked_;
    reserve_levels();
    each_border([this](std::int32_t v) {
      if (s_.level[v] != kFree && s_.active[v] == 0) activate(v);
    });
  }

  // Has the source tree take all it reaches.
  void finish() {
    while (any<Side::source>()) grow<Side::source>();
  }

 private:
  static constexpr std::int32_t kFree = 0, kAdrift = 1, kRootLevel = 3;
  static constexpr std::int8_t kNone = -1, kRoot = -2, kOrphan = -3;
  static constexpr std::int32_t kEnd = -1;
  static constexpr std::int32_t kFar = std::numeric_limits<std::int32_t>::max();

  template <Side side>
  static constexpr std::int32_t kSign = side == Side::source ? 1 : -1;

  struct Tree {
    std::int32_t grown = kRootLevel - 1;           // no level above has been looked at
    std::int32_t lowest = kRootLevel;              // no node of a lower level is active
    bool sown = false;                             // whether the roots have been looked at
    std::vector<std::vector<std::int32_t>> lists;  // active nodes of each level, and some that were
    std::vector<std::int32_t> orphans;             // not looked at yet
  };
  Tree& tree(Side side) { return trees_[static_cast<std::size_t>(side)]; }

  // Arcs from v along which its tree grows, and those along which it could have a parent.
  template <Side side>
  Mask outward(std::int32_t v) const {
    return side == Side::source ? s_.bits[v].open : s_.bits[v].sister_open;
  }
  template <Side side>
  Mask inward(std::int32_t v) const {
    return side == Side::source ? s_.bits[v].sister_open : s_.bits[v].open;
  }
  std::int32_t head(std::int32_t v, int k) const {
    return v + s_.step[static_cast<std::size_t>(k)];
  }

  // Whether the tree has active nodes; finds their lowest level.
  template <Side side>
  bool any() {
    Tree& t = tree(side);
    if (!t.sown) return true;
    const auto levels = static_cast<std::int32_t>(t.lists.size());
    while (t.lowest < levels && t.lists[static_cast<std::size_t>(t.lowest)].empty()) ++t.lowest;
    return t.lowest < levels;
  }

  void activate(std::int32_t v) {
    s_.active[v] = 1;
    list_active(v);
  }
  void list_active(std::int32_t v) {
    const std::int32_t level = std::abs(s_.level[v]);
    Tree& t = tree(s_.level[v] > 0 ? Side::source : Side::sink);
    if (t.lists.size() <= static_cast<std::size_t>(level)) {
      t.lists.resize(static_cast<std::size_t>(level) + 1);
    }
    t.lists[static_cast<std::size_t>(level)].push_back(v);
    t.lowest = std::min(t.lowest, level);
  }

  void reserve_levels() {
    const auto grown = std::max(tree(Side::source).grown, tree(Side::sink).grown);
    const auto levels = static_cast<std::size_t>(grown) + 3;
    if (orphans_on_.size() < levels) orphans_on_.resize(levels, kEnd);
    if (excess_on_.size() < levels) excess_on_.resize(levels, kEnd);
  }

  // Lists what is active in an unsown tree, so that only one kind of tree has to be joined.
  void sweep_all(GridTrees& other) {
    for (GridTrees* part : {this, &other}) {
      for (const Side side : {Side::source, Side::sink}) {
        Tree& t = part->tree(side);
        if (t.sown) continue;
        t.sown = true;
        const std::int32_t root = side == Side::source ? kRootLevel : -kRootLevel;
        for (std::int32_t v = part->begin_; v < part->end_; ++v) {
          if (part->s_.level[v] == root && part->s_.active[v] == 0) part->activate(v);
        }
      }
    }
  }

  // Looks at the active nodes of the lowest level.
  template <Side side>
  void grow() {
    Tree& t = tree(side);
    const std::int32_t level = t.sown ? t.lowest : kRootLevel;
    t.grown = std::max(t.grown, level);
    reserve_levels();
    if (!t.sown) {
      t.sown = true;
      for (std::int32_t v = begin_; v < end_; ++v) {
        if (s_.level[v] == kSign<side> * level) look<side>(v, level);
      }
    } else {
      now_.clear();
      std::swap(now_, t.lists[static_cast<std::size_t>(level)]);
      for (const std::int32_t v : now_) {
        if (s_.active[v] != 0 && s_.level[v] == kSign<side> * level) look<side>(v, level);
      }
    }
    adopt<Side::source>();
  }

  // A node stays active until all its arcs have been looked at: one that is hung elsewhere
  // meanwhile is looked at again.
  template <Side side>
  void look(std::int32_t v, std::int32_t level) {
    interruption_point_();
    s_.active[v] = 1;
    if (scan<side>(v, level)) s_.active[v] = 0;
  }

  // Takes in the free neighbours of v, which is on `level`, and sends flow to or from those of the
  // other tree. Returns false where v leaves its level.
  template <Side side>
  bool scan(std::int32_t v, std::int32_t level) {
    constexpr std::int32_t sign = kSign<side>;
    bool met = false;
    ++looked_;
    for (Mask left = outward<side>(v); left != 0; left &= static_cast<Mask>(left - 1)) {
      const int k = std::countr_zero(left);
      const std::int32_t w = head(v, k);
      while ((outward<side>(v) & State::bit(k)) != 0 && sign * s_.level[w] <= 0) {
        if (s_.level[w] == kFree) {
          s_.level[w] = sign * (level + 1);
          s_.parent[w] = static_cast<std::int8_t>(State::opposite(k));
          activate(w);
          break;
        }
        met = true;
        if constexpr (side == Side::source) {
          augment(v, k);
        } else {
          augment(w, State::opposite(k));
        }
        if (s_.level[v] != sign * level) {
          drain();
          return false;
        }
      }
    }
    if (!met) return true;
    drain();
    return s_.level[v] == sign * level;
  }

  int parent_arc(std::int32_t v) const { return s_.parent[v]; }

  // Sends flow from a root of the source tree through arc k of v, from there to the sink tree; or,
  // where an orphan is in the way, sees to the orphans.
  void augment(std::int32_t v, int k) {
    R flow = s_.of(v, k);
    std::int32_t i = v;
    for (int up = parent_arc(i); up != kRoot; up = parent_arc(i)) {
      if (up == kOrphan) return adopt<Side::source>();
      i = head(i, up);
      flow = std::min(flow, s_.of(i, State::opposite(up)));
    }
    if (s_.excess[i] < static_cast<Excess>(flow)) flow = static_cast<R>(s_.excess[i]);
    s_.push(v, k, flow);
    for (i = v; s_.parent[i] != kRoot;) {
      const int up = parent_arc(i);
      const std::int32_t above = head(i, up);
      if (s_.push(above, State::opposite(up), flow)) orphan(Side::source, i);
      i = above;
    }
    s_.excess[i] -= static_cast<Excess>(flow);
    if (s_.excess[i] == Excess{0}) orphan(Side::source, i);
    receive(head(v, k), flow);
  }

  // Adds `flow` to the excess of w in the sink tree.
  void receive(std::int32_t w, R flow) {
    const Excess before = s_.excess[w];
    const Excess after = before + static_cast<Excess>(flow);
    s_.excess[w] = after;
    if (before < Excess{0} && !(after < Excess{0})) orphan(Side::sink, w);
    if (!(before > Excess{0}) && after > Excess{0}) queue_excess(w);
  }

  void queue_excess(std::int32_t w) {
    const std::int32_t level = -s_.level[w];
    s_.next_excess[w] = excess_on_[static_cast<std::size_t>(level)];
    excess_on_[static_cast<std::size_t>(level)] = w;
    highest_excess_ = std::max(highest_excess_, level);
  }

  void orphan(Side side, std::int32_t v) {
    if (s_.parent[v] == kOrphan) return;
    s_.parent[v] = kOrphan;
    tree(side).orphans.push_back(v);
  }

  // Sends all excess of the sink tree down to its roots, or out of the tree.
  void drain() {
    while (highest_excess_ != 0) {
      stuck_.clear();
      for (std::int32_t level = highest_excess_; level >= kRootLevel; --level) {
        std::int32_t& list = excess_on_[static_cast<std::size_t>(level)];
        for (std::int32_t v = list; v != kEnd; v = s_.next_excess[v]) discharge(v, level);
        list = kEnd;
      }
      highest_excess_ = 0;
      adopt<Side::sink>();
      for (const std::int32_t v : stuck_) {
        if (s_.level[v] < 0) queue_excess(v);
      }
    }
    adopt<Side::sink>();
  }

  // Pushes the excess of v to its parent, and to others it could have on the same level.
  void discharge(std::int32_t v, std::int32_t level) {
    ++looked_;
    if (s_.parent[v] != kOrphan) {
      if (push_to_parent(v, s_.parent[v])) return;
      for (Mask left = inward<Side::sink>(v); left != 0; left &= static_cast<Mask>(left - 1)) {
        const int k = std::countr_zero(left);
        if (s_.level[head(v, k)] != 1 - level) continue;
        s_.parent[v] = static_cast<std::int8_t>(k);
        if (push_to_parent(v, k)) return;
      }
      orphan(Side::sink, v);
    }
    stuck_.push_back(v);
  }

  // Whether no excess is left.
  bool push_to_parent(std::int32_t v, int k) {
    const R residual = s_.of(v, k);
    const Excess excess = s_.excess[v];
    const R flow = excess < static_cast<Excess>(residual) ? static_cast<R>(excess) : residual;
    const Excess left = excess - static_cast<Excess>(flow);
    s_.excess[v] = left;
    const bool closed = s_.push(v, k, flow);
    receive(head(v, k), flow);
    if (left > Excess{0}) return false;
    if (closed) orphan(Side::sink, v);
    return true;
  }

  // Finds every orphan of the tree, and those they make orphans, a new parent or lets it go.
  template <Side side>
  void adopt() {
    auto& orphans = tree(side).orphans;
    if (orphans.empty()) return;
    std::int32_t level = kFar, last = 0;
    for (const std::int32_t v : orphans) {
      const std::int32_t l = kSign<side> * s_.level[v];
      link_orphan(v, l);
      level = std::min(level, l);
      last = std::max(last, l);
    }
    orphans.clear();
    adrift_.clear();
    for (; level <= last; ++level) {
      const auto here = static_cast<std::size_t>(level);
      for (std::int32_t v = orphans_on_[here], next = kEnd; v != kEnd; v = next) {
        next = s_.next_orphan[v];
        if (hang<side>(v, level)) continue;
        s_.level[v] = kSign<side> * kAdrift;
        adrift_.push_back(v);
        if (leave_children<side>(v, level)) last = std::max(last, level + 1);
      }
      orphans_on_[here] = kEnd;
    }
    if (!adrift_.empty()) hang_again<side>();
  }

  void link_orphan(std::int32_t v, std::int32_t level) {
    s_.next_orphan[v] = orphans_on_[static_cast<std::size_t>(level)];
    orphans_on_[static_cast<std::size_t>(level)] = v;
  }

  // Whether v finds a parent on the level above.
  template <Side side>
  bool hang(std::int32_t v, std::int32_t level) {
    const std::int32_t above = kSign<side> * (level - 1);
    ++looked_;
    for (Mask left = inward<side>(v); left != 0; left &= static_cast<Mask>(left - 1)) {
      const int k = std::countr_zero(left);
      if (s_.level[head(v, k)] != above) continue;
      s_.parent[v] = static_cast<std::int8_t>(k);
      return true;
    }
    return false;
  }

  // Makes the children of v, which was on `level`, orphans; returns whether there are any. Links to
  // children are open: those of other ones are orphans already.
  template <Side side>
  bool leave_children(std::int32_t v, std::int32_t level) {
    bool any = false;
    for (Mask left = outward<side>(v); left != 0; left &= static_cast<Mask>(left - 1)) {
      const int k = std::countr_zero(left);
      const std::int32_t w = head(v, k);
      if (s_.parent[w] != State::opposite(k)) continue;
      s_.parent[w] = kOrphan;
      link_orphan(w, level + 1);
      any = true;
    }
    return any;
  }

  // Hangs the nodes of adrift_, as near to the root as they can; what finds no place leaves.
  template <Side side>
  void hang_again() {
    std::int32_t level = kFar, last = 0;
    for (const std::int32_t v : adrift_) {
      const std::int32_t found = find_parent<side>(v);
      s_.next_excess[v] = found;  // nodes adrift are in no list of nodes with excess
      if (found == kFar) continue;
      link_orphan(v, found);
      level = std::min(level, found);
      last = std::max(last, found);
    }
    for (offered_.clear(); level <= last; ++level) {
      const auto here = static_cast<std::size_t>(level);
      std::swap(offered_, offers_);
      offered_.clear();
      for (std::int32_t v = orphans_on_[here], next = kEnd; v != kEnd; v = next) {
        next = s_.next_orphan[v];
        settle<side>(v, level);
      }
      orphans_on_[here] = kEnd;
      for (const std::int32_t v : offers_) settle<side>(v, level);
      if (!offered_.empty()) last = std::max(last, level + 1);
    }
    for (const std::int32_t v : adrift_) {
      if (s_.level[v] == kSign<side> * kAdrift) leave<side>(v);
    }
  }

  // The level below the nearest neighbour that could be the parent of v, which `parent` then names;
  // or kFar.
  template <Side side>
  std::int32_t find_parent(std::int32_t v) {
    std::int32_t nearest = kFar;
    ++looked_;
    for (Mask left = inward<side>(v); left != 0; left &= static_cast<Mask>(left - 1)) {
      const int k = std::countr_zero(left);
      const std::int32_t level = kSign<side> * s_.level[head(v, k)];
      if (level < kRootLevel || level >= nearest) continue;
      nearest = level;
      s_.parent[v] = static_cast<std::int8_t>(k);
    }
    return nearest > tree(side).grown ? kFar : nearest + 1;
  }

  // Hangs v on `level`, if that is still its nearest, and offers itself to neighbours adrift.
  template <Side side>
  void settle(std::int32_t v, std::int32_t level) {
    if (s_.level[v] != kSign<side> * kAdrift || s_.next_excess[v] != level) return;
    ++looked_;
    s_.level[v] = kSign<side> * level;
    if (level > tree(side).grown) {
      activate(v);
      return;
    }
    if (s_.active[v] != 0) list_active(v);
    for (Mask left = outward<side>(v); left != 0; left &= static_cast<Mask>(left - 1)) {
      const int k = std::countr_zero(left);
      const std::int32_t w = head(v, k);
      if (s_.level[w] != kSign<side> * kAdrift || s_.next_excess[w] <= level + 1) continue;
      s_.next_excess[w] = level + 1;
      s_.parent[w] = static_cast<std::int8_t>(State::opposite(k));
      offered_.push_back(w);
    }
  }

  template <Side side>
  void leave(std::int32_t v) {
    s_.active[v] = 0;
    if (side == Side::sink && s_.excess[v] > Excess{0}) {
      s_.level[v] = tree(Side::source).grown + 1;
      s_.parent[v] = kRoot;
      activate(v);
    } else {
      s_.level[v] = kFree;
      s_.parent[v] = kNone;
    }
  }

  State s_;
  std::int32_t begin_, end_;
  std::int32_t highest_excess_ = 0;
  std::int64_t looked_ = 0;  // at nodes, with all their arcs
  std::array<Tree, 2> trees_;
  std::vector<std::int32_t> now_;                     // active nodes that are being looked at
  std::vector<std::int32_t> orphans_on_, excess_on_;  // first of a list, one list a level
  std::vector<std::int32_t> adrift_, offers_, offered_, stuck_;
  InterruptionPoint<256> interruption_point_;
};

}  // namespace graphcut::maxflow
