// The edges of every node, in compressed sparse rows.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "maxflow/graph.hpp"
#include "maxflow/uninitialized.hpp"
#include "moves/problem.hpp"

namespace graphcut::moves {

// An edge as one of its ends sees it.
template <class Cost>
struct Link {
  std::uint32_t bits;  // 2 * the node at the other end + 1 where that is the tail
  Cost weight;

  std::int32_t node() const { return static_cast<std::int32_t>(bits >> 1); }
  // Which way the edge leads: 0 away from the end that sees it, 1 towards it.
  std::size_t towards() const { return bits & 1U; }
};

// Edges of weight 0 cost nothing and are left out; those from a node to itself stand apart.
template <class Cost>
class Adjacency {
 public:
  explicit Adjacency(const Problem<Cost>& problem) : first_(problem.nodes + 1, 0) {
    maxflow::check_edge_count(problem.edges);
    const auto each = [&](auto&& act) {
      for (std::int64_t e = problem.edges - 1; e >= 0; --e) {
        const std::int32_t u = problem.tail(e), v = problem.head(e);
        if (u != v && problem.weights[e] != Cost{0}) act(e, u, v);
      }
    };
    std::int32_t* const first = first_.data();
    each([&](std::int64_t /*e*/, std::int32_t u, std::int32_t v) {
      ++first[u];
      ++first[v];
    });
    std::int32_t total = 0;  // first becomes the end of a node's links, and is lowered by filling
    for (auto& f : first_) f = total += f;
    links_.resize(static_cast<std::size_t>(total));
    Link<Cost>* const links = links_.data();
    each([&](std::int64_t e, std::int32_t u, std::int32_t v) {
      links[--first[u]] = {2 * static_cast<std::uint32_t>(v), problem.weights[e]};
      links[--first[v]] = {2 * static_cast<std::uint32_t>(u) + 1, problem.weights[e]};
    });
    for (std::int64_t e = 0; e < problem.edges; ++e) {
      if (problem.tail(e) != problem.head(e) || problem.weights[e] == Cost{0}) continue;
      loop_weight_.resize(static_cast<std::size_t>(problem.nodes));
      loop_weight_[static_cast<std::size_t>(problem.tail(e))] += problem.weights[e];
      loops_.push_back(e);
    }
  }

  const Link<Cost>* begin(std::int32_t i) const { return links_.data() + first_[place(i)]; }
  const Link<Cost>* end(std::int32_t i) const { return links_.data() + first_[place(i) + 1]; }

  // The numbers of the edges from a node to itself, and their weight together at a node.
  const std::vector<std::int64_t>& loops() const { return loops_; }
  Cost loop_weight(std::int32_t i) const {
    return loop_weight_.empty() ? Cost{0} : loop_weight_[place(i)];
  }

 private:
  static std::size_t place(std::int32_t i) { return static_cast<std::size_t>(i); }

  std::vector<std::int32_t> first_;  // (nodes + 1)
  maxflow::Store<Link<Cost>> links_;
  std::vector<std::int64_t> loops_;
  std::vector<Cost> loop_weight_;  // (nodes), or empty
};

}  // namespace graphcut::moves
