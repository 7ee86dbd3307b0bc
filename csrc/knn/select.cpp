#include "knn/select.hpp"

#include <algorithm>
#include <atomic>
#include <cmath>
#include <limits>
#include <utility>
#include <vector>

#include "knn/bounds.hpp"
#include "knn/loops.hpp"
#include "parallel/parallel_for.hpp"

namespace graphcut::knn {
namespace {

constexpr std::int64_t kSummed = 128;  // points of a task that sums columns
constexpr std::int64_t kAhead = 16;    // mirrored rows that are fetched ahead

std::int64_t pieces(std::int64_t length, std::int64_t size) { return (length + size - 1) / size; }

// Largest exponent to which double values are raised before they are squared: the sum of up to
// 2^40 squared differences still fits.
constexpr int kTopExponent = 480;

template <class T>
struct ItemScale {
  T scale;  // s
  double rescale;
};

// peak: the largest magnitude of the item.
template <class T>
ItemScale<T> item_scale(T peak) {
  int exponent = 0;
  std::frexp(peak, &exponent);
  constexpr int limit = std::numeric_limits<T>::max_exponent - 2;
  const T scale = std::ldexp(T{1}, -std::clamp(exponent, -limit, limit));
  const double rescale =
      sizeof(T) == sizeof(double) ? std::ldexp(1.0, std::min(kTopExponent - exponent, 1000)) : 1.0;
  return {scale, rescale};
}

struct Candidate {
  double distance;
  std::int64_t index;

  bool operator<(const Candidate& other) const {
    return distance < other.distance || (distance == other.distance && index < other.index);
  }
};

// What one thread needs while it works on a row.
template <class T>
struct Scratch {
  std::vector<T> products;  // the rows of a chunk, completed
  std::vector<T> upper;
  std::vector<std::int64_t> found;
  std::vector<Candidate> candidates;

  explicit Scratch(std::int64_t searched) : products(kChunkRows * searched), found(searched) {
    upper.reserve(std::max(searched, loops::kGroups));
  }
};

// The k-th smallest upper bound of the row, or a value above it that is met by k points all the
// same: each group's minimum belongs to a different point. `product` is -infinity at the row's own
// point, so that it never counts.
template <class T>
T kth_upper(const Bounds<T>& bounds, const T* norm, const T* product, std::int64_t points,
            std::int64_t k, std::vector<T>& upper) {
  if (points >= 4 * loops::kGroups && 2 * k <= loops::kGroups) {
    upper.resize(loops::kGroups);
    loops::group_minima(bounds, norm, product, points, upper.data());
  } else {
    upper.resize(static_cast<std::size_t>(points));
    for (std::int64_t j = 0; j < points; ++j) upper[j] = bounds.upper(norm[j], product[j]);
  }
  std::nth_element(upper.begin(), upper.begin() + (k - 1), upper.end());
  return upper[k - 1];
}

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
void select_row(const Points<T>& points, const Bounds<T>& bounds, std::int64_t item,
                std::int64_t row, const T* product, const Nearest<T>& nearest,
                Scratch<T>& scratch) {
  const std::int64_t n = points.points;
  const std::int64_t length = points.length(item);
  const std::int64_t k = points.neighbours(item, row, nearest.k);
  const std::int64_t result = points.result(item, row);
  T* const distances = nearest.distances + result * nearest.k;
  std::int64_t* const indices = nearest.indices + result * nearest.k;
  std::fill(distances + k, distances + nearest.k, std::numeric_limits<T>::infinity());
  std::fill(indices + k, indices + nearest.k, -1);
  nearest.measured[result] = 0;
  if (k == 0) return;
  const T* norm = points.norm + item * n;
  const T upper = kth_upper(bounds, norm, product, length, k, scratch.upper);
  const std::int64_t found = loops::collect(bounds, norm, product, length,
                                            bounds.limit(upper, norm[row]), scratch.found.data());

  const T* x = points.x + item * n * points.channels;
  const double rescale = points.rescale[item];
  auto& candidates = scratch.candidates;
  candidates.clear();
  std::int64_t zeros = 0;
  // Candidates ascend by index: once k of them are at distance 0, no later one can precede them.
  for (std::int64_t f = 0; f < found && zeros < k; ++f) {
    const std::int64_t j = scratch.found[f];
    const std::int64_t next = scratch.found[std::min(f + 1, found - 1)];
    const double distance =
        loops::squared_distance(x + row * points.channels, x + j * points.channels,
                                x + next * points.channels, points.channels, rescale);
    zeros += distance == 0.0;
    candidates.push_back({distance, j});
  }
  nearest.measured[result] = static_cast<std::int64_t>(candidates.size());
  std::partial_sort(candidates.begin(), candidates.begin() + k, candidates.end());
  const double undo = 1.0 / rescale;
  for (std::int64_t t = 0; t < k; ++t) {
    distances[t] = static_cast<T>(candidates[t].distance * undo * undo);
    indices[t] = candidates[t].index;
  }
}

}  // namespace

template <class T>
std::int64_t center(const T* x, std::int64_t items, std::int64_t points, std::int64_t channels,
                    T* y, T* norm, double* rescale, int threads) {
  // Sums of doubles are scaled down against overflow; that they then underflow for tiny values
  // only moves the centre, which may be anywhere.
  const double factor = sizeof(T) == sizeof(double) ? std::ldexp(1.0, -64) : 1.0;
  const std::int64_t parts = pieces(points, kSummed);
  std::vector<double> sums(static_cast<std::size_t>(items * parts * channels));
  std::vector<T> peaks(sums.size());
  parallel_for(items * parts, threads, [&](int, std::int64_t task) {
    const std::int64_t first = task % parts * kSummed;
    loops::column_sums(x + (task / parts * points + first) * channels,
                       std::min(kSummed, points - first), channels, factor,
                       sums.data() + task * channels, peaks.data() + task * channels);
  });

  std::vector<T> scales(static_cast<std::size_t>(items));
  std::vector<T> means(static_cast<std::size_t>(items * channels));
  for (std::int64_t item = 0; item < items; ++item) {
    double* const sum = sums.data() + item * parts * channels;
    for (std::int64_t at = channels; at < parts * channels; ++at) sum[at % channels] += sum[at];
    if (!std::all_of(sum, sum + channels, [](double value) { return std::isfinite(value); })) {
      return item;
    }
    const T* peak = peaks.data() + item * parts * channels;
    const auto scale = item_scale(*std::max_element(peak, peak + parts * channels));
    scales[item] = scale.scale;
    rescale[item] = scale.rescale;
    for (std::int64_t c = 0; c < channels; ++c) {
      means[item * channels + c] = static_cast<T>(sum[c] / static_cast<double>(points) *
                                                  static_cast<double>(scale.scale) / factor);
    }
  }

  const std::int64_t chunks = pieces(points, kChunkRows);
  parallel_for(items * chunks, threads, [&](int, std::int64_t task) {
    const std::int64_t item = task / chunks;
    const std::int64_t first = task % chunks * kChunkRows;
    for (std::int64_t i = first; i < std::min(first + kChunkRows, points); ++i) {
      const std::int64_t at = item * points + i;
      norm[at] = static_cast<T>(loops::center_row(x + at * channels, means.data() + item * channels,
                                                  scales[item], channels, y + at * channels));
    }
  });
  return -1;
}

template <class T>
void select(const Points<T>& points, const Rows<T>& rows, const Nearest<T>& nearest, int threads) {
  const auto bounds = Bounds<T>::make(points.channels, rows.operand_error);
  const std::int64_t chunks = pieces(rows.rows, kChunkRows);
  const std::int64_t tasks = points.items * chunks;
  const int workers = worker_count(tasks, threads);
  std::vector<Scratch<T>> scratch(static_cast<std::size_t>(workers), Scratch<T>(points.searched));
  const std::int64_t searched = points.searched;
  parallel_for(tasks, workers, [&](int worker, std::int64_t task) {
    const std::int64_t item = task / chunks;
    const std::int64_t first = task % chunks * kChunkRows;
    const std::int64_t count = std::min(kChunkRows, rows.rows - first);
    T* products = scratch[worker].products.data();
    complete_rows(rows, rows.products + item * rows.rows * searched, searched, first, count,
                  products);
    for (std::int64_t r = 0; r < count; ++r) {
      const std::int64_t row = rows.first_row + first + r;
      select_row(points, bounds, item, row, products + r * searched, nearest, scratch[worker]);
    }
  });
}

template std::int64_t center(const float*, std::int64_t, std::int64_t, std::int64_t, float*, float*,
                             double*, int);
template std::int64_t center(const double*, std::int64_t, std::int64_t, std::int64_t, double*,
                             double*, double*, int);
template void select(const Points<float>&, const Rows<float>&, const Nearest<float>&, int);
template void select(const Points<double>&, const Rows<double>&, const Nearest<double>&, int);

}  // namespace graphcut::knn
