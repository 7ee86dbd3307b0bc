// The source of the CUDA kernels, run by emulated and by real threads, against Edmonds-Karp and the
// solvers of the host.
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <limits>
#include <string>
#include <tuple>
#include <vector>

#include "maxflow/emulated_batch.hpp"
#include "maxflow/knn_topology.hpp"
#include "neighbours.hpp"
#include "threaded_block.hpp"

namespace graphcut::test {
namespace {

using maxflow::BlockBatch;
using maxflow::EmulatedBlock;
using maxflow::Status;

template <class C>
struct Cuts {
  std::vector<maxflow::Value<C>> value;
  std::unique_ptr<bool[]> side;  // NOLINT(modernize-avoid-c-arrays): vector<bool> has no bools
  std::size_t sides = 0;
  std::vector<std::int32_t> status, work;

  bool operator==(const Cuts& other) const {
    return status == other.status && work == other.work &&
           std::equal(side.get(), side.get() + sides, other.side.get()) &&
           std::equal(value.begin(), value.end(), other.value.begin(),
                      [](auto a, auto b) { return a == b || (a != a && b != b); });
  }
};

template <class C, class Solve>
Cuts<C> cuts(const Neighbours<C>& lists, Solve&& solve) {
  Cuts<C> found;
  const auto rows = static_cast<std::size_t>(lists.items * lists.cuts);
  found.sides = lists.source.size();
  found.value.resize(rows);
  found.side = std::make_unique<bool[]>(found.sides);
  found.status.resize(rows, -1);
  found.work.resize(3 * rows);
  BlockBatch<C> batch;
  batch.items = lists.items;
  batch.cuts = lists.cuts;
  batch.nodes = lists.nodes;
  batch.k = lists.k;
  batch.indices = lists.indices.data();
  batch.weights = lists.weights.data();
  batch.source = lists.source.data();
  batch.sink = lists.sink.data();
  batch.value = found.value.data();
  batch.source_side = found.side.get();
  batch.status = found.status.data();
  batch.work = found.work.data();
  batch.certify = true;
  solve(batch);
  return found;
}

template <class C>
Cuts<C> emulated(const Neighbours<C>& lists, int threads, EmulatedBlock::Order order,
                 std::uint64_t seed) {
  return cuts(lists, [&](const BlockBatch<C>& batch) {
    maxflow::solve_emulated(batch, threads, order, seed);
  });
}

template <class C>
Cuts<C> threaded(const Neighbours<C>& lists, int threads) {
  return cuts(lists, [&](const BlockBatch<C>& batch) {
    const auto at = maxflow::BlockWorkspace::of(batch);
    std::vector<std::int64_t> of_item(static_cast<std::size_t>(at.item) / 8);
    std::vector<std::int64_t> of_cut(static_cast<std::size_t>(at.cut) / 8);
    auto* const memory = reinterpret_cast<char*>(of_cut.data());
    run_threaded(threads, [&](ThreadedBlock& block) {
      for (std::int64_t item = 0; item < batch.items; ++item) {
        const auto topology = at.topology(reinterpret_cast<char*>(of_item.data()), batch, 0);
        maxflow::build_item(block, batch, topology, item);
        for (std::int64_t row = item * batch.cuts; row < (item + 1) * batch.cuts; ++row) {
          maxflow::solve_cut(block, batch, topology,
                             {memory, memory + maxflow::CutMemory::node_bytes(batch.nodes)}, row);
        }
      }
    });
  });
}

// The arcs of one item are those of the host, and do not depend on the threads.
template <class C>
void check_topology(const Neighbours<C>& lists, std::int64_t item, Choices& choices) {
  using W = maxflow::Residual<C>;
  const auto n = static_cast<std::int32_t>(lists.nodes);
  const auto k = static_cast<std::int32_t>(lists.k);
  BlockBatch<C> batch;
  batch.items = 1;
  batch.nodes = n;
  batch.k = k;
  batch.indices = lists.indices.data() + item * n * k;
  batch.weights = lists.weights.data() + item * n * k;
  const auto at = maxflow::BlockWorkspace::of(batch);
  std::vector<std::int64_t> bytes(static_cast<std::size_t>(at.item) / 8);
  const auto topology = at.topology(reinterpret_cast<char*>(bytes.data()), batch, 0);
  using Arcs = std::vector<std::tuple<std::int32_t, std::int32_t, W>>;  // tail, head, capacity
  std::vector<std::int32_t> numbers;
  Arcs arcs;
  for (int run = 0; run < 3; ++run) {
    EmulatedBlock block(static_cast<int>(choices.between(1, 70)), EmulatedBlock::Order::shuffled,
                        choices.below(1000));
    maxflow::build_item(block, batch, topology, 0);
    const std::int32_t edges = *topology.edges;
    require(*topology.refused == 0, "good neighbours are not refused");
    require(topology.first[0] == 0 && topology.first[n] == 2 * edges, "arcs of all nodes");
    std::vector<std::int32_t> order;
    Arcs found;
    std::vector<std::int32_t> ends(static_cast<std::size_t>(2 * edges), -1);
    for (std::int32_t v = 0; v < n; ++v) {
      for (std::int32_t a = topology.first[v]; a < topology.first[v + 1]; ++a) {
        const auto link = topology.links[a];
        found.emplace_back(v, link.head, topology.capacity[a]);
        order.push_back(link.edge);
        const auto edge = 2 * static_cast<std::size_t>(link.number());
        auto& end = ends[edge + (link.forward() ? 0 : 1)];
        require(end == -1, "an edge has one arc each way");
        end = link.head;
      }
    }
    for (std::size_t a = 0; a < found.size(); ++a) {
      const maxflow::Link link{std::get<1>(found[a]), order[a]};
      const auto edge = 2 * static_cast<std::size_t>(link.number());
      require(ends[edge + (link.forward() ? 1 : 0)] == std::get<0>(found[a]),
              "the sister leads back");
    }
    if (run == 0) {
      numbers = order;
      arcs = found;
    }
    require(order == numbers && found == arcs, "the topology does not depend on the threads");
  }
  maxflow::KnnEdges<W> scratch;
  maxflow::Graph<W> graph;
  maxflow::collect_knn_edges(batch.indices, batch.weights, n, k, scratch);
  maxflow::build_topology(
      graph, n, static_cast<std::int64_t>(scratch.edges.size()),
      [&](std::int64_t e) {
        const auto& edge = scratch.edges[static_cast<std::size_t>(e)];
        return std::pair{edge.u, edge.v};
      },
      [&](std::int64_t e, std::int32_t arc) {
        const W weight = scratch.edges[static_cast<std::size_t>(e)].weight;
        graph.set_residuals(arc, weight, weight);
      });
  Arcs expected;
  for (std::int32_t v = 0; v < n; ++v) {
    for (auto a = graph.first[static_cast<std::size_t>(v)];
         a < graph.first[static_cast<std::size_t>(v) + 1]; ++a) {
      const auto& arc = graph.arcs[static_cast<std::size_t>(a)];
      expected.emplace_back(v, arc.head(), arc.residual);
    }
  }
  std::sort(arcs.begin(), arcs.end());
  std::sort(expected.begin(), expected.end());
  require(arcs == expected, "the topology is that of the host");
}

// Whether the host solves the batch.
template <class C>
bool accepted(const Neighbours<C>& lists) {
  try {
    lists.solve("bk", 1);
    return true;
  } catch (const std::invalid_argument&) {
    return false;
  } catch (const std::out_of_range&) {
    return false;
  }
}

template <class C>
void check_blocks(const Neighbours<C>& lists, Choices& choices) {
  constexpr int kThreads[] = {1, 7, 32, 256, 1024};
  const int threads = choices.of(kThreads);
  const Cuts<C> found = emulated(lists, threads, EmulatedBlock::Order::ascending, 0);
  for (const auto order : {EmulatedBlock::Order::descending, EmulatedBlock::Order::shuffled}) {
    require(found == emulated(lists, threads, order, choices.below(1000)),
            "the order of threads does not matter");
  }
  const auto rows = static_cast<std::size_t>(lists.items * lists.cuts);
  const Cuts<C> other = emulated(lists, choices.of(kThreads), EmulatedBlock::Order::shuffled, 1);
  for (std::size_t row = 0; row < rows; ++row) {
    require(found.status[row] != static_cast<std::int32_t>(Status::wrong),
            "the flow proves the cut");
    require(found.status[row] == other.status[row], "threads do not matter to what is refused");
  }
  const bool all_solved =
      std::count(found.status.begin(), found.status.end(), 0) == static_cast<std::ptrdiff_t>(rows);
  if (!accepted(lists)) {
    require(!all_solved || rows == 0, "what the host refuses is not solved");
    return;
  }
  for (std::int64_t item = 0; item < lists.items && rows > 0; ++item) {
    if (all_solved) check_topology(lists, item, choices);
  }
  for (std::size_t row = 0; row < rows; ++row) {
    const auto oracle = lists.oracle(static_cast<std::int64_t>(row) / lists.cuts,
                                     static_cast<std::int64_t>(row) % lists.cuts);
    if (found.status[row] != 0) {
      require(oracle.total() > std::numeric_limits<maxflow::Residual<C>>::max() / 64,
              "only extreme capacities are left to the host");
      continue;
    }
    const auto nodes = static_cast<std::size_t>(lists.nodes);
    const bool* side = found.side.get() + row * nodes;
    constexpr auto rounding = static_cast<double>(std::numeric_limits<C>::epsilon());  // of sums
    check_cut(oracle, found.value[row], side, lists.nodes, rounding, "blocks");
    if (oracle.exact()) {
      require(std::equal(side, side + nodes, other.side.get() + row * nodes) &&
                  found.value[row] == other.value[row],
              "the number of threads does not matter");
    }
  }
}

template <class C>
void check_seed(std::uint64_t seed) {
  context() = "seed " + std::to_string(seed);
  Choices choices(seed);
  const Values values = choices.of({Values::whole, Values::real, Values::any});
  const std::int64_t nodes = choices.of({9, 9, 9, 9, 9, 9, 40, 100});
  const Neighbours<C> lists(choices, values, nodes, 6);
  check_blocks(lists, choices);
  if (choices.one_in(16)) {
    const int threads = static_cast<int>(choices.between(2, 4));
    const Cuts<C> found = threaded(lists, threads);
    const Cuts<C> expected = emulated(lists, threads, EmulatedBlock::Order::shuffled, seed);
    require(found.status == expected.status && found.work == expected.work &&
                std::equal(found.side.get(), found.side.get() + lists.source.size(),
                           expected.side.get()),
            "real threads do as emulated ones");
  }
}

}  // namespace
}  // namespace graphcut::test

// block_test [PROBLEMS [SEED]]: so many problems per dtype, numbered from SEED.
int main(int count, char** arguments) {
  using namespace graphcut::test;
  const std::uint64_t problems = count > 1 ? std::stoull(arguments[1]) : 250;
  const std::uint64_t first = count > 2 ? std::stoull(arguments[2]) : 0;
  for (std::uint64_t seed = first; seed < first + problems; ++seed) {
    check_seed<float>(seed);
    check_seed<double>(seed);
    check_seed<std::int32_t>(seed);
    check_seed<std::int64_t>(seed);
  }
  std::printf("%llu problems of each dtype: blocks agree with Edmonds-Karp and the host\n",
              static_cast<unsigned long long>(problems));
}
