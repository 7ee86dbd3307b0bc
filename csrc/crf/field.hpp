// Mean field in one fully connected CRF, whose lattices are built once.
#pragma once

#include <algorithm>
#include <cstdint>
#include <memory>
#include <new>
#include <optional>
#include <vector>

#include "crf/bands.hpp"
#include "crf/loops.hpp"
#include "crf/permutohedral.hpp"
#include "parallel/parallel_for.hpp"

namespace graphcut::crf {

// A kernel of features or positions, and what it costs that labels meet.
struct Potential {
  Image image;
  Kernel kernel;
  const float* compatibility = nullptr;  // (labels, padded labels); nullptr: Potts
};

// `compatibility` (labels, labels) with its rows padded by 0; empty for nullptr.
std::vector<float> padded(const float* compatibility, Labels labels);

// Aligned to cache lines, so that no vector lies on two of them.
inline constexpr std::align_val_t kLine{64};
struct Delete {
  void operator()(float* array) const { ::operator delete[](array, kLine); }
};
using Floats = std::unique_ptr<float[], Delete>;
Floats floats(std::int64_t count);

// What a loss says of the marginals that a field infers, and what follows for the field.
struct Gradient {
  const float* marginals;  // (labels, height, width): the loss's gradient
  float* scores;           // the same for the scores
  // (potentials, labels, labels), or nullptr where it is not wanted. The sums over all iterations
  // and pixels of (K' s)[label] q[other], with q the marginals that the iteration began with, s the
  // gradient in the logits that it computed, and K' the transposed kernel of weight 1. Without a
  // compatibility only the diagonal is computed, and the rest is 0. The gradient in a potential's
  // weight is the trace for Potts, and otherwise that in weight * compatibility is -pairs.
  double* pairs = nullptr;
};

// A pass goes over all pixels once: it computes the marginals from the messages of the last pass,
// and starts the filters on them.
class Field {
 public:
  // All potentials have images of this size. `compatibility` (labels, padded labels), where it is
  // given, is that of all Potts potentials. The matrices must outlive the field.
  Field(std::int64_t height, std::int64_t width, std::int64_t labels,
        const std::vector<Potential>& potentials, const float* compatibility, int threads);

  // Arrays are (labels, height, width). floor > 0: scores are probabilities p, whose energies are
  // -log(max(p, floor)); otherwise they are energies. The first message is of `start`, or of the
  // marginals without messages where it is nullptr.
  void infer(const float* scores, float floor, const float* start, std::int64_t iterations,
             float* marginals);

  // The same once more, and the derivatives. Takes memory for iterations + 1 marginals.
  void differentiate(const float* scores, float floor, std::int64_t iterations,
                     const Gradient& gradient);

  // The sum over the potentials of compatibility K q; that of Potts counts as -1 on its diagonal.
  // `transposed` is of each K.
  void message(const float* q, bool transposed, float* sums);

 private:
  // A wide kernel, and its values (chunks, copies, width) before and after filtering.
  struct Wide {
    std::int64_t index;  // of the potential
    Lattice lattice;
    float weight;
    const float* compatibility;
    Floats in;
    Floats out;

    // Whether its messages are summed apart from the others'.
    bool apart() const {
      return compatibility != nullptr || !lattice.before.empty() || !lattice.after.empty();
    }
    std::int64_t at(std::int64_t chunk, const Strip& strip, std::int64_t width) const {
      return chunk * kChunk * lattice.copies() + strip.first_copy * width;
    }
  };

  // A narrow kernel, and planes (chunks, pixels, width) that are already filtered along the rows:
  // those that this pass writes, and those of the last pass, which it reads.
  struct Narrow {
    std::int64_t index;
    float xy;
    float weight;
    Band across;
    Band down;  // times the weight
    Floats in;
    Floats out;
  };

  // Rows that are computed together, so that their values stay in the cache. Arrays over their
  // pixels are (chunks, pixels, width), see loops.hpp.
  struct Group {
    std::int64_t strip;
    std::int64_t top;
    std::int64_t bottom;
  };

  // A worker's arrays over a group's pixels.
  struct Workspace {
    Floats field;
    Floats q;
    Floats scaled;
  };

  // (vertices + 1, width) of a lattice that is being blurred, and the result of a step.
  struct Blur {
    Floats value;
    Floats blurred;
  };

  // What the derivatives need besides.
  struct Adjoint {
    const Gradient& gradient;
    const float* scores;
    float floor;
    std::vector<Floats> iterates;          // as energy_
    std::optional<Band> down;              // of the narrow kernel, for the weight 1
    std::vector<double> pairs;             // (strips, potentials, labels, padded labels)
    std::vector<std::vector<float>> sums;  // (labels, padded labels) of each worker
  };

  std::int64_t values() const { return labels_.padded() * pixels_; }
  std::int64_t pixels(const Group& group) const { return (group.bottom - group.top) * width_; }
  // Where a group's values begin in energy_.
  std::int64_t base(const Group& group) const { return labels_.padded() * group.top * width_; }

  void add(const Potential& potential);
  template <class Body>
  void for_groups(Body&& body);
  template <class Body>
  void each_value(const Group& group, Body&& body) const;
  template <class Body>
  void each_pixel(const Group& group, Body&& body) const;
  void read(const Group& group, const float* values, float* own) const;
  void arrange(const Group& group, const float* scores, float floor);
  void pass(bool coupled, float* marginals, float* iterate = nullptr);
  void scatter(const float* q);
  void collect(const Group& group, Workspace& space);
  void collect_narrow(const Group& group, const Narrow& kernel, const Band& down,
                      std::int64_t chunk, float* to) const;
  void collect_wide(const Group& group, const Wide& kernel, float* own) const;
  void add(const Group& group, float weight, const float* compatibility, Workspace& space) const;
  void slice(const Group& group, const Wide& kernel, std::int64_t chunk, float* to) const;
  void spread(const Group& group, const float* q, Workspace& space);
  void filter(bool transposed = false, bool unit = false);
  void filter(Wide& kernel, std::int64_t chunk, bool transposed, float weight, Blur& blur,
              int threads);
  template <class Body>
  void for_vertices(std::int64_t count, int threads, Body&& body);
  void turn();
  void step_back(const Group& group, std::int64_t iteration, Adjoint& adjoint, int worker);
  void collect_pairs(const Group& group, const float* q, Adjoint& adjoint, int worker);
  void pair(const Group& group, std::int64_t potential, bool whole, const float* q,
            Adjoint& adjoint, int worker);
  void sum_pairs(const Adjoint& adjoint) const;

  std::int64_t height_;
  std::int64_t width_;
  std::int64_t pixels_;
  Labels labels_;
  const float* compatibility_;
  int threads_;
  std::vector<Strip> strips_;
  std::int64_t rows_;  // of a group
  Floats energy_;      // of one group after the other
  std::int64_t potentials_ = 0;
  std::optional<Narrow> narrow_;
  std::vector<Wide> wide_;
  // Kernels' chunks of labels are filtered side by side where there are enough for all threads;
  // otherwise one after the other, by all threads together.
  bool apart_ = false;
  std::vector<Blur> blurs_;            // of each worker where they are filtered apart, else one
  std::vector<Workspace> workspaces_;  // of each worker
};

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

}  // namespace graphcut::crf
