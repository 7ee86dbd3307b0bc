#include "crf/field.hpp"

#include <algorithm>
#include <cmath>
#include <utility>

namespace graphcut::crf {
namespace {

// Smoothness kernels narrower than this, in pixels, are applied as banded matrices: exact, and
// faster than a lattice with more vertices than pixels.
constexpr float kNarrow = 1.5F;
constexpr std::int64_t kPixelsPerGroup = 256;
constexpr std::int64_t kVerticesPerTask = 1024;

}  // namespace

Floats floats(std::int64_t count) {
  const auto bytes = static_cast<std::size_t>(count) * sizeof(float);
  return Floats(static_cast<float*>(::operator new[](bytes, kLine)));
}

std::vector<float> padded(const float* compatibility, Labels labels) {
  std::vector<float> rows;
  if (compatibility == nullptr) return rows;
  rows.resize(static_cast<std::size_t>(labels.count * labels.padded()));
  for (std::int64_t i = 0; i < labels.count; ++i) {
    std::copy_n(compatibility + i * labels.count, labels.count, &rows[i * labels.padded()]);
  }
  return rows;
}

Field::Field(std::int64_t height, std::int64_t width, std::int64_t labels,
             const std::vector<Potential>& potentials, const float* compatibility, int threads)
    : height_(height),
      width_(width),
      pixels_(height * width),
      labels_{labels},
      compatibility_(compatibility),
      threads_(threads),
      strips_(divide(height, width)),
      rows_(std::clamp<std::int64_t>(kPixelsPerGroup / width, 1, height)) {
  const auto team = Team::gather();
  energy_ = floats(values());
  for (const Potential& potential : potentials) add(potential);
  std::int64_t most = 0;
  for (const Wide& kernel : wide_) most = std::max(most, kernel.lattice.vertices);
  const std::int64_t filters = static_cast<std::int64_t>(wide_.size()) * labels_.chunks();
  apart_ = filters >= threads;
  for (int worker = 0; worker < (apart_ ? worker_count(filters, threads) : 1); ++worker) {
    blurs_.push_back({floats(kChunk * (most + 1)), floats(kChunk * (most + 1))});
  }
  const auto strips = static_cast<std::int64_t>(strips_.size());
  const std::int64_t size = labels_.padded() * rows_ * width_;
  for (int worker = 0; worker < worker_count(strips, threads); ++worker) {
    workspaces_.push_back({floats(size), floats(size), floats(size)});
  }
}

void Field::add(const Potential& potential) {
  const Kernel& kernel = potential.kernel;
  const std::int64_t index = potentials_++;
  if (potential.image.channels == 0 && kernel.xy < kNarrow && !narrow_) {
    narrow_ = {index,
               kernel.xy,
               kernel.weight,
               gaussian_band(width_, kernel.xy, 1),
               gaussian_band(height_, kernel.xy, kernel.weight),
               floats(values()),
               floats(values())};
    return;
  }
  Lattice lattice = build_lattice(potential.image, kernel, threads_);
  const std::int64_t size = labels_.padded() * lattice.copies();
  wide_.push_back({index, std::move(lattice), kernel.weight, potential.compatibility, floats(size),
                   floats(size)});
}

void Field::infer(const float* scores, float floor, const float* start, std::int64_t iterations,
                  float* marginals) {
  const auto team = Team::gather();
  for_groups([&](int, const Group& group) { arrange(group, scores, floor); });
  if (!narrow_.has_value() && wide_.empty()) iterations = 0;
  for (std::int64_t i = 0; i <= iterations; ++i) {
    if (i > 0) filter();
    if (i == 0 && iterations > 0 && start != nullptr) {
      scatter(start);
    } else {
      pass(i > 0, i == iterations ? marginals : nullptr);
    }
  }
}

void Field::message(const float* q, bool transposed, float* sums) {
  const auto team = Team::gather();
  if (transposed) turn();
  scatter(q);
  filter(transposed);
  for_groups([&](int worker, const Group& group) {
    Workspace& space = workspaces_[worker];
    collect(group, space);
    each_value(group, [&](std::int64_t from, std::int64_t to, std::int64_t label) {
      if (label < labels_.count) sums[to] = -space.field[from];
    });
  });
  if (transposed) turn();
}

// Kernels change places with their transposes, as far as factors tell them apart.
void Field::turn() {
  for (Wide& kernel : wide_) std::swap(kernel.lattice.before, kernel.lattice.after);
}

// The values of a group, 0 for the labels that are padding.
void Field::read(const Group& group, const float* values, float* own) const {
  each_value(group, [&](std::int64_t to, std::int64_t from, std::int64_t label) {
    own[to] = label < labels_.count ? values[from] : 0.0F;
  });
}

// The energies of a group. The logarithm is taken here, as torch's hangs in a forked child.
void Field::arrange(const Group& group, const float* scores, float floor) {
  float* own = energy_.get() + base(group);
  each_value(group, [&](std::int64_t to, std::int64_t from, std::int64_t label) {
    if (label >= labels_.count) {
      own[to] = kNever;
    } else {
      own[to] = floor > 0 ? -std::log(std::max(scores[from], floor)) : scores[from];
    }
  });
}

// Marginals of a group from the messages of the last pass. The final pass writes them out.
// `iterate`, as energy_, keeps them.
void Field::pass(bool coupled, float* marginals, float* iterate) {
  for_groups([&](int worker, const Group& group) {
    Workspace& space = workspaces_[worker];
    float* field = space.field.get();
    float* q = iterate == nullptr ? space.q.get() : iterate + base(group);
    if (coupled) collect(group, space);
    loops().update({labels_, pixels(group), energy_.get() + base(group), coupled ? field : nullptr,
                    compatibility_, q});
    if (marginals == nullptr) return spread(group, q, space);
    each_value(group, [&](std::int64_t from, std::int64_t to, std::int64_t label) {
      if (label < labels_.count) marginals[to] = q[from];
    });
  });
}

// Starts all filters on given values.
void Field::scatter(const float* q) {
  for_groups([&](int worker, const Group& group) {
    Workspace& space = workspaces_[worker];
    read(group, q, space.q.get());
    spread(group, space.q.get(), space);
  });
}

// Adds a kernel's filtered marginals to those of a chunk of labels.
void Field::slice(const Group& group, const Wide& kernel, std::int64_t chunk, float* to) const {
  const std::int64_t corners = kernel.lattice.dimensions + 1;
  const std::int64_t width = labels_.width(chunk);
  const Strip& strip = kernel.lattice.strips[group.strip];
  loops().slice(kernel.lattice.shares(group.strip, group.top * width_), corners, width,
                kernel.out.get() + kernel.at(chunk, strip, width), to, pixels(group));
}

// Sums the kernels' filtered marginals to `space.field`.
void Field::collect(const Group& group, Workspace& space) {
  const std::int64_t count = pixels(group);
  float* field = space.field.get();
  std::fill_n(field, labels_.padded() * count, 0.0F);
  for (std::int64_t chunk = 0; chunk < labels_.chunks(); ++chunk) {
    float* to = field + chunk * kChunk * count;
    if (narrow_) collect_narrow(group, *narrow_, narrow_->down, chunk, to);
    for (const Wide& kernel : wide_) {
      if (!kernel.apart()) slice(group, kernel, chunk, to);
    }
  }
  for (const Wide& kernel : wide_) {
    if (!kernel.apart()) continue;
    collect_wide(group, kernel, space.scaled.get());
    add(group, 1, kernel.compatibility, space);
  }
}

// Adds the narrow kernel's filtered marginals to those of a chunk of labels.
void Field::collect_narrow(const Group& group, const Narrow& kernel, const Band& down,
                           std::int64_t chunk, float* to) const {
  const std::int64_t width = labels_.width(chunk);
  const float* rows = kernel.out.get() + chunk * kChunk * pixels_;
  for (std::int64_t row = group.top; row < group.bottom; ++row) {
    loops().down(down, width, rows, height_, width_, row, to + (row - group.top) * width_ * width);
  }
}

// Writes a kernel's filtered marginals to `own`.
void Field::collect_wide(const Group& group, const Wide& kernel, float* own) const {
  const std::int64_t count = pixels(group);
  std::fill_n(own, labels_.padded() * count, 0.0F);
  for (std::int64_t chunk = 0; chunk < labels_.chunks(); ++chunk) {
    slice(group, kernel, chunk, own + chunk * kChunk * count);
  }
  const std::vector<float>& after = kernel.lattice.after;
  if (!after.empty()) {
    each_pixel(group, [&](std::int64_t pixel, std::int64_t at) { own[at] *= after[pixel]; });
  }
}

// Adds a kernel's message to `field`; its filtered marginals, but for the weight, are in `scaled`.
void Field::add(const Group& group, float weight, const float* compatibility,
                Workspace& space) const {
  const std::int64_t count = labels_.padded() * pixels(group);
  float* own = space.scaled.get();
  float* field = space.field.get();
  if (compatibility == nullptr) {
    for (std::int64_t at = 0; at < count; ++at) field[at] += weight * own[at];
  } else {
    for (std::int64_t at = 0; at < count; ++at) own[at] *= weight;
    loops().mix({labels_, pixels(group), nullptr, own, compatibility, field});
  }
}

// Starts all filters on the marginals of a group.
void Field::spread(const Group& group, const float* q, Workspace& space) {
  const std::int64_t count = pixels(group);
  if (narrow_) {
    for (std::int64_t chunk = 0; chunk < labels_.chunks(); ++chunk) {
      const std::int64_t width = labels_.width(chunk);
      const float* from = q + chunk * kChunk * count;
      float* rows = narrow_->in.get() + chunk * kChunk * pixels_;
      for (std::int64_t row = group.top; row < group.bottom; ++row) {
        loops().across(narrow_->across, width, from + (row - group.top) * width_ * width, width_,
                       rows + row * width_ * width);
      }
    }
  }
  for (Wide& kernel : wide_) {
    const float* values = q;
    const std::vector<float>& before = kernel.lattice.before;
    if (!before.empty()) {
      float* scaled = space.scaled.get();
      each_pixel(group,
                 [&](std::int64_t pixel, std::int64_t at) { scaled[at] = q[at] * before[pixel]; });
      values = scaled;
    }
    const std::int64_t corners = kernel.lattice.dimensions + 1;
    const Strip& strip = kernel.lattice.strips[group.strip];
    for (std::int64_t chunk = 0; chunk < labels_.chunks(); ++chunk) {
      const std::int64_t width = labels_.width(chunk);
      float* copies = kernel.in.get() + kernel.at(chunk, strip, width);
      if (group.top == strip.top) std::fill_n(copies, strip.copies * width, 0.0F);
      loops().splat(kernel.lattice.shares(group.strip, group.top * width_), corners, width,
                    values + chunk * kChunk * count, count, copies);
    }
  }
}

// Filters every kernel's `in` to its `out`; `unit` is for the weight 1. The narrow kernel is
// symmetric, and gets its weight where it is collected.
void Field::filter(bool transposed, bool unit) {
  if (narrow_) std::swap(narrow_->in, narrow_->out);
  const std::int64_t chunks = labels_.chunks();
  const std::int64_t filters = static_cast<std::int64_t>(wide_.size()) * chunks;
  parallel_for(filters, apart_ ? threads_ : 1, [&](int worker, std::int64_t task) {
    Wide& kernel = wide_[static_cast<std::size_t>(task / chunks)];
    const float weight = unit ? kernel.lattice.unit : kernel.weight * kernel.lattice.unit;
    filter(kernel, task % chunks, transposed, weight, blurs_[worker], apart_ ? 1 : threads_);
  });
}

void Field::filter(Wide& kernel, std::int64_t chunk, bool transposed, float weight, Blur& blur,
                   int threads) {
  const Lattice& lattice = kernel.lattice;
  const std::int64_t width = labels_.width(chunk);
  const float* in = kernel.in.get() + chunk * kChunk * lattice.copies();
  float* out = kernel.out.get() + chunk * kChunk * lattice.copies();
  float* value = blur.value.get();
  float* blurred = blur.blurred.get();
  for (float* array : {value, blurred}) {
    std::fill_n(array + lattice.vertices * width, width, 0.0F);
  }
  for_vertices(lattice.vertices, threads, [&](std::int64_t begin, std::int64_t end) {
    loops().join(lattice, weight, width, in, value, begin, end);
  });
  for (std::int64_t turn = 0; turn <= lattice.dimensions; ++turn) {
    // Vertices that are missing make the order matter: the transposed filter has the reverse one.
    const std::int64_t direction = transposed ? lattice.dimensions - turn : turn;
    for_vertices(lattice.vertices, threads, [&](std::int64_t begin, std::int64_t end) {
      loops().blur(lattice, direction, width, value, blurred, begin, end);
    });
    std::swap(value, blurred);
  }
  for_vertices(lattice.copies(), threads, [&](std::int64_t begin, std::int64_t end) {
    loops().part(lattice, width, value, out, begin, end);
  });
}

// body(begin, end)
template <class Body>
void Field::for_vertices(std::int64_t count, int threads, Body&& body) {
  if (count <= kVerticesPerTask) return body(0, count);
  parallel_for((count + kVerticesPerTask - 1) / kVerticesPerTask, threads,
               [&](int, std::int64_t task) {
                 body(task * kVerticesPerTask, std::min(count, (task + 1) * kVerticesPerTask));
               });
}

}  // namespace graphcut::crf
