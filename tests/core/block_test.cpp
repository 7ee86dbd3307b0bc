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

#include "block_cuts.hpp"
#include "maxflow/knn_topology.hpp"
#include "threaded_block.hpp"

namespace graphcut::test {
namespace {

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
  check_cuts(lists, found, other);
}

// A solver that is given fewer rounds than it needs says so, and gives no answer.
template <class C>
void check_rounds(const Neighbours<C>& lists) {
  const Cuts<C> full = emulated(lists, 32, EmulatedBlock::Order::ascending, 0);
  std::int32_t most = 0;
  for (std::size_t row = 0; row < full.status.size(); ++row) {
    require(full.work[3 * row] <= 2 * lists.nodes * lists.nodes + lists.nodes,
            "rounds are bounded");
    most = std::max(most, full.work[3 * row]);
  }
  if (most == 0) return;
  const auto limited = [&](std::int64_t rounds) {
    return cuts(lists, [&](BlockBatch<C> batch) {
      batch.most_rounds = rounds;
      maxflow::solve_emulated(batch, 32, EmulatedBlock::Order::ascending, 0);
    });
  };
  require(limited(most) == full, "as many rounds as are needed are enough");
  const Cuts<C> fewer = limited(most - 1);
  for (std::size_t row = 0; row < full.status.size(); ++row) {
    const bool finished = full.work[3 * row] < most;
    require(fewer.status[row] == (finished ? full.status[row] : 3), "who needs more says so");
    const auto nodes = static_cast<std::size_t>(lists.nodes);
    const bool* const side = fewer.side.get() + row * nodes;
    if (finished) continue;
    require(std::none_of(side, side + nodes, [](bool in) { return in; }), "there is no cut then");
    require(!(fewer.value[row] >= 0), "there is no value then");
  }
}

// Two nodes, of which one may pass on 1 of 3: only the flow of 1 and the cut between them are
// proven.
void test_certificate() {
  context() = "certificate";
  using R = std::int32_t;
  const std::vector<std::int32_t> first{0, 1, 2};
  const std::vector<maxflow::Link> links{{1, 0}, {0, ~0}};
  const std::vector<R> capacity{1, 1}, supply{3, -3};
  const maxflow::Units<R, R> units{first.data(), links.data(), capacity.data(), {}, 2};
  const auto proven = [&](R flow, std::vector<R> left, bool near, bool far) {
    maxflow::State<R> state{};
    state.excess = left.data();
    state.flow = &flow;
    EmulatedBlock block(32, EmulatedBlock::Order::ascending, 0);
    return maxflow::certified(
        block, units, state, [&](std::int64_t v) { return supply[static_cast<std::size_t>(v)]; },
        [&](std::int64_t v) { return v == 0 ? near : far; });
  };
  require(proven(1, {2, -2}, true, false), "a maximum flow proves its cut");
  require(!proven(1, {2, -2}, true, true) && !proven(1, {2, -2}, false, false) &&
              !proven(1, {2, -2}, false, true),
          "a flow proves no other cut");
  require(!proven(0, {3, -3}, true, false), "a smaller flow proves nothing");
  require(!proven(2, {1, -1}, true, false), "a flow beyond the capacity proves nothing");
  require(!proven(1, {1, -2}, true, false), "a flow that loses something proves nothing");
}

template <class C>
void check_seed(std::uint64_t seed) {
  context() = "seed " + std::to_string(seed);
  Choices choices(seed);
  const Values values = choices.of({Values::whole, Values::real, Values::any});
  const std::int64_t nodes = choices.of({9, 9, 9, 9, 9, 9, 40, 100});
  const Neighbours<C> lists(choices, values, nodes, 6);
  check_blocks(lists, choices);
  check_rounds(lists);
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
  test_certificate();
  for (std::uint64_t seed = first; seed < first + problems; ++seed) {
    check_seed<float>(seed);
    check_seed<double>(seed);
    check_seed<std::int32_t>(seed);
    check_seed<std::int64_t>(seed);
  }
  std::printf("%llu problems of each dtype: blocks agree with Edmonds-Karp and the host\n",
              static_cast<unsigned long long>(problems));
}
