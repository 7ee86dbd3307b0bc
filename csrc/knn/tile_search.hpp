// Nearest neighbours without a matrix of products, by one block per tile of rows: see warp.hpp.
//
// The points stream through shared memory, kTilePoints of them and kTileChannels of their channels
// at a time; the products of a warp's rows with them stay in its registers. A row's limit (Note
// [Why the selection is exact]) comes from the k smallest upper bounds met so far. They are never
// smaller than in the end. So all candidates of the Note are measured, and some early ones besides.
#pragma once

#include <cstdint>

#include "knn/bounds.hpp"
#include "knn/row_select.hpp"
#include "knn/select.hpp"
#include "knn/warp.hpp"

namespace graphcut::knn {

inline constexpr int kSlots = 4;  // points of a tile per lane: lane, lane + 32, ...
inline constexpr int kTilePoints = kSlots * kLanes;
inline constexpr int kTileChannels = 16;
inline constexpr int kStride = kTilePoints + 1;  // spreads a point's channels over the banks
template <class T>
inline constexpr int kWarpRows = sizeof(T) == sizeof(double) ? 2 : 4;
template <class T>
inline constexpr int kTileRows = kWarps * kWarpRows<T>;

GRAPHCUT_HD constexpr std::int64_t padded_channels(std::int64_t channels) {
  return (channels + kTileChannels - 1) / kTileChannels * kTileChannels;
}

// What a block knows of one of its rows.
template <class T>
struct TileRow {
  std::int64_t row;     // of the item; for a row behind the last one `places` is 0
  std::int64_t places;  // min(k, possible neighbours)
  std::int64_t count;   // in both of its lists
  std::int64_t measured;
  T norm;
  T limit;
};

// Shared memory of a block.
template <class T>
struct TileMemory {
  double* distance;     // (kTileRows, k), ascending
  std::int64_t* index;  // (kTileRows, k)
  TileRow<T>* rows;     // (kTileRows,)
  T* queries;           // (channels padded, kTileRows)
  T* points;            // (kTileChannels, kStride)
  T* norms;             // (kTilePoints,)
  T* upper;             // (kTileRows, k), ascending

  // bytes: aligned to 8.
  GRAPHCUT_BLOCK TileMemory(char* bytes, std::int64_t channels, std::int64_t k)
      : distance(reinterpret_cast<double*>(bytes)),
        index(reinterpret_cast<std::int64_t*>(distance + kTileRows<T> * k)),
        rows(reinterpret_cast<TileRow<T>*>(index + kTileRows<T> * k)),
        queries(reinterpret_cast<T*>(rows + kTileRows<T>)),
        points(queries + padded_channels(channels) * kTileRows<T>),
        norms(points + kTileChannels * kStride),
        upper(norms + kTilePoints) {}

  static constexpr std::int64_t bytes(std::int64_t channels, std::int64_t k) {
    const std::int64_t values = padded_channels(channels) * kTileRows<T> + kTileChannels * kStride +
                                kTilePoints + kTileRows<T> * k;
    const std::int64_t lists =
        kTileRows<T> * k * static_cast<std::int64_t>(sizeof(double) + sizeof(std::int64_t));
    return lists + kTileRows<T> * static_cast<std::int64_t>(sizeof(TileRow<T>)) +
           values * static_cast<std::int64_t>(sizeof(T));
  }
};
constexpr std::int64_t kSharedBytes = 49152;  // a block has as many on every device by default
static_assert(TileMemory<float>::bytes(kMaxTileChannels, kMaxTileNeighbours) <= kSharedBytes);
static_assert(TileMemory<double>::bytes(kMaxTileChannels, kMaxTileNeighbours) <= kSharedBytes);

// A warp's products: of its rows with the points of the tile, point slot * kLanes + lane.
template <class Warp, class T>
struct Products {
  typename Warp::template PerLane<T> of[kWarpRows<T>][kSlots];

  // Adds the products of a stage's channels. queries: from the warp's first row and the stage's
  // first channel on.
  GRAPHCUT_BLOCK void add(const Warp& warp, const T* queries, const T* points) {
    warp.lanes([&](int lane) {
      GRAPHCUT_UNROLL
      for (int c = 0; c < kTileChannels; ++c) {
        GRAPHCUT_UNROLL
        for (int slot = 0; slot < kSlots; ++slot) {
          const T point = points[c * kStride + slot * kLanes + lane];
          GRAPHCUT_UNROLL
          for (int r = 0; r < kWarpRows<T>; ++r) {
            of[r][slot][lane] += queries[c * kTileRows<T> + r] * point;
          }
        }
      }
    });
  }
  GRAPHCUT_BLOCK void clear(const Warp& warp) {
    warp.lanes([&](int lane) {
      GRAPHCUT_UNROLL
      for (int r = 0; r < kWarpRows<T>; ++r) {
        GRAPHCUT_UNROLL
        for (int slot = 0; slot < kSlots; ++slot) of[r][slot][lane] = T{0};
      }
    });
  }
};

// The search of one block: rows [first, first + kTileRows) of an item's results.
template <class Block, class T>
class TileSearch {
 public:
  using Warp = typename Block::Warp;
  template <class V>
  using PerLane = typename Warp::template PerLane<V>;

  GRAPHCUT_BLOCK TileSearch(const Points<T>& points, const T* y, const Bounds<T>& bounds,
                            const Nearest<T>& nearest, std::int64_t item, std::int64_t first,
                            char* memory)
      : points_(points),
        y_(y + item * points.points * points.channels),
        bounds_(bounds),
        nearest_(nearest),
        item_(item),
        first_(points.first_result() + first),
        length_(points.length(item)),
        memory_(memory, points.channels, nearest.k) {}

  GRAPHCUT_BLOCK void run(Block& block) {
    typename Block::template PerWarp<Products<Warp, T>> products;
    const std::int64_t channels = padded_channels(points_.channels);
    start(block);
    block.warps([&](const Warp& warp, int w) { products[w].clear(warp); });
    for (std::int64_t j = 0; j < length_; j += kTilePoints) {
      for (std::int64_t c = 0; c < channels; c += kTileChannels) {
        load(block, j, c);
        block.warps([&](const Warp& warp, int w) {
          products[w].add(warp, memory_.queries + c * kTileRows<T> + w * kWarpRows<T>,
                          memory_.points);
          if (c + kTileChannels < channels) return;
          keep(warp, w, j, products[w]);
          products[w].clear(warp);
        });
      }
    }
    block.warps([&](const Warp& warp, int w) { write(warp, w); });
  }

 private:
  GRAPHCUT_BLOCK void start(Block& block) {
    block.each(kTileRows<T>, [&](std::int64_t r) {
      const std::int64_t row = first_ + r;
      const bool exists = row < points_.points;
      const std::int64_t places = exists ? points_.neighbours(item_, row, nearest_.k) : 0;
      memory_.rows[r] = {row,
                         places,
                         0,
                         0,
                         exists ? points_.norm[item_ * points_.points + row] : T{0},
                         places > 0 ? kInfinity<T> : -kInfinity<T>};
    });
    block.each(padded_channels(points_.channels) * kTileRows<T>, [&](std::int64_t i) {
      const std::int64_t row = first_ + i % kTileRows<T>;
      const std::int64_t c = i / kTileRows<T>;
      memory_.queries[i] = row < points_.points ? channel(row, c) : T{0};
    });
  }

  GRAPHCUT_BLOCK T channel(std::int64_t point, std::int64_t c) const {
    return c < points_.channels ? y_[point * points_.channels + c] : T{0};
  }

  // Channels [c, c + kTileChannels) of the tile's points, from j on.
  GRAPHCUT_BLOCK void load(Block& block, std::int64_t j, std::int64_t c) {
    block.each(kTilePoints * kTileChannels, [&](std::int64_t i) {
      const std::int64_t p = i / kTileChannels;
      const std::int64_t offset = i % kTileChannels;
      const bool exists = j + p < length_;
      memory_.points[offset * kStride + p] = exists ? channel(j + p, c + offset) : T{0};
      if (c == 0 && offset == 0) {
        memory_.norms[p] = exists ? points_.norm[item_ * points_.points + j + p] : T{0};
      }
    });
  }

  // Candidates among the tile's points, from j on, for the rows of warp w.
  GRAPHCUT_BLOCK void keep(const Warp& warp, int w, std::int64_t j,
                           const Products<Warp, T>& products) {
    GRAPHCUT_UNROLL
    for (int r = 0; r < kWarpRows<T>; ++r) {
      TileRow<T>& row = memory_.rows[w * kWarpRows<T> + r];
      GRAPHCUT_UNROLL
      for (int slot = 0; slot < kSlots; ++slot) {
        const std::uint32_t candidates = warp.ballot([&](int lane) {
          const std::int64_t p = slot * kLanes + lane;
          return j + p < length_ && j + p != row.row &&
                 bounds_.lower(memory_.norms[p], products.of[r][slot][lane]) <= row.limit;
        });
        if (candidates == 0) continue;
        measure(warp, w * kWarpRows<T> + r, candidates, j, slot * kLanes, products.of[r][slot]);
      }
    }
  }

  // Bit l of candidates: point j + offset + l, whose product with the row is product[l].
  GRAPHCUT_OUTLINE GRAPHCUT_BLOCK void measure(const Warp& warp, int r, std::uint32_t candidates,
                                               std::int64_t j, int offset, PerLane<T> product) {
    const TileRow<T> row = memory_.rows[r];
    const Target<T> target(points_, item_, row.row);
    const std::int64_t list = r * nearest_.k;
    Sorted<double> best{memory_.distance + list, memory_.index + list, row.places, row.count};
    Sorted<T> upper{memory_.upper + list, nullptr, row.places, row.count};
    const T* norm = memory_.norms + offset;
    std::int64_t measured = row.measured;
    T limit = row.limit;
    while (candidates != 0) {
      const int next = lowest_bit(candidates);
      const std::int64_t found = j + offset + next;
      upper.insert(warp, bounds_.upper(norm[next], warp.value(product, next)), found);
      best.insert(warp, squared_distance(warp, target, found), found);
      ++measured;
      if (best.closed()) {
        limit = -kInfinity<T>;
      } else if (upper.count == row.places) {
        limit = bounds_.limit(upper.value[row.places - 1], row.norm);
      }
      candidates &= candidates - 1;
      candidates &=
          warp.ballot([&](int lane) { return bounds_.lower(norm[lane], product[lane]) <= limit; });
    }
    warp.sync();
    warp.lanes([&](int lane) {
      if (lane == 0) memory_.rows[r] = {row.row, row.places, best.count, measured, row.norm, limit};
    });
    warp.sync();
  }

  GRAPHCUT_BLOCK void write(const Warp& warp, int w) {
    for (int r = w * kWarpRows<T>; r < (w + 1) * kWarpRows<T>; ++r) {
      const TileRow<T>& row = memory_.rows[r];
      if (row.row >= points_.points) return;
      const std::int64_t list = r * nearest_.k;
      const Sorted<double> best{memory_.distance + list, memory_.index + list, row.places,
                                row.count};
      write_row(warp, best, points_.rescale[item_], row.measured, nearest_,
                points_.result(item_, row.row));
    }
  }

  const Points<T>& points_;
  const T* y_;  // (points, channels) of the item
  const Bounds<T>& bounds_;
  const Nearest<T>& nearest_;
  std::int64_t item_;
  std::int64_t first_;  // row
  std::int64_t length_;
  TileMemory<T> memory_;
};

// How many blocks an item takes.
template <class T>
GRAPHCUT_HD std::int64_t tiles(const Points<T>& points) {
  return (points.points - points.first_result() + kTileRows<T> - 1) / kTileRows<T>;
}

// Tile `at` of (items, tiles).
template <class Block, class T>
GRAPHCUT_BLOCK void search_tile(Block& block, const Points<T>& points, const T* y,
                                const Bounds<T>& bounds, const Nearest<T>& nearest, std::int64_t at,
                                char* memory) {
  const std::int64_t count = tiles(points);
  TileSearch<Block, T>(points, y, bounds, nearest, at / count, at % count * kTileRows<T>, memory)
      .run(block);
}

}  // namespace graphcut::knn
