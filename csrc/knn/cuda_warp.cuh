// Warps and blocks of a CUDA device: see warp.hpp for the contract.
#pragma once

#include <cuda_runtime.h>

#include <cstdint>

#include "knn/warp.hpp"

namespace graphcut::knn {

class CudaWarp {
 public:
  template <class T>
  struct PerLane {
    T here;
    __device__ T& operator[](int) { return here; }
    __device__ const T& operator[](int) const { return here; }
  };

  __device__ CudaWarp() : lane_(static_cast<int>(threadIdx.x) % kLanes) {}

  template <class F>
  __device__ void lanes(F&& f) const {
    f(lane_);
  }
  template <class F>
  __device__ std::uint32_t ballot(F&& f) const {
    return __ballot_sync(kAll, f(lane_));
  }
  __device__ int sum(const PerLane<int>& x) const {
    int sum = x.here;
    for (int step = kLanes / 2; step > 0; step /= 2) sum += __shfl_xor_sync(kAll, sum, step);
    return sum;
  }
  __device__ double sum(const PerLane<double>& x) const {
    double sum = x.here;
    for (int step = kLanes / 2; step > 0; step /= 2) {
      sum = rounded_sum(sum, __shfl_xor_sync(kAll, sum, step));
    }
    return sum;
  }
  template <class T>
  __device__ T value(const PerLane<T>& x, int lane) const {
    return __shfl_sync(kAll, x.here, lane);
  }
  __device__ void sync() const { __syncwarp(); }

 private:
  static constexpr unsigned kAll = 0xffffffffU;
  int lane_;
};

// kWarps * kLanes threads.
class CudaBlock {
 public:
  using Warp = CudaWarp;
  template <class S>
  struct PerWarp {
    S here;
    __device__ S& operator[](int) { return here; }
  };

  template <class F>
  __device__ void each(std::int64_t n, F&& f) {
    for (std::int64_t i = threadIdx.x; i < n; i += kWarps * kLanes) f(i);
    __syncthreads();
  }
  template <class F>
  __device__ void warps(F&& f) {
    f(CudaWarp(), static_cast<int>(threadIdx.x) / kLanes);
    __syncthreads();
  }
};

}  // namespace graphcut::knn
