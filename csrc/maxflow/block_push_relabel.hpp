// Bulk-synchronous push-relabel by one thread block, first phase, in whole numbers.
//
// Written from: A. Goldberg, R. Tarjan, "A new approach to the maximum-flow problem", JACM 1988
// (parallel rounds); B. Cherkassky, A. Goldberg, "On implementing the push-relabel method for the
// maximum flow problem", Algorithmica 1997 (global updates).
//
// Nodes with excess > 0 supply, those with excess < 0 demand. `label` is a lower bound of a node's
// distance to demand, 1 at demand. In a round every active node, one with supply and a label that
// does not rule demand out, pushes along open arcs to neighbours one label lower, and raises its
// own label where something is left. Then all take what they were given.
//
// Note [Rounds without races]: a round reads only what no other node writes in it.
// - Labels and supplies are those of before the round. New labels wait in `next`, and flow that is
//   pushed waits in `incoming`.
// - Only the end with the higher label writes the flow of an edge. The lower end does not read it:
//   when it is relabelled it takes the arc to a neighbour one label above for open. At worst its
//   label stays lower than it could be, which is allowed.
// - Several nodes may add to the same entry of `incoming`. Additions of whole numbers commute.
// So the result does not depend on the order of nodes within a round, and every run gives the same
// bits.
//
// Note [Valid labels]: label(v) <= label(w) + 1 holds for every open arc v -> w. A round relabels v
// to 1 + the lowest label of the neighbours w that it counts; labels are those of before the round.
// It counts w if the arc v -> w is open after v's own pushes. It also counts w if label(w) is
// label(v) + 1, since only such a neighbour can open v -> w in the same round. All other labels
// only rise. An arc that a push of v opens leads up to v.
//
// Note [Minimal source set]: only the cut is wanted, so supply that cannot reach demand stays where
// it got stuck, as in a maximum preflow. Let S be the nodes that open arcs reach from stuck supply.
// Sending it home along paths of its own flow, which makes the preflow a maximum flow, changes no
// edge that leaves S: the way back is open, so the paths lie in S. It leaves open every terminal
// where it arrives, and arcs from there along the same paths. So S is what the source reaches in
// the residual graph of a maximum flow: the minimal source set. With source and sink swapped and
// all arcs turned, supply is the demand for nodes of the sink; then the stuck supply lies on the
// other side, and by the same argument the minimal source set is what reaches demand that was not
// met. The edges here have the same capacity both ways, so that turning means to negate the excess.
//
// Note [Bounded rounds]: labels run from 1 to n + 1 and never fall: a round that leaves something
// at a node has closed its arcs to lower labels, so what the node counts is at least its own label,
// and global updates set true distances, of which labels are lower bounds. All of them together
// rise by at most n^2. So at most n^2 rounds raise a label. In any other round all that is active
// passes on what it has to labels one lower, and the highest active label falls. It is at most n at
// first, and rises by no more than labels do: at most n^2 + n such rounds. A solver that takes more
// than 2 n^2 + n rounds is broken. It stops, so that a device does not run for ever.
#pragma once

#include <cstdint>

#include "maxflow/block.hpp"
#include "maxflow/block_topology.hpp"
#include "maxflow/fixed_point.hpp"

namespace graphcut::maxflow {

// A graph whose capacities count in units.
template <class W, class R>
struct Units {
  const std::int32_t* first;
  const Link* links;
  const W* capacity;
  Scale<W, R> scale;
  std::int32_t nodes;

  // Of arc `a` and of its sister, when its edge's flow is this.
  GRAPHCUT_BLOCK R residual(std::int32_t a, R flow) const {
    return links[a].forward() ? scale(capacity[a]) - flow : scale(capacity[a]) + flow;
  }
  GRAPHCUT_BLOCK R sister_residual(std::int32_t a, R flow) const {
    return links[a].forward() ? scale(capacity[a]) + flow : scale(capacity[a]) - flow;
  }
};

// What a cut works on, in memory that all threads of the block share.
template <class R>
struct State {
  R* excess;            // (nodes)
  R* incoming;          // (nodes)
  std::int32_t* label;  // (nodes)
  std::int32_t* next;   // (nodes)
  std::int32_t* list;   // (nodes): active nodes, or those that a search has reached
  std::int32_t* count;  // (2): of `list`
  R* flow;              // (edges)
};

// What was done; the same in every thread.
struct Work {
  std::int32_t rounds = 0, updates = 0, levels = 0;
};

template <class Block, class W, class R>
class BlockPushRelabel {
 public:
  GRAPHCUT_BLOCK BlockPushRelabel(Block& block, const Units<W, R>& units, const State<R>& state)
      : block_(block), units_(units), s_(state), unreached_(units.nodes + 1) {}

  // state.excess is the problem, of which all supply sums up to less than kBound<R>, and becomes
  // what is left; state.flow (`edges`) is written. False where that takes more rounds than it can,
  // see Note [Bounded rounds], or than `most`; there is no flow then.
  GRAPHCUT_BLOCK bool solve(std::int32_t edges, std::int64_t most) {
    const std::int64_t n = units_.nodes;
    const std::int64_t rounds = lesser(most, 2 * n * n + n);
    block_.each(edges, [this](std::int64_t e) { s_.flow[e] = R{0}; });
    block_.each(units_.nodes, [this](std::int64_t v) { s_.incoming[v] = R{0}; });
    std::int32_t active = update_labels();
    while (active > 0) {
      for (int round = 0; round < kUpdateEvery && active > 0; ++round) {
        if (work_.rounds >= rounds) return false;
        active = push(active);
      }
      if (active > 0) active = update_labels();
    }
    return true;
  }

  // After solve: labels become at most `nodes` for what stuck supply reaches, or where `inward` for
  // what reaches demand that was not met.
  GRAPHCUT_BLOCK void mark(bool inward) {
    if (inward) {
      search<true>([this](std::int64_t v) { return s_.excess[v] < R{0}; });
    } else {
      search<false>([this](std::int64_t v) { return s_.excess[v] > R{0}; });
    }
  }
  GRAPHCUT_BLOCK bool marked(std::int64_t v) const { return s_.label[v] < unreached_; }

  GRAPHCUT_BLOCK const Work& work() const { return work_; }

 private:
  using Team = typename Block::Team;
  template <class T>
  using PerLane = typename Team::template PerLane<T>;

  // Rounds between two global updates: of 6 to 64 the one with the fewest phases, searches
  // included, on the neighbour graphs of feature maps.
  static constexpr int kUpdateEvery = 24;

  GRAPHCUT_BLOCK bool active(std::int64_t v) const {
    return s_.excess[v] > R{0} && s_.label[v] < unreached_;
  }

  // Sets labels to the true distances, which also finds every gap, and lists the active nodes.
  GRAPHCUT_BLOCK std::int32_t update_labels() {
    ++work_.updates;
    search<true>([this](std::int64_t v) { return s_.excess[v] < R{0}; });
    block_.each(1, [this](std::int64_t) { s_.count[0] = 0; });
    block_.each(units_.nodes, [this](std::int64_t v) {
      s_.next[v] = s_.label[v];
      if (active(v)) s_.list[block_.take(s_.count[0])] = static_cast<std::int32_t>(v);
    });
    current_ = 0;
    return block_.value(s_.count[0]);
  }

  // Breadth-first search: label 1 where seed(v), then one more along each open arc, against its
  // direction where `inward`.
  template <bool inward, class Seed>
  GRAPHCUT_BLOCK void search(Seed&& seed) {
    block_.each(1, [this](std::int64_t) { s_.count[0] = 0; });
    block_.each(units_.nodes, [&](std::int64_t v) {
      const bool found = seed(v);
      s_.label[v] = found ? 1 : unreached_;
      if (found) s_.list[block_.take(s_.count[0])] = static_cast<std::int32_t>(v);
    });
    std::int32_t begin = 0, end = block_.value(s_.count[0]);
    for (std::int32_t label = 2; begin < end; ++label) {
      ++work_.levels;
      block_.each_team(end - begin, [&](const Team& team, std::int64_t i) {
        const std::int32_t v = s_.list[begin + i];
        const std::int32_t last = units_.first[v + 1];
        for (std::int32_t base = units_.first[v]; base < last; base += kTeam) {
          team.lanes([&](int lane) {
            const std::int32_t a = base + lane;
            if (a >= last) return;
            const std::int32_t w = units_.links[a].head;
            const R flow = s_.flow[units_.links[a].number()];
            const R open = inward ? units_.sister_residual(a, flow) : units_.residual(a, flow);
            if (open > R{0} && block_.claim(s_.label[w], unreached_, label)) {
              s_.list[block_.take(s_.count[0])] = w;
            }
          });
        }
      });
      begin = end;
      end = block_.value(s_.count[0]);
    }
  }

  // One round; returns the number of nodes that are active after it.
  GRAPHCUT_BLOCK std::int32_t push(std::int32_t listed) {
    ++work_.rounds;
    std::int32_t& after = s_.count[1 - current_];
    block_.each_team(listed, [&](const Team& team, std::int64_t i) {
      team.lanes([&](int lane) {
        if (i == 0 && lane == 0) after = 0;
      });
      discharge(team, s_.list[i]);
    });
    block_.each(units_.nodes, [&](std::int64_t v) {
      if (s_.incoming[v] != R{0}) {
        s_.excess[v] += s_.incoming[v];
        s_.incoming[v] = R{0};
      }
      s_.label[v] = s_.next[v];
      if (active(v)) s_.list[block_.take(after)] = static_cast<std::int32_t>(v);
    });
    current_ = 1 - current_;
    return block_.value(s_.count[current_]);
  }

  // See Note [Rounds without races].
  GRAPHCUT_BLOCK void discharge(const Team& team, std::int32_t v) {
    constexpr std::int32_t kNowhere = kLargest<std::int32_t> - 1;
    const std::int32_t label = s_.label[v], last = units_.first[v + 1];
    R left = s_.excess[v];
    PerLane<std::int32_t> nearest;
    team.lanes([&](int lane) { nearest[lane] = kNowhere; });
    for (std::int32_t base = units_.first[v]; base < last && left > R{0}; base += kTeam) {
      PerLane<R> room, before;
      team.lanes([&](int lane) {
        const std::int32_t a = base + lane;
        room[lane] = R{0};
        if (a < last) {
          const std::int32_t there = s_.label[units_.links[a].head];
          if (there == label + 1) {
            nearest[lane] = lesser(nearest[lane], there);
          } else {
            const R open = units_.residual(a, s_.flow[units_.links[a].number()]);
            if (there < label) {
              room[lane] = open;
            } else if (open > R{0}) {
              nearest[lane] = lesser(nearest[lane], there);
            }
          }
        }
        before[lane] = lesser(room[lane], left);
      });
      team.scan(before, left);
      PerLane<R> rest;
      team.lanes([&](int lane) {
        const R flow = lesser(room[lane], static_cast<R>(left - before[lane]));
        rest[lane] = left - before[lane] - flow;
        if (flow == R{0}) return;
        const Link link = units_.links[base + lane];
        s_.flow[link.number()] += link.forward() ? flow : -flow;
        block_.add(s_.incoming[link.head], flow);
      });
      left = team.least(rest);
    }
    const std::int32_t lowest = team.least(nearest);
    team.sync();
    team.lanes([&](int lane) {
      if (lane != 0) return;
      s_.excess[v] = left;
      if (left > R{0}) s_.next[v] = lesser(lowest + 1, unreached_);
    });
  }

  Block& block_;
  Units<W, R> units_;
  State<R> s_;
  std::int32_t unreached_;  // the label of nodes that reach no demand
  int current_ = 0;         // of the two counts, the one that `list` has now
  Work work_;
};

}  // namespace graphcut::maxflow
