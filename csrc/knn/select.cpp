#include "knn/select.hpp"

#include <algorithm>
#include <limits>
#include <vector>

#include "knn/bounds.hpp"
#include "knn/candidates.hpp"
#include "knn/clones.hpp"
#include "knn/panels.hpp"
#include "knn/select_loops.hpp"
#include "parallel/parallel_for.hpp"

namespace graphcut::knn {
namespace {

constexpr std::int64_t kAhead = 16;  // mirrored rows that are fetched ahead

// What one thread needs while it works on a row.
template <class T>
struct Scratch {
  std::vector<T> products;  // the rows of a chunk, completed
  std::vector<T> upper;
  std::vector<std::int64_t> found;
  std::vector<T> near;  // products of those found
  Workspace work;

  explicit Scratch(std::int64_t searched) : products(kChunkRows * searched), found(searched) {
    upper.reserve(std::max(searched, loops::kGroups));
  }
};

// Rows [first, first + count) of an item's products, whole and with -infinity at their own points.
// products: (rows, searched) of this item.
template <class T>
void complete_rows(const Rows<T>& rows, const T* products, std::int64_t searched,
                   std::int64_t first, std::int64_t count, T* out) {
  const std::int64_t edge = rows.block == 0 ? 0 : first / rows.block * rows.block;
  for (std::int64_t j = 0; j < edge; ++j) {
    const T* mirrored = products + j * searched + first;
    GRAPHCUT_PREFETCH(mirrored + std::min(kAhead, edge - 1 - j) * searched);
    for (std::int64_t r = 0; r < count; ++r) out[r * searched + j] = mirrored[r];
  }
  for (std::int64_t r = 0; r < count; ++r) {
    const T* row = products + (first + r) * searched;
    std::copy(row + edge, row + searched, out + r * searched + edge);
    const std::int64_t self = rows.first_row + first + r;
    if (self < searched) out[r * searched + self] = -std::numeric_limits<T>::infinity();
  }
}

template <class T>
void select_row(const Points<T>& points, const Rows<T>& rows, const Bounds<T>& bounds,
                std::int64_t item, std::int64_t row, const T* product, const Nearest<T>& nearest,
                Allowance& allowance, Scratch<T>& scratch) {
  const std::int64_t k = begin_row(points, item, row, nearest);
  if (k == 0) return;
  const T* norm = points.norm + item * points.points;
  const std::int64_t length = points.length(item);
  const auto limit = [&](T upper) {
    if (rows.error == nullptr) return bounds.limit(upper, norm[row]);
    return bounds.limit(upper, norm[row],
                        rows.error[item * points.points + row] + rows.largest_error[item]);
  };
  const T upper = kth_upper(bounds, norm, product, length, k, scratch.upper);
  std::int64_t* const found = scratch.found.data();
  std::int64_t count = loops::collect(bounds, norm, product, length, limit(upper), found);
  scratch.near.resize(static_cast<std::size_t>(count));
  for (std::int64_t f = 0; f < count; ++f) scratch.near[f] = product[found[f]];
  count = refine(bounds, norm, scratch.near.data(), count, k, limit, scratch.upper, found);
  measure(points, item, row, found, count, k, nearest, allowance, scratch.work);
}

}  // namespace

template <class T>
std::vector<std::int64_t> select(const Points<T>& points, const Rows<T>& rows,
                                 const Nearest<T>& nearest, std::int64_t most, int threads) {
  const auto bounds = rows.error == nullptr
                          ? Bounds<T>::make(points.channels, rows.operand_error)
                          : Bounds<T>::make(points.channels, 0.0, rounded_sums(points.channels));
  const std::int64_t chunks = (rows.rows + kChunkRows - 1) / kChunkRows;
  const std::int64_t tasks = points.items * chunks;
  const int workers = worker_count(tasks, threads);
  std::vector<Scratch<T>> scratch(static_cast<std::size_t>(workers), Scratch<T>(points.searched));
  Allowance allowance(points.items, most * rows.rows);
  const std::int64_t searched = points.searched;
  parallel_for(tasks, workers, [&](int worker, std::int64_t task) {
    const std::int64_t item = task / chunks;
    const std::int64_t first = task % chunks * kChunkRows;
    const std::int64_t count = std::min(kChunkRows, rows.rows - first);
    if (allowance.spent(item)) return;
    T* products = scratch[worker].products.data();
    complete_rows(rows, rows.products + item * rows.rows * searched, searched, first, count,
                  products);
    for (std::int64_t r = 0; r < count; ++r) {
      select_row(points, rows, bounds, item, rows.first_row + first + r, products + r * searched,
                 nearest, allowance, scratch[worker]);
    }
  });
  return allowance.spent();
}

template std::vector<std::int64_t> select(const Points<float>&, const Rows<float>&,
                                          const Nearest<float>&, std::int64_t, int);
template std::vector<std::int64_t> select(const Points<double>&, const Rows<double>&,
                                          const Nearest<double>&, std::int64_t, int);

}  // namespace graphcut::knn
