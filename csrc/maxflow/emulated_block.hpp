// A thread block on the host: the threads of a phase run one after the other, in any order asked
// for. See block.hpp for the contract.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <numeric>
#include <random>
#include <utility>
#include <vector>

#include "maxflow/block.hpp"

namespace graphcut::maxflow {

struct EmulatedTeam {
  template <class T>
  using PerLane = std::array<T, kTeam>;

  template <class F>
  void lanes(F&& f) const {
    for (int lane = 0; lane < kTeam; ++lane) f(lane);
  }
  template <class T>
  void scan(PerLane<T>& x, T most) const {
    T before{0};
    for (T& value : x) before = sum_up_to(most, before, std::exchange(value, before));
  }
  template <class T>
  T least(const PerLane<T>& x) const {
    return *std::min_element(x.begin(), x.end());
  }
  void sync() const {}
};

class EmulatedBlock {
 public:
  using Team = EmulatedTeam;
  enum class Order : std::uint8_t { ascending, descending, shuffled };

  // `seed`: of the order in which the threads of each phase run, where it is shuffled.
  EmulatedBlock(int threads, Order order, std::uint64_t seed)
      : order_(order), random_(seed), threads_(static_cast<std::size_t>(threads)) {
    std::iota(threads_.begin(), threads_.end(), 0);
    if (order == Order::descending) std::reverse(threads_.begin(), threads_.end());
  }

  template <class F>
  void each(std::int64_t n, F&& f) {
    spread(n, static_cast<std::int64_t>(threads_.size()), f);
  }
  template <class F>
  void each_team(std::int64_t n, F&& f) {
    const auto teams = static_cast<std::int64_t>(threads_.size() + kTeam - 1) / kTeam;
    spread(n, teams, [&f](std::int64_t i) { f(Team{}, i); });
  }
  template <class T, class F>
  T total(std::int64_t n, F&& f) {
    std::vector<T> partial(threads_.size(), T{0});
    const auto threads = static_cast<std::int64_t>(threads_.size());
    each(n, [&](std::int64_t i) { partial[static_cast<std::size_t>(i % threads)] += f(i); });
    return std::accumulate(partial.begin(), partial.end(), T{0});
  }
  template <class F>
  bool any(std::int64_t n, F&& f) {
    bool found = false;
    each(n, [&](std::int64_t i) { found |= f(i); });
    return found;
  }
  template <class T>
  T value(const T& x) {
    return x;
  }

  template <class T>
  void add(T& x, T v) {
    x += v;
  }
  std::int32_t take(std::int32_t& x) { return x++; }
  bool claim(std::int32_t& x, std::int32_t from, std::int32_t to) {
    if (x != from) return false;
    x = to;
    return true;
  }

 private:
  template <class F>
  void spread(std::int64_t n, std::int64_t workers, F&& f) {
    if (order_ == Order::shuffled) std::shuffle(threads_.begin(), threads_.end(), random_);
    for (const std::int64_t worker : threads_) {
      for (std::int64_t i = worker; worker < workers && i < n; i += workers) f(i);
    }
  }

  Order order_;
  std::mt19937_64 random_;
  std::vector<std::int64_t> threads_;
};

}  // namespace graphcut::maxflow
