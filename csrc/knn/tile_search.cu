// The neighbour search of few channels on CUDA: one block per tile of rows.
#include <cuda_runtime.h>

#include <cstdint>

#include "knn/cuda_warp.cuh"
#include "knn/select.hpp"
#include "knn/tile_search.hpp"
#include "parallel/cuda_call.cuh"
#include "parallel/cuda_shared.cuh"

namespace graphcut::knn {
namespace {

template <class T>
__global__ void __launch_bounds__(kLanes* kWarps)
    search_tiles(Points<T> points, const T* y, Bounds<T> bounds, Nearest<T> nearest) {
  CudaBlock block;
  search_tile(block, points, y, bounds, nearest, static_cast<std::int64_t>(blockIdx.x),
              shared_memory());
}

}  // namespace

template <class T>
void search_tiles_cuda(const Points<T>& points, const T* y, const Nearest<T>& nearest, int device,
                       void* stream) {
  const std::int64_t blocks = points.items * tiles(points);
  if (blocks == 0) return;
  const DeviceGuard guard(device);
  const Launch launch{cuda_grid(blocks, "rows"), kLanes * kWarps,
                      TileMemory<T>::bytes(points.channels, nearest.k), stream};
  launch(search_tiles<T>, points, y, Bounds<T>::make(points.channels, 0.0), nearest);
}

template void search_tiles_cuda(const Points<float>&, const float*, const Nearest<float>&, int,
                                void*);
template void search_tiles_cuda(const Points<double>&, const double*, const Nearest<double>&, int,
                                void*);

}  // namespace graphcut::knn
