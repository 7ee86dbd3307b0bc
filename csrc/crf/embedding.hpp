// Where pixels lie in the permutohedral lattice.
#pragma once

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>

#include "crf/permutohedral.hpp"

namespace graphcut::crf {

// Pixels that are placed together. The loops over them have no branches, so that compilers turn
// them into vector instructions.
inline constexpr std::int32_t kBlock = 16;

template <class T>
using Row = std::array<T, kBlock>;
template <class T>
using PerCoordinate = std::array<Row<T>, kMaxDimensions + 1>;

// The simplices around the pixels of a block: coordinates of the remainder-0 vertex, the order of
// the remaining offsets, which tells the other vertices, and the pixels' barycentric weights.
struct Simplices {
  PerCoordinate<std::int32_t> corner;
  PerCoordinate<std::int32_t> rank;
  PerCoordinate<float> weight;
  Row<std::int32_t> differs;  // from the pixel before in the block; not 0 for the first
  Row<std::uint32_t> hash;
};

// Places an image's pixels in the lattice. kDimensions is their number, or 0 where it is known at
// run time only; kPositions of them are the pixels' positions.
template <int kDimensions, int kPositions>
class Embedding {
 public:
  Embedding(const Image& image, const Kernel& kernel, std::int64_t dimensions)
      : image_(image), dimensions_(static_cast<std::int32_t>(dimensions)) {
    // A blur step of [1/2 1 1/2] along d + 1 directions has the variance of a Gaussian of this
    // width in lattice steps; the division makes the columns of the elevation orthonormal.
    const double width = std::sqrt(2.0 / 3.0) * static_cast<double>(dimensions + 1);
    for (std::int32_t i = 0; i < d(); ++i) {
      const double sigma = i < kPositions ? kernel.xy : kernel.value;
      scale_[i] = static_cast<float>(width / sigma / std::sqrt((i + 1) * (i + 2)));
    }
  }

  std::int32_t d() const { return kDimensions > 0 ? kDimensions : dimensions_; }

  // Pixels [first, first + count), count at most kBlock; those beyond are copies of the last.
  void locate(std::int64_t first, std::int32_t count, Simplices& simplices) const {
    PerCoordinate<float> feature;
    read_features(first, count, feature);
    PerCoordinate<float> elevated;
    Row<float> above{};
    for (std::int32_t i = d(); i > 0; --i) {
      for (std::int32_t p = 0; p < kBlock; ++p) {
        const float scaled = feature[i - 1][p] * scale_[i - 1];
        elevated[i][p] = above[p] - static_cast<float>(i) * scaled;
        above[p] += scaled;
      }
    }
    elevated[0] = above;
    round_to_corners(elevated, simplices);
    weigh(elevated, simplices);
    compare(simplices);
  }

  // Vertex `remainder` of a pixel's simplex; its last coordinate follows from the others.
  void key(const Simplices& simplices, std::int32_t p, std::int32_t remainder,
           std::int32_t* key) const {
    for (std::int32_t i = 0; i < d(); ++i) {
      const bool before = simplices.rank[i][p] <= d() - remainder;
      key[i] = simplices.corner[i][p] + (before ? remainder : remainder - d() - 1);
    }
  }

 private:
  float inverse() const { return 1 / static_cast<float>(d() + 1); }

  void read_features(std::int64_t first, std::int32_t count, PerCoordinate<float>& feature) const {
    if constexpr (kPositions == 2) {
      std::int64_t row = first / image_.width;
      std::int64_t column = first % image_.width;
      for (std::int32_t p = 0; p < kBlock; ++p) {
        feature[0][p] = static_cast<float>(column);
        feature[1][p] = static_cast<float>(row);
        if (p + 1 < count && ++column == image_.width) {
          column = 0;
          ++row;
        }
      }
    }
    const float* value = image_.channel + first;
    for (std::int32_t i = kPositions; i < d(); ++i, value += image_.pixels()) {
      std::copy_n(value, count, feature[i].begin());
      std::fill(feature[i].begin() + count, feature[i].end(), value[count - 1]);
    }
  }

  // The nearest points whose coordinates are multiples of d + 1 and sum to 0.
  void round_to_corners(const PerCoordinate<float>& elevated, Simplices& simplices) const {
    constexpr float kShift = 12582912.0F;  // 1.5 * 2 ** 23: adding it rounds to a whole number
    auto& [corner, rank, weight, differs, hash] = simplices;
    PerCoordinate<float> offset;
    Row<std::int32_t> excess{};
    for (std::int32_t i = 0; i <= d(); ++i) {
      for (std::int32_t p = 0; p < kBlock; ++p) {
        const auto multiple =
            static_cast<std::int32_t>((elevated[i][p] * inverse() + kShift) - kShift);
        corner[i][p] = multiple * (d() + 1);
        offset[i][p] = elevated[i][p] - static_cast<float>(corner[i][p]);
        excess[p] += multiple;
      }
    }
    for (std::int32_t i = 0; i <= d(); ++i) rank[i] = excess;
    for (std::int32_t i = 0; i < d(); ++i) {
      for (std::int32_t j = i + 1; j <= d(); ++j) {
        for (std::int32_t p = 0; p < kBlock; ++p) {
          const std::int32_t less = offset[i][p] < offset[j][p] ? 1 : 0;
          rank[i][p] += less;
          rank[j][p] += 1 - less;
        }
      }
    }
    for (std::int32_t i = 0; i <= d(); ++i) {  // the coordinates rounded farthest take the excess
      for (std::int32_t p = 0; p < kBlock; ++p) {
        const std::int32_t turn = (rank[i][p] < 0 ? d() + 1 : 0) - (rank[i][p] > d() ? d() + 1 : 0);
        rank[i][p] += turn;
        corner[i][p] += turn;
      }
    }
  }

  // Barycentric weights are the steps between the offsets in their order.
  void weigh(const PerCoordinate<float>& elevated, Simplices& simplices) const {
    PerCoordinate<float> offset;
    for (std::int32_t i = 0; i <= d(); ++i) {
      Row<float> own;
      for (std::int32_t p = 0; p < kBlock; ++p) {
        own[p] = (elevated[i][p] - static_cast<float>(simplices.corner[i][p])) * inverse();
      }
      for (std::int32_t p = 0; p < kBlock; ++p) offset[simplices.rank[i][p]][p] = own[p];
    }
    for (std::int32_t p = 0; p < kBlock; ++p) {
      simplices.weight[0][p] = offset[d()][p] + (1 - offset[0][p]);
    }
    for (std::int32_t i = 1; i <= d(); ++i) {
      for (std::int32_t p = 0; p < kBlock; ++p) {
        simplices.weight[i][p] = offset[d() - i][p] - offset[d() + 1 - i][p];
      }
    }
  }

  void compare(Simplices& simplices) const {
    auto& [corner, rank, weight, differs, hash] = simplices;
    differs.fill(0);
    hash.fill(0);
    for (std::int32_t i = 0; i <= d(); ++i) {
      for (std::int32_t p = 1; p < kBlock; ++p) {
        differs[p] |= (corner[i][p] ^ corner[i][p - 1]) | (rank[i][p] ^ rank[i][p - 1]);
      }
    }
    differs[0] = 1;
    std::uint32_t factor = 0x9E3779B9U;
    for (std::int32_t i = 0; i <= d(); ++i, factor *= 0x85EBCA6BU) {
      for (std::int32_t p = 0; p < kBlock; ++p) {
        hash[p] += static_cast<std::uint32_t>(corner[i][p] + rank[i][p]) * factor;
      }
    }
  }

  Image image_;
  std::int32_t dimensions_;
  std::array<float, kMaxDimensions> scale_{};
};

}  // namespace graphcut::crf
