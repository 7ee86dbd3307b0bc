// Minimum cuts of small graphs by Edmonds-Karp on a dense matrix: slow, and nothing to go wrong.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <limits>
#include <string>
#include <type_traits>
#include <vector>

namespace graphcut::test {

inline std::string& context() {  // what is being tested, for the message of a failure
  static std::string text;
  return text;
}

// Ends the process, so that a sanitizer or a fuzzer sees a failure.
inline void require(bool holds, const std::string& what) {
  if (holds) return;
  std::fprintf(stderr, "FAILED: %s: %s\n", context().c_str(), what.c_str());
  std::abort();
}

__extension__ typedef __int128 Int128;

// Holds any sum of capacities: exact for integers, and for floats that are integers.
template <class Capacity>
using Wide = std::conditional_t<std::is_floating_point_v<Capacity>, long double, Int128>;

template <class Capacity>
bool infinite(Capacity capacity) {
  return std::is_floating_point_v<Capacity> &&
         capacity == std::numeric_limits<Capacity>::infinity();
}

// One graph with non-negative capacities; parallel edges add up.
template <class Capacity>
class Oracle {
 public:
  using W = Wide<Capacity>;

  explicit Oracle(std::int64_t nodes)
      : size_(static_cast<std::size_t>(nodes) + 2),
        finite_(size_ * size_, W{0}),
        infinite_(size_ * size_, 0) {}

  void add_edge(std::int64_t u, std::int64_t v, Capacity there, Capacity back) {
    add(static_cast<std::size_t>(u), static_cast<std::size_t>(v), there);
    add(static_cast<std::size_t>(v), static_cast<std::size_t>(u), back);
  }
  void add_terminals(std::int64_t node, Capacity source, Capacity sink) {
    add(size_ - 2, static_cast<std::size_t>(node), source);
    add(static_cast<std::size_t>(node), size_ - 1, sink);
  }

  W total() const { return total_; }  // of the finite capacities, self-loops included
  // Whether sums of these capacities are exact in Capacity, so that there is one right answer.
  bool exact() const {
    if constexpr (std::is_floating_point_v<Capacity>) {
      return whole_ && total_ <= std::ldexp(1.0L, std::numeric_limits<Capacity>::digits);
    }
    return true;
  }

  void solve() {
    const W beyond = 2 * total_ + 1;  // any cut that holds an infinite capacity costs more
    residual_ = finite_;
    for (std::size_t a = 0; a < residual_.size(); ++a) {
      if (infinite_[a] != 0) residual_[a] = beyond;
    }
    flow_ = W{0};
    endless_ = false;
    while (augment()) {
      endless_ = flow_ >= beyond;
      if (endless_) return;
    }
  }
  bool endless() const { return endless_; }  // a path of infinite capacity joins the terminals
  W value() const { return flow_; }
  // Whether residual arcs reach the node from the source: the minimal source set.
  bool in_source_set(std::int64_t node) const {
    return parent_[static_cast<std::size_t>(node)] != kNone;
  }
  // Capacity of the cut that leaves side (nodes) with the source; -1 where it is infinite.
  W cost(const bool* side) const {
    W sum{0};
    for (std::size_t u = 0; u < size_; ++u) {
      for (std::size_t v = 0; v < size_; ++v) {
        const bool with_source = u == size_ - 2 || (u < size_ - 2 && side[u]);
        const bool with_sink = v == size_ - 1 || (v < size_ - 2 && !side[v]);
        if (!with_source || !with_sink) continue;
        if (infinite_[u * size_ + v] != 0) return W{-1};
        sum += finite_[u * size_ + v];
      }
    }
    return sum;
  }

 private:
  static constexpr std::size_t kNone = std::numeric_limits<std::size_t>::max();

  void add(std::size_t u, std::size_t v, Capacity capacity) {
    if (infinite(capacity)) {
      if (u != v) infinite_[u * size_ + v] = 1;
      return;
    }
    if (u != v) finite_[u * size_ + v] += capacity;
    total_ += capacity;
    if constexpr (std::is_floating_point_v<Capacity>) whole_ &= capacity == std::floor(capacity);
  }

  // Sends flow along a shortest path; false where there is none.
  bool augment() {
    const std::size_t s = size_ - 2, t = size_ - 1;
    parent_.assign(size_, kNone);
    parent_[s] = s;
    std::vector<std::size_t> queue{s};
    for (std::size_t k = 0; k < queue.size() && parent_[t] == kNone; ++k) {
      for (std::size_t v = 0; v < size_; ++v) {
        if (parent_[v] != kNone || !(residual_[queue[k] * size_ + v] > W{0})) continue;
        parent_[v] = queue[k];
        queue.push_back(v);
      }
    }
    if (parent_[t] == kNone) return false;
    W flow = residual_[parent_[t] * size_ + t];
    for (std::size_t v = t; v != s; v = parent_[v]) {
      flow = std::min(flow, residual_[parent_[v] * size_ + v]);
    }
    for (std::size_t v = t; v != s; v = parent_[v]) {
      residual_[parent_[v] * size_ + v] -= flow;
      residual_[v * size_ + parent_[v]] += flow;
    }
    flow_ += flow;
    return true;
  }

  std::size_t size_;  // nodes, then source and sink
  std::vector<W> finite_;
  std::vector<char> infinite_;
  std::vector<W> residual_;
  std::vector<std::size_t> parent_;
  W total_{0}, flow_{0};
  bool whole_ = true, endless_ = false;
};

}  // namespace graphcut::test
