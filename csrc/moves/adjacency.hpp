// The edges of every node, in compressed sparse rows.
#pragma once

#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

#include "maxflow/graph.hpp"
#include "maxflow/uninitialized.hpp"
#include "moves/problem.hpp"

namespace graphcut::moves {

// An edge as one of its ends sees it.
template <class Cost>
struct Link {
  std::uint32_t bits;  // 2 * the node at the other end + 1 where that is the tail
  std::int32_t edge;
  Cost weight;

  std::int32_t node() const { return static_cast<std::int32_t>(bits >> 1); }
  // Which way the edge leads: 0 away from the end that sees it, 1 towards it.
  std::size_t towards() const { return bits & 1U; }
};

// Edges of weight 0 cost nothing and are left out; those from a node to itself stand apart.
template <class Cost>
class Adjacency {
 public:
  explicit Adjacency(const Problem<Cost>& problem)
      : edges_(static_cast<std::size_t>(problem.edges)), first_(problem.nodes + 2, 0) {
    maxflow::check_edge_count(problem.edges);
    std::int32_t* const after = first_.data() + 1;  // where the next link of a node goes
    problem.each_edge([&](std::int64_t e, std::int32_t u, std::int32_t v) {
      if (problem.weights[e] == Cost{0}) return;
      if (u == v) return loops_.push_back({u, problem.table(e), problem.weights[e]});
      ++after[u + 1];
      ++after[v + 1];
    });
    std::int32_t total = 0;
    for (auto& f : first_) f = total += f;
    links_.resize(static_cast<std::size_t>(total));
    Link<Cost>* const links = links_.data();
    problem.each_edge([&](std::int64_t e, std::int32_t u, std::int32_t v) {
      const Cost weight = problem.weights[e];
      if (u == v || weight == Cost{0}) return;
      const auto edge = static_cast<std::int32_t>(e);
      links[after[u]++] = {2 * static_cast<std::uint32_t>(v), edge, weight};
      links[after[v]++] = {2 * static_cast<std::uint32_t>(u) + 1, edge, weight};
    });
    index_loops(problem.nodes);
  }

  const Link<Cost>* begin(std::int32_t i) const { return links_.data() + first_[place(i)]; }
  const Link<Cost>* end(std::int32_t i) const { return links_.data() + first_[place(i) + 1]; }

  std::size_t edges() const { return edges_; }

  // An edge from a node to itself.
  struct Loop {
    std::int32_t node, table;
    Cost weight;
  };
  const std::vector<Loop>& loops() const { return loops_; }
  // Calls act(loop) for those of node i.
  template <class Act>
  void each_loop(std::int32_t i, Act&& act) const {
    if (loops_.empty()) return;
    for (std::int32_t k = first_loop_[place(i)]; k >= 0; k = next_loop_[place(k)]) {
      act(loops_[place(k)]);
    }
  }

 private:
  static std::size_t place(std::int32_t i) { return static_cast<std::size_t>(i); }

  void index_loops(std::int64_t nodes) {
    if (loops_.empty()) return;
    first_loop_.assign(static_cast<std::size_t>(nodes), -1);
    for (const Loop& loop : loops_) {
      const auto number = static_cast<std::int32_t>(next_loop_.size());
      next_loop_.push_back(std::exchange(first_loop_[place(loop.node)], number));
    }
  }

  std::size_t edges_;
  std::vector<std::int32_t> first_;  // (nodes + 2), the last of no use
  maxflow::Store<Link<Cost>> links_;
  std::vector<Loop> loops_;
  std::vector<std::int32_t> first_loop_, next_loop_;  // (nodes) or empty, (loops); -1: none
};

}  // namespace graphcut::moves
