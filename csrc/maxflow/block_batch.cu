// Minimum cuts on CUDA: one block builds the topology of an item, one block solves a cut.
#include <cuda_runtime.h>

#include <algorithm>
#include <cstdint>
#include <type_traits>

#include "maxflow/block_batch.hpp"
#include "parallel/cuda_call.cuh"
#include "parallel/cuda_shared.cuh"

namespace graphcut::maxflow {
namespace {

constexpr int kWarp = 32;
static_assert(kWarp % kTeam == 0 && kMostThreads % kWarp == 0);

// Lanes of a warp, kTeam in a row; see block.hpp for the contract.
class CudaTeam {
 public:
  template <class T>
  struct PerLane {
    T value;
    __device__ T& operator[](int) { return value; }
  };

  __device__ CudaTeam()
      : lane_(static_cast<int>(threadIdx.x) % kTeam),
        mask_(((1U << kTeam) - 1U) << (threadIdx.x % kWarp / kTeam * kTeam)) {}

  template <class F>
  __device__ void lanes(F&& f) const {
    f(lane_);
  }
  template <class T>
  __device__ void scan(PerLane<T>& x, T most) const {
    T sum = x.value;
    for (int step = 1; step < kTeam; step *= 2) {
      const T before = __shfl_up_sync(mask_, sum, step, kTeam);
      if (lane_ >= step) sum = sum_up_to(most, sum, before);
    }
    const T before = __shfl_up_sync(mask_, sum, 1, kTeam);
    x.value = lane_ > 0 ? before : T{0};
  }
  template <class T>
  __device__ T least(const PerLane<T>& x) const {
    T least = x.value;
    for (int step = kTeam / 2; step > 0; step /= 2) {
      least = lesser(least, __shfl_xor_sync(mask_, least, step, kTeam));
    }
    return least;
  }
  __device__ void sync() const { __syncwarp(mask_); }

 private:
  int lane_;
  unsigned mask_;
};

class CudaBlock {
 public:
  using Team = CudaTeam;

  // `partial`: (kMostThreads / kWarp) in shared memory.
  explicit __device__ CudaBlock(unsigned long long* partial) : partial_(partial) {}

  template <class F>
  __device__ void each(std::int64_t n, F&& f) {
    for (std::int64_t i = threadIdx.x; i < n; i += blockDim.x) f(i);
    __syncthreads();
  }
  template <class F>
  __device__ void each_team(std::int64_t n, F&& f) {
    const Team team;
    for (std::int64_t i = threadIdx.x / kTeam; i < n; i += blockDim.x / kTeam) f(team, i);
    __syncthreads();
  }
  template <class T, class F>
  __device__ T total(std::int64_t n, F&& f) {
    static_assert(sizeof(T) == sizeof(*partial_));
    T sum{0};
    for (std::int64_t i = threadIdx.x; i < n; i += blockDim.x) sum += f(i);
    for (int step = kWarp / 2; step > 0; step /= 2) sum += __shfl_xor_sync(~0U, sum, step);
    T* const partial = reinterpret_cast<T*>(partial_);
    if (threadIdx.x % kWarp == 0) partial[threadIdx.x / kWarp] = sum;
    __syncthreads();
    sum = T{0};
    for (unsigned warp = 0; warp < blockDim.x / kWarp; ++warp) sum += partial[warp];
    __syncthreads();
    return sum;
  }
  template <class F>
  __device__ bool any(std::int64_t n, F&& f) {
    bool found = false;
    for (std::int64_t i = threadIdx.x; i < n; i += blockDim.x) found |= f(i);
    return __syncthreads_or(static_cast<int>(found)) != 0;
  }
  template <class T>
  __device__ T value(const T& x) {
    const T found = x;
    __syncthreads();
    return found;
  }

  template <class T>
  __device__ void add(T& x, T v) {
    if constexpr (sizeof(T) == 8) {  // two's complement: the same bits with and without a sign
      atomicAdd(reinterpret_cast<unsigned long long*>(&x), static_cast<unsigned long long>(v));
    } else {
      atomicAdd(&x, v);
    }
  }
  __device__ std::int32_t take(std::int32_t& x) { return atomicAdd(&x, 1); }
  __device__ bool claim(std::int32_t& x, std::int32_t from, std::int32_t to) {
    return atomicCAS(&x, from, to) == from;
  }

 private:
  unsigned long long* partial_;
};

template <class Capacity>
__global__ void __launch_bounds__(kMostThreads)
    build_items(BlockBatch<Capacity> batch, BlockWorkspace at, char* workspace) {
  __shared__ unsigned long long partial[kMostThreads / kWarp];
  CudaBlock block(partial);
  const std::int64_t item = blockIdx.x;
  build_item(block, batch, at.topology(workspace, batch, item), item);
}

// What fits into the `shared` bytes of shared memory is there: all, or what there is of nodes, or
// nothing. The rest is in the workspace.
template <class Capacity>
__global__ void __launch_bounds__(kMostThreads)
    solve_cuts(BlockBatch<Capacity> batch, BlockWorkspace at, char* workspace,
               std::int64_t shared_bytes) {
  char* const shared = shared_memory();
  __shared__ unsigned long long partial[kMostThreads / kWarp];
  CudaBlock block(partial);
  const std::int64_t row = blockIdx.x;
  const auto topology = at.topology(workspace, batch, row / batch.cuts);
  const std::int64_t of_nodes = CutMemory::node_bytes(batch.nodes);
  const std::int64_t of_flow = CutMemory::kPerEdge * *topology.edges;
  char* const global = workspace + batch.items * at.item + row * at.cut;
  CutMemory memory{global, global + of_nodes};
  if (of_nodes <= shared_bytes) {
    memory.nodes = shared;
    if (of_nodes + of_flow <= shared_bytes) memory.flow = shared + of_nodes;
  }
  solve_cut(block, batch, topology, memory, row);
}

// How the cuts of a batch are laid out on a device.
struct Plan {
  std::int64_t most = 0;  // bytes of shared memory that a block can be given
  std::int64_t shared_bytes = 0;
  bool all_shared = false;  // whatever the number of edges

  template <class Capacity>
  Plan(const BlockBatch<Capacity>& batch, const BlockWorkspace& at, int device) {
    cudaFuncAttributes attributes{};
    GRAPHCUT_CUDA_CHECK(cudaFuncGetAttributes(&attributes, solve_cuts<Capacity>));
    int limit = 0;
    GRAPHCUT_CUDA_CHECK(
        cudaDeviceGetAttribute(&limit, cudaDevAttrMaxSharedMemoryPerBlockOptin, device));
    most = limit - static_cast<std::int64_t>(attributes.sharedSizeBytes);
    all_shared = at.cut <= most;
    if (CutMemory::node_bytes(batch.nodes) <= most) shared_bytes = std::min(at.cut, most);
  }
};

unsigned grid(std::int64_t blocks) { return cuda_grid(blocks, "cuts"); }

}  // namespace

template <class Capacity>
std::int64_t workspace_bytes(const BlockBatch<Capacity>& batch, int device) {
  const DeviceGuard guard(device);
  const BlockWorkspace at = BlockWorkspace::of(batch);
  const std::int64_t of_cuts =
      Plan(batch, at, device).all_shared ? 0 : batch.items * batch.cuts * at.cut;
  return batch.items * at.item + of_cuts;
}

template <class Capacity>
void solve_cuda(const BlockBatch<Capacity>& batch, void* workspace, int device, void* stream) {
  if (batch.items * batch.cuts == 0) return;
  const DeviceGuard guard(device);
  const BlockWorkspace at = BlockWorkspace::of(batch);
  const Plan plan(batch, at, device);
  const auto threads = [](std::int64_t n) {
    return static_cast<unsigned>(
        std::clamp<std::int64_t>((n + kWarp - 1) / kWarp * kWarp, 2 * kWarp, kMostThreads));
  };
  auto* const bytes = static_cast<char*>(workspace);
  const Launch build{grid(batch.items), threads(batch.entries()), 0, stream};
  build(build_items<Capacity>, batch, at, bytes);
  // The kernel's, not the launch's: the same for every batch, as threads may launch side by side.
  GRAPHCUT_CUDA_CHECK(cudaFuncSetAttribute(solve_cuts<Capacity>,
                                           cudaFuncAttributeMaxDynamicSharedMemorySize,
                                           static_cast<int>(plan.most)));
  const Launch solve{grid(batch.items * batch.cuts), threads(batch.nodes), plan.shared_bytes,
                     stream};
  solve(solve_cuts<Capacity>, batch, at, bytes, plan.shared_bytes);
}

#define GRAPHCUT_BLOCKS(Capacity)                                          \
  template std::int64_t workspace_bytes(const BlockBatch<Capacity>&, int); \
  template void solve_cuda(const BlockBatch<Capacity>&, void*, int, void*);
GRAPHCUT_BLOCKS(float)
GRAPHCUT_BLOCKS(double)
GRAPHCUT_BLOCKS(std::int32_t)
GRAPHCUT_BLOCKS(std::int64_t)
#undef GRAPHCUT_BLOCKS

}  // namespace graphcut::maxflow
