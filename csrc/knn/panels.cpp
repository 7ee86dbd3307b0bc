#include "knn/panels.hpp"

#include <algorithm>
#include <cstring>

#include "parallel/parallel_for.hpp"

#if defined(__x86_64__) && defined(__GNUC__)
#include <immintrin.h>
#define GRAPHCUT_AVX2 __attribute__((target("avx2")))
#ifndef GRAPHCUT_NO_AVX512
#define GRAPHCUT_VNNI __attribute__((target("avx512f,avx512vnni")))
#endif
#endif

namespace graphcut::knn {
namespace {

constexpr std::int64_t kTaskRows = 2 * kPanel;

// What a tile of products, a strip of rows times kPanel, is written to.
struct Place {
  float* products;
  std::int64_t stride;
  std::int64_t rows;     // at most the rows of a strip
  std::int64_t columns;  // at most kPanel
  bool first, last;      // of the pieces of a sum; a later piece adds to what the one before left
};

using Tile = void (*)(const std::uint32_t* a, const std::uint32_t* b, std::int64_t pairs,
                      const Place& place);

// How a processor multiplies.
struct Kernel {
  Tile tile;
  std::int64_t strip;  // rows, a divisor of kPanel
  std::int64_t piece;  // pairs that a tile adds up, at most kExactPairs
};

constexpr std::int64_t kStrip = 8;

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
      out[c] = place.first ? product : out[c] + product;
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
      if (!place.first) product = _mm512_add_ps(product, _mm512_maskz_loadu_ps(mask, out));
      _mm512_mask_storeu_ps(out, mask, product);
    }
  }
}
#endif

#ifdef GRAPHCUT_AVX2
// A strip of rows and two vectors of columns fill the registers; a piece of a panel and of a strip
// stays in the first cache. Sums are integers until their last piece.
constexpr std::int64_t kStripAvx2 = 6;
constexpr std::int64_t kPieceAvx2 = 96;
constexpr std::int64_t kVectorAvx2 = 8;
constexpr std::int64_t kColumnsAvx2 = 2 * kVectorAvx2;

// Products of a strip and kColumnsAvx2 columns; place.rows and place.columns are not looked at.
GRAPHCUT_AVX2 void columns_avx2(const std::uint32_t* a, const std::uint32_t* b, std::int64_t pairs,
                                const Place& place) {
  __m256i sum[kStripAvx2][2];
#pragma GCC unroll 6
  for (int r = 0; r < kStripAvx2; ++r) {
#pragma GCC unroll 2
    for (std::int64_t v = 0; v < 2; ++v) {
      const float* before = place.products + r * place.stride + v * kVectorAvx2;
      sum[r][v] = place.first ? _mm256_setzero_si256()
                              : _mm256_loadu_si256(reinterpret_cast<const __m256i*>(before));
    }
  }
  for (std::int64_t p = 0; p < pairs; ++p, a += kPanel, b += kPanel) {
    const __m256i left = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(b));
    const __m256i right = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(b + kVectorAvx2));
#pragma GCC unroll 6
    for (int r = 0; r < kStripAvx2; ++r) {
      const __m256i row = _mm256_set1_epi32(static_cast<int>(a[r]));
      sum[r][0] = _mm256_add_epi32(sum[r][0], _mm256_madd_epi16(row, left));
      sum[r][1] = _mm256_add_epi32(sum[r][1], _mm256_madd_epi16(row, right));
    }
  }
#pragma GCC unroll 6
  for (int r = 0; r < kStripAvx2; ++r) {
#pragma GCC unroll 2
    for (std::int64_t v = 0; v < 2; ++v) {
      float* out = place.products + r * place.stride + v * kVectorAvx2;
      if (place.last) {
        _mm256_storeu_ps(out, _mm256_cvtepi32_ps(sum[r][v]));
      } else {
        _mm256_storeu_si256(reinterpret_cast<__m256i*>(out), sum[r][v]);
      }
    }
  }
}

void tile_avx2(const std::uint32_t* a, const std::uint32_t* b, std::int64_t pairs,
               const Place& place) {
  for (std::int64_t c = 0; c < place.columns; c += kColumnsAvx2) {
    const std::int64_t columns = std::min(kColumnsAvx2, place.columns - c);
    Place part = place;
    part.products += c;
    if (place.rows == kStripAvx2 && columns == kColumnsAvx2) {
      columns_avx2(a, b + c, pairs, part);
      continue;
    }
    float edge[kStripAvx2 * kColumnsAvx2] = {};
    const auto bytes = static_cast<std::size_t>(columns) * sizeof(float);
    for (std::int64_t r = 0; r < place.rows && !place.first; ++r) {
      std::memcpy(edge + r * kColumnsAvx2, part.products + r * place.stride, bytes);
    }
    columns_avx2(a, b + c, pairs,
                 {edge, kColumnsAvx2, kStripAvx2, kColumnsAvx2, place.first, place.last});
    for (std::int64_t r = 0; r < place.rows; ++r) {
      std::memcpy(part.products + r * place.stride, edge + r * kColumnsAvx2, bytes);
    }
  }
}
#endif

#ifdef GRAPHCUT_VNNI
bool has_vnni() {
  return __builtin_cpu_supports("avx512f") != 0 && __builtin_cpu_supports("avx512vnni") != 0;
}
#endif

// Float32 products are as fast where there is AVX512 without integer products of its own.
#ifdef GRAPHCUT_AVX2
bool has_avx2_at_most() {
#ifndef GRAPHCUT_NO_AVX512
  if (__builtin_cpu_supports("avx512f") != 0) return false;
#endif
  return __builtin_cpu_supports("avx2") != 0;
}
#endif

Kernel best_kernel() {
#ifdef GRAPHCUT_VNNI
  if (has_vnni()) return {tile_vnni, kStrip, kExactPairs};
#endif
#ifdef GRAPHCUT_AVX2
  if (has_avx2_at_most()) return {tile_avx2, kStripAvx2, kPieceAvx2};
#endif
  return {tile_portable, kStrip, kExactPairs};
}

}  // namespace

bool multiplies_pairs() {
  static const bool found = best_kernel().tile != tile_portable;
  return found;
}

void multiply_rounded(const Panels& panels, const std::uint32_t* pairs, const Block& block,
                      float* products, std::int64_t stride) {
  const Kernel kernel = best_kernel();
  const std::int64_t panel_size = panels.pairs() * kPanel;
  const std::int64_t first_panel = block.first_column / kPanel;
  const std::int64_t end_panel = Panels::of(block.end_column);
  for (std::int64_t piece = 0; piece < panels.pairs(); piece += kernel.piece) {
    const std::uint32_t* from = pairs + piece * kPanel;
    const std::int64_t count = std::min(kernel.piece, panels.pairs() - piece);
    for (std::int64_t panel = first_panel; panel < end_panel; ++panel) {
      const std::int64_t column = panel * kPanel;
      const std::int64_t end =
          block.half ? std::min(block.end_row, column + kPanel) : block.end_row;
      for (std::int64_t row = block.first_row; row < end; row += kernel.strip) {
        kernel.tile(from + panels.panel(row) * panel_size + panels.lane(row),
                    from + panel * panel_size, count,
                    {products + (row - block.first_row) * stride + column - block.first_column,
                     stride, std::min(kernel.strip, block.end_row - row),
                     std::min(kPanel, block.end_column - column), piece == 0,
                     piece + count == panels.pairs()});
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
