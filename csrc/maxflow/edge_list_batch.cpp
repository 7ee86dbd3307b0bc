#include "maxflow/edge_list_batch.hpp"

#include <algorithm>
#include <array>
#include <atomic>
#include <cstddef>
#include <limits>
#include <optional>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include "maxflow/cut.hpp"
#include "maxflow/edge_groups.hpp"
#include "maxflow/edges.hpp"
#include "maxflow/grid_list.hpp"
#include "maxflow/infinite_path.hpp"
#include "maxflow/spread.hpp"
#include "parallel/parallel_for.hpp"

namespace graphcut::maxflow {
namespace {

// Refuses capacities that are none, and sums that overflow; returns whether a path of infinite
// capacity is possible.
template <class Capacity>
bool check(const EdgeListBatch<Capacity>& batch) {
  check_capacities(batch.capacity, batch.cuts, "capacity", "edge");
  if (batch.reverse_capacity.data != batch.capacity.data) {
    check_capacities(batch.reverse_capacity, batch.cuts, "reverse_capacity", "edge");
  }
  const bool infinite_source = check_capacities(batch.source, batch.cuts, "source", "node");
  const bool infinite_sink = check_capacities(batch.sink, batch.cuts, "sink", "node");
  const std::int64_t rows =
      std::max(batch.capacity.distinct(batch.cuts), batch.reverse_capacity.distinct(batch.cuts));
  for (std::int64_t c = 0; c < rows; ++c) {
    check_sums(batch.capacity.row(c), batch.reverse_capacity.row(c), batch.edges);
  }
  for (std::int64_t c = 0; c < batch.cuts; ++c) {
    for (std::int64_t g = 0; g < batch.graphs; ++g) {
      check_total(batch.source.row(c) + batch.ptr[g], batch.sink.row(c) + batch.ptr[g],
                  batch.ptr[g + 1] - batch.ptr[g]);
    }
  }
  return infinite_source && infinite_sink;
}

// A graph with residuals of type R, and the solvers, which keep their memory from cut to cut.
template <class R>
struct Engine {
  Graph<R> graph;
  Solvers<R> solvers;
  Spread<R> spread;
  std::vector<std::int32_t> slot;  // arc of every edge of graph `built`, where it is needed again
  std::int64_t built = -1;
};

// What a thread keeps from one cut to the next.
template <class Capacity>
struct Workspace {
  Engine<Residual<Capacity>> wide;
  Engine<NarrowResidual<Capacity>> narrow;  // for integers
  std::vector<std::int32_t> degree;         // of graph `counted`
  std::int64_t counted = -1;
  // Of a graph whose edges do not lie together.
  std::vector<std::int64_t> ends;
  std::vector<Capacity> capacities;
};

template <class Capacity>
class Run {
 public:
  using Wide = Residual<Capacity>;

  // `checked`: everything has been, and `infinite` is what came out; else irregular input ends the
  // run, whose results are then worth nothing.
  Run(const EdgeListBatch<Capacity>& batch, const EdgeGroups& groups, bool checked, bool infinite)
      : batch_(batch), groups_(groups), checked_(checked), infinite_(infinite) {}

  // Whether all was regular.
  bool operator()(int threads) {
    const int workers = worker_count(batch_.graphs * batch_.cuts, threads);
    threads_of_cut_ = std::max(1, threads / workers);
    std::vector<Workspace<Capacity>> workspaces(static_cast<std::size_t>(workers));

    // A task is a graph with all its cuts, whose topology is then built once; or, with too few
    // graphs to go round, a single cut.
    const bool by_graph = batch_.graphs / 2 >= workers || batch_.cuts <= 1 || workers <= 1;
    const std::int64_t share = by_graph ? batch_.cuts : 1;
    const std::int64_t tasks = share > 0 ? batch_.graphs * (batch_.cuts / share) : 0;
    parallel_for(tasks, workers, [&](int worker, std::int64_t task) {
      auto& work = workspaces[static_cast<std::size_t>(worker)];
      for (std::int64_t unit = task * share; unit < (task + 1) * share; ++unit) {
        if (irregular_.load(std::memory_order_relaxed)) return;
        if (!solve(unit / batch_.cuts, unit % batch_.cuts, work)) irregular_ = true;
      }
    });
    return !irregular_;
  }

 private:
  // Where graph g is in the batch.
  struct Place {
    std::int64_t g, c, base, first_edge;
    std::int32_t nodes;
    const Capacity* source;
    const Capacity* sink;
    bool* side;
    Method method;
    std::string where;  // in messages
  };

  // Whether the input was regular, or has been checked.
  bool solve(std::int64_t g, std::int64_t c, Workspace<Capacity>& work) {
    const std::int64_t base = batch_.ptr[g];
    Place at{g,
             c,
             base,
             groups_.begin[static_cast<std::size_t>(g)],
             static_cast<std::int32_t>(batch_.ptr[g + 1] - base),
             batch_.source.row(c) + base,
             batch_.sink.row(c) + base,
             batch_.source_side + c * batch_.nodes + base,
             batch_.flow == nullptr ? batch_.method : Method::boykov_kolmogorov,
             {}};
    if (batch_.graphs > 1) at.where += " of graph " + std::to_string(g);
    if (batch_.cuts > 1) at.where += " of cut " + std::to_string(c);
    const Edges<Capacity> edges = edges_of(at, work);
    check_edge_count(edges.count);
    const auto of_edges = edges.reverse == edges.capacity
                              ? bits_of_chunks(edges.capacity, edges.count)
                              : bits_of_chunks(edges.capacity, edges.count) |
                                    bits_of_chunks(edges.reverse, edges.count);
    const auto of_nodes = bits_of(at.source, at.nodes) | bits_of(at.sink, at.nodes);
    if (!checked_ && !regular(of_edges, of_nodes, at.nodes)) return false;
    if (at.method == Method::automatic && !infinite_ && at.nodes >= kLargeGrid &&
        solve_as_grid(at, edges))
      return true;
    if (work.counted != g) {
      work.counted = -1;
      if (!count_arcs(edges, at.nodes, work.degree)) return false;
      work.counted = g;
    }
    if constexpr (std::is_integral_v<Capacity>) {
      if (fits_narrow(of_edges, of_nodes, work.degree)) {
        run(at, edges, work.degree, work.narrow);
        return true;
      }
    }
    run(at, edges, work.degree, work.wide);
    return true;
  }

  // Solves a graph whose edges are those of a grid, if that is one and large; returns whether it
  // did. What is irregular is left alone.
  bool solve_as_grid(Place& at, const Edges<Capacity>& edges) const {
    const auto ends = [&](std::int64_t e) {
      return std::pair{edges.tail[e] - edges.base, edges.head[e] - edges.base};
    };
    const std::optional<GridLayout> layout = guess_grid(at.nodes, edges.count, ends);
    if (!layout || !grid_pays(at)) return false;
    GridList<Capacity> list;
    if (!list.fill(*layout, edges.count, threads_of_cut_, ends, [&](std::int64_t e) {
          return std::pair{edges.capacity[e], edges.reverse[e]};
        })) {
      return false;
    }
    const GridProblem<Capacity> problem{&*layout, list.capacity(), list.reverse(), at.source,
                                        at.sink};
    GridFlow<Capacity> flow;
    const GridResult result =
        solve_grid(problem, threads_of_cut_, reinterpret_cast<std::uint8_t*>(at.side), flow);
    if (result == GridResult::solved) write_value(at, edges);
    if (result == GridResult::too_long) at.method = Method::pseudoflow;
    return result == GridResult::solved;
  }

  // Whether solve_grid takes a graph of such terminals.
  static bool grid_pays(const Place& at) {
    std::int64_t terminals = 0;
    for (std::int32_t i = 0; i < at.nodes; ++i) {
      terminals += static_cast<std::int64_t>(at.source[i] != at.sink[i]);
    }
    return grid_suits(terminals, at.nodes);
  }

  // The edges of a graph; copied together where the batch has them in any order.
  Edges<Capacity> edges_of(const Place& at, Workspace<Capacity>& work) const {
    const auto begin = static_cast<std::size_t>(at.first_edge);
    const std::int64_t count = groups_.begin[static_cast<std::size_t>(at.g) + 1] - at.first_edge;
    const Capacity* const capacity = batch_.capacity.row(at.c);
    const Capacity* const reverse = batch_.reverse_capacity.row(at.c);
    if (groups_.order.empty()) {
      return {batch_.edge_index + begin,
              batch_.edge_index + batch_.edges + begin,
              capacity + begin,
              reverse + begin,
              count,
              at.base};
    }
    const auto size = static_cast<std::size_t>(count);
    work.ends.resize(2 * size);
    work.capacities.resize(2 * size);
    for (std::size_t place = 0; place < size; ++place) {
      const auto e = static_cast<std::size_t>(groups_.order[begin + place]);
      work.ends[place] = batch_.edge_index[e];
      work.ends[size + place] = batch_.edge_index[static_cast<std::size_t>(batch_.edges) + e];
      work.capacities[place] = capacity[e];
      work.capacities[size + place] = reverse[e];
    }
    return {work.ends.data(),
            work.ends.data() + size,
            work.capacities.data(),
            work.capacities.data() + size,
            count,
            at.base};
  }

  // See Note [Regular input]. The bits of 64-bit integers are more than the largest of them, and
  // leave room for the sum of all terminals.
  template <class Bits>
  static bool regular(Bits of_edges, Bits of_nodes, std::int32_t nodes) {
    if ((of_edges | of_nodes) < 0) return false;
    if constexpr (std::is_same_v<Capacity, std::int64_t>) {
      constexpr std::int64_t kMost = std::numeric_limits<std::int64_t>::max() / 4;
      return of_edges <= kMost && of_nodes <= kMost / std::max(nodes, 1);
    }
    return true;
  }

  // Whether every excess that flow can lead to stays in range: no node gets or gives more than its
  // own terminals and its arcs, both ways, allow.
  template <class Bits>
  static bool fits_narrow(Bits of_edges, Bits of_nodes, const std::vector<std::int32_t>& degree) {
    constexpr double kMost = 1 << 29;  // with room for what Spread adds up
    const double most = degree.empty() ? 0 : *std::max_element(degree.begin(), degree.end());
    return static_cast<double>(of_nodes) + most * (2 * static_cast<double>(of_edges)) <= kMost;
  }

  template <class R>
  void run(const Place& at, const Edges<Capacity>& edges, const std::vector<std::int32_t>& degree,
           Engine<R>& engine) {
    Graph<R>& graph = engine.graph;
    graph.bounded = !std::is_same_v<R, Wide>;
    const std::int64_t terminals = set_excess(at.source, at.sink, at.nodes, graph.excess);
    prepare(at, edges, degree, terminals, engine);
    if constexpr (std::is_floating_point_v<Capacity>) {
      if (infinite_) refuse_infinite_path(graph, at.source, at.sink, at.where);
    }
    const Choice used = chosen(at.method, graph, terminals, engine.spread.used());
    engine.spread.release();
    engine.solvers.cut(graph, used, at.side);
    if (batch_.flow != nullptr) write_flow(at, edges, engine);
    write_value(at, edges);
  }

  void write_value(const Place& at, const Edges<Capacity>& edges) const {
    const Value<Capacity> value =
        add_cut_edges(terminal_cost(at.source, at.sink, at.side, at.nodes), edges, at.side);
    batch_.value[at.c * batch_.graphs + at.g] = checked_value(value, at.where);
  }

  // Sends flow ahead, unless the flow is asked for, and sets the residuals that it leaves.
  template <class R>
  void prepare(const Place& at, const Edges<Capacity>& edges,
               const std::vector<std::int32_t>& degree, std::int64_t terminals, Engine<R>& engine) {
    const auto ends = [&](std::int64_t e) { return edges.ends(e); };
    const auto capacities = [&](std::int64_t e) {
      return std::pair{static_cast<R>(edges.capacity[e]), static_cast<R>(edges.reverse[e])};
    };
    engine.spread.release();
    if (batch_.flow == nullptr) {
      engine.spread.run(edges.count, ends, capacities, terminals, engine.graph.excess);
    }
    engine.graph.evened_out = engine.spread.little_meets();
    engine.graph.bounded |=
        engine.spread.imbalance() <= static_cast<double>(std::numeric_limits<R>::max()) / 4;
    if (engine.spread.used()) {
      const R* const flows = engine.spread.flows();
      set_arcs(at, edges.count, ends, degree, engine, [&](std::int64_t e) {
        const auto [forward, backward] = capacities(e);
        return std::pair{static_cast<R>(forward - flows[e]), static_cast<R>(backward + flows[e])};
      });
    } else {
      set_arcs(at, edges.count, ends, degree, engine, capacities);
    }
  }

  template <class R, class Ends, class Residuals>
  void set_arcs(const Place& at, std::int64_t count, const Ends& ends,
                const std::vector<std::int32_t>& degree, Engine<R>& engine,
                const Residuals& residuals) {
    if (engine.built == at.g) {
      for (std::int64_t e = 0; e < count; ++e) {
        const std::int32_t arc = engine.slot[static_cast<std::size_t>(e)];
        if (arc < 0) continue;
        const auto [forward, backward] = residuals(e);
        engine.graph.set_residuals(arc, forward, backward);
      }
      return;
    }
    const bool needed = batch_.cuts > 1 || batch_.flow != nullptr;  // whether arcs are looked up
    engine.slot.resize(needed ? static_cast<std::size_t>(count) : 0);
    build_graph(engine.graph, degree, count, ends, residuals,
                needed ? engine.slot.data() : nullptr);
    engine.built = at.g;
  }

  // Net flow of the edges, whose residuals are those of a maximum flow.
  template <class R>
  void write_flow(const Place& at, const Edges<Capacity>& edges, const Engine<R>& engine) const {
    for (std::int64_t place = 0; place < edges.count; ++place) {
      const std::int32_t slot = engine.slot[static_cast<std::size_t>(place)];
      Capacity flow{0};
      if (slot >= 0) {
        flow = static_cast<Capacity>(static_cast<R>(edges.capacity[place]) -
                                     engine.graph.arcs[static_cast<std::size_t>(slot)].residual);
      }
      batch_.flow[at.c * batch_.edges + groups_.edge(at.first_edge + place)] = flow;
    }
  }

  // bits_of by all threads of a cut, where there is much to look at.
  auto bits_of_chunks(const Capacity* row, std::int64_t count) const {
    using Bits = decltype(bits_of(row, count));
    std::array<Bits, kChunks> found{};
    each_chunk(count, [&](std::size_t chunk, std::int64_t from, std::int64_t to) {
      found[chunk] = bits_of(row + from, to - from);
    });
    Bits all{0};
    for (const Bits bits : found) all |= bits;
    return all;
  }

  // `cost` with the capacities of the edges in the cut, which are few, added in order.
  Value<Capacity> add_cut_edges(Value<Capacity> cost, const Edges<Capacity>& edges,
                                const bool* side) const {
    const auto add = [&cost](Capacity paid) { cost += static_cast<Value<Capacity>>(paid); };
    if (!in_chunks(edges.count)) {
      each_cut_edge(edges, side, 0, edges.count, add);
      return cost;
    }
    std::array<std::vector<Capacity>, kChunks> paid;
    each_chunk(edges.count, [&](std::size_t chunk, std::int64_t begin, std::int64_t end) {
      each_cut_edge(edges, side, begin, end,
                    [&](Capacity capacity) { paid[chunk].push_back(capacity); });
    });
    for (const auto& some : paid) std::for_each(some.begin(), some.end(), add);
    return cost;
  }

  // Calls body(chunk, begin, end) for ranges of [0, count), in threads if the cut has some.
  static constexpr std::int64_t kChunks = 16;
  bool in_chunks(std::int64_t count) const {
    return threads_of_cut_ > 1 && count >= (std::int64_t{1} << 18);
  }
  template <class Body>
  void each_chunk(std::int64_t count, Body&& body) const {
    if (!in_chunks(count)) {
      body(std::size_t{0}, std::int64_t{0}, count);
      return;
    }
    parallel_for(kChunks, threads_of_cut_, [&](int, std::int64_t chunk) {
      body(static_cast<std::size_t>(chunk), count * chunk / kChunks, count * (chunk + 1) / kChunks);
    });
  }

  const EdgeListBatch<Capacity>& batch_;
  const EdgeGroups& groups_;
  bool checked_, infinite_;
  int threads_of_cut_ = 1;
  std::atomic<bool> irregular_{false};
};

}  // namespace

template <class Capacity>
void solve(const EdgeListBatch<Capacity>& batch, int threads) {
  const auto checked = [&](auto&& act) {
    const EdgeGroups groups(batch.edge_index, batch.edges, batch.ptr, batch.graphs, batch.nodes);
    act(groups, check(batch));
  };
  const bool any = batch.graphs > 0 && batch.cuts > 0;
  const EdgeGroups assumed =
      EdgeGroups::of_grouped(batch.edge_index, batch.edges, batch.ptr, batch.graphs, batch.nodes);
  try {
    if (any && Run<Capacity>(batch, assumed, false, false)(threads)) return;
  } catch (...) {  // what is wrong with the input comes before what is wrong with a cut
    checked([](const EdgeGroups&, bool) {});
    throw;
  }
  checked([&](const EdgeGroups& groups, bool infinite) {
    Run<Capacity>(batch, groups, true, infinite)(threads);
  });
}

template void solve(const EdgeListBatch<float>&, int);
template void solve(const EdgeListBatch<double>&, int);
template void solve(const EdgeListBatch<std::int32_t>&, int);
template void solve(const EdgeListBatch<std::int64_t>&, int);

}  // namespace graphcut::maxflow
