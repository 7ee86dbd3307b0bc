// Graphs that change between their minimum cuts, and what must hold of every change and cut.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <memory>
#include <stdexcept>
#include <string>
#include <type_traits>
#include <vector>

#include "choices.hpp"
#include "edge_lists.hpp"
#include "grids.hpp"
#include "maxflow/dynamic_cut.hpp"
#include "oracle.hpp"

namespace graphcut::test {

template <class C>
class ChangingGraph {
 public:
  // A grid, or nothing yet.
  ChangingGraph(Choices& choices, Values values, std::int64_t most_nodes) : values_(values) {
    if (choices.one_in(3)) return;
    const GridLayout layout = random_layout(choices, most_nodes);
    const bool undirected = choices.one_in(2);
    Links links;
    layout.each_edge([&](std::int64_t, std::int32_t u, std::int32_t v) {
      links.add(u, v, capacity(choices), C{0});
      links.reverse.back() = undirected ? links.capacity.back() : capacity(choices);
    });
    change(links.valid(layout.nodes()), "a grid",
           [&] {
             cut_.add_grid(layout, links.capacity.data(),
                           undirected ? nullptr : links.reverse.data());
           }) &&
        add(layout.nodes(), links);
  }

  void change(Choices& choices) {
    switch (choices.below(5)) {
      case 0:
        return add_nodes(choices);
      case 1:
        return add_edges(choices);
      case 2:
        return set_capacities(choices);
      case 3:
        return set_terminals(choices);
      default:
        return add_terminals(choices);
    }
  }

  void solve(bool reuse, int threads) {
    require(same_network(), "the graph is what it was made");
    const EdgeLists<C> lists = as_lists(false);
    const Oracle<C> oracle = lists.oracle(0, 0);
    const bool far_from_overflow =
        oracle.total() < std::numeric_limits<maxflow::Value<C>>::max() / 8;
    maxflow::Value<C> value{0};
    const bool accepted = accepts([&] { value = cut_.solve(reuse, threads); });
    require(cut_.solved() == accepted, "whether it is solved is told");
    if (oracle.endless()) require(!accepted, "a path of infinite capacity is refused");
    if (!accepted) {
      require(oracle.endless() || !far_from_overflow, "a good graph is solved");
      return;
    }
    require(value == cut_.value(), "the value is kept");
    const auto nodes = static_cast<std::size_t>(lists.nodes);
    const auto side = std::make_unique<bool[]>(nodes);  // NOLINT(modernize-avoid-c-arrays)
    cut_.write_source_side(side.get());
    constexpr double kEpsilon = std::numeric_limits<double>::epsilon(), kTolerance = 0x1p-30;
    check_cut(oracle, value, side.get(), lists.nodes, kEpsilon, "a graph", kTolerance);
    check_cut_edges(lists, side.get());
    const auto sink_side = std::make_unique<bool[]>(nodes);  // NOLINT(modernize-avoid-c-arrays)
    cut_.write_sink_side(sink_side.get());
    if (oracle.exact()) {
      const Oracle<C> turned = as_lists(true).oracle(0, 0);
      for (std::int64_t i = 0; i < lists.nodes; ++i) {
        require(sink_side[static_cast<std::size_t>(i)] == turned.in_source_set(i),
                "the sink set is the minimal one");
      }
    }
    check_flow(lists, value, oracle.exact());
  }

 private:
  struct Links {
    std::vector<std::int64_t> tail, head;
    std::vector<C> capacity, reverse;

    void add(std::int64_t u, std::int64_t v, C there, C back) {
      tail.push_back(u);
      head.push_back(v);
      capacity.push_back(there);
      reverse.push_back(back);
    }
    std::int64_t count() const { return static_cast<std::int64_t>(capacity.size()); }
    bool valid(std::int64_t nodes) const {
      return within(tail, nodes) && within(head, nodes) && fit(capacity, reverse);
    }
  };

  // Whether the call was not refused. Exceptions of other types pass through.
  template <class Call>
  static bool accepts(Call&& call) {
    try {
      call();
      return true;
    } catch (const std::invalid_argument&) {
    } catch (const std::out_of_range&) {
    }
    return false;
  }
  // Whether what was given is right, which the call must find too.
  template <class Call>
  bool change(bool right, const char* what, Call&& call) {
    require(accepts(call) == right, std::string(what) + " is accepted or refused wrongly");
    if (!right) require(same_network(), std::string(what) + " that is refused changes something");
    return right;
  }

  static bool within(const std::vector<std::int64_t>& numbers, std::int64_t size) {
    return std::all_of(numbers.begin(), numbers.end(),
                       [size](std::int64_t i) { return i >= 0 && i < size; });
  }
  static bool right(const std::vector<C>& capacities) {
    return std::all_of(capacities.begin(), capacities.end(), [](C c) { return c >= C{0}; });
  }
  // Whether capacities are right, and both of a link together within the range of residuals.
  static bool fit(const std::vector<C>& there, const std::vector<C>& back) {
    bool fits = right(there) && right(back);
    if constexpr (std::is_same_v<C, maxflow::Value<C>>) {
      for (std::size_t e = 0; fits && e < there.size(); ++e) fits = sums(there[e], back[e]);
    }
    return fits;
  }
  static bool sums(C a, C b) {
    if constexpr (std::is_floating_point_v<C>) {
      return infinite(a) || infinite(b) || !infinite(static_cast<C>(a + b));
    } else {
      return a <= std::numeric_limits<C>::max() - b;
    }
  }

  std::int64_t nodes() const { return static_cast<std::int64_t>(source_.size()); }
  C capacity(Choices& choices) const { return draw_capacity<C>(choices, values_); }
  std::vector<C> capacities(Choices& choices, std::size_t count) const {
    std::vector<C> drawn(count);
    for (C& c : drawn) c = capacity(choices);
    return drawn;
  }
  // Up to four numbers below `size`, and now and then one that is not.
  std::vector<std::int64_t> numbers(Choices& choices, std::int64_t size) const {
    std::vector<std::int64_t> drawn(size > 0 ? choices.below(5) : 0);
    for (std::int64_t& i : drawn) i = choices.between(0, size - 1);
    using Limits = std::numeric_limits<std::int64_t>;
    if (values_ == Values::any && choices.one_in(16)) {
      drawn.push_back(choices.of({std::int64_t{-1}, size, Limits::min(), Limits::max()}));
    }
    return drawn;
  }

  void add_nodes(Choices& choices) {
    const std::int64_t count = choices.between(values_ == Values::any ? -1 : 0, 3);
    const std::int64_t before = nodes();
    std::int64_t first = before;
    if (count > 0) add(count, {});
    if (!accepts([&] { first = cut_.add_nodes(count); })) {
      require(count < 0, "nodes are accepted");
    }
    require(first == before && cut_.network().nodes() == nodes(), "new nodes are the last ones");
  }

  void add_edges(Choices& choices) {
    Links links;
    links.tail = numbers(choices, nodes());
    for (std::size_t e = 0; e < links.tail.size(); ++e) {
      links.head.push_back(nodes() > 0 ? choices.between(0, nodes() - 1) : 0);
    }
    links.capacity = capacities(choices, links.tail.size());
    links.reverse = capacities(choices, links.tail.size());
    change(links.valid(nodes()), "edges",
           [&] {
             const std::int64_t first =
                 cut_.add_edges(links.count(), links.tail.data(), links.head.data(),
                                links.capacity.data(), links.reverse.data());
             require(first == links_.count(), "new edges are the last ones");
           }) &&
        add(0, links);
  }

  void set_capacities(Choices& choices) {
    const std::vector<std::int64_t> edges = numbers(choices, links_.count());
    const std::vector<C> there = capacities(choices, edges.size());
    const std::vector<C> back = capacities(choices, edges.size());
    if (!change(within(edges, links_.count()) && fit(there, back), "capacities", [&] {
          cut_.set_capacities(static_cast<std::int64_t>(edges.size()), edges.data(), there.data(),
                              back.data());
        })) {
      return;
    }
    for (std::size_t k = 0; k < edges.size(); ++k) {
      links_.capacity[static_cast<std::size_t>(edges[k])] = there[k];
      links_.reverse[static_cast<std::size_t>(edges[k])] = back[k];
    }
  }

  void set_terminals(Choices& choices) {
    const std::vector<std::int64_t> chosen = numbers(choices, nodes());
    const std::vector<C> in = capacities(choices, chosen.size());
    const std::vector<C> out = capacities(choices, chosen.size());
    const bool with_source = !choices.one_in(4), with_sink = !choices.one_in(4);
    const bool fits =
        within(chosen, nodes()) && (!with_source || right(in)) && (!with_sink || right(out));
    if (!change(fits, "terminals", [&] {
          cut_.set_terminals(static_cast<std::int64_t>(chosen.size()), chosen.data(),
                             with_source ? in.data() : nullptr, with_sink ? out.data() : nullptr);
        })) {
      return;
    }
    for (std::size_t k = 0; k < chosen.size(); ++k) {
      if (with_source) source_[static_cast<std::size_t>(chosen[k])] = in[k];
      if (with_sink) sink_[static_cast<std::size_t>(chosen[k])] = out[k];
    }
  }

  void add_terminals(Choices& choices) {
    const std::vector<std::int64_t> chosen = numbers(choices, nodes());
    const std::vector<C> in = capacities(choices, chosen.size());
    const std::vector<C> out = capacities(choices, chosen.size());
    std::vector<C> source = source_, sink = sink_;
    bool fits = within(chosen, nodes()) && right(in) && right(out);
    for (std::size_t k = 0; fits && k < chosen.size(); ++k) {
      const auto i = static_cast<std::size_t>(chosen[k]);
      fits = sums(source[i], in[k]) && sums(sink[i], out[k]);
      if (!fits) break;
      source[i] += in[k];
      sink[i] += out[k];
    }
    if (!change(fits, "more terminals", [&] {
          cut_.add_terminals(static_cast<std::int64_t>(chosen.size()), chosen.data(), in.data(),
                             out.data());
        })) {
      return;
    }
    source_ = source;
    sink_ = sink;
  }

  bool add(std::int64_t count, const Links& links) {
    for (std::int64_t e = 0; e < links.count(); ++e) {
      const auto k = static_cast<std::size_t>(e);
      links_.add(links.tail[k], links.head[k], links.capacity[k], links.reverse[k]);
    }
    source_.resize(source_.size() + static_cast<std::size_t>(count));
    sink_.resize(source_.size());
    return true;
  }

  bool same_network() const {
    const maxflow::Network<C>& network = cut_.network();
    return network.source == source_ && network.sink == sink_ &&
           network.capacity == links_.capacity &&
           (network.reverse.empty() ? network.capacity : network.reverse) == links_.reverse;
  }

  // The graph as it is; or with all its arcs turned, whose source set is this one's sink set.
  EdgeLists<C> as_lists(bool turned) const {
    EdgeLists<C> lists;
    lists.nodes = nodes();
    lists.edges = links_.count();
    lists.graphs = lists.cuts = 1;
    lists.ptr = {0, lists.nodes};
    lists.edge_index = links_.tail;
    lists.edge_index.insert(lists.edge_index.end(), links_.head.begin(), links_.head.end());
    lists.capacity = {lists.edges, false, turned ? links_.reverse : links_.capacity};
    lists.reverse = {lists.edges, false, turned ? links_.capacity : links_.reverse};
    lists.source = {lists.nodes, false, turned ? sink_ : source_};
    lists.sink = {lists.nodes, false, turned ? source_ : sink_};
    return lists;
  }

  void check_cut_edges(const EdgeLists<C>& lists, const bool* side) const {
    std::vector<std::int64_t> expected;
    for (std::int64_t e = 0; e < lists.edges; ++e) {
      const bool out = side[lists.tail(e)], in = side[lists.head(e)];
      if (out != in && (out ? lists.capacity : lists.reverse).at(0, e) > C{0})
        expected.push_back(e);
    }
    require(cut_.cut_edges() == expected, "the edges of the cut are those that lead across");
  }

  void check_flow(const EdgeLists<C>& lists, maxflow::Value<C> value, bool exact) {
    const auto edges = static_cast<std::size_t>(lists.edges);
    Answer<C> answer;
    answer.value = {value};
    answer.flow.resize(edges);
    cut_.write_flow(answer.flow.data());
    std::vector<maxflow::Value<C>> there(edges), back(edges);
    cut_.write_residual(there.data(), back.data());
    if (!exact) return;
    bool finite = true;
    for (std::int64_t e = 0; e < lists.edges; ++e) {
      finite &= !infinite(lists.capacity.at(0, e)) && !infinite(lists.reverse.at(0, e));
    }
    if (!finite) return;
    lists.check_flow(answer, 0, 0);
    for (std::int64_t e = 0; e < lists.edges; ++e) {
      using W = Wide<C>;
      const auto k = static_cast<std::size_t>(e);
      const W flow{answer.flow[k]};
      require(W{there[k]} == W{lists.capacity.at(0, e)} - flow &&
                  W{back[k]} == W{lists.reverse.at(0, e)} + flow,
              "residuals are what the flow leaves");
    }
  }

  Values values_;
  maxflow::DynamicCut<C> cut_;
  Links links_;
  std::vector<C> source_, sink_;
};

template <class C>
void check_changing_graph(Choices& choices, Values values, std::int64_t most_nodes, int threads) {
  ChangingGraph<C> graph(choices, values, most_nodes);
  for (std::uint64_t turns = choices.between(1, 5); turns > 0; --turns) {
    for (std::uint64_t changes = choices.below(5); changes > 0; --changes) graph.change(choices);
    graph.solve(!choices.one_in(4), threads);
  }
}

}  // namespace graphcut::test
