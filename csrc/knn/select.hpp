// K nearest neighbours from blocks of a matrix product: the parts that are not the product.
//
//   center(points, ...)            // y = s x - m and |y|^2: see center.hpp
//   g = y y^T                      // by the caller's BLAS, whole or some rows at a time
//   select(points, norms, g, ...)  // exact neighbours of these rows
//
// All arrays are dense and row-major, owned by the caller. T is float or double.
#pragma once

#include <cstdint>
#include <vector>

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
  // Neighbours are found among the first `searched` points of an item. Where `lengths` is given,
  // only the first lengths[item] of these exist. The points behind `searched` are queries.
  // Nobody has looked at `lengths` where a device is not waited for, so any number may be there.
  std::int64_t searched;
  const std::int64_t* lengths;

  GRAPHCUT_HD std::int64_t length(std::int64_t item) const {
    if (lengths == nullptr) return searched;
    const std::int64_t given = lengths[item] < 0 ? 0 : lengths[item];
    return given < searched ? given : searched;
  }
  // Whether the row is a point behind lengths[item]: it is not searched and has no neighbours.
  GRAPHCUT_HD bool padding(std::int64_t item, std::int64_t row) const {
    return row < searched && row >= length(item);
  }
  // How many neighbours the row gets: k, or all others where there are fewer.
  GRAPHCUT_HD std::int64_t neighbours(std::int64_t item, std::int64_t row, std::int64_t k) const {
    if (padding(item, row)) return 0;
    const std::int64_t others = length(item) - (row < searched ? 1 : 0);
    return k < others ? k : others;
  }
  // The first row that has a result, and the position of a row's result among all results.
  GRAPHCUT_HD std::int64_t first_result() const { return points > searched ? searched : 0; }
  GRAPHCUT_HD std::int64_t result(std::int64_t item, std::int64_t row) const {
    return item * (points - first_result()) + row - first_result();
  }
};

// Rows [first_row, first_row + rows) of every item.
template <class T>
struct Rows {
  const T* products;  // (items, rows, searched)
  std::int64_t first_row;
  std::int64_t rows;
  double operand_error;  // see Bounds::make
  // 0: all entries were computed. Else a multiple of kChunkRows, and all rows are given: only
  // entries (i, j) with j >= i / block * block were computed, the others are read at (j, i).
  std::int64_t block;
  // Errors of rounded points (panels.hpp), (items, points) and (items,); nullptr for other
  // products.
  const T* error = nullptr;
  const T* largest_error = nullptr;
};

// One result for every query, or, without queries, for every point. Where there are fewer than k
// neighbours the rest is (infinity, -1).
template <class T>
struct Nearest {
  T* distances;            // (items, results, k)
  std::int64_t* indices;   // (items, results, k)
  std::int64_t* measured;  // (items, results): points whose distances were recomputed
  std::int64_t k;
};

// Writes the results of the given rows. An item is given up where its rows need more than `most`
// distances on average: its results are then undefined. Returns these items, ascending.
template <class T>
std::vector<std::int64_t> select(const Points<T>& points, const Rows<T>& rows,
                                 const Nearest<T>& nearest, std::int64_t most, int threads);

// The same on a CUDA device: every pointer is the device's, work is queued on `stream`
// (a cudaStream_t), rows.block is not used. workspace: (items, rows, k) doubles. Rows whose points
// are NaN or infinite get (infinity, -1). Throws std::runtime_error with CUDA's message when the
// launch fails.
template <class T>
void select_cuda(const Points<T>& points, const Rows<T>& rows, const Nearest<T>& nearest,
                 double* workspace, int device, void* stream);

// All results on a CUDA device, without a matrix of products: for points of at most
// kMaxTileChannels channels and k up to kMaxTileNeighbours. y: (items, points, channels),
// centred.
inline constexpr std::int64_t kMaxTileChannels = 64;
inline constexpr std::int64_t kMaxTileNeighbours = 32;
template <class T>
void search_tiles_cuda(const Points<T>& points, const T* y, const Nearest<T>& nearest, int device,
                       void* stream);

// Models of the two on the host: the same source by emulated warps, whose lanes run in ascending or
// descending order. Memory is the host's.
template <class T>
void select_emulated(const Points<T>& points, const Rows<T>& rows, const Nearest<T>& nearest,
                     bool descending);
template <class T>
void search_tiles_emulated(const Points<T>& points, const T* y, const Nearest<T>& nearest,
                           bool descending);

}  // namespace graphcut::knn
