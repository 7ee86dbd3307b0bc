// Small fully connected CRFs of every kind, made up of bytes.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "choices.hpp"
#include "crf/field.hpp"
#include "crf/permutohedral.hpp"

namespace graphcut::test {

using crf::Normalization;

constexpr float kNarrow = 1.5F;  // deviations of kernels that are applied exactly
constexpr std::int64_t kSide = 12, kLong = 9000;

struct Scene {
  std::int64_t height, width, labels, iterations;
  float floor;
  std::vector<float> image, scores, compatibility, padded;
  std::vector<crf::Potential> potentials;
  std::vector<std::vector<float>> own;  // compatibilities of single potentials

  std::int64_t pixels() const { return height * width; }
};

inline float real(Choices& choices, float low, float high) {
  const auto unit = static_cast<float>(choices.below(1000)) / 999;
  return low + unit * (high - low);
}

// Symmetric, of either sign.
inline std::vector<float> matrix(Choices& choices, std::int64_t labels) {
  std::vector<float> values(static_cast<std::size_t>(labels * labels));
  for (std::int64_t a = 0; a < labels; ++a) {
    for (std::int64_t b = 0; b <= a; ++b) {
      values[a * labels + b] = values[b * labels + a] = real(choices, -1, 1);
    }
  }
  return values;
}

inline Scene make_scene(Choices& bytes) {
  Scene s;
  const bool strips = bytes.one_in(64);  // images of many pixels are divided
  s.height = bytes.between(1, kSide);
  s.width = bytes.between(1, kSide);
  if (strips) (bytes.one_in(2) ? s.height : s.width) = kLong;
  s.labels = bytes.one_in(8) ? bytes.between(30, 70) : bytes.between(1, 5);
  if (strips) s.labels = std::min<std::int64_t>(s.labels, 2);
  s.iterations = bytes.between(0, strips ? 1 : 3);
  s.floor = bytes.one_in(3) ? 1e-6F : 0.0F;
  Choices drawn(bytes.below(1 << 16));  // what the bytes do not suffice for
  Choices& choices = bytes.one_in(2) ? bytes : drawn;
  const std::int64_t channels = bytes.between(0, 6);
  const float range = bytes.of({0.0F, 1.0F, 255.0F, 1e4F});
  for (std::int64_t i = 0; i < channels * s.pixels(); ++i) {
    s.image.push_back(real(choices, -range, range));
  }
  const float largest = bytes.of({0.0F, 1.0F, 30.0F, 1e6F});
  for (std::int64_t i = 0; i < s.labels * s.pixels(); ++i) {
    s.scores.push_back(s.floor > 0 ? real(choices, 0, 1) : real(choices, -largest, largest));
  }
  if (bytes.one_in(3)) s.compatibility = matrix(choices, s.labels);
  s.padded = crf::padded(s.compatibility.empty() ? nullptr : s.compatibility.data(), {s.labels});
  const std::int64_t count = bytes.between(0, 3);
  for (std::int64_t k = 0; k < count; ++k) {
    crf::Potential p{{nullptr, 0, s.height, s.width}, {real(bytes, 0.1F, 20), 1, 1}, nullptr};
    if (bytes.one_in(3)) p.kernel.xy = real(bytes, 0.1F, kNarrow);
    if (channels > 0 && bytes.one_in(2)) {
      p.image = {s.image.data(), channels, s.height, s.width};
      if (bytes.one_in(3)) p.kernel.xy = 0;
      // Features lie within 10^5 deviations of each other.
      p.kernel.value = std::max(range, 1.0F) * real(bytes, 1e-3F, 3);
    }
    p.kernel.weight = real(bytes, 0.01F, 10);
    p.kernel.normalization = bytes.of({Normalization::kNone, Normalization::kBefore,
                                       Normalization::kAfter, Normalization::kSymmetric});
    const bool narrow = p.image.channels == 0 && p.kernel.xy < kNarrow;
    if (narrow) p.kernel.normalization = Normalization::kSymmetric;
    // A matrix is that of all kernels or of single ones: nothing asks for both.
    s.own.push_back(!narrow && s.padded.empty() && bytes.one_in(3) ? matrix(choices, s.labels)
                                                                   : std::vector<float>{});
    s.potentials.push_back(p);
  }
  for (std::int64_t k = 0; k < count; ++k) {
    auto& own = s.own[static_cast<std::size_t>(k)];
    if (own.empty()) continue;
    own = crf::padded(own.data(), {s.labels});
    s.potentials[static_cast<std::size_t>(k)].compatibility = own.data();
  }
  return s;
}

}  // namespace graphcut::test
