#include "crf/permutohedral.hpp"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <utility>

#include "crf/embedding.hpp"
#include "crf/simplex_cache.hpp"
#include "crf/vertex_table.hpp"
#include "parallel/parallel_for.hpp"

namespace graphcut::crf {
namespace {

// Numbers the vertices of a strip in `table` and its simplices, and writes its pixels' shares.
template <int kDimensions, int kPositions>
void locate_pixels(const Image& image, const Kernel& kernel, std::int64_t index, Lattice& lattice,
                   VertexTable& table) {
  const Strip& strip = lattice.strips[index];
  std::vector<std::int32_t>& corner = lattice.corner[index];
  std::int32_t* simplex = lattice.simplex.get() + strip.top * image.width;
  float* weight = lattice.weight.get() + strip.top * image.width * (lattice.dimensions + 1);
  const Embedding<kDimensions, kPositions> embedding(image, kernel, lattice.dimensions);
  const std::int32_t d = embedding.d();
  Simplices simplices;
  SimplexCache cache(d + 1, (strip.bottom - strip.top) * image.width);
  std::int32_t key[kMaxDimensions];
  std::int32_t number = 0;
  const std::int64_t end = strip.bottom * image.width;
  for (std::int64_t first = strip.top * image.width; first < end; first += kBlock) {
    const auto count = static_cast<std::int32_t>(std::min<std::int64_t>(kBlock, end - first));
    embedding.locate(first, count, simplices);
    for (std::int32_t p = 0; p < count; ++p) {
      if (simplices.differs[p] != 0) {
        const auto [found, known] = cache.find(simplices, p);
        if (!known) *found = static_cast<std::int32_t>(corner.size()) / (d + 1);
        for (std::int32_t i = 0; i <= d && !known; ++i) {
          embedding.key(simplices, p, i, key);
          corner.push_back(table.template add<kDimensions>(key));
        }
        number = *found;
      }
      *simplex++ = number;
      for (std::int32_t i = 0; i <= d; ++i) *weight++ = simplices.weight[i][p];
    }
  }
}

// The function above for these dimensions.
auto locator(std::int64_t d, bool positions) {
  if (positions) {
    return d == 2 ? locate_pixels<2, 2> : d == 5 ? locate_pixels<5, 2> : locate_pixels<0, 2>;
  }
  switch (d) {
    case 2:
      return locate_pixels<2, 0>;
    case 3:
      return locate_pixels<3, 0>;
    case 4:
      return locate_pixels<4, 0>;
    case 5:
      return locate_pixels<5, 0>;
    case 6:
      return locate_pixels<6, 0>;
    default:
      return locate_pixels<0, 0>;
  }
}

// Vertices in the order of their first appearance in the strips.
VertexTable merge(std::vector<VertexTable>& tables, std::int64_t d, Lattice& lattice) {
  for (std::size_t i = 0; i < tables.size(); ++i) {
    lattice.strips[i].first_copy =
        i == 0 ? 0 : lattice.strips[i - 1].first_copy + lattice.strips[i - 1].copies;
    lattice.strips[i].copies = tables[i].size();
  }
  if (tables.size() == 1) {
    lattice.vertex.resize(static_cast<std::size_t>(tables[0].size()));
    std::iota(lattice.vertex.begin(), lattice.vertex.end(), 0);
    return std::move(tables[0]);
  }
  VertexTable merged(d);
  for (VertexTable& table : tables) {
    for (std::int32_t i = 0; i < table.size(); ++i)
      lattice.vertex.push_back(merged.add(table.key(i)));
    table = VertexTable(d);
  }
  return merged;
}

void group_copies(Lattice& lattice) {
  lattice.first.assign(static_cast<std::size_t>(lattice.vertices) + 1, 0);
  for (const std::int32_t vertex : lattice.vertex) ++lattice.first[vertex + 1];
  std::partial_sum(lattice.first.begin(), lattice.first.end(), lattice.first.begin());
  std::vector<std::int32_t> next(lattice.first.begin(), lattice.first.end() - 1);
  lattice.copy.resize(lattice.vertex.size());
  std::int32_t copy = 0;
  for (const std::int32_t vertex : lattice.vertex) lattice.copy[next[vertex]++] = copy++;
}

void link_neighbours(Lattice& lattice, const VertexTable& table, int threads) {
  const std::int64_t d = lattice.dimensions;
  const auto size = static_cast<std::size_t>((d + 1) * lattice.vertices);
  const auto none = static_cast<std::int32_t>(lattice.vertices);
  lattice.forward.assign(size, none);
  lattice.backward.assign(size, none);
  constexpr std::int32_t kRange = 1 << 12;  // vertices that are worth a thread
  const std::int64_t ranges = std::max<std::int64_t>(1, none / kRange);
  parallel_for((d + 1) * ranges, ranges == 1 ? 1 : threads, [&](int, std::int64_t task) {
    const std::int64_t direction = task / ranges;
    const std::int64_t range = task % ranges;
    std::int32_t* forward = lattice.forward.data() + direction * lattice.vertices;
    std::int32_t* backward = lattice.backward.data() + direction * lattice.vertices;
    std::int32_t key[kMaxDimensions];
    const auto end = static_cast<std::int32_t>(none * (range + 1) / ranges);
    for (auto vertex = static_cast<std::int32_t>(none * range / ranges); vertex < end; ++vertex) {
      const std::int32_t* own = table.key(vertex);
      for (std::int64_t i = 0; i < d; ++i) {
        key[i] = own[i] + (i == direction ? -static_cast<std::int32_t>(d) : 1);
      }
      const std::int32_t next = table.find(key);
      if (next < 0) continue;
      forward[vertex] = next;
      backward[next] = vertex;  // of no other vertex
    }
  });
}

// K 1 on the copies of the vertices.
std::vector<float> filtered_ones(const Lattice& lattice, std::int64_t width, int threads) {
  const std::int64_t corners = lattice.dimensions + 1;
  std::vector<float> copies(lattice.vertex.size());
  parallel_for(static_cast<std::int64_t>(lattice.strips.size()), threads,
               [&](int, std::int64_t index) {
                 const Strip& strip = lattice.strips[index];
                 float* own = copies.data() + strip.first_copy;
                 const Shares shares = lattice.shares(index, strip.top * width);
                 const float* weight = shares.weight;
                 const std::int64_t pixels = (strip.bottom - strip.top) * width;
                 for (std::int64_t pixel = 0; pixel < pixels; ++pixel, weight += corners) {
                   const std::int32_t* at = shares.corner + shares.simplex[pixel] * corners;
                   for (std::int64_t i = 0; i < corners; ++i) own[at[i]] += weight[i];
                 }
               });
  std::vector<float> value(static_cast<std::size_t>(lattice.vertices) + 1);
  std::vector<float> blurred(value.size());
  for (std::size_t copy = 0; copy < copies.size(); ++copy)
    value[lattice.vertex[copy]] += copies[copy];
  for (std::int64_t direction = 0; direction < corners; ++direction) {
    const std::int32_t* forward = lattice.forward.data() + direction * lattice.vertices;
    const std::int32_t* backward = lattice.backward.data() + direction * lattice.vertices;
    for (std::int64_t vertex = 0; vertex < lattice.vertices; ++vertex) {
      blurred[vertex] = value[vertex] + 0.5F * (value[forward[vertex]] + value[backward[vertex]]);
    }
    std::swap(value, blurred);
  }
  for (std::size_t copy = 0; copy < copies.size(); ++copy)
    copies[copy] = value[lattice.vertex[copy]];
  return copies;
}

// Without normalisation K is scaled so that a point at a vertex has the kernel 1 with itself: of
// the ways from a vertex back to it, one stays and two go once along every direction.
void normalise(Lattice& lattice, Normalization normalization, std::int64_t width, int threads) {
  if (normalization == Normalization::kNone) {
    lattice.unit = 1 / (1 + std::ldexp(1.0F, -static_cast<int>(lattice.dimensions)));
    return;
  }
  const bool symmetric = normalization == Normalization::kSymmetric;
  auto& factors = normalization == Normalization::kBefore ? lattice.before : lattice.after;
  if (!symmetric) {
    factors.resize(static_cast<std::size_t>(lattice.strips.back().bottom * width));
  }
  const std::int64_t corners = lattice.dimensions + 1;
  const std::vector<float> ones = filtered_ones(lattice, width, threads);
  parallel_for(
      static_cast<std::int64_t>(lattice.strips.size()), threads, [&](int, std::int64_t index) {
        const Strip& strip = lattice.strips[index];
        const float* own = ones.data() + strip.first_copy;
        for (std::int64_t pixel = strip.top * width; pixel < strip.bottom * width; ++pixel) {
          float* weight = lattice.weight.get() + pixel * corners;
          const std::int32_t* at = lattice.corner[index].data() + lattice.simplex[pixel] * corners;
          float sum = 0;
          for (std::int64_t i = 0; i < corners; ++i) sum += weight[i] * own[at[i]];
          if (!symmetric) {
            factors[pixel] = 1 / sum;
            continue;
          }
          const float root = 1 / std::sqrt(sum);
          for (std::int64_t i = 0; i < corners; ++i) weight[i] *= root;
        }
      });
}

}  // namespace

std::vector<Strip> divide(std::int64_t height, std::int64_t width) {
  constexpr std::int64_t kSmall = 1 << 13;  // pixels that are not worth dividing
  constexpr std::int64_t kStrip = 1 << 16;  // pixels of a strip of a large image
  const std::int64_t pixels = height * width;
  const std::int64_t count =
      pixels < kSmall ? 1 : std::min(height, std::max<std::int64_t>(8, pixels / kStrip));
  std::vector<Strip> strips;
  strips.reserve(static_cast<std::size_t>(count));
  for (std::int64_t i = 0; i < count; ++i) {
    strips.push_back({height * i / count, height * (i + 1) / count, 0, 0});
  }
  return strips;
}

Lattice build_lattice(const Image& image, const Kernel& kernel, int threads) {
  const bool positions = kernel.xy > 0;
  const std::int64_t d = image.channels + (positions ? 2 : 0);
  const auto pixels = static_cast<std::size_t>(image.pixels());
  Lattice lattice{d,
                  0,
                  1,
                  std::make_unique_for_overwrite<float[]>(pixels * (d + 1)),
                  std::make_unique_for_overwrite<std::int32_t[]>(pixels),
                  divide(image.height, image.width),
                  {},
                  {},
                  {},
                  {},
                  {},
                  {},
                  {},
                  {}};
  lattice.corner.resize(lattice.strips.size());
  std::vector<VertexTable> tables(lattice.strips.size(), VertexTable(d));
  const auto locate = locator(d, positions);
  parallel_for(static_cast<std::int64_t>(tables.size()), threads,
               [&](int, std::int64_t i) { locate(image, kernel, i, lattice, tables[i]); });
  const VertexTable table = merge(tables, d, lattice);
  lattice.vertices = table.size();
  group_copies(lattice);
  link_neighbours(lattice, table, threads);
  normalise(lattice, kernel.normalization, image.width, threads);
  return lattice;
}

}  // namespace graphcut::crf
