// High-dimensional Gaussian filtering of an image on the permutohedral lattice.
//
// Adams, Baek, Davis, "Fast high-dimensional filtering using the permutohedral lattice",
// Eurographics 2010. Each pixel's position in feature space lies in one simplex of the lattice; its
// value is spread over the simplex's d + 1 vertices by barycentric weights (splat), the vertices
// are blurred with [1/2 1 1/2] along each of the d + 1 directions, and pixels read their values
// back with the same weights (slice).
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

namespace graphcut::crf {

// How a kernel matrix K with row sums D is normalised.
enum class Normalization : std::uint8_t {
  kNone,       // K
  kBefore,     // K D^-1
  kAfter,      // D^-1 K
  kSymmetric,  // D^-1/2 K D^-1/2
};

// exp(-d_xy^2 / (2 xy^2) - d_values^2 / (2 value^2)); without channels the first factor alone.
struct Kernel {
  float xy;      // standard deviation in pixels; 0: positions take no part
  float value;   // standard deviation in the image's units
  float weight;  // not negative
  Normalization normalization = Normalization::kSymmetric;
};

// Points that lie nowhere are an image of one column; their features are its channels.

struct Image {
  const float* channel;  // (channels, height, width), finite
  std::int64_t channels;
  std::int64_t height;
  std::int64_t width;

  std::int64_t pixels() const { return height * width; }
};

inline constexpr std::int64_t kMaxDimensions = 16;

// How pixels share in the vertices of their simplices.
struct Shares {
  const std::int32_t* corner;   // (simplices, corners): copies, counted from the strip's first
  const std::int32_t* simplex;  // (pixels,)
  const float* weight;          // (pixels, corners)
};

// Some rows of the image, with copies of the vertices that they use. Threads take whole strips.
// Their number depends on the image alone, so that the order of sums does not depend on the
// threads.
struct Strip {
  std::int64_t top;
  std::int64_t bottom;
  std::int64_t first_copy;
  std::int64_t copies;
};

std::vector<Strip> divide(std::int64_t height, std::int64_t width);

// The filter K, normalised as the kernel says, K being the lattice's approximation. Pixels are
// splatted to copies of the vertices, which are summed times `unit` and the kernel's weight,
// blurred, and sliced. The shares contain a symmetric normalisation.
struct Lattice {
  std::int64_t dimensions;
  std::int64_t vertices;
  float unit;
  std::unique_ptr<float[]> weight;          // (pixels, dimensions + 1)
  std::unique_ptr<std::int32_t[]> simplex;  // (pixels,): of those of its strip
  std::vector<Strip> strips;                // those of divide()
  // Of each strip, (simplices, dimensions + 1): copies of vertices, counted from the strip's first.
  std::vector<std::vector<std::int32_t>> corner;
  std::vector<std::int32_t> vertex;  // (copies,)
  std::vector<std::int32_t> first;   // (vertices + 1,): where the copies of a vertex begin in
  std::vector<std::int32_t> copy;    // (copies,), grouped by vertex, ascending
  // (dimensions + 1, vertices): the vertex one step along a direction; `vertices` where none is.
  std::vector<std::int32_t> forward;
  std::vector<std::int32_t> backward;
  std::vector<float> before;  // factors (pixels,) of what is splatted; empty: 1
  std::vector<float> after;   // and of what is sliced

  std::int64_t copies() const { return static_cast<std::int64_t>(vertex.size()); }
  // From a pixel of a strip on.
  Shares shares(std::int64_t strip, std::int64_t pixel) const {
    return {corner[strip].data(), simplex.get() + pixel, weight.get() + pixel * (dimensions + 1)};
  }
};

// The result does not depend on `threads`. One dimension at least: channels or positions.
// Requires image.pixels() * (dimensions + 1) < 2^31 and features within 10^5 of each other.
Lattice build_lattice(const Image& image, const Kernel& kernel, int threads);

}  // namespace graphcut::crf
