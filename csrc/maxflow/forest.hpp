// A source and a sink tree in a graph, and looks at four arcs at a time.
#pragma once

#include <algorithm>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "maxflow/graph.hpp"
#include "maxflow/lanes.hpp"

namespace graphcut::maxflow {

enum class Side : std::uint8_t { source, sink };

template <class R>
struct Forest {
  // Levels count up from the roots in the source tree, and down in the sink tree; 0: in neither.
  static constexpr std::int32_t kFree = 0;
  // Values of parents beside arc indices.
  static constexpr std::int32_t kNone = -1, kRoot = kNone - 1, kOrphan = -3;

  // Puts the nodes with supply and demand as roots on `root_level` of their trees.
  void plant(Graph<R>& graph, std::int32_t root_level) {
    arcs = graph.arcs.data();
    first = graph.first.data();
    excess = graph.excess.data();
    looked = 0;
    const auto n = static_cast<std::size_t>(graph.nodes());
    level_store.resize(n);
    parent_store.resize(n);
    level = level_store.data();
    parent = parent_store.data();
    for (std::size_t v = 0; v < n; ++v) {
      const auto supplies = static_cast<std::int32_t>(excess[v] > R{0});
      const auto demands = static_cast<std::int32_t>(excess[v] < R{0});
      level[v] = (supplies - demands) * root_level;
      parent[v] = kNone - supplies - demands;
    }
  }

  // Calls act(a) for the arcs of v in the mask that mark(a) gives of every four, until it returns
  // false; returns whether it never did.
  template <class Mark, class Act>
  bool each_arc(std::int32_t v, Mark&& mark, Act&& act) {
    const std::int32_t end = first[v + 1];
    looked += end - first[v];
    for (std::int32_t from = first[v]; from < end; from += 64) {
      const std::int32_t count = std::min(64, end - from);
      std::uint64_t marked = 0;
      for (std::int32_t i = 0; i < count; i += 4) marked |= mark(from + i) << i;
      for (marked &= ~std::uint64_t{0} >> (64 - count); marked != 0; marked &= marked - 1) {
        if (!act(from + std::countr_zero(marked))) return false;
      }
    }
    return true;
  }

  // The same, and calls other_act(a) for the arcs in the mask of other(a) where act never returned
  // false. Both masks come from one look, unless there are many arcs.
  template <class Mark, class Act, class Other, class OtherAct>
  bool each_arc_or(std::int32_t v, Mark&& mark, Act&& act, Other&& other, OtherAct&& other_act) {
    const std::int32_t from = first[v], count = first[v + 1] - from;
    const auto each_other = [&other_act](std::int32_t a) {
      other_act(a);
      return true;
    };
    if (count > 64) return each_arc(v, mark, act) && each_arc(v, other, each_other);
    if (count == 0) return true;
    looked += count;
    std::uint64_t marked = 0, others = 0;
    for (std::int32_t i = 0; i < count; i += 4) {
      marked |= mark(from + i) << i;
      others |= other(from + i) << i;
    }
    const std::uint64_t all = ~std::uint64_t{0} >> (64 - count);
    for (marked &= all; marked != 0; marked &= marked - 1) {
      if (!act(from + std::countr_zero(marked))) return false;
    }
    for (others &= all; others != 0; others &= others - 1) {
      other_act(from + std::countr_zero(others));
    }
    return true;
  }

  // Of the arcs a .. a + 3: levels of the heads, counted from the roots of the tree; parents of the
  // heads; sisters.
  Lanes levels(Side side, std::int32_t a) const {
    const Arc<R>* const arc = arcs + a;
    const auto of = [arc, this](int i) { return level[arc[i].head()]; };
    const Lanes found = Lanes::of(of(0), of(1), of(2), of(3));
    return side == Side::source ? found : -found;
  }
  Lanes parents(std::int32_t a) const {
    const Arc<R>* const arc = arcs + a;
    const auto of = [arc, this](int i) { return parent[arc[i].head()]; };
    return Lanes::of(of(0), of(1), of(2), of(3));
  }
  Lanes sisters(std::int32_t a) const {
    const Arc<R>* const arc = arcs + a;
    return Lanes::of(arc[0].sister, arc[1].sister, arc[2].sister, arc[3].sister);
  }
  // Negative where the head could be a child, or the parent, of the tail.
  Lanes outward(Side side, std::int32_t a) const { return sign(side == Side::source ? 0 : 1, a); }
  Lanes inward(Side side, std::int32_t a) const { return sign(side == Side::source ? 1 : 0, a); }
  // A bit of Arc::bits as the sign.
  Lanes sign(int bit, std::int32_t a) const {
    const Arc<R>* const arc = arcs + a;
    const auto of = [=](int i) { return static_cast<std::int32_t>(arc[i].bits << (31 - bit)); };
    return Lanes::of(of(0), of(1), of(2), of(3));
  }

  void prefetch_arcs(std::int32_t v) const {
    const char* const p = reinterpret_cast<const char*>(arcs + first[v]);
    for (std::ptrdiff_t line = 0; line < 256; line += 64) prefetch(p + line);
  }

  Arc<R>* arcs = nullptr;
  const std::int32_t* first = nullptr;
  R* excess = nullptr;
  std::int32_t* level = nullptr;
  std::int64_t looked = 0;         // arcs of all nodes whose arcs were gone through
  std::int32_t* parent = nullptr;  // the arc to the parent, or one of the values above

  Store<std::int32_t> level_store, parent_store;
};

}  // namespace graphcut::maxflow
