#include "knn/panels.hpp"

#include <algorithm>

#include "parallel/parallel_for.hpp"

#if defined(__x86_64__) && defined(__GNUC__) && !defined(GRAPHCUT_NO_AVX512)
#include <immintrin.h>
#define GRAPHCUT_VNNI __attribute__((target("avx512f,avx512vnni")))
#endif

namespace graphcut::knn {
namespace {

constexpr std::int64_t kTaskRows = 2 * kPanel;

// What a tile of kStrip x kPanel products is written to.
struct Place {
  float* products;
  std::int64_t stride;
  std::int64_t rows;     // at most kStrip
  std::int64_t columns;  // at most kPanel
  bool add;              // to what is there
};

using Tile = void (*)(const std::uint32_t* a, const std::uint32_t* b, std::int64_t pairs,
                      const Place& place);

std::int32_t low(std::uint32_t pair) { return static_cast<std::int16_t>(pair & 0xffffU); }
std::int32_t high(std::uint32_t pair) { return static_cast<std::int16_t>(pair >> 16); }

void tile_portable(const std::uint32_t* a, const std::uint32_t* b, std::int64_t pairs,
                   const Place& place) {
  std::int32_t sum[kStrip][kPanel] = {};
  for (std::int64_t p = 0; p < pairs; ++p, a += kPanel, b += kPanel) {
    for (int r = 0; r < kStrip; ++r) {
      for (int c = 0; c < kPanel; ++c) {
        sum[r][c] += low(a[r]) * low(b[c]) + high(a[r]) * high(b[c]);
      }
    }
  }
  for (std::int64_t r = 0; r < place.rows; ++r) {
    float* out = place.products + r * place.stride;
    for (std::int64_t c = 0; c < place.columns; ++c) {
      const auto product = static_cast<float>(sum[r][c]);
      out[c] = place.add ? out[c] + product : product;
    }
  }
}

#ifdef GRAPHCUT_VNNI
constexpr std::int64_t kVectors = kPanel / 16;

// sum += the two products of each pair. The intrinsic costs two copies of `sum` with some
// compilers.
GRAPHCUT_VNNI inline void add_pairs(__m512i& sum, __m512i a, __m512i b) {
  __asm__("vpdpwssd %2, %1, %0" : "+v"(sum) : "v"(a), "v"(b));
}

GRAPHCUT_VNNI void tile_vnni(const std::uint32_t* a, const std::uint32_t* b, std::int64_t pairs,
                             const Place& place) {
  __m512i sum[kStrip][kVectors];
#pragma GCC unroll 8
  for (int r = 0; r < kStrip; ++r) {
#pragma GCC unroll 3
    for (std::int64_t v = 0; v < kVectors; ++v) sum[r][v] = _mm512_setzero_si512();
  }
  for (std::int64_t p = 0; p < pairs; ++p, a += kPanel, b += kPanel) {
    __m512i column[kVectors];
#pragma GCC unroll 3
    for (std::int64_t v = 0; v < kVectors; ++v) column[v] = _mm512_loadu_si512(b + 16 * v);
#pragma GCC unroll 8
    for (int r = 0; r < kStrip; ++r) {
      const __m512i row = _mm512_set1_epi32(static_cast<int>(a[r]));
#pragma GCC unroll 3
      for (std::int64_t v = 0; v < kVectors; ++v) {
        add_pairs(sum[r][v], row, column[v]);
      }
    }
  }
  __mmask16 masks[kVectors];
  for (std::int64_t v = 0; v < kVectors; ++v) {
    const std::int64_t left = std::clamp<std::int64_t>(place.columns - 16 * v, 0, 16);
    masks[v] = static_cast<__mmask16>((1U << left) - 1U);
  }
#pragma GCC unroll 8
  for (int r = 0; r < kStrip; ++r) {
#pragma GCC unroll 3
    for (std::int64_t v = 0; v < kVectors; ++v) {
      const auto mask = r < place.rows ? masks[v] : static_cast<__mmask16>(0);
      float* out = place.products + r * place.stride + 16 * v;
      __m512 product = _mm512_maskz_cvtepi32_ps(mask, sum[r][v]);
      if (place.add) product = _mm512_add_ps(product, _mm512_maskz_loadu_ps(mask, out));
      _mm512_mask_storeu_ps(out, mask, product);
    }
  }
}
#endif

Tile best_tile() {
#ifdef GRAPHCUT_VNNI
  if (multiplies_pairs()) return tile_vnni;
#endif
  return tile_portable;
}

}  // namespace

bool multiplies_pairs() {
#ifdef GRAPHCUT_VNNI
  static const bool found =
      __builtin_cpu_supports("avx512f") != 0 && __builtin_cpu_supports("avx512vnni") != 0;
  return found;
#else
  return false;
#endif
}

void multiply_rounded(const Panels& panels, const std::uint32_t* pairs, const Block& block,
                      float* products, std::int64_t stride) {
  const Tile tile = best_tile();
  const std::int64_t panel_size = panels.pairs() * kPanel;
  const std::int64_t first_panel = block.first_column / kPanel;
  const std::int64_t end_panel = Panels::of(block.end_column);
  for (std::int64_t piece = 0; piece < panels.pairs(); piece += kExactPairs) {
    const std::uint32_t* from = pairs + piece * kPanel;
    const std::int64_t count = std::min(kExactPairs, panels.pairs() - piece);
    for (std::int64_t panel = first_panel; panel < end_panel; ++panel) {
      const std::int64_t column = panel * kPanel;
      const std::int64_t end =
          block.half ? std::min(block.end_row, column + kPanel) : block.end_row;
      for (std::int64_t row = block.first_row; row < end; row += kStrip) {
        tile(from + panels.panel(row) * panel_size + panels.lane(row), from + panel * panel_size,
             count,
             {products + (row - block.first_row) * stride + column - block.first_column, stride,
              std::min(kStrip, block.end_row - row), std::min(kPanel, block.end_column - column),
              piece > 0});
      }
    }
  }
}

void multiply_rounded_half(const Panels& panels, const std::uint32_t* pairs, float* products,
                           int threads) {
  const std::int64_t points = panels.points;
  const std::int64_t parts = (points + kTaskRows - 1) / kTaskRows;
  parallel_for(panels.items * parts, threads, [&](int, std::int64_t task) {
    const std::int64_t item = task / parts;
    const std::int64_t row = task % parts * kTaskRows;
    multiply_rounded(panels, pairs + item * panels.count() * panels.pairs() * kPanel,
                     {row, std::min(row + kTaskRows, points), row, points, true},
                     products + (item * points + row) * points + row, points);
  });
}

}  // namespace graphcut::knn
