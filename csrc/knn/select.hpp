// K nearest neighbours from blocks of a matrix product: the parts that are not the product.
//
//   center(points, ...)            // y = s x - m and |y|^2
//   g = y y^T                      // by the caller's BLAS, whole or some rows at a time
//   select(points, norms, g, ...)  // exact neighbours of these rows
//
// All arrays are dense and row-major, owned by the caller. T is float or double.
#pragma once

#include <cstdint>

#include "knn/bounds.hpp"

namespace graphcut::knn {

// Rows handed to a thread at a time.
inline constexpr std::int64_t kChunkRows = 16;

template <class T>
struct Points {
  const T* x;             // (items, points, channels)
  const T* norm;          // (items, points): |y|^2
  const double* rescale;  // (items,): power of two, see center()
  std::int64_t items;
  std::int64_t points;
  std::int64_t channels;
  // Neighbours are looked for among the first `searched` points of an item, or the first
  // lengths[item] of those, if that is no nullptr. The points behind them are queries.
  std::int64_t searched;
  const std::int64_t* lengths;

  GRAPHCUT_HD std::int64_t length(std::int64_t item) const {
    return lengths == nullptr ? searched : lengths[item];
  }
  // A point that is not searched though it stands among those that are; it has no neighbours.
  GRAPHCUT_HD bool padding(std::int64_t item, std::int64_t row) const {
    return row < searched && row >= length(item);
  }
};

// Writes y (items, points, channels) = s x - m with s a power of two that brings the largest value
// of the item to about 1 and m near the scaled mean; norm (items, points); rescale (items,), the
// power of two by which distances are recomputed (1 unless x is double and extreme).
// Returns the first item with a value that is NaN or infinite, else -1; then outputs are undefined.
template <class T>
std::int64_t center(const T* x, std::int64_t items, std::int64_t points, std::int64_t channels,
                    T* y, T* norm, double* rescale, int threads);

// Rows [first_row, first_row + rows) of every item.
template <class T>
struct Rows {
  const T* products;  // (items, rows, searched)
  std::int64_t first_row;
  std::int64_t rows;
  double operand_error;  // see Bounds::make
  // 0, or a multiple of kChunkRows where all rows are given and only entries (i, j) with
  // j >= i / block * block were computed: the others are read from their mirror images.
  std::int64_t block;
};

// distances, indices: (items, results, k), results being the points where these are searched for
// neighbours of one another, else the queries; the given rows are written. Where there are fewer
// than k neighbours the rest is (infinity, -1).
template <class T>
void select(const Points<T>& points, const Rows<T>& rows, std::int64_t k, T* distances,
            std::int64_t* indices, int threads);

// The same on a CUDA device: every pointer is the device's, work is queued on `stream`
// (a cudaStream_t), rows.block is not used. workspace: (items, rows, k) doubles. Rows whose points
// are NaN or infinite get (infinity, -1). Throws std::runtime_error with CUDA's message when the
// launch fails.
template <class T>
void select_cuda(const Points<T>& points, const Rows<T>& rows, std::int64_t k, T* distances,
                 std::int64_t* indices, double* workspace, int device, void* stream);

}  // namespace graphcut::knn
