// Random batches of edge lists, and what must hold of their minimum cuts.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <vector>

#include "choices.hpp"
#include "maxflow/edge_list_batch.hpp"
#include "oracle.hpp"

namespace graphcut::test {

using maxflow::kSolverNames;
using maxflow::Method;

// whole: small integers, and inf where there is one. real: over 2^40. any: what is refused, too.
enum class Values : std::uint8_t { whole, real, any };

template <class C>
C draw_capacity(Choices& choices, Values values) {
  using Limits = std::numeric_limits<C>;
  if (choices.one_in(3)) return C{0};
  if (values == Values::any && choices.one_in(24)) {
    const C odd[] = {
        Limits::max(),      Limits::max() / 2,    Limits::lowest(),     C{-1},
        Limits::min(),      Limits::epsilon(),    Limits::quiet_NaN(),  -Limits::infinity(),
        Limits::infinity(), Limits::denorm_min(), static_cast<C>(-0.0), Limits::max() / 3};
    return choices.of(odd);
  }
  const auto size = static_cast<C>(choices.below(20));
  if constexpr (std::is_floating_point_v<C>) {
    if (choices.one_in(24)) return Limits::infinity();
    if (values != Values::whole && choices.one_in(2)) {
      return std::ldexp(size + static_cast<C>(choices.below(1000)) / 999,
                        static_cast<int>(choices.between(-20, 20)));
    }
  }
  return size;
}

// Capacities (cuts or 1, length): a single row serves every cut.
template <class C>
struct Table {
  std::int64_t length = 0;
  bool shared = false;
  std::vector<C> data;

  void draw(Choices& choices, Values values, std::int64_t cuts, std::int64_t row_length) {
    length = row_length;
    shared = choices.one_in(2);
    data.resize(static_cast<std::size_t>(length * (shared ? 1 : cuts)));
    for (C& capacity : data) capacity = draw_capacity<C>(choices, values);
  }
  maxflow::Rows<C> rows() const { return {data.data(), length, shared ? 0 : length}; }
  C at(std::int64_t cut, std::int64_t i) const { return rows().row(cut)[i]; }
  bool valid() const {
    return std::all_of(data.begin(), data.end(), [](C c) { return c >= C{0}; });
  }
};

template <class C>
struct Answer {
  std::vector<maxflow::Value<C>> value;
  std::unique_ptr<bool[]> side;  // NOLINT(modernize-avoid-c-arrays): vector<bool> has no bools
  std::vector<C> flow;
};

template <class C>
struct EdgeLists {
  std::int64_t nodes = 0, edges = 0, graphs = 0, cuts = 0;
  std::vector<std::int64_t> edge_index, ptr;
  bool undirected = false;  // reverse is capacity
  Table<C> capacity, reverse, source, sink;

  EdgeLists() = default;
  EdgeLists(Choices& choices, Values values, std::int64_t most_nodes, std::int64_t most_edges) {
    graphs = choices.between(0, 4);
    cuts = choices.between(0, 3);
    ptr.push_back(0);
    std::vector<std::int64_t> filled;  // graphs with nodes
    for (std::int64_t g = 0; g < graphs; ++g) {
      nodes += choices.between(0, most_nodes);
      if (nodes > ptr.back()) filled.push_back(g);
      ptr.push_back(nodes);
    }
    edges = filled.empty() ? 0 : choices.between(0, most_edges);
    edge_index.resize(static_cast<std::size_t>(2 * edges));
    for (std::int64_t e = 0; e < edges; ++e) {
      const auto g = static_cast<std::size_t>(filled[choices.below(filled.size())]);
      for (int end = 0; end < 2; ++end) {
        edge_index[static_cast<std::size_t>(end * edges + e)] =
            choices.between(ptr[g], ptr[g + 1] - 1);
      }
    }
    if (values == Values::any) damage(choices);
    undirected = choices.one_in(2);
    capacity.draw(choices, values, cuts, edges);
    if (!undirected) reverse.draw(choices, values, cuts, edges);
    source.draw(choices, values, cuts, nodes);
    sink.draw(choices, values, cuts, nodes);
  }

  Answer<C> solve(const char* solver, int threads, bool flow) const {
    Answer<C> answer;
    answer.value.resize(static_cast<std::size_t>(cuts * graphs));
    answer.side = std::make_unique<bool[]>(static_cast<std::size_t>(cuts * nodes));
    maxflow::EdgeListBatch<C> batch;
    batch.nodes = nodes;
    batch.edges = edges;
    batch.graphs = graphs;
    batch.cuts = cuts;
    batch.method = maxflow::method_named(solver);
    batch.edge_index = edge_index.data();
    batch.ptr = ptr.data();
    batch.capacity = capacity.rows();
    batch.reverse_capacity = undirected ? batch.capacity : reverse.rows();
    batch.source = source.rows();
    batch.sink = sink.rows();
    batch.value = answer.value.data();
    batch.source_side = answer.side.get();
    if (flow) {
      answer.flow.resize(static_cast<std::size_t>(cuts * edges));
      batch.flow = answer.flow.data();
    }
    maxflow::solve(batch, threads);
    return answer;
  }

  std::int64_t tail(std::int64_t e) const { return edge_index[static_cast<std::size_t>(e)]; }
  std::int64_t head(std::int64_t e) const {
    return edge_index[static_cast<std::size_t>(edges + e)];
  }
  C back(std::int64_t cut, std::int64_t e) const {
    return (undirected ? capacity : reverse).at(cut, e);
  }

  // Whether every number is one that solve() has to accept, sums of capacities aside.
  bool valid() const {
    if (ptr.front() != 0 || ptr.back() != nodes || !std::is_sorted(ptr.begin(), ptr.end())) {
      return false;
    }
    for (std::int64_t e = 0; e < edges; ++e) {
      if (std::min(tail(e), head(e)) < 0 || std::max(tail(e), head(e)) >= nodes) return false;
      if (graph_of(tail(e)) != graph_of(head(e))) return false;
    }
    if (cuts == 0) return true;  // no capacity is used
    return capacity.valid() && (undirected || reverse.valid()) && source.valid() && sink.valid();
  }

  Oracle<C> oracle(std::int64_t graph, std::int64_t cut) const {
    const std::int64_t first = ptr[static_cast<std::size_t>(graph)];
    const std::int64_t end = ptr[static_cast<std::size_t>(graph) + 1];
    Oracle<C> oracle(end - first);
    for (std::int64_t e = 0; e < edges; ++e) {
      if (tail(e) < first || tail(e) >= end) continue;
      oracle.add_edge(tail(e) - first, head(e) - first, capacity.at(cut, e), back(cut, e));
    }
    for (std::int64_t i = first; i < end; ++i) {
      oracle.add_terminals(i - first, source.at(cut, i), sink.at(cut, i));
    }
    oracle.solve();
    return oracle;
  }

  // The flow respects capacities, every node passes on what it gets, and the value arrives.
  void check_flow(const Answer<C>& answer, std::int64_t graph, std::int64_t cut) const {
    using W = Wide<C>;
    const std::int64_t first = ptr[static_cast<std::size_t>(graph)];
    const std::int64_t end = ptr[static_cast<std::size_t>(graph) + 1];
    std::vector<W> net(static_cast<std::size_t>(end - first), W{0});  // what edges take away
    for (std::int64_t e = 0; e < edges; ++e) {
      if (tail(e) < first || tail(e) >= end) continue;
      const C flow = answer.flow[static_cast<std::size_t>(cut * edges + e)];
      require(flow <= capacity.at(cut, e) && -flow <= back(cut, e), "flow within capacities");
      net[static_cast<std::size_t>(tail(e) - first)] += flow;
      net[static_cast<std::size_t>(head(e) - first)] -= flow;
    }
    W arrives{0};
    for (std::int64_t i = first; i < end; ++i) {
      const W taken = net[static_cast<std::size_t>(i - first)];
      const C in = source.at(cut, i), out = sink.at(cut, i);
      require(infinite(in) || taken <= in, "flow within source");
      require(infinite(out) || -taken <= out, "flow within sink");
      if (infinite(in)) {
        arrives += out + taken;
      } else {
        arrives += infinite(out) ? W{in} : std::min(W{in}, W{out} + taken);
      }
    }
    const auto value = answer.value[static_cast<std::size_t>(cut * graphs + graph)];
    require(arrives == W{value}, "the flow is worth the value");
  }

 private:
  std::int64_t graph_of(std::int64_t node) const {
    return std::upper_bound(ptr.begin(), ptr.end(), node) - ptr.begin();
  }

  void damage(Choices& choices) {
    using Limits = std::numeric_limits<std::int64_t>;
    const std::int64_t odd[] = {
        -1, nodes, nodes + 1, Limits::min(), Limits::max(), nodes - 1, std::int64_t{1} << 31, 0};
    if (choices.one_in(8)) ptr[choices.below(ptr.size())] = choices.of(odd);
    if (edges > 0 && choices.one_in(8))
      edge_index[choices.below(edge_index.size())] = choices.of(odd);
  }
};

// Compares one cut with the oracle's. `rounding` is the relative error of an edge's capacity, and
// `tolerance` what a cut may cost more than the minimum, relatively, where sums round.
template <class C>
void check_cut(const Oracle<C>& oracle, maxflow::Value<C> value, const bool* side,
               std::int64_t nodes, double rounding, const std::string& where,
               double tolerance = 0) {
  using W = Wide<C>;
  const W cost = oracle.cost(side);
  if (oracle.exact()) {
    require(W{value} == oracle.value(), where + ": the value is the oracle's");
    require(cost == oracle.value(), where + ": the cut costs the value");
    for (std::int64_t i = 0; i < nodes; ++i) {
      require(side[i] == oracle.in_source_set(i), where + ": the source set is the minimal one");
    }
  } else if constexpr (std::is_floating_point_v<C>) {
    const W terms = 64 * static_cast<W>(nodes + 1);
    const W slack = terms * std::numeric_limits<C>::epsilon() * oracle.total();
    require(std::abs(W{value} - oracle.value()) <= slack + tolerance * oracle.value(),
            where + ": the value is the oracle's");
    require(cost >= 0 && std::abs(cost - W{value}) <= terms * rounding * cost,
            where + ": the cut costs the value");
  }
}

template <class C>
bool same(const Answer<C>& a, const Answer<C>& b, std::int64_t sides) {
  return a.value == b.value && a.flow == b.flow &&
         std::equal(a.side.get(), a.side.get() + sides, b.side.get());
}

// Calls solve(solver, threads) for every solver, with 1 thread and with `threads`. The answers are
// empty where the problem was refused, by all alike and with the message `refused`. Exceptions of
// other types pass through.
template <class Solve>
auto solve_by_all(int threads, std::string& refused, Solve&& solve)
    -> std::vector<std::optional<decltype(solve(kSolverNames[0], 1))>> {
  std::vector<std::optional<decltype(solve(kSolverNames[0], 1))>> answers;
  for (const char* solver : kSolverNames) {
    for (const int count : {1, threads}) {
      std::string why;
      answers.emplace_back();
      try {
        answers.back() = solve(solver, count);
      } catch (const std::invalid_argument& error) {
        why = error.what();
      } catch (const std::out_of_range& error) {
        why = error.what();
      }
      if (answers.size() == 1) refused = why;
      require(why == refused,
              std::string(solver) + " refuses with '" + why + "', not '" + refused + "'");
    }
  }
  return answers;
}

// Solves by every solver, with 1 thread and with `threads`, and checks everything there is to know.
template <class C>
void check_edge_lists(const EdgeLists<C>& lists, int threads) {
  std::string refused;
  const auto answers = solve_by_all(threads, refused, [&](const char* solver, int count) {
    return lists.solve(solver, count, false);
  });
  const bool accepted = answers[0].has_value();
  if (!lists.valid()) {
    require(!accepted, "bad input is refused");
    return;
  }
  bool all_exact = true, endless = false, links_finite = true, far_from_overflow = true;
  std::vector<Oracle<C>> oracles;
  for (std::int64_t c = 0; c < lists.cuts; ++c) {
    for (std::int64_t g = 0; g < lists.graphs; ++g) {
      oracles.push_back(lists.oracle(g, c));
      all_exact &= oracles.back().exact();
      endless |= oracles.back().endless();
      far_from_overflow &=
          oracles.back().total() < std::numeric_limits<maxflow::Residual<C>>::max() / 8;
    }
    for (std::int64_t e = 0; e < lists.edges; ++e) {
      links_finite &= !infinite(lists.capacity.at(c, e)) && !infinite(lists.back(c, e));
    }
  }
  if (endless) require(!accepted, "a path of infinite capacity is refused");
  if (!accepted) {
    require(endless || !far_from_overflow,
            "good input is accepted, not refused with '" + refused + "'");
    return;
  }
  for (std::size_t k = 0; k < answers.size(); ++k) {
    const Answer<C>& answer = *answers[k];
    require(same(answer, *answers[k - k % 2], lists.cuts * lists.nodes), "threads do not matter");
    for (std::int64_t c = 0; c < lists.cuts; ++c) {
      for (std::int64_t g = 0; g < lists.graphs; ++g) {
        const std::int64_t first = lists.ptr[static_cast<std::size_t>(g)];
        const auto row = static_cast<std::size_t>(c * lists.graphs + g);
        check_cut(oracles[row], answer.value[row], answer.side.get() + c * lists.nodes + first,
                  lists.ptr[static_cast<std::size_t>(g) + 1] - first,
                  std::numeric_limits<double>::epsilon(), kSolverNames[k / 2]);
      }
    }
  }
  if (!links_finite) return;
  const Answer<C> with_flow = lists.solve("auto", threads, true);
  if (!all_exact) return;
  for (std::int64_t c = 0; c < lists.cuts; ++c) {
    for (std::int64_t g = 0; g < lists.graphs; ++g) lists.check_flow(with_flow, g, c);
  }
}

}  // namespace graphcut::test
