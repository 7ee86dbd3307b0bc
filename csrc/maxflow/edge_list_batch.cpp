#include "maxflow/edge_list_batch.hpp"

#include <algorithm>
#include <limits>
#include <string>
#include <utility>
#include <vector>

#include "maxflow/cut.hpp"
#include "maxflow/edge_groups.hpp"
#include "maxflow/infinite_path.hpp"
#include "maxflow/spread.hpp"
#include "parallel/parallel_for.hpp"

namespace graphcut::maxflow {
namespace {

// Whether a path of infinite capacity is possible.
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

// What a thread keeps from one cut to the next.
template <class Capacity>
struct Workspace {
  Graph<Residual<Capacity>> graph;
  Solvers<Residual<Capacity>> solvers;
  std::vector<std::int32_t> slot;  // arc of every edge of graph `built`, where it is needed again
  Spread<Residual<Capacity>> spread;
  std::int64_t built = -1;
};

// Net flow of the edges of graph g, whose residuals are those of a maximum flow.
template <class Capacity>
void write_flow(const EdgeGroups& groups, std::int64_t g, const Capacity* capacity,
                const Workspace<Capacity>& work, Capacity* flow) {
  using R = Residual<Capacity>;
  const std::int64_t first_edge = groups.begin[static_cast<std::size_t>(g)];
  for (std::size_t place = 0; place < work.slot.size(); ++place) {
    const std::int64_t e = groups.edge(first_edge + static_cast<std::int64_t>(place));
    const std::int32_t slot = work.slot[place];
    flow[e] = slot < 0
                  ? Capacity{0}
                  : static_cast<Capacity>(static_cast<R>(capacity[e]) -
                                          work.graph.arcs[static_cast<std::size_t>(slot)].residual);
  }
}

// Sends flow ahead, unless the flow is asked for, and sets the residuals that it leaves.
template <class Capacity>
void prepare(const EdgeListBatch<Capacity>& batch, const EdgeGroups& groups, std::int64_t g,
             std::int64_t c, std::int64_t terminals, Workspace<Capacity>& work) {
  using R = Residual<Capacity>;
  const std::int64_t base = batch.ptr[g];
  const std::int64_t first_edge = groups.begin[static_cast<std::size_t>(g)];
  const std::int64_t edges = groups.begin[static_cast<std::size_t>(g) + 1] - first_edge;
  const Capacity* capacity = batch.capacity.row(c);
  const Capacity* reverse = batch.reverse_capacity.row(c);
  const auto ends = [&](std::int64_t place) {
    const std::int64_t e = groups.edge(first_edge + place);
    return std::pair{static_cast<std::int32_t>(batch.edge_index[e] - base),
                     static_cast<std::int32_t>(batch.edge_index[batch.edges + e] - base)};
  };
  const auto capacities = [&](std::int64_t place) {
    const std::int64_t e = groups.edge(first_edge + place);
    return std::pair{static_cast<R>(capacity[e]), static_cast<R>(reverse[e])};
  };
  work.spread.release();
  if (batch.flow == nullptr) {
    work.spread.run(edges, ends, capacities, terminals, work.graph.excess);
  }
  const auto set_residuals = [&](std::int64_t place, std::int32_t arc) {
    if (arc < 0) return;
    const R flow = work.spread.flow(place);
    const auto [forward, backward] = capacities(place);
    work.graph.set_residuals(arc, forward - flow, backward + flow);
  };
  if (work.built == g) {
    for (std::int64_t place = 0; place < edges; ++place) {
      set_residuals(place, work.slot[static_cast<std::size_t>(place)]);
    }
    return;
  }
  const bool needed = batch.cuts > 1 || batch.flow != nullptr;  // whether arcs are looked up later
  if (needed) work.slot.resize(static_cast<std::size_t>(edges));
  build_topology(work.graph, static_cast<std::int32_t>(batch.ptr[g + 1] - base), edges, ends,
                 [&](std::int64_t place, std::int32_t arc) {
                   if (needed) work.slot[static_cast<std::size_t>(place)] = arc;
                   set_residuals(place, arc);
                 });
  work.built = g;
}

template <class Capacity>
void solve_one(const EdgeListBatch<Capacity>& batch, const EdgeGroups& groups, std::int64_t g,
               std::int64_t c, bool infinite, Workspace<Capacity>& work) {
  const std::int64_t base = batch.ptr[g];
  const std::int64_t first_edge = groups.begin[static_cast<std::size_t>(g)];
  const std::int64_t edges = groups.begin[static_cast<std::size_t>(g) + 1] - first_edge;
  const auto nodes = static_cast<std::int32_t>(batch.ptr[g + 1] - base);
  const Capacity* capacity = batch.capacity.row(c);
  const Capacity* reverse = batch.reverse_capacity.row(c);
  std::string where;
  if (batch.graphs > 1) where += " of graph " + std::to_string(g);
  if (batch.cuts > 1) where += " of cut " + std::to_string(c);
  const Capacity* source = batch.source.row(c) + base;
  const Capacity* sink = batch.sink.row(c) + base;
  bool* side = batch.source_side + c * batch.nodes + base;
  const std::int64_t terminals = set_excess(source, sink, nodes, work.graph.excess);
  prepare(batch, groups, g, c, terminals, work);
  if constexpr (std::is_floating_point_v<Capacity>) {
    if (infinite) refuse_infinite_path(work.graph, source, sink, where);
  }
  const Method method = batch.flow == nullptr ? batch.method : Method::boykov_kolmogorov;
  const Method used = chosen(method, work.graph, terminals, work.spread.used());
  work.spread.release();
  cut(work.graph, work.solvers, used, side);
  if (batch.flow != nullptr) {
    write_flow(groups, g, capacity, work, batch.flow + c * batch.edges);
  }

  Value<Capacity> value = terminal_cost(source, sink, side, nodes);
  for (std::int64_t place = 0; place < edges; ++place) {
    const std::int64_t e = groups.edge(first_edge + place);
    const bool tail = side[batch.edge_index[e] - base];
    const bool head = side[batch.edge_index[batch.edges + e] - base];
    const Capacity paid[] = {Capacity{0}, capacity[e], reverse[e]};  // cheaper than a branch
    value += static_cast<Value<Capacity>>(paid[(tail & !head) + 2 * (head & !tail)]);
  }
  batch.value[c * batch.graphs + g] = checked_value(value, where);
}

}  // namespace

template <class Capacity>
void solve(const EdgeListBatch<Capacity>& batch, int threads) {
  const EdgeGroups groups(batch.edge_index, batch.edges, batch.ptr, batch.graphs, batch.nodes);
  const bool infinite = check(batch);
  const int workers = worker_count(batch.graphs * batch.cuts, threads);
  std::vector<Workspace<Capacity>> workspaces(static_cast<std::size_t>(workers));

  // A task is a graph with all its cuts, whose topology is then built once; or, with too few graphs
  // to go round, a single cut.
  const bool by_graph = batch.graphs / 2 >= workers || batch.cuts <= 1 || workers <= 1;
  const std::int64_t share = by_graph ? batch.cuts : 1;
  const std::int64_t tasks = share > 0 ? batch.graphs * (batch.cuts / share) : 0;
  parallel_for(tasks, workers, [&](int worker, std::int64_t task) {
    auto& work = workspaces[static_cast<std::size_t>(worker)];
    for (std::int64_t unit = task * share; unit < (task + 1) * share; ++unit) {
      solve_one(batch, groups, unit / batch.cuts, unit % batch.cuts, infinite, work);
    }
  });
}

template void solve(const EdgeListBatch<float>&, int);
template void solve(const EdgeListBatch<double>&, int);
template void solve(const EdgeListBatch<std::int32_t>&, int);
template void solve(const EdgeListBatch<std::int64_t>&, int);

}  // namespace graphcut::maxflow
