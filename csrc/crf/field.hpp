// Mean field in one fully connected CRF, whose lattices are built once.
#pragma once

#include <cstdint>
#include <memory>
#include <new>
#include <optional>
#include <vector>

#include "crf/bands.hpp"
#include "crf/loops.hpp"
#include "crf/permutohedral.hpp"

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

  // The sum over the potentials of compatibility K q; that of Potts counts as -1 on its diagonal.
  // `transposed` is of each K.
  void message(const float* q, bool transposed, float* sums);

 private:
  // A wide kernel, and its values (chunks, copies, width) before and after filtering.
  struct Wide {
    Lattice lattice;
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
    Band across;
    Band down;
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
  void pass(bool coupled, float* marginals);
  void scatter(const float* q);
  void collect(const Group& group, Workspace& space);
  void collect_apart(const Group& group, const Wide& kernel, Workspace& space) const;
  void slice(const Group& group, const Wide& kernel, std::int64_t chunk, float* to) const;
  void spread(const Group& group, const float* q, Workspace& space);
  void filter();
  void filter(Wide& kernel, std::int64_t chunk);
  template <class Body>
  void for_vertices(std::int64_t count, Body&& body);

  std::int64_t height_;
  std::int64_t width_;
  std::int64_t pixels_;
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
  std::vector<Workspace> workspaces_;  // of each worker
};

}  // namespace graphcut::crf
