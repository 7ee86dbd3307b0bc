// Mean field and its derivatives by their definition: plain loops in double, over all pairs of
// pixels where the kernel is narrow and over the lattice, which is checked, where it is wide.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

#include "crf/field.hpp"
#include "crf/permutohedral.hpp"
#include "crf_scenes.hpp"
#include "oracle.hpp"

namespace graphcut::test {

using Plane = std::vector<double>;

// Whatever the lattice says must be within it, and consistent.
inline void check_lattice(const crf::Lattice& lattice, const crf::Image& image,
                          Normalization normalization) {
  const std::int64_t corners = lattice.dimensions + 1;
  std::int64_t pixel = 0, copies = 0;
  for (std::size_t index = 0; index < lattice.strips.size(); ++index) {
    const crf::Strip& strip = lattice.strips[index];
    const std::vector<std::int32_t>& corner = lattice.corner[index];
    require(strip.top * image.width == pixel && strip.first_copy == copies, "strips join");
    copies += strip.copies;
    require(std::all_of(corner.begin(), corner.end(),
                        [&](std::int32_t at) { return at >= 0 && at < strip.copies; }),
            "simplices have copies that are there");
    for (; pixel < strip.bottom * image.width; ++pixel) {
      const std::int64_t simplex = lattice.simplex[static_cast<std::size_t>(pixel)];
      require(simplex >= 0 && (simplex + 1) * corners <= static_cast<std::int64_t>(corner.size()),
              "pixels lie in simplices that are there");
      double sum = 0;
      for (std::int64_t i = 0; i < corners; ++i) {
        const float weight = lattice.weight[static_cast<std::size_t>(pixel * corners + i)];
        require(weight > -1e-2 && std::isfinite(weight), "weights are barycentric");
        sum += weight;
      }
      const bool plain = normalization != Normalization::kSymmetric;
      require(!plain || std::abs(sum - 1) < 1e-4, "a pixel is shared out as a whole");
    }
  }
  require(pixel == image.pixels() && copies == lattice.copies(), "strips cover the image");
  std::vector<int> seen(static_cast<std::size_t>(copies));
  for (std::int32_t v = 0; v < lattice.vertices; ++v) {
    for (std::int32_t k = lattice.first[v]; k < lattice.first[v + 1]; ++k) {
      require(lattice.vertex[lattice.copy[k]] == v, "copies are grouped by vertex");
      ++seen[lattice.copy[k]];
    }
    for (std::int64_t d = 0; d < corners; ++d) {
      const std::int32_t next = lattice.forward[d * lattice.vertices + v];
      const std::int32_t last = lattice.backward[d * lattice.vertices + v];
      require(next == lattice.vertices || lattice.backward[d * lattice.vertices + next] == v,
              "there and back again");
      require(last == lattice.vertices || lattice.forward[d * lattice.vertices + last] == v,
              "back and there again");
    }
  }
  require(std::all_of(seen.begin(), seen.end(), [](int n) { return n == 1; }), "each copy once");
}

// Splat, blur and slice of one plane, without weight or normalisation. The blurs along the
// directions do not commute where vertices are missing: the transpose has them in reverse.
inline Plane through_lattice(const crf::Lattice& lattice, std::int64_t width, const Plane& in,
                             bool transposed) {
  const std::int64_t corners = lattice.dimensions + 1;
  const auto size = static_cast<std::size_t>(lattice.vertices) + 1;
  Plane value(size), out(in.size());
  const auto each_share = [&](auto&& act) {
    for (std::size_t index = 0; index < lattice.strips.size(); ++index) {
      const crf::Strip& strip = lattice.strips[index];
      for (std::int64_t p = strip.top * width; p < strip.bottom * width; ++p) {
        const crf::Shares shares = lattice.shares(static_cast<std::int64_t>(index), p);
        for (std::int64_t i = 0; i < corners; ++i) {
          act(static_cast<std::size_t>(p),
              lattice.vertex[strip.first_copy + shares.corner[*shares.simplex * corners + i]],
              static_cast<double>(shares.weight[i]));
        }
      }
    }
  };
  each_share([&](std::size_t p, std::int32_t v, double weight) { value[v] += weight * in[p]; });
  for (std::int64_t turn = 0; turn < corners; ++turn) {
    const std::int64_t d = transposed ? corners - 1 - turn : turn;
    Plane blurred(size);
    for (std::int64_t v = 0; v < lattice.vertices; ++v) {
      const std::int64_t at = d * lattice.vertices + v;
      blurred[v] = value[v] + 0.5 * (value[lattice.forward[at]] + value[lattice.backward[at]]);
    }
    value.swap(blurred);
  }
  each_share([&](std::size_t p, std::int32_t v, double weight) { out[p] += weight * value[v]; });
  return out;
}

// The filter of a wide kernel, from the lattice without a normalisation.
class WideFilter {
 public:
  explicit WideFilter(const crf::Potential& potential) : kernel_(potential.kernel) {
    check_lattice(crf::build_lattice(potential.image, kernel_, 1), potential.image,
                  kernel_.normalization);
    crf::Kernel plain = kernel_;
    plain.normalization = Normalization::kNone;
    lattice_ = crf::build_lattice(potential.image, plain, 1);
    width_ = potential.image.width;
    sums_ = through_lattice(lattice_, width_, Plane(potential.image.pixels(), 1.0), false);
  }

  Plane operator()(Plane plane, bool transposed) const {
    Normalization kind = kernel_.normalization;
    if (transposed && kind == Normalization::kBefore) {
      kind = Normalization::kAfter;
    } else if (transposed && kind == Normalization::kAfter) {
      kind = Normalization::kBefore;
    }
    const bool symmetric = kind == Normalization::kSymmetric;
    const double scale = 1 + std::ldexp(1.0, -static_cast<int>(lattice_.dimensions));
    for (std::size_t p = 0; p < plane.size(); ++p) {
      if (kind == Normalization::kBefore) plane[p] /= sums_[p];
      if (symmetric) plane[p] /= std::sqrt(sums_[p]);
    }
    plane = through_lattice(lattice_, width_, plane, transposed);
    for (std::size_t p = 0; p < plane.size(); ++p) {
      plane[p] *= kernel_.weight;
      if (kind == Normalization::kNone) plane[p] /= scale;
      if (kind == Normalization::kAfter) plane[p] /= sums_[p];
      if (symmetric) plane[p] /= std::sqrt(sums_[p]);
    }
    return plane;
  }

 private:
  crf::Kernel kernel_;
  crf::Lattice lattice_;
  std::int64_t width_;
  Plane sums_;  // of the rows of K
};

// D^-1/2 K D^-1/2 over all pairs of pixels, but for those more than six deviations apart.
inline Plane by_definition(const crf::Potential& potential, const Plane& in) {
  const std::int64_t height = potential.image.height, width = potential.image.width;
  const double sigma = potential.kernel.xy;
  const auto reach = static_cast<std::int64_t>(std::ceil(6 * sigma));
  const auto each_pair = [&](auto&& act) {
    for (std::int64_t i = 0; i < height * width; ++i) {
      const std::int64_t y = i / width, x = i % width;
      for (std::int64_t v = std::max<std::int64_t>(0, y - reach);
           v <= std::min(height - 1, y + reach); ++v) {
        for (std::int64_t u = std::max<std::int64_t>(0, x - reach);
             u <= std::min(width - 1, x + reach); ++u) {
          const auto squared = static_cast<double>((y - v) * (y - v) + (x - u) * (x - u));
          act(i, v * width + u, std::exp(-0.5 * squared / (sigma * sigma)));
        }
      }
    }
  };
  Plane sum(in.size()), out(in.size());
  each_pair([&](std::int64_t i, std::int64_t, double kernel) { sum[i] += kernel; });
  each_pair([&](std::int64_t i, std::int64_t j, double kernel) {
    out[i] += potential.kernel.weight * kernel / std::sqrt(sum[i] * sum[j]) * in[j];
  });
  return out;
}

class Definition {
 public:
  explicit Definition(const Scene& scene) : scene_(scene) {
    for (const crf::Potential& p : scene.potentials) {
      const bool narrow = p.image.channels == 0 && p.kernel.xy < kNarrow;
      const bool exact = narrow && std::count(wide_.begin(), wide_.end(), nullptr) == 0;
      wide_.push_back(exact ? nullptr : std::make_unique<WideFilter>(p));
    }
  }

  // The marginals after those given, without a message where there are none, and the largest cost.
  std::pair<std::vector<double>, double> next(const std::vector<float>& marginals) const {
    const std::int64_t pixels = scene_.pixels();
    std::vector<double> cost(scene_.scores.begin(), scene_.scores.end());
    if (scene_.floor > 0) {
      for (double& c : cost) c = -std::log(std::max(c, static_cast<double>(scene_.floor)));
    }
    for (std::size_t k = 0; k < scene_.potentials.size() && !marginals.empty(); ++k) {
      for (std::int64_t m = 0; m < scene_.labels; ++m) {
        const auto from = marginals.begin() + m * pixels;
        const Plane plane(from, from + pixels);
        const Plane message = filtered(k, plane, false);
        for (std::int64_t l = 0; l < scene_.labels; ++l) {
          const double factor = compatibility(k, l, m);
          for (std::int64_t i = 0; i < pixels; ++i) cost[l * pixels + i] += factor * message[i];
        }
      }
    }
    double largest = 0;
    for (const double c : cost) largest = std::max(largest, std::abs(c));
    return {softmax(std::move(cost)), largest};
  }

  // K of a potential, with its weight and normalisation, times a plane.
  Plane filtered(std::size_t k, const Plane& plane, bool transposed) const {
    if (wide_[k] != nullptr) return (*wide_[k])(plane, transposed);
    return by_definition(scene_.potentials[k], plane);  // symmetric
  }
  // What it costs that label l meets m, by a potential.
  double compatibility(std::size_t k, std::int64_t l, std::int64_t m) const {
    const float* own = scene_.potentials[k].compatibility;
    if (own == nullptr && !scene_.padded.empty()) own = scene_.padded.data();
    if (own == nullptr) return l == m ? -1 : 0;
    return own[l * crf::Labels{scene_.labels}.padded() + m];
  }

 private:
  std::vector<double> softmax(std::vector<double> cost) const {
    const std::int64_t pixels = scene_.pixels();
    for (std::int64_t i = 0; i < pixels; ++i) {
      double least = cost[i], total = 0;
      for (std::int64_t l = 0; l < scene_.labels; ++l)
        least = std::min(least, cost[l * pixels + i]);
      for (std::int64_t l = 0; l < scene_.labels; ++l) {
        total += cost[l * pixels + i] = std::exp(least - cost[l * pixels + i]);
      }
      for (std::int64_t l = 0; l < scene_.labels; ++l) cost[l * pixels + i] /= total;
    }
    return cost;
  }

  const Scene& scene_;
  std::vector<std::unique_ptr<WideFilter>> wide_;  // null where the kernel is narrow
};

}  // namespace graphcut::test
