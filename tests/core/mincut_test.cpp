// Random minimum cuts against Edmonds-Karp: every solver, dtype and way of giving a graph.
#include <cstdint>
#include <cstdio>
#include <limits>
#include <string>
#include <vector>

#include "edge_lists.hpp"
#include "neighbours.hpp"

namespace graphcut::test {
namespace {

constexpr int kThreads[] = {2, 3, 7, std::numeric_limits<int>::max()};

template <class C>
void check_seed(std::uint64_t seed) {
  context() = "seed " + std::to_string(seed);
  Choices choices(seed);
  const Values values = choices.of({Values::whole, Values::real, Values::any});
  const int threads = choices.of(kThreads);
  const std::int64_t nodes = choices.one_in(8) ? 40 : 9;
  check_edge_lists(EdgeLists<C>(choices, values, nodes, 4 * nodes), threads);
  check_neighbours(Neighbours<C>(choices, values, nodes, 6), threads);
}

// Many graphs of one kind at once, so that threads meet: a strip whose right end is the sink.
template <class C>
void check_strips(int threads) {
  constexpr std::int64_t kGraphs = 24, kLength = 60, kCuts = 4;
  std::vector<std::int64_t> ends, ptr{0};
  for (std::int64_t g = 0; g < kGraphs; ++g) {
    ptr.push_back((g + 1) * kLength);
  }
  for (int end = 0; end < 2; ++end) {
    for (std::int64_t g = 0; g < kGraphs; ++g) {
      for (std::int64_t i = 1; i < kLength; ++i) ends.push_back(g * kLength + i - 1 + end);
    }
  }
  const std::int64_t edges = kGraphs * (kLength - 1);
  std::vector<C> capacity(static_cast<std::size_t>(kCuts * edges), C{9});
  std::vector<C> source(kGraphs * kLength, C{0}), sink = source;
  for (std::int64_t g = 0; g < kGraphs; ++g) {
    source[static_cast<std::size_t>(g * kLength)] = C{7};
    sink[static_cast<std::size_t>(g * kLength + kLength - 1)] = C{8};
    for (std::int64_t c = 0; c < kCuts; ++c) {  // the bottleneck
      capacity[static_cast<std::size_t>(c * edges + g * (kLength - 1) + c * 10)] = C{3};
    }
  }
  for (const char* solver : kSolverNames) {
    std::vector<maxflow::Value<C>> value(kCuts * kGraphs);
    const auto side = std::make_unique<bool[]>(kCuts * kGraphs * kLength);
    maxflow::EdgeListBatch<C> batch;
    batch.nodes = kGraphs * kLength;
    batch.edges = edges;
    batch.graphs = kGraphs;
    batch.cuts = kCuts;
    batch.method = maxflow::method_named(solver);
    batch.edge_index = ends.data();
    batch.ptr = ptr.data();
    batch.capacity = batch.reverse_capacity = {capacity.data(), edges, edges};
    batch.source = {source.data(), batch.nodes, 0};
    batch.sink = {sink.data(), batch.nodes, 0};
    batch.value = value.data();
    batch.source_side = side.get();
    maxflow::solve(batch, threads);
    for (const auto v : value) require(v == 3, "the bottleneck of a strip is its cut");
    for (std::int64_t c = 0; c < kCuts; ++c) {
      for (std::int64_t i = 0; i < batch.nodes; ++i) {
        require(side[static_cast<std::size_t>(c * batch.nodes + i)] == (i % kLength <= c * 10),
                "the source set of a strip ends at the bottleneck");
      }
    }
  }
}

template <class Batch>
bool refused(const Batch& batch) {
  try {
    maxflow::solve(batch, 1);
  } catch (const std::invalid_argument&) {
    return true;
  }
  return false;
}

// Sizes beyond the 32-bit limits are refused before anything is read.
void check_limits() {
  const std::int64_t ptr[] = {0, std::int64_t{1} << 31};
  maxflow::EdgeListBatch<float> lists;
  lists.nodes = ptr[1];
  lists.graphs = lists.cuts = 1;
  lists.ptr = ptr;
  require(refused(lists), "edge lists over 2^31 nodes");
  maxflow::KnnBatch<float> neighbours;
  neighbours.items = neighbours.cuts = 1;
  neighbours.nodes = ptr[1];
  require(refused(neighbours), "neighbours of 2^31 nodes");
  neighbours.nodes = neighbours.k = std::int64_t{1} << 15;
  require(refused(neighbours), "2^30 neighbours");
  neighbours.nodes = 1;
  neighbours.k = std::int64_t{1} << 62;
  require(refused(neighbours), "2^62 neighbours of a node");
}

}  // namespace
}  // namespace graphcut::test

// mincut_test [PROBLEMS [SEED]]: so many problems per dtype, numbered from SEED.
int main(int count, char** arguments) {
  using namespace graphcut::test;
  const std::uint64_t problems = count > 1 ? std::stoull(arguments[1]) : 1000;
  const std::uint64_t first = count > 2 ? std::stoull(arguments[2]) : 0;
  check_limits();
  for (const int threads : {1, 2, 5}) {
    check_strips<float>(threads);
    check_strips<std::int64_t>(threads);
  }
  for (std::uint64_t seed = first; seed < first + problems; ++seed) {
    try {
      check_seed<float>(seed);
      check_seed<double>(seed);
      check_seed<std::int32_t>(seed);
      check_seed<std::int64_t>(seed);
    } catch (const std::exception& error) {
      require(false, error.what());
    }
  }
  std::printf("%llu problems of each dtype: all solvers agree with Edmonds-Karp\n",
              static_cast<unsigned long long>(problems));
}
