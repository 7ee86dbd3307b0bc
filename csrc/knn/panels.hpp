// Points rounded to 16-bit integers, and their products: exact sums, and several times as fast as
// float32 ones where the processor adds up products of pairs of integers.
//
//   center_rounded(x, panels, ...)     // q, its norms and the errors of rounding: see center.hpp
//   multiply_rounded(panels, q, ...)   // q q^T, one half of it or some rows and columns
//   select(points, rows, ...)          // rows.error: the errors
//
// or search_rounded(), which multiplies and selects some at a time: see rounded_search.hpp.
#pragma once

#include <cstdint>

namespace graphcut::knn {

// Points side by side in memory.
inline constexpr std::int64_t kPanel = 48;

// Points in panels of kPanel. Searched points and queries have panels of their own, filled up with
// zeros. A panel is (pairs, kPanel): pair p of a point holds its channels 2 p, in the low half, and
// 2 p + 1. |q|^2 < 2^31, so that no sum of products overflows.
struct Panels {
  std::int64_t items;
  std::int64_t points;
  std::int64_t searched;
  std::int64_t channels;

  static std::int64_t of(std::int64_t points) { return (points + kPanel - 1) / kPanel; }
  std::int64_t pairs() const { return (channels + 1) / 2; }
  std::int64_t count() const { return of(searched) + of(points - searched); }
  std::int64_t panel(std::int64_t point) const {
    return point < searched ? point / kPanel : of(searched) + (point - searched) / kPanel;
  }
  std::int64_t lane(std::int64_t point) const {
    return (point < searched ? point : point - searched) % kPanel;
  }
  // The point at a place, or -1.
  std::int64_t point(std::int64_t panel, std::int64_t lane) const {
    const bool own = panel < of(searched);
    const std::int64_t point =
        own ? panel * kPanel + lane : searched + (panel - of(searched)) * kPanel + lane;
    return point < (own ? searched : points) ? point : -1;
  }
};

struct Rounded {
  std::uint32_t* pairs;  // (items, panels, pairs, kPanel)
  float* norm;           // (items, points): |q|^2
  float* error;          // (items, points): e, see bounds.hpp
  float* largest_error;  // (items,): of e
};

// At least so many pairs are added up as integers; longer sums may be rounded to float after so
// many each.
inline constexpr std::int64_t kExactPairs = 768;

// How often a product is rounded at most.
inline double rounded_sums(std::int64_t channels) {
  return 2.0 * (static_cast<double>(channels) / static_cast<double>(2 * kExactPairs) + 1.0);
}

// Whether the processor has instructions for such products; without them float32 ones are faster.
bool multiplies_pairs();

// Rows, all searched points or all queries, times searched points. The first row is a multiple of
// kPanel among these, and so is the first column.
struct Block {
  std::int64_t first_row, end_row;
  std::int64_t first_column, end_column;
  bool half;  // only entries (i, j) with j >= i / kPanel * kPanel are of use
};

// Writes a block of an item's products to rows `stride` apart; pairs: those of the item.
void multiply_rounded(const Panels& panels, const std::uint32_t* pairs, const Block& block,
                      float* products, std::int64_t stride);

// The products of all points with one another, products (items, points, points), but for entries
// (i, j) with j < i / kPanel * kPanel.
void multiply_rounded_half(const Panels& panels, const std::uint32_t* pairs, float* products,
                           int threads);

}  // namespace graphcut::knn
