#include "knn/rounded_search.hpp"

#include <algorithm>
#include <limits>
#include <vector>

#include "knn/bounds.hpp"
#include "knn/candidates.hpp"
#include "knn/select_loops.hpp"
#include "parallel/parallel_for.hpp"

namespace graphcut::knn {
namespace {

// Bounds the memory for points that may be neighbours of a block's rows. One segment never has
// more.
constexpr std::size_t kMaxKept = kPanel * kSegment;

static_assert(2 * kMaxNeighbours <= loops::kGroups && kSegment >= 4 * loops::kGroups);

// The points searched so far that may be neighbours of a row.
struct Running {
  std::int64_t row;
  std::int64_t k;
  std::vector<float> minima;  // (kGroups,) of upper bounds
  std::vector<std::int64_t> found;
  std::vector<float> product;  // of those found
};

// Rows of an item, and what one thread needs while it works on them.
class RowBlock {
 public:
  explicit RowBlock(std::int64_t searched)
      : stride_(std::min(searched, kSegment)),
        products_(static_cast<std::size_t>(kPanel * stride_)),
        near_(static_cast<std::size_t>(stride_)),
        rows_(kPanel) {}

  void begin(const Points<float>& points, std::int64_t item, std::int64_t first, std::int64_t count,
             const Nearest<float>& nearest) {
    count_ = count;
    for (std::int64_t r = 0; r < count; ++r) {
      Running& row = rows_[r];
      row.row = first + r;
      row.k = begin_row(points, item, row.row, nearest);
      row.minima.assign(loops::kGroups, std::numeric_limits<float>::infinity());
      row.found.clear();
      row.product.clear();
    }
  }

  // Searches points [first, end). Returns how many of all points so far may be neighbours.
  std::size_t search(const Points<float>& points, const Panels& panels, const Rounded& rounded,
                     const Bounds<float>& bounds, std::int64_t item, std::int64_t first,
                     std::int64_t end) {
    const std::int64_t panel_size = panels.pairs() * kPanel;
    multiply_rounded(panels, rounded.pairs + item * panels.count() * panel_size,
                     {rows_[0].row, rows_[0].row + count_, first, end, false}, products_.data(),
                     stride_);
    const float* all_norms = points.norm + item * points.points;
    const float* norm = all_norms + first;
    std::size_t kept = 0;
    for (std::int64_t r = 0; r < count_; ++r) {
      Running& row = rows_[r];
      if (row.k == 0) continue;
      float* const product = products_.data() + r * stride_;
      if (row.row >= first && row.row < end) {
        product[row.row - first] = -std::numeric_limits<float>::infinity();
      }
      const std::int64_t length = end - first;
      const float upper = running_upper(points, bounds, item, row, norm, product, length);
      const float limit = limit_of(points, rounded, bounds, item, row.row, upper);
      const std::int64_t found = loops::collect(bounds, norm, product, length, limit, near_.data());
      keep(bounds, all_norms, row, limit);
      for (std::int64_t f = 0; f < found; ++f) {
        row.found.push_back(first + near_[f]);
        row.product.push_back(product[near_[f]]);
      }
      kept += row.found.size();
    }
    return kept;
  }

  void measure(const Points<float>& points, const Rounded& rounded, const Bounds<float>& bounds,
               std::int64_t item, const Nearest<float>& nearest, Allowance& allowance) {
    const float* norm = points.norm + item * points.points;
    for (std::int64_t r = 0; r < count_; ++r) {
      Running& row = rows_[r];
      if (row.k == 0) continue;
      const auto limit = [&](float upper) {
        return limit_of(points, rounded, bounds, item, row.row, upper);
      };
      const std::int64_t count =
          refine(bounds, norm, row.product.data(), static_cast<std::int64_t>(row.found.size()),
                 row.k, limit, upper_, row.found.data());
      knn::measure(points, item, row.row, row.found.data(), count, row.k, nearest, allowance,
                   work_);
    }
  }

 private:
  static float limit_of(const Points<float>& points, const Rounded& rounded,
                        const Bounds<float>& bounds, std::int64_t item, std::int64_t row,
                        float upper) {
    return bounds.limit(upper, points.norm[item * points.points + row],
                        rounded.error[item * points.points + row] + rounded.largest_error[item]);
  }

  float running_upper(const Points<float>& points, const Bounds<float>& bounds, std::int64_t item,
                      Running& row, const float* norm, const float* product, std::int64_t length) {
    if (points.length(item) == length) {
      return kth_upper(bounds, norm, product, length, row.k, row.minima);
    }
    loops::group_minima(bounds, norm, product, length, row.minima.data());
    return loops::kth_least(row.minima.data(), row.k);
  }

  // Drops the points whose lower bound is above the row's limit.
  static void keep(const Bounds<float>& bounds, const float* norm, Running& row, float limit) {
    std::size_t kept = 0;
    for (std::size_t f = 0; f < row.found.size(); ++f) {
      if (bounds.lower(norm[row.found[f]], row.product[f]) > limit) continue;
      row.found[kept] = row.found[f];
      row.product[kept++] = row.product[f];
    }
    row.found.resize(kept);
    row.product.resize(kept);
  }

  std::int64_t stride_;
  std::vector<float> products_;
  std::vector<std::int64_t> near_;
  std::vector<Running> rows_;
  std::vector<float> upper_;
  Workspace work_;
  std::int64_t count_ = 0;
};

}  // namespace

std::vector<std::int64_t> search_rounded(const Points<float>& points, const Panels& panels,
                                         const Rounded& rounded, const Nearest<float>& nearest,
                                         std::int64_t most, int threads) {
  const auto bounds = Bounds<float>::make(points.channels, 0.0, rounded_sums(points.channels));
  const std::int64_t results = points.points - points.first_result();
  const std::int64_t blocks = Panels::of(results);
  const std::int64_t tasks = points.items * blocks;
  const int workers = worker_count(tasks, threads);
  std::vector<RowBlock> scratch(static_cast<std::size_t>(workers), RowBlock(points.searched));
  Allowance allowance(points.items, most * results);
  parallel_for(tasks, workers, [&](int worker, std::int64_t task) {
    const std::int64_t item = task / blocks;
    if (allowance.spent(item)) return;
    const std::int64_t first = task % blocks * kPanel;
    RowBlock& rows = scratch[worker];
    rows.begin(points, item, points.first_result() + first, std::min(kPanel, results - first),
               nearest);
    const std::int64_t length = points.length(item);
    for (std::int64_t start = 0; start < length; start += kSegment) {
      const std::int64_t end = std::min(start + kSegment, length);
      if (rows.search(points, panels, rounded, bounds, item, start, end) > kMaxKept) {
        allowance.give_up(item);
        return;
      }
    }
    rows.measure(points, rounded, bounds, item, nearest, allowance);
  });
  return allowance.spent();
}

}  // namespace graphcut::knn
