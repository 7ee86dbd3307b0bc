// The loops of loops.hpp. The file that includes this sets the instruction set, GRAPHCUT_LANES and
// GRAPHCUT_LOOPS, the name of the table; all else has internal linkage, so that the copies stay
// apart.
#include <algorithm>
#include <utility>

#include "crf/lanes.hpp"
#include "crf/loops.hpp"

namespace graphcut::crf {
namespace {

static_assert(kVector % kLanes == 0);
constexpr int kPer = kVector / kLanes;

// A weighted sum of rows of kVectors vectors.
template <int kVectors>
struct Sum {
  Lanes lane[kVectors] = {};

  void add(const float* row, float weight) {
    for (int v = 0; v < kVectors; ++v) lane[v] += load(row + v * kLanes) * weight;
  }
  void write(float* to) const {
    for (int v = 0; v < kVectors; ++v) store(to + v * kLanes, lane[v]);
  }
  void write_added(float* to) const {
    for (int v = 0; v < kVectors; ++v) store(to + v * kLanes, load(to + v * kLanes) + lane[v]);
  }
};

template <int kVectors>
void splat_rows(const Share* share, std::int64_t corners, const float* pixel, std::int64_t pixels,
                float* copy) {
  constexpr std::int64_t kWidth = kVectors * kLanes;
  for (std::int64_t i = 0; i < pixels; ++i, pixel += kWidth) {
    Lanes value[kVectors];
    for (int v = 0; v < kVectors; ++v) value[v] = load(pixel + v * kLanes);
    for (std::int64_t corner = 0; corner < corners; ++corner, ++share) {
      float* to = copy + share->at * kWidth;
      for (int v = 0; v < kVectors; ++v) {
        store(to + v * kLanes, load(to + v * kLanes) + value[v] * share->weight);
      }
    }
  }
}

template <int kVectors>
void slice_rows(const Share* share, std::int64_t corners, const float* copy, float* pixel,
                std::int64_t pixels) {
  constexpr std::int64_t kWidth = kVectors * kLanes;
  for (std::int64_t i = 0; i < pixels; ++i, pixel += kWidth) {
    Sum<kVectors> sum;
    for (std::int64_t corner = 0; corner < corners; ++corner, ++share) {
      sum.add(copy + share->at * kWidth, share->weight);
    }
    sum.write_added(pixel);
  }
}

template <int kVectors>
void join_rows(const Lattice& lattice, float weight, const float* copy, float* value,
               std::int64_t begin, std::int64_t end) {
  constexpr std::int64_t kWidth = kVectors * kLanes;
  for (std::int64_t vertex = begin; vertex < end; ++vertex) {
    Sum<kVectors> sum;
    for (std::int32_t i = lattice.first[vertex]; i < lattice.first[vertex + 1]; ++i) {
      sum.add(copy + lattice.copy[i] * kWidth, weight);
    }
    sum.write(value + vertex * kWidth);
  }
}

template <int kVectors>
void blur_rows(const Lattice& lattice, std::int64_t direction, const float* value, float* blurred,
               std::int64_t begin, std::int64_t end) {
  constexpr std::int64_t kWidth = kVectors * kLanes;
  const std::int32_t* forward = lattice.forward.data() + direction * lattice.vertices;
  const std::int32_t* backward = lattice.backward.data() + direction * lattice.vertices;
  for (std::int64_t vertex = begin; vertex < end; ++vertex) {
    Sum<kVectors> sum;
    sum.add(value + forward[vertex] * kWidth, 0.5F);
    sum.add(value + backward[vertex] * kWidth, 0.5F);
    sum.add(value + vertex * kWidth, 1.0F);
    sum.write(blurred + vertex * kWidth);
  }
}

template <int kVectors>
void across_row(const Band& band, const float* row, std::int64_t length, float* filtered) {
  constexpr std::int64_t kWidth = kVectors * kLanes;
  for (std::int64_t at = 0; at < length; ++at) {
    const std::int64_t first = std::max<std::int64_t>(0, at - band.radius);
    const std::int64_t last = std::min(length - 1, at + band.radius);
    const float* weight = band.row(at) + (first - at + band.radius);
    Sum<kVectors> sum;
    for (std::int64_t i = first; i <= last; ++i) sum.add(row + i * kWidth, *weight++);
    sum.write(filtered + at * kWidth);
  }
}

template <int kVectors>
void down_row(const Band& band, const float* rows, std::int64_t height, std::int64_t length,
              std::int64_t at, float* filtered) {
  constexpr std::int64_t kWidth = kVectors * kLanes;
  const std::int64_t first = std::max<std::int64_t>(0, at - band.radius);
  const std::int64_t last = std::min(height - 1, at + band.radius);
  const float* weight = band.row(at) + (first - at + band.radius);
  for (std::int64_t column = 0; column < length; ++column) {
    Sum<kVectors> sum;
    for (std::int64_t i = first; i <= last; ++i) {
      sum.add(rows + (i * length + column) * kWidth, weight[i - first]);
    }
    sum.write_added(filtered + column * kWidth);
  }
}

// Calls work(std::integral_constant<int, vectors>).
template <class Work>
void with_vectors(std::int64_t width, Work&& work) {
  switch (width / kVector) {
    case 1:
      return work(std::integral_constant<int, kPer>{});
    case 2:
      return work(std::integral_constant<int, 2 * kPer>{});
    case 3:
      return work(std::integral_constant<int, 3 * kPer>{});
    default:
      return work(std::integral_constant<int, 4 * kPer>{});
  }
}

void splat(const Share* share, std::int64_t corners, std::int64_t width, const float* pixel,
           std::int64_t pixels, float* copy) {
  with_vectors(width, [&](auto n) { splat_rows<n>(share, corners, pixel, pixels, copy); });
}

void slice(const Share* share, std::int64_t corners, std::int64_t width, const float* copy,
           float* pixel, std::int64_t pixels) {
  with_vectors(width, [&](auto n) { slice_rows<n>(share, corners, copy, pixel, pixels); });
}

void join(const Lattice& lattice, float weight, std::int64_t width, const float* copy, float* value,
          std::int64_t begin, std::int64_t end) {
  with_vectors(width, [&](auto n) { join_rows<n>(lattice, weight, copy, value, begin, end); });
}

void blur(const Lattice& lattice, std::int64_t direction, std::int64_t width, const float* value,
          float* blurred, std::int64_t begin, std::int64_t end) {
  with_vectors(width,
               [&](auto n) { blur_rows<n>(lattice, direction, value, blurred, begin, end); });
}

void across(const Band& band, std::int64_t width, const float* row, std::int64_t length,
            float* filtered) {
  with_vectors(width, [&](auto n) { across_row<n>(band, row, length, filtered); });
}

void down(const Band& band, std::int64_t width, const float* rows, std::int64_t height,
          std::int64_t length, std::int64_t at, float* filtered) {
  with_vectors(width, [&](auto n) { down_row<n>(band, rows, height, length, at, filtered); });
}

// The labels [at, at + kLanes) of compatibility field, for one pixel.
Lanes mixed(const Update& u, std::int64_t pixel, std::int64_t at) {
  Lanes sum{};
  for (std::int64_t label = 0; label < u.labels.count; ++label) {
    const std::int64_t chunk = label / kChunk;
    const float field =
        u.field[chunk * kChunk * u.pixels + pixel * u.labels.width(chunk) + label % kChunk];
    sum += load(u.compatibility + label * u.labels.padded() + at) * field;
  }
  return sum;
}

// Calls work(label, position in an array over pixels) for each vector of labels of a pixel.
template <class Work>
void each_vector(Labels labels, std::int64_t pixels, std::int64_t pixel, Work&& work) {
  for (std::int64_t chunk = 0; chunk < labels.chunks(); ++chunk) {
    const std::int64_t width = labels.width(chunk);
    const std::int64_t at = chunk * kChunk * pixels + pixel * width;
    for (std::int64_t i = 0; i < width; i += kLanes) work(chunk * kChunk + i, at + i);
  }
}

void update_any(const Update& u) {
  for (std::int64_t pixel = 0; pixel < u.pixels; ++pixel) {
    Lanes most = all(-kNever);
    each_vector(u.labels, u.pixels, pixel, [&](std::int64_t label, std::int64_t at) {
      Lanes value = Lanes{} - load(u.energy + at);
      if (u.field != nullptr && u.compatibility == nullptr) value += load(u.field + at);
      if (u.field != nullptr && u.compatibility != nullptr) value = value - mixed(u, pixel, label);
      most = larger(most, value);
      store(u.q + at, value);
    });
    const float highest = largest(most);
    Lanes total{};
    each_vector(u.labels, u.pixels, pixel, [&](std::int64_t, std::int64_t at) {
      const Lanes value = exponential(load(u.q + at) - highest);
      total += value;
      store(u.q + at, value);
    });
    const float inverse = 1 / sum(total);
    each_vector(u.labels, u.pixels, pixel,
                [&](std::int64_t, std::int64_t at) { store(u.q + at, load(u.q + at) * inverse); });
  }
}

void mix(const Update& u) {
  for (std::int64_t pixel = 0; pixel < u.pixels; ++pixel) {
    each_vector(u.labels, u.pixels, pixel, [&](std::int64_t label, std::int64_t at) {
      store(u.q + at, load(u.q + at) - mixed(u, pixel, label));
    });
  }
}

void respond(Labels labels, std::int64_t pixels, const float* q, float* gradient, float* total) {
  for (std::int64_t pixel = 0; pixel < pixels; ++pixel) {
    Lanes products{};
    each_vector(labels, pixels, pixel, [&](std::int64_t, std::int64_t at) {
      products += load(q + at) * load(gradient + at);
    });
    const float mean = sum(products);
    each_vector(labels, pixels, pixel, [&](std::int64_t, std::int64_t at) {
      const Lanes own = load(q + at) * (load(gradient + at) - mean);
      store(gradient + at, own);
      store(total + at, load(total + at) + own);
    });
  }
}

void inner(Labels labels, std::int64_t pixels, const float* a, const float* q, float* sums) {
  for (std::int64_t pixel = 0; pixel < pixels; ++pixel) {
    each_vector(labels, pixels, pixel, [&](std::int64_t label, std::int64_t at) {
      store(sums + label, load(sums + label) + load(a + at) * load(q + at));
    });
  }
}

void outer(Labels labels, std::int64_t pixels, const float* a, const float* q, float* sums) {
  for (std::int64_t pixel = 0; pixel < pixels; ++pixel) {
    for (std::int64_t label = 0; label < labels.count; ++label) {
      const std::int64_t chunk = label / kChunk;
      const float own = a[chunk * kChunk * pixels + pixel * labels.width(chunk) + label % kChunk];
      float* row = sums + label * labels.padded();
      each_vector(labels, pixels, pixel, [&](std::int64_t other, std::int64_t at) {
        store(row + other, load(row + other) + load(q + at) * own);
      });
    }
  }
}

// The same as update_any for Potts and labels of one chunk, which stay in registers.
template <int kVectors>
void update_rows(const Update& u) {
  constexpr std::int64_t kWidth = kVectors * kLanes;
  for (std::int64_t at = 0; at < u.pixels * kWidth; at += kWidth) {
    Lanes value[kVectors];
    for (int v = 0; v < kVectors; ++v) value[v] = Lanes{} - load(u.energy + at + v * kLanes);
    if (u.field != nullptr) {
      for (int v = 0; v < kVectors; ++v) value[v] += load(u.field + at + v * kLanes);
    }
    Lanes most = value[0];
    for (int v = 1; v < kVectors; ++v) most = larger(most, value[v]);
    const float highest = largest(most);
    Lanes total{};
    for (int v = 0; v < kVectors; ++v) {
      value[v] = exponential(value[v] - highest);
      total += value[v];
    }
    const float inverse = 1 / sum(total);
    for (int v = 0; v < kVectors; ++v) store(u.q + at + v * kLanes, value[v] * inverse);
  }
}

void update(const Update& u) {
  if (u.compatibility != nullptr || u.labels.chunks() > 1) return update_any(u);
  with_vectors(u.labels.width(0), [&](auto n) { update_rows<n>(u); });
}

}  // namespace

const Loops GRAPHCUT_LOOPS = {splat,  slice, join,    blur,  across, down,
                              update, mix,   respond, inner, outer};

}  // namespace graphcut::crf
