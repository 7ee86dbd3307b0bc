// Neighbour selection on CUDA: one warp per row.
//
// Pass 1 finds the k-th smallest upper bound of the row (see Note [Why the selection is exact]),
// pass 2 walks over the row once more, recomputes the distance of every candidate with the whole
// warp and keeps the k best in a sorted list. Candidates come in ascending order of index and an
// equal distance never overtakes, so ties go to the lower index; there is no atomic operation.
#include <cuda_runtime.h>

#include <cmath>
#include <cstdint>
#include <stdexcept>

#include "knn/bounds.hpp"
#include "knn/select.hpp"
#include "parallel/cuda_call.cuh"

namespace graphcut::knn {
namespace {

constexpr int kWarp = 32;
constexpr int kWarpsPerBlock = 8;
constexpr unsigned kAll = 0xffffffffU;
constexpr int kBins = 4;  // groups per lane in pass 1
constexpr std::int64_t kGroups = kWarp * kBins;

// Unsigned integers that order like the floating-point numbers.
struct Key32 {
  using type = std::uint32_t;
  static __device__ type of(float value) {
    const auto bits = static_cast<type>(__float_as_int(value));
    return (bits >> 31) != 0U ? ~bits : bits | 0x80000000U;
  }
  static __device__ float value(type key) {
    return __int_as_float(static_cast<int>((key >> 31) != 0U ? key & 0x7fffffffU : ~key));
  }
};
struct Key64 {
  using type = unsigned long long;
  static __device__ type of(double value) {
    const auto bits = static_cast<type>(__double_as_longlong(value));
    return (bits >> 63) != 0U ? ~bits : bits | 0x8000000000000000ULL;
  }
  static __device__ double value(type key) {
    return __longlong_as_double(
        static_cast<long long>((key >> 63) != 0U ? key & 0x7fffffffffffffffULL : ~key));
  }
};
template <class T>
struct KeyOf;
template <>
struct KeyOf<float> : Key32 {};
template <>
struct KeyOf<double> : Key64 {};

__device__ int warp_sum(int value) {
  for (int step = kWarp / 2; step > 0; step /= 2) value += __shfl_xor_sync(kAll, value, step);
  return value;
}

// The k-th smallest of a multiset of keys, of which count_below(v) tells how many are < v on this
// lane: the largest v below which lie fewer than k.
template <class Key, class CountBelow>
__device__ typename Key::type kth_smallest(std::int64_t k, CountBelow count_below) {
  typename Key::type result = 0;
  for (int bit = static_cast<int>(sizeof(result)) * 8 - 1; bit >= 0; --bit) {
    const auto trial = result | (static_cast<typename Key::type>(1) << bit);
    if (warp_sum(count_below(trial)) < k) result = trial;
  }
  return result;
}

// One row of the problem as a warp sees it.
template <class T>
struct Row {
  const T* product;  // (points,)
  const T* norm;     // (points,)
  const T* x;        // (points, channels)
  double rescale;
  std::int64_t self;
  std::int64_t points;  // that may be neighbours
  std::int64_t channels;
};

// The k-th smallest upper bound, or a value above it met by k points: the minima of disjoint groups
// belong to different points. Same in every lane.
template <class T>
__device__ T kth_upper(const Bounds<T>& bounds, const Row<T>& row, std::int64_t k, int lane) {
  using Key = KeyOf<T>;
  using Bits = typename Key::type;
  constexpr Bits kNone = ~static_cast<Bits>(0);
  const auto key = [&](std::int64_t j) {
    return j < row.points && j != row.self ? Key::of(bounds.upper(row.norm[j], row.product[j]))
                                           : kNone;
  };
  if (row.points >= 4 * kGroups && 2 * k <= kGroups) {
    Bits least[kBins];
#pragma unroll
    for (int bin = 0; bin < kBins; ++bin) least[bin] = kNone;
    for (std::int64_t first = lane; first < row.points; first += kGroups) {
#pragma unroll
      for (int bin = 0; bin < kBins; ++bin) {
        const Bits bits = key(first + bin * kWarp);
        least[bin] = bits < least[bin] ? bits : least[bin];
      }
    }
    return Key::value(kth_smallest<Key>(k, [&](Bits trial) {
      int count = 0;
#pragma unroll
      for (int bin = 0; bin < kBins; ++bin) count += least[bin] < trial ? 1 : 0;
      return count;
    }));
  }
  return Key::value(kth_smallest<Key>(k, [&](Bits trial) {
    int count = 0;
    for (std::int64_t j = lane; j < row.points; j += kWarp) count += key(j) < trial ? 1 : 0;
    return count;
  }));
}

// |x_self - x_j|^2 in the order of bounds.hpp, the same bits as on the CPU. Same in every lane.
template <class T>
__device__ double squared_distance(const Row<T>& row, std::int64_t j, int lane) {
  static_assert(kLanes == kWarp);
  const T* a = row.x + row.self * row.channels;
  const T* b = row.x + j * row.channels;
  double sum = 0.0;
  for (std::int64_t c = lane; c < row.channels; c += kWarp) {
    double d;
    if constexpr (sizeof(T) == sizeof(double)) {
      d = __dsub_rn(__dmul_rn(a[c], row.rescale), __dmul_rn(b[c], row.rescale));
    } else {
      d = __dsub_rn(static_cast<double>(a[c]), static_cast<double>(b[c]));
    }
    sum = __dadd_rn(sum, __dmul_rn(d, d));
  }
  for (int step = kWarp / 2; step > 0; step /= 2) {
    sum = __dadd_rn(sum, __shfl_xor_sync(kAll, sum, step));
  }
  return sum;
}

// The best candidates so far, ascending, ties in the order of arrival.
struct Best {
  double* distance;     // (k,)
  std::int64_t* index;  // (k,)
  std::int64_t k;
  std::int64_t count = 0;

  // Whether no later candidate can enter: the list is full of zeros, or has no places.
  __device__ bool closed() const { return count == k && (k == 0 || distance[k - 1] == 0.0); }

  __device__ void insert(double candidate, std::int64_t j, int lane) {
    if (count == k && !(candidate < distance[k - 1])) return;
    std::int64_t at = 0;
    for (std::int64_t first = 0; first < count; first += kWarp) {
      const std::int64_t p = first + lane;
      const unsigned before = __ballot_sync(kAll, p < count && distance[p] <= candidate);
      at += __popc(before);
      if (before != kAll) break;
    }
    // Entries [at, end) move up by one, from the top, 32 at a time.
    const std::int64_t end = count < k ? count : k - 1;
    for (std::int64_t top = end; top > at; top -= kWarp) {
      const std::int64_t p = top - 1 - lane;
      const bool moves = p >= at;
      const double moved_distance = moves ? distance[p] : 0.0;
      const std::int64_t moved_index = moves ? index[p] : 0;
      __syncwarp();
      if (moves) {
        distance[p + 1] = moved_distance;
        index[p + 1] = moved_index;
      }
      __syncwarp();
    }
    if (lane == 0) {
      distance[at] = candidate;
      index[at] = j;
    }
    __syncwarp();
    count = end + 1;
  }
};

template <class T>
__global__ void __launch_bounds__(kWarp* kWarpsPerBlock)
    select_rows(Points<T> points, Rows<T> rows, Bounds<T> bounds, std::int64_t k, T* distances,
                std::int64_t* indices, double* workspace) {
  const int lane = static_cast<int>(threadIdx.x) % kWarp;
  const std::int64_t warp = static_cast<std::int64_t>(blockIdx.x) * kWarpsPerBlock +
                            static_cast<int>(threadIdx.x) / kWarp;
  if (warp >= points.items * rows.rows) return;
  const std::int64_t item = warp / rows.rows;
  const std::int64_t n = points.points;
  const std::int64_t length = points.length(item);
  const Row<T> row{rows.products + warp * points.searched,
                   points.norm + item * n,
                   points.x + item * n * points.channels,
                   points.rescale[item],
                   rows.first_row + warp % rows.rows,
                   length,
                   points.channels};
  const std::int64_t skipped = n > points.searched ? points.searched : 0;
  const std::int64_t out = (item * (n - skipped) + row.self - skipped) * k;
  const std::int64_t others = length - (row.self < length ? 1 : 0);
  const std::int64_t most = points.padding(item, row.self) ? 0 : (k < others ? k : others);
  Best best{workspace + warp * k, indices + out, most};

  const T limit =
      most == 0 ? T{0} : bounds.limit(kth_upper(bounds, row, most, lane), row.norm[row.self]);
  for (std::int64_t first = 0; first < length && !best.closed(); first += kWarp) {
    const std::int64_t j = first + lane;
    unsigned candidates = __ballot_sync(
        kAll, j < length && j != row.self && bounds.lower(row.norm[j], row.product[j]) <= limit);
    while (candidates != 0U) {
      const int next = __ffs(static_cast<int>(candidates)) - 1;
      candidates &= candidates - 1;
      best.insert(squared_distance(row, first + next, lane), first + next, lane);
    }
  }

  const double undo = 1.0 / row.rescale;
  for (std::int64_t t = lane; t < k; t += kWarp) {
    const bool found = t < best.count;
    distances[out + t] =
        found ? static_cast<T>(best.distance[t] * undo * undo) : static_cast<T>(INFINITY);
    if (!found) best.index[t] = -1;
  }
}

}  // namespace

template <class T>
void select_cuda(const Points<T>& points, const Rows<T>& rows, std::int64_t k, T* distances,
                 std::int64_t* indices, double* workspace, int device, void* stream) {
  const std::int64_t warps = points.items * rows.rows;
  if (warps == 0) return;
  const std::int64_t blocks = (warps + kWarpsPerBlock - 1) / kWarpsPerBlock;
  if (blocks > 0x7fffffff) throw std::runtime_error("graphcut_ext: too many rows in one launch");
  const DeviceGuard guard(device);
  select_rows<<<static_cast<unsigned>(blocks), kWarp * kWarpsPerBlock, 0,
                static_cast<cudaStream_t>(stream)>>>(
      points, rows, Bounds<T>::make(points.channels, rows.operand_error), k, distances, indices,
      workspace);
  GRAPHCUT_CUDA_CHECK(cudaGetLastError());
}

template void select_cuda(const Points<float>&, const Rows<float>&, std::int64_t, float*,
                          std::int64_t*, double*, int, void*);
template void select_cuda(const Points<double>&, const Rows<double>&, std::int64_t, double*,
                          std::int64_t*, double*, int, void*);

}  // namespace graphcut::knn
