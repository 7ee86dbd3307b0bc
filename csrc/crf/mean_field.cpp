#include "crf/mean_field.hpp"

#include <algorithm>
#include <cmath>
#include <memory>
#include <new>
#include <optional>
#include <utility>
#include <vector>

#include "crf/bands.hpp"
#include "crf/loops.hpp"
#include "parallel/parallel_for.hpp"

namespace graphcut::crf {
namespace {

// Smoothness kernels narrower than this, in pixels, are applied as banded matrices: exact, and
// faster than a lattice with more vertices than pixels.
constexpr float kNarrow = 1.5F;
constexpr std::int64_t kPixelsPerGroup = 256;
constexpr std::int64_t kVerticesPerTask = 1024;

// Aligned to cache lines, so that no vector lies on two of them.
constexpr std::align_val_t kLine{64};
struct Delete {
  void operator()(float* array) const { ::operator delete[](array, kLine); }
};
using Floats = std::unique_ptr<float[], Delete>;

Floats floats(std::int64_t count) {
  const auto bytes = static_cast<std::size_t>(count) * sizeof(float);
  return Floats(static_cast<float*>(::operator new[](bytes, kLine)));
}

// A wide kernel, and its values (chunks, copies, width) before and after filtering.
struct Wide {
  Lattice lattice;
  Floats in;
  Floats out;

  std::int64_t at(std::int64_t chunk, const Strip& strip, std::int64_t width) const {
    return chunk * kChunk * lattice.copies() + strip.first_copy * width;
  }
};

// A narrow kernel, and planes (chunks, pixels, width) that are already filtered along the rows:
// those that this pass writes, and those of the last pass, which it reads.
struct Narrow {
  Band across;
  Band down;
  Floats in;
  Floats out;
};

// Rows that are computed together, so that their values stay in the cache. Arrays over their pixels
// are (chunks, pixels, width), see loops.hpp.
struct Group {
  std::int64_t strip;
  std::int64_t top;
  std::int64_t bottom;
};

// One item of the batch. A pass goes over all pixels once: it computes the marginals from the
// messages of the last pass, and starts the filters on them.
class Item {
 public:
  Item(const MeanField& problem, const float* compatibility, std::int64_t item, int threads)
      : problem_(problem),
        image_{problem.image + item * problem.channels * problem.height * problem.width,
               problem.channels, problem.height, problem.width},
        labels_{problem.labels},
        compatibility_(compatibility),
        threads_(threads),
        strips_(divide(problem.height, problem.width)),
        rows_(std::clamp<std::int64_t>(kPixelsPerGroup / problem.width, 1, problem.height)) {
    energy_ = floats(values());
    add_kernels();
    const auto strips = static_cast<std::int64_t>(strips_.size());
    for (int worker = 0; worker < worker_count(strips, threads); ++worker) {
      workspaces_.push_back(floats(2 * labels_.padded() * rows_ * image_.width));
    }
  }

  void infer(const float* scores, float* marginals) {
    for_groups([&](int, const Group& group) { arrange(group, scores); });
    const bool coupled = narrow_.has_value() || !wide_.empty();
    const std::int64_t iterations = coupled ? problem_.iterations : 0;
    for (std::int64_t i = 0; i <= iterations; ++i) {
      if (i > 0) filter();
      pass(i > 0, i == iterations ? marginals : nullptr);
    }
  }

 private:
  std::int64_t values() const { return labels_.padded() * image_.pixels(); }
  std::int64_t pixels(const Group& group) const {
    return (group.bottom - group.top) * image_.width;
  }
  // Where a group's values begin in energy_.
  std::int64_t base(const Group& group) const {
    return labels_.padded() * group.top * image_.width;
  }

  void add_kernels() {
    const Kernel& smooth = problem_.smoothness;
    if (smooth.weight > 0 && smooth.xy < kNarrow) {
      narrow_ = {gaussian_band(image_.width, smooth.xy, 1),
                 gaussian_band(image_.height, smooth.xy, smooth.weight), floats(values()),
                 floats(values())};
    } else if (smooth.weight > 0) {
      add_wide(smooth, false);
    }
    if (problem_.appearance.weight > 0) add_wide(problem_.appearance, true);
    std::int64_t most = 0;
    for (const Wide& kernel : wide_) most = std::max(most, kernel.lattice.vertices);
    value_ = floats(kChunk * (most + 1));
    blurred_ = floats(kChunk * (most + 1));
  }

  void add_wide(const Kernel& kernel, bool channels) {
    Lattice lattice = build_lattice(image_, kernel, channels, threads_);
    const std::int64_t size = labels_.padded() * lattice.copies();
    wide_.push_back({std::move(lattice), floats(size), floats(size)});
  }

  // body(worker, group); a strip's groups run in their order.
  template <class Body>
  void for_groups(Body&& body) {
    parallel_for(static_cast<std::int64_t>(strips_.size()), threads_,
                 [&](int worker, std::int64_t strip) {
                   const std::int64_t end = strips_[strip].bottom;
                   for (std::int64_t top = strips_[strip].top; top < end; top += rows_) {
                     body(worker, Group{strip, top, std::min(end, top + rows_)});
                   }
                 });
  }

  // Calls body(position over the group's pixels, position in (labels, pixels), label).
  template <class Body>
  void each_value(const Group& group, Body&& body) const {
    const std::int64_t count = pixels(group);
    for (std::int64_t chunk = 0; chunk < labels_.chunks(); ++chunk) {
      const std::int64_t width = labels_.width(chunk);
      for (std::int64_t i = 0; i < width; ++i) {
        const std::int64_t label = chunk * kChunk + i;
        const std::int64_t plane = label * image_.pixels() + group.top * image_.width;
        for (std::int64_t pixel = 0; pixel < count; ++pixel) {
          body(chunk * kChunk * count + pixel * width + i, plane + pixel, label);
        }
      }
    }
  }

  // The energies of a group. The logarithm is taken here, as torch's hangs in a forked child.
  void arrange(const Group& group, const float* scores) {
    float* own = energy_.get() + base(group);
    const float floor = problem_.floor;
    each_value(group, [&](std::int64_t to, std::int64_t from, std::int64_t label) {
      if (label >= labels_.count) {
        own[to] = kNever;
      } else {
        own[to] = floor > 0 ? -std::log(std::max(scores[from], floor)) : scores[from];
      }
    });
  }

  // Marginals of a group from the messages of the last pass. The final pass writes them out.
  void pass(bool coupled, float* marginals) {
    for_groups([&](int worker, const Group& group) {
      const std::int64_t count = pixels(group);
      float* field = workspaces_[worker].get();
      float* q = field + labels_.padded() * count;
      if (coupled) collect(group, field);
      loops().update({labels_, count, energy_.get() + base(group), coupled ? field : nullptr,
                      compatibility_, q});
      if (marginals == nullptr) return spread(group, q);
      each_value(group, [&](std::int64_t from, std::int64_t to, std::int64_t label) {
        if (label < labels_.count) marginals[to] = q[from];
      });
    });
  }

  // Sums the kernels' filtered marginals to `field`.
  void collect(const Group& group, float* field) {
    const std::int64_t count = pixels(group);
    std::fill_n(field, labels_.padded() * count, 0.0F);
    for (std::int64_t chunk = 0; chunk < labels_.chunks(); ++chunk) {
      const std::int64_t width = labels_.width(chunk);
      float* to = field + chunk * kChunk * count;
      if (narrow_) {
        const float* rows = narrow_->out.get() + chunk * kChunk * image_.pixels();
        for (std::int64_t row = group.top; row < group.bottom; ++row) {
          loops().down(narrow_->down, width, rows, image_.height, image_.width, row,
                       to + (row - group.top) * image_.width * width);
        }
      }
      for (const Wide& kernel : wide_) {
        const std::int64_t corners = kernel.lattice.dimensions + 1;
        const Strip& strip = kernel.lattice.strips[group.strip];
        loops().slice(kernel.lattice.shares.get() + group.top * image_.width * corners, corners,
                      width, kernel.out.get() + kernel.at(chunk, strip, width), to, count);
      }
    }
  }

  // Starts all filters on the marginals of a group.
  void spread(const Group& group, const float* q) {
    const std::int64_t count = pixels(group);
    for (std::int64_t chunk = 0; chunk < labels_.chunks(); ++chunk) {
      const std::int64_t width = labels_.width(chunk);
      const float* from = q + chunk * kChunk * count;
      if (narrow_) {
        float* rows = narrow_->in.get() + chunk * kChunk * image_.pixels();
        for (std::int64_t row = group.top; row < group.bottom; ++row) {
          loops().across(narrow_->across, width, from + (row - group.top) * image_.width * width,
                         image_.width, rows + row * image_.width * width);
        }
      }
      for (Wide& kernel : wide_) {
        const std::int64_t corners = kernel.lattice.dimensions + 1;
        const Strip& strip = kernel.lattice.strips[group.strip];
        float* copies = kernel.in.get() + kernel.at(chunk, strip, width);
        if (group.top == strip.top) std::fill_n(copies, strip.copies * width, 0.0F);
        loops().splat(kernel.lattice.shares.get() + group.top * image_.width * corners, corners,
                      width, from, count, copies);
      }
    }
  }

  // Filters every kernel's `in` to its `out`.
  void filter() {
    if (narrow_) std::swap(narrow_->in, narrow_->out);
    for (Wide& kernel : wide_) {
      for (std::int64_t chunk = 0; chunk < labels_.chunks(); ++chunk) filter(kernel, chunk);
    }
  }

  void filter(Wide& kernel, std::int64_t chunk) {
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
  void for_vertices(std::int64_t count, Body&& body) {
    parallel_for((count + kVerticesPerTask - 1) / kVerticesPerTask, threads_,
                 [&](int, std::int64_t task) {
                   body(task * kVerticesPerTask, std::min(count, (task + 1) * kVerticesPerTask));
                 });
  }

  const MeanField& problem_;
  Image image_;
  Labels labels_;
  const float* compatibility_;
  int threads_;
  std::vector<Strip> strips_;
  std::int64_t rows_;  // of a group
  Floats energy_;      // of one group after the other
  std::optional<Narrow> narrow_;
  std::vector<Wide> wide_;
  Floats value_;  // (vertices + 1, width) of the lattice that is being blurred
  Floats blurred_;
  std::vector<Floats> workspaces_;  // of each worker: two arrays over a group's pixels
};

std::vector<float> padded(const float* compatibility, Labels labels) {
  std::vector<float> rows;
  if (compatibility == nullptr) return rows;
  rows.resize(static_cast<std::size_t>(labels.count * labels.padded()));
  for (std::int64_t i = 0; i < labels.count; ++i) {
    std::copy_n(compatibility + i * labels.count, labels.count, &rows[i * labels.padded()]);
  }
  return rows;
}

}  // namespace

void infer(const MeanField& problem, float* marginals, int threads) {
  const std::vector<float> rows = padded(problem.compatibility, {problem.labels});
  const float* compatibility = rows.empty() ? nullptr : rows.data();
  const std::int64_t values = problem.labels * problem.height * problem.width;
  const bool together = problem.items < threads;  // all threads share one item
  parallel_for(problem.items, together ? 1 : threads, [&](int, std::int64_t i) {
    Item item(problem, compatibility, i, together ? threads : 1);
    item.infer(problem.scores + i * values, marginals + i * values);
  });
}

}  // namespace graphcut::crf
