// The loops of loops.hpp. The file that includes this sets the instruction set, GRAPHCUT_LANES and
// GRAPHCUT_LOOPS, the name of the table; all else has internal linkage, so that the copies stay
// apart.
#include <algorithm>
#include <utility>

#include "crf/lanes.hpp"
#include "crf/loops.hpp"

namespace graphcut::crf {
namespace {

static_assert(kVector % kLanes == 0 && kFew == kSize<Quad>);

// A weighted sum of rows of kVectors vectors V.
template <class V, int kVectors>
struct Sum {
  V lane[kVectors] = {};

  void add(const float* row, float weight) {
    for (int v = 0; v < kVectors; ++v) lane[v] += load<V>(row + v * kSize<V>) * weight;
  }
  void write(float* to) const {
    for (int v = 0; v < kVectors; ++v) store(to + v * kSize<V>, lane[v]);
  }
  void write_added(float* to) const {
    for (int v = 0; v < kVectors; ++v) {
      store(to + v * kSize<V>, load<V>(to + v * kSize<V>) + lane[v]);
    }
  }
};

// Rows of kVectors vectors V: the values of a pixel or vertex in a chunk.
template <class V, int kVectors>
struct Rows {
  static constexpr std::int64_t kWidth = kVectors * kSize<V>;
  using Total = Sum<V, kVectors>;

  // kCorners: their number, or 0 where it is known at run time only.
  template <int kCorners>
  static void splat(const Shares& shares, std::int64_t corners, const float* pixel,
                    std::int64_t pixels, float* copy) {
    if constexpr (kCorners > 0) corners = kCorners;
    const float* weight = shares.weight;
    for (std::int64_t i = 0; i < pixels; ++i, pixel += kWidth, weight += corners) {
      V value[kVectors];
      for (int v = 0; v < kVectors; ++v) value[v] = load<V>(pixel + v * kSize<V>);
      const std::int32_t* at = shares.corner + shares.simplex[i] * corners;
      for (std::int64_t corner = 0; corner < corners; ++corner) {
        float* to = copy + at[corner] * kWidth;
        for (int v = 0; v < kVectors; ++v) {
          store(to + v * kSize<V>, load<V>(to + v * kSize<V>) + value[v] * weight[corner]);
        }
      }
    }
  }

  template <int kCorners>
  static void slice(const Shares& shares, std::int64_t corners, const float* copy, float* pixel,
                    std::int64_t pixels) {
    if constexpr (kCorners > 0) corners = kCorners;
    const float* weight = shares.weight;
    for (std::int64_t i = 0; i < pixels; ++i, pixel += kWidth, weight += corners) {
      const std::int32_t* at = shares.corner + shares.simplex[i] * corners;
      Total sum;
      for (std::int64_t corner = 0; corner < corners; ++corner) {
        sum.add(copy + at[corner] * kWidth, weight[corner]);
      }
      sum.write_added(pixel);
    }
  }

  static void join(const Lattice& lattice, float weight, const float* copy, float* value,
                   std::int64_t begin, std::int64_t end) {
    for (std::int64_t vertex = begin; vertex < end; ++vertex) {
      Total sum;
      for (std::int32_t i = lattice.first[vertex]; i < lattice.first[vertex + 1]; ++i) {
        sum.add(copy + lattice.copy[i] * kWidth, weight);
      }
      sum.write(value + vertex * kWidth);
    }
  }

  static void blur(const Lattice& lattice, std::int64_t direction, const float* value,
                   float* blurred, std::int64_t begin, std::int64_t end) {
    const std::int32_t* forward = lattice.forward.data() + direction * lattice.vertices;
    const std::int32_t* backward = lattice.backward.data() + direction * lattice.vertices;
    for (std::int64_t vertex = begin; vertex < end; ++vertex) {
      Total sum;
      sum.add(value + forward[vertex] * kWidth, 0.5F);
      sum.add(value + backward[vertex] * kWidth, 0.5F);
      sum.add(value + vertex * kWidth, 1.0F);
      sum.write(blurred + vertex * kWidth);
    }
  }

  static void part(const Lattice& lattice, const float* value, float* copy, std::int64_t begin,
                   std::int64_t end) {
    for (std::int64_t i = begin; i < end; ++i) {
      const float* from = value + lattice.vertex[i] * kWidth;
      for (int v = 0; v < kVectors; ++v) {
        store(copy + i * kWidth + v * kSize<V>, load<V>(from + v * kSize<V>));
      }
    }
  }

  static void across(const Band& band, const float* row, std::int64_t length, float* filtered) {
    for (std::int64_t at = 0; at < length; ++at) {
      const std::int64_t first = std::max<std::int64_t>(0, at - band.radius);
      const std::int64_t last = std::min(length - 1, at + band.radius);
      const float* weight = band.row(at) + (first - at + band.radius);
      Total sum;
      for (std::int64_t i = first; i <= last; ++i) sum.add(row + i * kWidth, *weight++);
      sum.write(filtered + at * kWidth);
    }
  }

  static void down(const Band& band, const float* rows, std::int64_t height, std::int64_t length,
                   std::int64_t at, float* filtered) {
    const std::int64_t first = std::max<std::int64_t>(0, at - band.radius);
    const std::int64_t last = std::min(height - 1, at + band.radius);
    const float* weight = band.row(at) + (first - at + band.radius);
    for (std::int64_t column = 0; column < length; ++column) {
      Total sum;
      for (std::int64_t i = first; i <= last; ++i) {
        sum.add(rows + (i * length + column) * kWidth, weight[i - first]);
      }
      sum.write_added(filtered + column * kWidth);
    }
  }
};

// Calls work(Rows<V, vectors>{}).
template <class Work>
void with_rows(std::int64_t width, Work&& work) {
  constexpr int kPer = kVector / kLanes;
  switch (width / kVector) {
    case 0:
      return work(Rows<Quad, 1>{});
    case 1:
      return work(Rows<Lanes, kPer>{});
    case 2:
      return work(Rows<Lanes, 2 * kPer>{});
    case 3:
      return work(Rows<Lanes, 3 * kPer>{});
    default:
      return work(Rows<Lanes, 4 * kPer>{});
  }
}

// Calls work(std::integral_constant<int, kCorners>{}).
template <class Work>
void with_corners(std::int64_t corners, Work&& work) {
  switch (corners) {
    case 3:  // positions
      return work(std::integral_constant<int, 3>{});
    case 6:  // and colours
      return work(std::integral_constant<int, 6>{});
    default:
      return work(std::integral_constant<int, 0>{});
  }
}

void splat(const Shares& shares, std::int64_t corners, std::int64_t width, const float* pixel,
           std::int64_t pixels, float* copy) {
  with_rows(width, [&](auto rows) {
    with_corners(corners, [&](auto n) {
      decltype(rows)::template splat<n>(shares, corners, pixel, pixels, copy);
    });
  });
}

void slice(const Shares& shares, std::int64_t corners, std::int64_t width, const float* copy,
           float* pixel, std::int64_t pixels) {
  with_rows(width, [&](auto rows) {
    with_corners(corners, [&](auto n) {
      decltype(rows)::template slice<n>(shares, corners, copy, pixel, pixels);
    });
  });
}

void join(const Lattice& lattice, float weight, std::int64_t width, const float* copy, float* value,
          std::int64_t begin, std::int64_t end) {
  with_rows(width, [&](auto rows) { rows.join(lattice, weight, copy, value, begin, end); });
}

void blur(const Lattice& lattice, std::int64_t direction, std::int64_t width, const float* value,
          float* blurred, std::int64_t begin, std::int64_t end) {
  with_rows(width, [&](auto rows) { rows.blur(lattice, direction, value, blurred, begin, end); });
}

void part(const Lattice& lattice, std::int64_t width, const float* value, float* copy,
          std::int64_t begin, std::int64_t end) {
  with_rows(width, [&](auto rows) { rows.part(lattice, value, copy, begin, end); });
}

void across(const Band& band, std::int64_t width, const float* row, std::int64_t length,
            float* filtered) {
  with_rows(width, [&](auto rows) { rows.across(band, row, length, filtered); });
}

void down(const Band& band, std::int64_t width, const float* values, std::int64_t height,
          std::int64_t length, std::int64_t at, float* filtered) {
  with_rows(width, [&](auto rows) { rows.down(band, values, height, length, at, filtered); });
}

// The labels [at, at + kSize<V>) of compatibility field, for one pixel.
template <class V>
V mixed(const Update& u, std::int64_t pixel, std::int64_t at) {
  V sum{};
  for (std::int64_t label = 0; label < u.labels.count; ++label) {
    const std::int64_t chunk = label / kChunk;
    const float field =
        u.field[chunk * kChunk * u.pixels + pixel * u.labels.width(chunk) + label % kChunk];
    sum += load<V>(u.compatibility + label * u.labels.padded() + at) * field;
  }
  return sum;
}

// Calls work(label, position in an array over pixels) for each vector of labels of a pixel.
template <class V, class Work>
void each_vector(Labels labels, std::int64_t pixels, std::int64_t pixel, Work&& work) {
  for (std::int64_t chunk = 0; chunk < labels.chunks(); ++chunk) {
    const std::int64_t width = labels.width(chunk);
    const std::int64_t at = chunk * kChunk * pixels + pixel * width;
    for (std::int64_t i = 0; i < width; i += kSize<V>) work(chunk * kChunk + i, at + i);
  }
}

// Calls work(V{}) with vectors V that fit so many labels.
template <class Work>
void with_vector(Labels labels, Work&& work) {
  if (labels.padded() == kFew) {
    work(Quad{});
  } else {
    work(Lanes{});
  }
}

void mix(const Update& u) {
  with_vector(u.labels, [&](auto vector) {
    using V = decltype(vector);
    for (std::int64_t pixel = 0; pixel < u.pixels; ++pixel) {
      each_vector<V>(u.labels, u.pixels, pixel, [&](std::int64_t label, std::int64_t at) {
        store(u.q + at, load<V>(u.q + at) - mixed<V>(u, pixel, label));
      });
    }
  });
}

void respond(Labels labels, std::int64_t pixels, const float* q, float* gradient, float* total) {
  with_vector(labels, [&](auto vector) {
    using V = decltype(vector);
    for (std::int64_t pixel = 0; pixel < pixels; ++pixel) {
      V products{};
      each_vector<V>(labels, pixels, pixel, [&](std::int64_t, std::int64_t at) {
        products += load<V>(q + at) * load<V>(gradient + at);
      });
      const float mean = sum(products);
      each_vector<V>(labels, pixels, pixel, [&](std::int64_t, std::int64_t at) {
        const V own = load<V>(q + at) * (load<V>(gradient + at) - mean);
        store(gradient + at, own);
        store(total + at, load<V>(total + at) + own);
      });
    }
  });
}

void inner(Labels labels, std::int64_t pixels, const float* a, const float* q, float* sums) {
  with_vector(labels, [&](auto vector) {
    using V = decltype(vector);
    for (std::int64_t pixel = 0; pixel < pixels; ++pixel) {
      each_vector<V>(labels, pixels, pixel, [&](std::int64_t label, std::int64_t at) {
        store(sums + label, load<V>(sums + label) + load<V>(a + at) * load<V>(q + at));
      });
    }
  });
}

void outer(Labels labels, std::int64_t pixels, const float* a, const float* q, float* sums) {
  with_vector(labels, [&](auto vector) {
    using V = decltype(vector);
    for (std::int64_t pixel = 0; pixel < pixels; ++pixel) {
      for (std::int64_t label = 0; label < labels.count; ++label) {
        const std::int64_t chunk = label / kChunk;
        const float own = a[chunk * kChunk * pixels + pixel * labels.width(chunk) + label % kChunk];
        float* row = sums + label * labels.padded();
        each_vector<V>(labels, pixels, pixel, [&](std::int64_t other, std::int64_t at) {
          store(row + other, load<V>(row + other) + load<V>(q + at) * own);
        });
      }
    }
  });
}

// The update of many labels, or of labels with a compatibility.
void update_any(const Update& u) {
  for (std::int64_t pixel = 0; pixel < u.pixels; ++pixel) {
    Lanes most = all(-kNever);
    each_vector<Lanes>(u.labels, u.pixels, pixel, [&](std::int64_t label, std::int64_t at) {
      Lanes value = Lanes{} - load(u.energy + at);
      if (u.field != nullptr && u.compatibility == nullptr) value += load(u.field + at);
      if (u.field != nullptr && u.compatibility != nullptr) {
        value = value - mixed<Lanes>(u, pixel, label);
      }
      most = larger(most, value);
      store(u.q + at, value);
    });
    const float highest = largest(most);
    Lanes total{};
    each_vector<Lanes>(u.labels, u.pixels, pixel, [&](std::int64_t, std::int64_t at) {
      const Lanes value = exponential(load(u.q + at) - highest);
      total += value;
      store(u.q + at, value);
    });
    const float inverse = 1 / sum(total);
    each_vector<Lanes>(u.labels, u.pixels, pixel, [&](std::int64_t, std::int64_t at) {
      store(u.q + at, load(u.q + at) * inverse);
    });
  }
}

// The same for Potts and labels of one chunk, which stay in registers.
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

// The same for at most kFew labels and kLanes pixels, of which each has a lane.
template <int kLabels>
void update_pixels(const float* energy, const float* field, const float* compatibility, float* q) {
  Lanes value[kFew];
  Lanes message[kFew];
  for (std::int64_t i = 0; i < kFew; ++i) {
    value[i] = Lanes{} - load(energy + i * kLanes);
    if (field == nullptr) continue;
    message[i] = load(field + i * kLanes);
    if (compatibility == nullptr) value[i] += message[i];
  }
  transpose(value);
  if (field != nullptr && compatibility != nullptr) {
    transpose(message);
    for (int label = 0; label < kLabels; ++label) {
      for (int other = 0; other < kLabels; ++other) {
        value[label] = value[label] - message[other] * compatibility[label * kFew + other];
      }
    }
  }
  Lanes most = value[0];
  for (int label = 1; label < kLabels; ++label) most = larger(most, value[label]);
  Lanes total{};
  for (int label = 0; label < kLabels; ++label) {
    value[label] = exponential(value[label] - most);
    total += value[label];
  }
  const Lanes inverse = all(1.0F) / total;
  for (int label = 0; label < kFew; ++label) {
    value[label] = label < kLabels ? value[label] * inverse : Lanes{};
  }
  transpose(value);
  for (std::int64_t i = 0; i < kFew; ++i) store(q + i * kLanes, value[i]);
}

template <int kLabels>
void update_few(const Update& u) {
  constexpr std::int64_t kBlock = kFew * kLanes;
  const std::int64_t size = kFew * u.pixels;
  std::int64_t at = 0;
  for (; at + kBlock <= size; at += kBlock) {
    update_pixels<kLabels>(u.energy + at, u.field == nullptr ? nullptr : u.field + at,
                           u.compatibility, u.q + at);
  }
  if (at == size) return;
  float energy[kBlock] = {};
  float field[kBlock] = {};
  float q[kBlock];
  std::copy(u.energy + at, u.energy + size, energy);
  if (u.field != nullptr) std::copy(u.field + at, u.field + size, field);
  update_pixels<kLabels>(energy, u.field == nullptr ? nullptr : field, u.compatibility, q);
  std::copy_n(q, size - at, u.q + at);
}

void update(const Update& u) {
  switch (u.labels.count) {
    case 1:
      return update_few<1>(u);
    case 2:
      return update_few<2>(u);
    case 3:
      return update_few<3>(u);
    case 4:
      return update_few<4>(u);
    default:
      break;
  }
  if (u.compatibility != nullptr || u.labels.chunks() > 1) return update_any(u);
  switch (u.labels.width(0) / kVector) {
    case 1:
      return update_rows<kVector / kLanes>(u);
    case 2:
      return update_rows<2 * kVector / kLanes>(u);
    case 3:
      return update_rows<3 * kVector / kLanes>(u);
    default:
      return update_rows<4 * kVector / kLanes>(u);
  }
}

}  // namespace

const Loops GRAPHCUT_LOOPS = {splat, slice,  join, blur,    part,  across,
                              down,  update, mix,  respond, inner, outer};

}  // namespace graphcut::crf
