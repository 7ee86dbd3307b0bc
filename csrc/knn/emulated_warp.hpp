// Warps and blocks on the host, one lane after the other: see warp.hpp for the contract.
#pragma once

#include <array>
#include <cstdint>

#include "knn/warp.hpp"

namespace graphcut::knn {

class EmulatedWarp {
 public:
  template <class T>
  using PerLane = std::array<T, kLanes>;

  explicit EmulatedWarp(bool descending) : descending_(descending) {}

  template <class F>
  void lanes(F&& f) const {
    for (int step = 0; step < kLanes; ++step) f(descending_ ? kLanes - 1 - step : step);
  }
  template <class F>
  std::uint32_t ballot(F&& f) const {
    std::uint32_t bits = 0;
    lanes([&](int lane) { bits |= static_cast<std::uint32_t>(f(lane) ? 1 : 0) << lane; });
    return bits;
  }
  template <class T>
  T sum(PerLane<T> x) const {
    for (int width = kLanes / 2; width > 0; width /= 2) {
      for (int l = 0; l < width; ++l) x[l] += x[l + width];
    }
    return x[0];
  }
  template <class T>
  T value(const PerLane<T>& x, int lane) const {
    return x[lane];
  }
  void sync() const {}

 private:
  bool descending_;
};

class EmulatedBlock {
 public:
  using Warp = EmulatedWarp;
  template <class S>
  using PerWarp = std::array<S, kWarps>;

  explicit EmulatedBlock(bool descending) : descending_(descending) {}

  template <class F>
  void each(std::int64_t n, F&& f) {
    for (std::int64_t step = 0; step < n; ++step) f(descending_ ? n - 1 - step : step);
  }
  template <class F>
  void warps(F&& f) {
    const Warp warp(descending_);
    each(kWarps, [&](std::int64_t w) { f(warp, static_cast<int>(w)); });
  }

 private:
  bool descending_;
};

}  // namespace graphcut::knn
