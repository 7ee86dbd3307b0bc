#include <cstdint>
#include <vector>

#include "knn/emulated_warp.hpp"
#include "knn/row_select.hpp"
#include "knn/select.hpp"
#include "knn/tile_search.hpp"

namespace graphcut::knn {

template <class T>
void select_emulated(const Points<T>& points, const Rows<T>& rows, const Nearest<T>& nearest,
                     bool descending) {
  const auto bounds = Bounds<T>::make(points.channels, rows.operand_error);
  std::vector<double> workspace(static_cast<std::size_t>(points.items * rows.rows * nearest.k));
  const EmulatedWarp warp(descending);
  for (std::int64_t at = 0; at < points.items * rows.rows; ++at) {
    select_row(warp, points, rows, bounds, nearest, workspace.data(), at);
  }
}

template <class T>
void search_tiles_emulated(const Points<T>& points, const T* y, const Nearest<T>& nearest,
                           bool descending) {
  const auto bounds = Bounds<T>::make(points.channels, 0.0);
  std::vector<double> memory(
      static_cast<std::size_t>(TileMemory<T>::bytes(points.channels, nearest.k)) / sizeof(double) +
      1);
  EmulatedBlock block(descending);
  for (std::int64_t at = 0; at < points.items * tiles(points); ++at) {
    search_tile(block, points, y, bounds, nearest, at, reinterpret_cast<char*>(memory.data()));
  }
}

#define GRAPHCUT_EMULATED(T)                                                                \
  template void select_emulated(const Points<T>&, const Rows<T>&, const Nearest<T>&, bool); \
  template void search_tiles_emulated(const Points<T>&, const T*, const Nearest<T>&, bool);
GRAPHCUT_EMULATED(float)
GRAPHCUT_EMULATED(double)
#undef GRAPHCUT_EMULATED

}  // namespace graphcut::knn
