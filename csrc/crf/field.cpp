#include "crf/field.hpp"

#include <algorithm>
#include <cmath>
#include <utility>

#include "parallel/parallel_for.hpp"

namespace graphcut::crf {
namespace {

// Smoothness kernels narrower than this, in pixels, are applied as banded matrices: exact, and
// faster than a lattice with more vertices than pixels.
constexpr float kNarrow = 1.5F;
constexpr std::int64_t kPixelsPerGroup = 256;
constexpr std::int64_t kVerticesPerTask = 1024;

Floats floats(std::int64_t count) {
  const auto bytes = static_cast<std::size_t>(count) * sizeof(float);
  return Floats(static_cast<float*>(::operator new[](bytes, kLine)));
}

}  // namespace

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
  energy_ = floats(values());
  for (const Potential& potential : potentials) add(potential);
  std::int64_t most = 0;
  for (const Wide& kernel : wide_) most = std::max(most, kernel.lattice.vertices);
  value_ = floats(kChunk * (most + 1));
  blurred_ = floats(kChunk * (most + 1));
  const auto strips = static_cast<std::int64_t>(strips_.size());
  const std::int64_t size = labels_.padded() * rows_ * width_;
  for (int worker = 0; worker < worker_count(strips, threads); ++worker) {
    workspaces_.push_back({floats(size), floats(size), floats(size)});
  }
}

void Field::add(const Potential& potential) {
  const Kernel& kernel = potential.kernel;
  if (potential.image.channels == 0 && kernel.xy < kNarrow && !narrow_) {
    narrow_ = {gaussian_band(width_, kernel.xy, 1),
               gaussian_band(height_, kernel.xy, kernel.weight), floats(values()),
               floats(values())};
    return;
  }
  Lattice lattice = build_lattice(potential.image, kernel, threads_);
  const std::int64_t size = labels_.padded() * lattice.copies();
  wide_.push_back({std::move(lattice), potential.compatibility, floats(size), floats(size)});
}

// body(worker, group); a strip's groups run in their order.
template <class Body>
void Field::for_groups(Body&& body) {
  parallel_for(static_cast<std::int64_t>(strips_.size()), threads_,
               [&](int worker, std::int64_t strip) {
                 const std::int64_t end = strips_[strip].bottom;
                 for (std::int64_t top = strips_[strip].top; top < end; top += rows_) {
                   interruption_point();
                   body(worker, Group{strip, top, std::min(end, top + rows_)});
                 }
               });
}

// Calls body(position over the group's pixels, position in (labels, pixels), label).
template <class Body>
void Field::each_value(const Group& group, Body&& body) const {
  const std::int64_t count = pixels(group);
  for (std::int64_t chunk = 0; chunk < labels_.chunks(); ++chunk) {
    const std::int64_t width = labels_.width(chunk);
    for (std::int64_t i = 0; i < width; ++i) {
      const std::int64_t label = chunk * kChunk + i;
      const std::int64_t plane = label * pixels_ + group.top * width_;
      for (std::int64_t pixel = 0; pixel < count; ++pixel) {
        body(chunk * kChunk * count + pixel * width + i, plane + pixel, label);
      }
    }
  }
}

// Calls body(pixel of the image, position over the group's pixels) for every value of a pixel.
template <class Body>
void Field::each_pixel(const Group& group, Body&& body) const {
  const std::int64_t count = pixels(group);
  for (std::int64_t chunk = 0; chunk < labels_.chunks(); ++chunk) {
    const std::int64_t width = labels_.width(chunk);
    for (std::int64_t pixel = 0; pixel < count; ++pixel) {
      const std::int64_t at = chunk * kChunk * count + pixel * width;
      for (std::int64_t i = 0; i < width; ++i) body(group.top * width_ + pixel, at + i);
    }
  }
}

void Field::infer(const float* scores, float floor, const float* start, std::int64_t iterations,
                  float* marginals) {
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
  const auto turn = [&] {
    for (Wide& kernel : wide_) std::swap(kernel.lattice.before, kernel.lattice.after);
  };
  if (transposed) turn();
  scatter(q);
  filter();
  for_groups([&](int worker, const Group& group) {
    Workspace& space = workspaces_[worker];
    collect(group, space);
    each_value(group, [&](std::int64_t from, std::int64_t to, std::int64_t label) {
      if (label < labels_.count) sums[to] = -space.field[from];
    });
  });
  if (transposed) turn();
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
void Field::pass(bool coupled, float* marginals) {
  for_groups([&](int worker, const Group& group) {
    Workspace& space = workspaces_[worker];
    float* field = space.field.get();
    float* q = space.q.get();
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
  loops().slice(kernel.lattice.shares.get() + group.top * width_ * corners, corners, width,
                kernel.out.get() + kernel.at(chunk, strip, width), to, pixels(group));
}

// Sums the kernels' filtered marginals to `space.field`.
void Field::collect(const Group& group, Workspace& space) {
  const std::int64_t count = pixels(group);
  float* field = space.field.get();
  std::fill_n(field, labels_.padded() * count, 0.0F);
  for (std::int64_t chunk = 0; chunk < labels_.chunks(); ++chunk) {
    const std::int64_t width = labels_.width(chunk);
    float* to = field + chunk * kChunk * count;
    if (narrow_) {
      const float* rows = narrow_->out.get() + chunk * kChunk * pixels_;
      for (std::int64_t row = group.top; row < group.bottom; ++row) {
        loops().down(narrow_->down, width, rows, height_, width_, row,
                     to + (row - group.top) * width_ * width);
      }
    }
    for (const Wide& kernel : wide_) {
      if (!kernel.apart()) slice(group, kernel, chunk, to);
    }
  }
  for (const Wide& kernel : wide_) {
    if (kernel.apart()) collect_apart(group, kernel, space);
  }
}

// Adds the message of a kernel with factors or a compatibility of its own.
void Field::collect_apart(const Group& group, const Wide& kernel, Workspace& space) const {
  const std::int64_t count = pixels(group);
  float* own = space.scaled.get();
  std::fill_n(own, labels_.padded() * count, 0.0F);
  for (std::int64_t chunk = 0; chunk < labels_.chunks(); ++chunk) {
    slice(group, kernel, chunk, own + chunk * kChunk * count);
  }
  const std::vector<float>& after = kernel.lattice.after;
  if (!after.empty()) {
    each_pixel(group, [&](std::int64_t pixel, std::int64_t at) { own[at] *= after[pixel]; });
  }
  float* field = space.field.get();
  if (kernel.compatibility != nullptr) {
    loops().mix({labels_, count, nullptr, own, kernel.compatibility, field});
  } else {
    for (std::int64_t at = 0; at < labels_.padded() * count; ++at) field[at] += own[at];
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
      loops().splat(kernel.lattice.shares.get() + group.top * width_ * corners, corners, width,
                    values + chunk * kChunk * count, count, copies);
    }
  }
}

// Filters every kernel's `in` to its `out`.
void Field::filter() {
  if (narrow_) std::swap(narrow_->in, narrow_->out);
  for (Wide& kernel : wide_) {
    for (std::int64_t chunk = 0; chunk < labels_.chunks(); ++chunk) filter(kernel, chunk);
  }
}

void Field::filter(Wide& kernel, std::int64_t chunk) {
  const Lattice& lattice = kernel.lattice;
  const std::int64_t width = labels_.width(chunk);
  const float* in = kernel.in.get() + chunk * kChunk * lattice.copies();
  float* out = kernel.out.get() + chunk * kChunk * lattice.copies();
  float* value = value_.get();
  float* blurred = blurred_.get();
  for (float* array : {value, blurred}) {
    std::fill_n(array + lattice.vertices * width, width, 0.0F);
  }
  for_vertices(lattice.vertices, [&](std::int64_t begin, std::int64_t end) {
    loops().join(lattice, width, in, value, begin, end);
  });
  for (std::int64_t direction = 0; direction <= lattice.dimensions; ++direction) {
    for_vertices(lattice.vertices, [&](std::int64_t begin, std::int64_t end) {
      loops().blur(lattice, direction, width, value, blurred, begin, end);
    });
    std::swap(value, blurred);
  }
  for_vertices(lattice.copies(), [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t copy = begin; copy < end; ++copy) {
      std::copy_n(value + lattice.vertex[copy] * width, width, out + copy * width);
    }
  });
}

// body(begin, end)
template <class Body>
void Field::for_vertices(std::int64_t count, Body&& body) {
  parallel_for((count + kVerticesPerTask - 1) / kVerticesPerTask, threads_,
               [&](int, std::int64_t task) {
                 body(task * kVerticesPerTask, std::min(count, (task + 1) * kVerticesPerTask));
               });
}

}  // namespace graphcut::crf
