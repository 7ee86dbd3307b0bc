#include "maxflow/knn_batch.hpp"

#include <limits>
#include <string>
#include <vector>

#include "maxflow/cut.hpp"
#include "maxflow/infinite_path.hpp"
#include "maxflow/knn_topology.hpp"
#include "maxflow/spread.hpp"
#include "parallel/parallel_for.hpp"

namespace graphcut::maxflow {
namespace {

template <class Capacity>
bool check(const KnnBatch<Capacity>& batch) {
  if (batch.nodes > kMaxNodes || batch.k > std::numeric_limits<std::int32_t>::max() ||
      batch.nodes * batch.k > kMaxEdges) {
    throw std::invalid_argument("indices: " + std::to_string(batch.nodes) + " nodes with " +
                                std::to_string(batch.k) +
                                " neighbours are too large; at most 2^30 - 1 entries per item");
  }
  const std::int64_t entries = batch.nodes * batch.k;
  const auto within = [&batch](std::int64_t e) {
    return static_cast<std::uint64_t>(batch.indices[e]) + 1 <=
           static_cast<std::uint64_t>(batch.nodes);
  };
  bool all_within = true;
  for (std::int64_t e = 0; e < batch.items * entries; ++e) all_within &= within(e);
  for (std::int64_t e = 0; !all_within; ++e) {
    if (within(e)) continue;
    throw std::out_of_range(
        "indices[" + std::to_string(e / entries) + ", " + std::to_string(e % entries / batch.k) +
        ", " + std::to_string(e % batch.k) + "] = " + std::to_string(batch.indices[e]) +
        " is out of range for " + std::to_string(batch.nodes) + " nodes");
  }
  auto check_items = [&batch](const Capacity* data, std::int64_t rows, std::int64_t length,
                              const char* name, const char* element) {
    bool infinite = false;
    for (std::int64_t item = 0; item < batch.items; ++item) {
      const Rows<Capacity> of_item{data + item * rows * length, length, length};
      std::string argument = name;
      if (batch.items > 1) argument.append("[").append(std::to_string(item)).append("]");
      infinite |= check_capacities(of_item, rows, argument.c_str(), element);
    }
    return infinite;
  };
  check_items(batch.weights, 1, entries, "weights", "entry");
  const bool infinite_source = check_items(batch.source, batch.cuts, batch.nodes, "source", "node");
  const bool infinite_sink = check_items(batch.sink, batch.cuts, batch.nodes, "sink", "node");
  for (std::int64_t c = 0; c < batch.items * batch.cuts; ++c) {
    check_total(batch.source + c * batch.nodes, batch.sink + c * batch.nodes, batch.nodes);
  }
  return infinite_source && infinite_sink;
}

// What a thread keeps from one cut to the next.
template <class Capacity>
struct Workspace {
  using R = Residual<Capacity>;
  KnnEdges<R> edges;
  Graph<R> graph;
  std::vector<std::int32_t> degree;  // (nodes) of item `built`
  std::vector<std::int32_t> slot;    // arc of every edge of it, where it is needed again
  Spread<R> spread;
  Solvers<R> solvers;
  std::int64_t built = -1;
};

// Collects the edges of an item once, sends flow ahead, and sets the residuals that it leaves.
template <class Capacity>
void prepare(const KnnBatch<Capacity>& batch, std::int64_t item, std::int64_t terminals,
             Workspace<Capacity>& work) {
  const auto nodes = static_cast<std::int32_t>(batch.nodes);
  const bool again = work.built == item;
  if (!again) {
    const std::int64_t offset = item * batch.nodes * batch.k;
    collect_knn_edges(batch.indices + offset, batch.weights + offset, nodes,
                      static_cast<std::int32_t>(batch.k), work.edges);
  }
  const auto& edges = work.edges.edges;
  const auto count = static_cast<std::int64_t>(edges.size());
  const auto ends = [&edges](std::int64_t e) {
    const auto& edge = edges[static_cast<std::size_t>(e)];
    return std::pair{edge.u, edge.v};  // never the same: there are no self-loops
  };
  const auto weight = [&edges](std::int64_t e) {
    return edges[static_cast<std::size_t>(e)].weight;
  };
  work.spread.run(
      count, ends, [&](std::int64_t e) { return std::pair{weight(e), weight(e)}; }, terminals,
      work.graph.excess);
  work.graph.evened_out = work.spread.little_meets();
  const auto residuals = [&](std::int64_t e) {
    const auto flow = work.spread.flow(e);
    return std::pair{weight(e) - flow, weight(e) + flow};
  };
  if (again) {
    for (std::int64_t e = 0; e < count; ++e) {
      const auto [forward, backward] = residuals(e);
      work.graph.set_residuals(work.slot[static_cast<std::size_t>(e)], forward, backward);
    }
    return;
  }
  work.degree.assign(static_cast<std::size_t>(nodes), 0);
  for (const auto& edge : edges) {
    ++work.degree[static_cast<std::size_t>(edge.u)];
    ++work.degree[static_cast<std::size_t>(edge.v)];
  }
  const bool needed = batch.cuts > 1;
  work.slot.resize(needed ? edges.size() : 0);
  build_graph(work.graph, work.degree, count, ends, residuals, needed ? work.slot.data() : nullptr);
  work.built = item;
}

template <class Capacity>
void solve_one(const KnnBatch<Capacity>& batch, std::int64_t item, std::int64_t c, bool infinite,
               Workspace<Capacity>& work) {
  const auto nodes = static_cast<std::int32_t>(batch.nodes);
  const std::int64_t row = item * batch.cuts + c;
  const std::string where = " of item " + std::to_string(item) + ", cut " + std::to_string(c);
  const Capacity* source = batch.source + row * batch.nodes;
  const Capacity* sink = batch.sink + row * batch.nodes;
  bool* side = batch.source_side + row * batch.nodes;
  const std::int64_t terminals = set_excess(source, sink, nodes, work.graph.excess);
  prepare(batch, item, terminals, work);
  if constexpr (std::is_floating_point_v<Capacity>) {
    if (infinite) refuse_infinite_path(work.graph, source, sink, where);
  }
  const Choice used = chosen(batch.method, work.graph, terminals, work.spread.used());
  work.spread.release();
  work.solvers.cut(work.graph, used, side);

  Value<Capacity> value = terminal_cost(source, sink, side, nodes);
  for (const auto& edge : work.edges.edges) {
    if (side[edge.u] != side[edge.v]) value += static_cast<Value<Capacity>>(edge.weight);
  }
  batch.value[row] = checked_value(value, where);
}

}  // namespace

template <class Capacity>
void solve(const KnnBatch<Capacity>& batch, int threads) {
  const bool infinite = check(batch);
  const int workers = worker_count(batch.items * batch.cuts, threads);
  std::vector<Workspace<Capacity>> workspaces(static_cast<std::size_t>(workers));

  // A task is an item with all its cuts, whose graph is then built once; or, with too few items to
  // go round, a single cut.
  const bool by_item = batch.items / 2 >= workers || batch.cuts <= 1 || workers <= 1;
  const std::int64_t share = by_item ? batch.cuts : 1;
  const std::int64_t tasks = share > 0 ? batch.items * (batch.cuts / share) : 0;
  parallel_for(tasks, workers, [&](int worker, std::int64_t task) {
    auto& work = workspaces[static_cast<std::size_t>(worker)];
    for (std::int64_t unit = task * share; unit < (task + 1) * share; ++unit) {
      solve_one(batch, unit / batch.cuts, unit % batch.cuts, infinite, work);
    }
  });
}

template void solve(const KnnBatch<float>&, int);
template void solve(const KnnBatch<double>&, int);
template void solve(const KnnBatch<std::int32_t>&, int);
template void solve(const KnnBatch<std::int64_t>&, int);

}  // namespace graphcut::maxflow
