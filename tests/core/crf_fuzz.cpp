// Fuzz target of the dense CRF: bytes make up an image, its kernels and energies. Lattices must be
// sound, marginals must be probabilities, the same for every number of threads, and every iteration
// must follow from the one before by the definition: plain loops in double, over all pairs of
// pixels where the kernel is narrow and over the lattice where it is wide.
#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

#include "choices.hpp"
#include "crf/field.hpp"
#include "crf/permutohedral.hpp"
#include "oracle.hpp"

namespace graphcut::test {
namespace {

using crf::Normalization;
using Plane = std::vector<double>;

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

float real(Choices& choices, float low, float high) {
  const auto unit = static_cast<float>(choices.below(1000)) / 999;
  return low + unit * (high - low);
}

// Symmetric, of either sign.
std::vector<float> matrix(Choices& choices, std::int64_t labels) {
  std::vector<float> values(static_cast<std::size_t>(labels * labels));
  for (std::int64_t a = 0; a < labels; ++a) {
    for (std::int64_t b = 0; b <= a; ++b) {
      values[a * labels + b] = values[b * labels + a] = real(choices, -1, 1);
    }
  }
  return values;
}

Scene make_scene(Choices& bytes) {
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

// Whatever the lattice says must be within it, and consistent.
void check_lattice(const crf::Lattice& lattice, const crf::Image& image,
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

// Splat, blur and slice of one plane, without weight or normalisation.
Plane through_lattice(const crf::Lattice& lattice, std::int64_t width, const Plane& in) {
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
  for (std::int64_t d = 0; d < corners; ++d) {
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
class Wide {
 public:
  explicit Wide(const crf::Potential& potential) : kernel_(potential.kernel) {
    check_lattice(crf::build_lattice(potential.image, kernel_, 1), potential.image,
                  kernel_.normalization);
    crf::Kernel plain = kernel_;
    plain.normalization = Normalization::kNone;
    lattice_ = crf::build_lattice(potential.image, plain, 1);
    width_ = potential.image.width;
    sums_ = through_lattice(lattice_, width_, Plane(potential.image.pixels(), 1.0));
  }

  Plane operator()(Plane plane) const {
    const Normalization kind = kernel_.normalization;
    const bool symmetric = kind == Normalization::kSymmetric;
    const double scale = 1 + std::ldexp(1.0, -static_cast<int>(lattice_.dimensions));
    for (std::size_t p = 0; p < plane.size(); ++p) {
      if (kind == Normalization::kBefore) plane[p] /= sums_[p];
      if (symmetric) plane[p] /= std::sqrt(sums_[p]);
    }
    plane = through_lattice(lattice_, width_, plane);
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
Plane by_definition(const crf::Potential& potential, const Plane& in) {
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
      wide_.push_back(exact ? nullptr : std::make_unique<Wide>(p));
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
      const float* own = scene_.potentials[k].compatibility;
      if (own == nullptr && !scene_.padded.empty()) own = scene_.padded.data();
      for (std::int64_t m = 0; m < scene_.labels; ++m) {
        const auto from = marginals.begin() + m * pixels;
        const Plane plane(from, from + pixels);
        const Plane message =
            wide_[k] ? (*wide_[k])(plane) : by_definition(scene_.potentials[k], plane);
        for (std::int64_t l = 0; l < scene_.labels; ++l) {
          const double potts = l == m ? -1 : 0;
          const double factor =
              own == nullptr ? potts : own[l * crf::Labels{scene_.labels}.padded() + m];
          for (std::int64_t i = 0; i < pixels; ++i) cost[l * pixels + i] += factor * message[i];
        }
      }
    }
    double largest = 0;
    for (const double c : cost) largest = std::max(largest, std::abs(c));
    return {softmax(std::move(cost)), largest};
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
  std::vector<std::unique_ptr<Wide>> wide_;  // null where the kernel is narrow
};

std::vector<float> infer(const Scene& s, std::int64_t iterations, int threads) {
  crf::Field field(s.height, s.width, s.labels, s.potentials,
                   s.padded.empty() ? nullptr : s.padded.data(), threads);
  std::vector<float> marginals(s.scores.size());
  field.infer(s.scores.data(), s.floor, nullptr, iterations, marginals.data());
  return marginals;
}

void check(Choices& choices) {
  const Scene s = make_scene(choices);
  const Definition definition(s);
  std::vector<float> before;
  for (std::int64_t turn = 0; turn <= s.iterations; ++turn) {
    const std::vector<float> found = infer(s, turn, 1);
    const auto [expected, largest] = definition.next(before);
    const double tolerance = 2e-3 + 4e-6 * largest;  // costs are sums in float
    for (std::size_t i = 0; i < found.size(); ++i) {
      require(found[i] >= 0 && found[i] <= 1 + 1e-5F, "marginals are probabilities");
      require(std::abs(found[i] - expected[i]) < tolerance, "an iteration is as defined");
    }
    // Only a potential can carry a message.
    if (!s.potentials.empty()) before = found;
  }
  if (choices.one_in(8)) {
    require(infer(s, s.iterations, 3) == infer(s, s.iterations, 1), "threads change nothing");
  }
}

}  // namespace
}  // namespace graphcut::test

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  graphcut::test::Choices choices(data, size);
  graphcut::test::check(choices);
  return 0;
}
