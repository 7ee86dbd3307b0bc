// Neighbour selection on CUDA: one warp per row of the products.
#include <cuda_runtime.h>

#include <cstdint>

#include "knn/cuda_warp.cuh"
#include "knn/row_select.hpp"
#include "knn/select.hpp"
#include "parallel/cuda_call.cuh"

namespace graphcut::knn {
namespace {

template <class T>
__global__ void __launch_bounds__(kLanes* kWarps)
    select_rows(Points<T> points, Rows<T> rows, Bounds<T> bounds, Nearest<T> nearest,
                double* workspace) {
  const std::int64_t at =
      static_cast<std::int64_t>(blockIdx.x) * kWarps + static_cast<int>(threadIdx.x) / kLanes;
  if (at >= points.items * rows.rows) return;
  select_row(CudaWarp(), points, rows, bounds, nearest, workspace, at);
}

}  // namespace

template <class T>
void select_cuda(const Points<T>& points, const Rows<T>& rows, const Nearest<T>& nearest,
                 double* workspace, int device, void* stream) {
  const std::int64_t warps = points.items * rows.rows;
  if (warps == 0) return;
  const DeviceGuard guard(device);
  const Launch launch{cuda_grid((warps + kWarps - 1) / kWarps, "rows"), kLanes * kWarps, 0, stream};
  launch(select_rows<T>, points, rows, Bounds<T>::make(points.channels, rows.operand_error),
         nearest, workspace);
}

template void select_cuda(const Points<float>&, const Rows<float>&, const Nearest<float>&, double*,
                          int, void*);
template void select_cuda(const Points<double>&, const Rows<double>&, const Nearest<double>&,
                          double*, int, void*);

}  // namespace graphcut::knn
