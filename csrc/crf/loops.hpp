// The inner loops of mean field, for the instruction set of this machine.
//
// Labels are kept in chunks of at most kChunk; the values of a pixel or vertex in a chunk stand
// together, padded to kFew or a multiple of kVector: `width` floats. An array over n pixels is
// (chunks, n, width), every chunk but the last kChunk wide.
#pragma once

#include <cstdint>

#include "crf/bands.hpp"
#include "crf/permutohedral.hpp"

namespace graphcut::crf {

inline constexpr std::int64_t kVector = 8;
inline constexpr std::int64_t kChunk = 4 * kVector;
inline constexpr std::int64_t kFew = 4;

// Energy of the labels that are padding: their marginals are 9e-27 at most.
inline constexpr float kNever = 1e30F;

struct Labels {
  std::int64_t count;

  std::int64_t padded() const {
    return count <= kFew ? kFew : (count + kVector - 1) / kVector * kVector;
  }
  std::int64_t chunks() const { return (padded() + kChunk - 1) / kChunk; }
  std::int64_t width(std::int64_t chunk) const {
    return chunk + 1 < chunks() ? kChunk : padded() - chunk * kChunk;
  }
};

// q = softmax(-energy - message) with message = -field (Potts) or compatibility field.
struct Update {
  Labels labels;
  std::int64_t pixels;
  const float* energy;         // (chunks, pixels, width), as the others
  const float* field;          // nullptr: no message
  const float* compatibility;  // (labels, padded labels), symmetric; nullptr: Potts
  float* q;
};

struct Loops {
  // Adds the pixels' values (pixels, width) to the copies of the vertices they share in.
  void (*splat)(const Shares&, std::int64_t corners, std::int64_t width, const float* pixel,
                std::int64_t pixels, float* copy);
  // Adds the copies' values to the pixels'.
  void (*slice)(const Shares&, std::int64_t corners, std::int64_t width, const float* copy,
                float* pixel, std::int64_t pixels);
  // value[vertex] = weight * the sum of its copies, for vertices [begin, end).
  void (*join)(const Lattice&, float weight, std::int64_t width, const float* copy, float* value,
               std::int64_t begin, std::int64_t end);
  // Along one direction. value[lattice.vertices] must be 0.
  void (*blur)(const Lattice&, std::int64_t direction, std::int64_t width, const float* value,
               float* blurred, std::int64_t begin, std::int64_t end);
  // Writes the vertices' values to copies [begin, end).
  void (*part)(const Lattice&, std::int64_t width, const float* value, float* copy,
               std::int64_t begin, std::int64_t end);
  // One row of `length` pixels, filtered along it.
  void (*across)(const Band&, std::int64_t width, const float* row, std::int64_t length,
                 float* filtered);
  // Adds row `at` of (height, length) pixels, filtered over the rows, to `filtered`.
  void (*down)(const Band&, std::int64_t width, const float* rows, std::int64_t height,
               std::int64_t length, std::int64_t at, float* filtered);
  void (*update)(const Update&);
  // Subtracts compatibility field from q; the energy is not read.
  void (*mix)(const Update&);
  // Of a softmax: turns the gradient in its result q to that in its logits, and adds it to `total`.
  void (*respond)(Labels, std::int64_t pixels, const float* q, float* gradient, float* total);
  // Adds the sums over pixels of a[label] q[label] to `sums` (padded labels), and of
  // a[label] q[other] to `sums` (labels, padded labels).
  void (*inner)(Labels, std::int64_t pixels, const float* a, const float* q, float* sums);
  void (*outer)(Labels, std::int64_t pixels, const float* a, const float* q, float* sums);
};

extern const Loops kLoopsBase;
extern const Loops kLoopsAvx2;  // where the compiler and the machine have it

const Loops& loops();

}  // namespace graphcut::crf
