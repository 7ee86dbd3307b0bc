// The narrow Gaussian of a image's grid as two banded matrices, one per axis.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <vector>

namespace graphcut::crf {

// Weights of the positions within `radius` of each position along an axis; 0 beyond the ends.
struct Band {
  std::int64_t radius;
  std::vector<float> weight;  // (length, 2 radius + 1)

  const float* row(std::int64_t position) const {
    return weight.data() + position * (2 * radius + 1);
  }
};

// Farther than this many deviations exp(-d^2 / 2) is below 3.4e-4 and left out.
inline constexpr double kReach = 4;

// scale * D^-1/2 G D^-1/2 with G the Gaussian along one axis and D = diag(G 1). The product of two
// such filters is the normalised filter of the plane.
inline Band gaussian_band(std::int64_t length, double sigma, double scale) {
  const auto radius = std::min(static_cast<std::int64_t>(std::ceil(kReach * sigma)), length - 1);
  const auto within = [&](std::int64_t at) { return at >= 0 && at < length; };
  const auto gaussian = [&](std::int64_t d) {
    return std::exp(-0.5 * static_cast<double>(d * d) / (sigma * sigma));
  };
  std::vector<double> root(static_cast<std::size_t>(length));
  for (std::int64_t at = 0; at < length; ++at) {
    double sum = 0;
    for (std::int64_t d = -radius; d <= radius; ++d) sum += within(at + d) ? gaussian(d) : 0;
    root[at] = 1 / std::sqrt(sum);
  }
  Band band{radius, {}};
  band.weight.reserve(static_cast<std::size_t>(length * (2 * radius + 1)));
  for (std::int64_t at = 0; at < length; ++at) {
    for (std::int64_t d = -radius; d <= radius; ++d) {
      const double weight = within(at + d) ? scale * root[at] * gaussian(d) * root[at + d] : 0;
      band.weight.push_back(static_cast<float>(weight));
    }
  }
  return band;
}

}  // namespace graphcut::crf
