// As much of the CUDA runtime as csrc uses, on a machine without a device: kernels run by threads
// of the system or by fibers, see blocks.hpp. The .cu files are compiled with it as they are.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <mutex>
#include <utility>

#include "blocks.hpp"
#include "device.hpp"

#define CUDART_VERSION 13000
#define __global__
#define __device__
#define __shared__ static  // blocks run one after the other
#define __launch_bounds__(threads)

#define threadIdx ::graphcut::test::this_thread().of_block
#define blockIdx ::graphcut::test::this_thread().of_grid
#define blockDim ::graphcut::test::this_thread().block_size
#define gridDim ::graphcut::test::this_thread().grid_size

struct dim3 {
  unsigned x = 1, y = 1, z = 1;
};

enum cudaError_t {
  cudaSuccess = 0,
  cudaErrorInvalidValue = 1,
  cudaErrorInsufficientDriver = 35,
  cudaErrorNoKernelImageForDevice = 209
};
inline const char* cudaGetErrorName(cudaError_t status) {
  return status == cudaErrorInvalidValue ? "cudaErrorInvalidValue" : "another error";
}
inline const char* cudaGetErrorString(cudaError_t status) { return cudaGetErrorName(status); }

// Devices and contexts.
inline cudaError_t cudaGetDevice(int* device) {
  *device = graphcut::test::current_device();
  return cudaSuccess;
}
inline cudaError_t cudaSetDevice(int device) {
  auto& context = graphcut::test::devices().context;
  if (device < 0 || device >= static_cast<int>(context.size())) return cudaErrorInvalidValue;
  context[static_cast<std::size_t>(device)] = true;
  graphcut::test::current_device() = device;
  return cudaSuccess;
}
inline cudaError_t cudaDriverGetVersion(int* version) {
  *version = graphcut::test::devices().driver;
  return cudaSuccess;
}
enum cudaDriverEntryPointQueryResult { cudaDriverEntryPointSuccess = 0 };
enum { cudaEnableDefault = 0 };
inline cudaError_t cudaGetDriverEntryPointByVersion(const char*, void** found, unsigned, int,
                                                    cudaDriverEntryPointQueryResult* result) {
  int (*const state)(int, unsigned*, int*) = [](int device, unsigned*, int* active) {
    *active = graphcut::test::devices().context[static_cast<std::size_t>(device)] ? 1 : 0;
    return 0;
  };
  *found = reinterpret_cast<void*>(state);
  *result = cudaDriverEntryPointSuccess;
  return cudaSuccess;
}

// Shared memory.
struct cudaFuncAttributes {
  std::size_t sharedSizeBytes;
};
enum cudaFuncAttribute { cudaFuncAttributeMaxDynamicSharedMemorySize };
enum cudaDeviceAttr { cudaDevAttrMaxSharedMemoryPerBlockOptin };
template <class... P>
cudaError_t cudaFuncGetAttributes(cudaFuncAttributes* attributes, void (*)(P...)) {
  attributes->sharedSizeBytes = graphcut::test::kStaticShared;
  return cudaSuccess;
}
inline cudaError_t cudaDeviceGetAttribute(int* value, cudaDeviceAttr, int) {
  *value = static_cast<int>(graphcut::test::devices().shared_bytes);
  return cudaSuccess;
}
template <class... P>
cudaError_t cudaFuncSetAttribute(void (*kernel)(P...), cudaFuncAttribute, int value) {
  using namespace graphcut::test;
  if (value < 0 || value + kStaticShared > devices().shared_bytes) return cudaErrorInvalidValue;
  const std::lock_guard one(devices().busy);
  devices().raised[reinterpret_cast<const void*>(kernel)] = static_cast<std::size_t>(value);
  return cudaSuccess;
}

// Launches. Nothing is queued: the kernel has run when they return. Kernels run one at a time.
using cudaStream_t = void*;
template <class... P, std::size_t... at>
void graphcut_call(void (*kernel)(P...), void** arguments, std::index_sequence<at...>) {
  kernel(*static_cast<P*>(arguments[at])...);
}
template <class... P>
cudaError_t cudaLaunchKernel(void (*kernel)(P...), dim3 grid, dim3 block, void** arguments,
                             std::size_t shared_bytes, cudaStream_t) {
  using namespace graphcut::test;
  const std::lock_guard one(devices().busy);
  const auto found = devices().raised.find(reinterpret_cast<const void*>(kernel));
  const std::size_t most =
      std::max(kDefaultShared, found == devices().raised.end() ? 0 : found->second + kStaticShared);
  const bool fits = grid.x > 0 && block.x > 0 && block.x <= 1024 && shared_bytes <= most;
  if (!fits) return cudaErrorInvalidValue;
  run_blocks(grid.x, block.x, shared_bytes,
             [&] { graphcut_call(kernel, arguments, std::index_sequence_for<P...>()); });
  return cudaSuccess;
}

// What the threads of a block, and the lanes of a warp, do together.
inline void __syncthreads() { graphcut::test::this_block().sync(); }
inline int __syncthreads_or(int holds) {
  auto& thread = graphcut::test::this_thread();
  return thread.block->sync_or(thread.syncs_or++, holds != 0) ? 1 : 0;
}
inline void __syncwarp(unsigned mask = ~0U) {
  graphcut::test::this_block().sync_warp(threadIdx.x, mask);
}
// from(lane) gives the lane whose value a lane gets.
template <class T, class From>
T graphcut_shuffle(unsigned mask, T value, From&& from) {
  using namespace graphcut::test;
  static_assert(sizeof(T) <= sizeof(std::uint64_t));
  std::uint64_t bits = 0;
  std::memcpy(&bits, &value, sizeof(T));
  const unsigned thread = threadIdx.x;
  const auto shown = this_block().show(thread, mask, Instruction::shuffle, bits);
  std::memcpy(&value, &shown[from(thread % kWarpLanes)], sizeof(T));
  return value;
}
template <class T>
T __shfl_sync(unsigned mask, T value, int from, int width = 32) {
  const auto lanes = static_cast<unsigned>(width);
  return graphcut_shuffle(mask, value, [&](unsigned lane) {
    return lane / lanes * lanes + static_cast<unsigned>(from) % lanes;
  });
}
template <class T>
T __shfl_xor_sync(unsigned mask, T value, int bits, int width = 32) {
  const auto lanes = static_cast<unsigned>(width);
  return graphcut_shuffle(mask, value, [&](unsigned lane) {
    const unsigned from = lane ^ static_cast<unsigned>(bits);
    return from / lanes == lane / lanes ? from : lane;
  });
}
template <class T>
T __shfl_up_sync(unsigned mask, T value, unsigned step, int width = 32) {
  const auto lanes = static_cast<unsigned>(width);
  return graphcut_shuffle(mask, value,
                          [&](unsigned lane) { return lane % lanes >= step ? lane - step : lane; });
}
inline unsigned __ballot_sync(unsigned mask, int holds) {
  using namespace graphcut::test;
  const auto shown = this_block().show(threadIdx.x, mask, Instruction::ballot, holds != 0 ? 1 : 0);
  unsigned all = 0;
  for (unsigned lane = 0; lane < kWarpLanes; ++lane) {
    if ((mask >> lane & 1U) != 0 && shown[lane] != 0) all |= 1U << lane;
  }
  return all;
}

// Atomic, but not in order with anything else.
template <class T, class V>
T atomicAdd(T* x, V added) {
  return __atomic_fetch_add(x, static_cast<T>(added), __ATOMIC_RELAXED);
}
template <class T>
T atomicCAS(T* x, T from, T to) {
  __atomic_compare_exchange_n(x, &from, to, false, __ATOMIC_RELAXED, __ATOMIC_RELAXED);
  return from;
}
