// Fuzz target of the dense CRF: bytes make up an image, its kernels and energies. Lattices must be
// sound, marginals must be probabilities, the same for every number of threads, every iteration
// must follow from the one before by the definition, and so must messages and derivatives.
#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "choices.hpp"
#include "crf/field.hpp"
#include "crf_adjoint.hpp"
#include "crf_definition.hpp"
#include "crf_scenes.hpp"
#include "oracle.hpp"

namespace graphcut::test {
namespace {

crf::Field field_of(const Scene& s, int threads) {
  return {s.height, s.width, s.labels, s.potentials, s.padded.empty() ? nullptr : s.padded.data(),
          threads};
}

std::vector<float> infer(const Scene& s, std::int64_t iterations, int threads) {
  std::vector<float> marginals(s.scores.size());
  field_of(s, threads).infer(s.scores.data(), s.floor, nullptr, iterations, marginals.data());
  return marginals;
}

struct Derivatives {
  std::vector<float> scores;
  std::vector<double> pairs;
  bool operator==(const Derivatives&) const = default;
};

Derivatives differentiate(const Scene& s, const std::vector<float>& upstream, bool with_pairs,
                          int threads) {
  Derivatives found{std::vector<float>(s.scores.size()), {}};
  if (with_pairs) {
    found.pairs.resize(s.potentials.size() * static_cast<std::size_t>(s.labels * s.labels));
  }
  field_of(s, threads)
      .differentiate(
          s.scores.data(), s.floor, s.iterations,
          {upstream.data(), found.scores.data(), with_pairs ? found.pairs.data() : nullptr});
  return found;
}

// Of sums in float, or narrow kernels that end at four deviations.
double rounding(const Scene& s) {
  return std::any_of(
             s.potentials.begin(), s.potentials.end(),
             [](const crf::Potential& p) { return p.image.channels == 0 && p.kernel.xy < kNarrow; })
             ? 2e-3
             : 1e-4;
}

void check_derivatives(const Scene& s, const Definition& definition, Choices& choices) {
  Choices drawn(choices.below(1 << 16));
  std::vector<float> upstream(s.scores.size());
  for (float& value : upstream) value = real(drawn, -1, 1);
  const bool with_pairs = choices.one_in(2);
  const Derivatives found = differentiate(s, upstream, with_pairs, 1);
  std::vector<std::vector<float>> iterates;
  const std::int64_t turns = s.potentials.empty() ? 0 : s.iterations;
  for (std::int64_t turn = 0; turn <= turns; ++turn) iterates.push_back(infer(s, turn, 1));
  const Adjoint expected(s, definition, iterates, upstream);
  const double tolerance = 1e-6 + rounding(s) * expected.size;
  for (std::size_t i = 0; i < found.scores.size(); ++i) {
    double scale = 1;
    if (s.floor > 0) scale = 1 / std::max(s.scores[i], s.floor);
    require(std::abs(found.scores[i] - expected.scores[i]) <= tolerance * scale,
            "the gradient in the scores is as defined");
  }
  for (std::size_t i = 0; i < found.pairs.size(); ++i) {
    require(std::abs(found.pairs[i] - expected.pairs[i]) <=
                1e-6 + 4 * rounding(s) * expected.pair_sizes[i],
            "the sums over pairs of labels are as defined");
  }
  if (choices.one_in(8)) {
    require(differentiate(s, upstream, with_pairs, 3) == found, "threads do not change gradients");
  }
}

// A message of any values, and that of the transposed kernels.
void check_message(const Scene& s, const Definition& definition, Choices& choices) {
  const std::int64_t pixels = s.pixels();
  const bool transposed = choices.one_in(2);
  Choices drawn(choices.below(1 << 16));
  std::vector<float> q(s.scores.size()), found(s.scores.size());
  for (float& value : q) value = real(drawn, -1, 1);
  field_of(s, 1).message(q.data(), transposed, found.data());
  std::vector<double> expected(found.size()), most(found.size());
  for (std::size_t k = 0; k < s.potentials.size(); ++k) {
    for (std::int64_t m = 0; m < s.labels; ++m) {
      Plane plane(q.begin() + m * pixels, q.begin() + (m + 1) * pixels);
      const Plane message = definition.filtered(k, plane, transposed);
      for (double& value : plane) value = 1;
      const Plane sizes = definition.filtered(k, plane, transposed);
      for (std::int64_t l = 0; l < s.labels; ++l) {
        const double cost = definition.compatibility(k, l, m);
        for (std::int64_t i = 0; i < pixels; ++i) {
          expected[static_cast<std::size_t>(l * pixels + i)] += cost * message[i];
          most[static_cast<std::size_t>(l * pixels + i)] += std::abs(cost * sizes[i]);
        }
      }
    }
  }
  for (std::size_t i = 0; i < found.size(); ++i) {
    require(std::abs(found[i] - expected[i]) <= 1e-5 + rounding(s) * most[i],
            "a message is as defined");
  }
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
  if (choices.one_in(2)) check_derivatives(s, definition, choices);
  if (s.padded.empty() && choices.one_in(4)) check_message(s, definition, choices);
}

}  // namespace
}  // namespace graphcut::test

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  graphcut::test::Choices choices(data, size);
  graphcut::test::check(choices);
  return 0;
}
