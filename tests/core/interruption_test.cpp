// Every solver can be interrupted wherever it asks, and does not suffer from it.
#include <atomic>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "edge_lists.hpp"
#include "maxflow/dynamic_cut.hpp"
#include "parallel/interruption.hpp"
#include "parallel/parallel_for.hpp"

namespace graphcut::test {
namespace {

// One graph, of which many paths compete; the same for all.
template <class C>
struct Example {
  std::int64_t nodes = 3000;
  std::vector<std::int64_t> tail, head, ids;
  std::vector<C> capacity, source, sink;

  explicit Example(std::uint64_t seed) {
    Choices choices(seed);
    for (std::int64_t e = 0; e < 8 * nodes; ++e) {
      tail.push_back(choices.between(0, nodes - 1));
      head.push_back(choices.between(0, nodes - 1));
      capacity.push_back(static_cast<C>(choices.between(1, 99)));
    }
    for (std::int64_t v = 0; v < nodes; ++v) {
      ids.push_back(v);
      source.push_back(static_cast<C>(v < nodes / 20 ? 4000 : 0));
      sink.push_back(static_cast<C>(v >= nodes - nodes / 20 ? 4000 : 0));
    }
  }

  maxflow::Value<C> cut(const char* solver, int threads) const {
    std::vector<std::int64_t> edge_index = tail;
    edge_index.insert(edge_index.end(), head.begin(), head.end());
    const std::vector<std::int64_t> ptr{0, nodes};
    const auto side = std::make_unique<bool[]>(static_cast<std::size_t>(nodes));
    maxflow::Value<C> value{};
    maxflow::EdgeListBatch<C> batch;
    batch.nodes = nodes;
    batch.edges = static_cast<std::int64_t>(tail.size());
    batch.graphs = batch.cuts = 1;
    batch.method = maxflow::method_named(solver);
    batch.edge_index = edge_index.data();
    batch.ptr = ptr.data();
    batch.capacity = batch.reverse_capacity = {capacity.data(), batch.edges, 0};
    batch.source = {source.data(), nodes, 0};
    batch.sink = {sink.data(), nodes, 0};
    batch.value = &value;
    batch.source_side = side.get();
    maxflow::solve(batch, threads);
    return value;
  }

  maxflow::DynamicCut<C> graph() const {
    maxflow::DynamicCut<C> graph;
    graph.add_nodes(nodes);
    graph.add_edges(static_cast<std::int64_t>(tail.size()), tail.data(), head.data(),
                    capacity.data(), capacity.data());
    graph.set_terminals(nodes, ids.data(), source.data(), sink.data());
    return graph;
  }
};

// Calls act(), which is interrupted when it asks for the `turn`-th time; whether it was.
template <class Act>
bool interrupted(int turn, int& questions, Act&& act) {
  questions = 0;
  const Interruption call([&] { return ++questions == turn; }, std::chrono::milliseconds(0));
  try {
    act();
  } catch (const Interrupted&) {
    return true;
  }
  return false;
}

template <class C>
void check_solvers(const Example<C>& example) {
  const auto expected = example.cut("bk", 1);
  for (const char* solver : maxflow::kSolverNames) {
    context() = std::string("solver ") + solver;
    int all = 0, questions = 0;
    require(!interrupted(-1, all, [&] { require(example.cut(solver, 1) == expected, "value"); }),
            "who is not told to stop goes on");
    require(all >= 5, "it asks while it works, not only before: " + std::to_string(all));
    for (const int turn : {1, all / 2, all}) {
      require(interrupted(turn, questions, [&] { example.cut(solver, 1); }), "it stops when told");
      require(questions == turn, "it stops at once");
    }
  }
}

// A graph that was interrupted, in its first solve or a later one, is solved as a new one.
template <class C>
void check_graph(Example<C> example) {
  int all = 0, questions = 0;
  auto graph = example.graph();
  interrupted(-1, all, [&] { graph.solve(true, 1); });
  for (int turn = 1; turn <= all; turn += 1 + all / 6) {
    context() = "first solve, question " + std::to_string(turn);
    auto fresh = example.graph();
    require(interrupted(turn, questions, [&] { fresh.solve(true, 1); }), "it stops when told");
    require(!fresh.solved(), "there is no result then");
    require(fresh.solve(true, 1) == graph.value(), "it is solved after all");
  }
  for (C& supply : example.source) supply = supply / 2;
  const auto expected = example.graph().solve(true, 1);
  const auto change = [&](auto& changed) {
    changed.set_terminals(example.nodes, example.ids.data(), example.source.data(),
                          example.sink.data());
  };
  auto counted = graph;
  change(counted);
  interrupted(-1, all, [&] { counted.solve(true, 1); });
  require(all >= 2, "a resumed solve asks too");
  for (int turn = 1; turn <= all; turn += 1 + all / 6) {
    context() = "later solve, question " + std::to_string(turn);
    auto changed = graph;
    change(changed);
    require(interrupted(turn, questions, [&] { changed.solve(true, 1); }), "it stops when told");
    require(changed.solve(true, 1) == expected, "it is solved after all");
    std::vector<C> flow(example.tail.size());
    changed.write_flow(flow.data());
  }
}

// Threads of a call stop with it, also while it waits for them.
void check_threads() {
  context() = "threads";
  std::atomic<int> begun{0};
  int questions = 0;
  const bool stopped = interrupted(3, questions, [&] {
    parallel_for(1000, 4, [&](int, std::int64_t) {
      ++begun;
      for (int turn = 0; turn < 1'000'000'000; ++turn) {
        interruption_point();
        std::this_thread::yield();
      }
    });
  });
  require(stopped && begun <= 4, "no task is begun after the end");
}

}  // namespace
}  // namespace graphcut::test

int main() {
  using namespace graphcut::test;
  for (const std::uint64_t seed : {1, 2}) {
    check_solvers(Example<double>(seed));
    check_solvers(Example<std::int64_t>(seed));
    check_graph(Example<double>(seed));
    check_graph(Example<std::int32_t>(seed));
  }
  check_threads();
  std::printf("solvers stop when they are told to\n");
}
