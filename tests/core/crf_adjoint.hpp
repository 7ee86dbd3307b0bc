// The derivatives of mean field by its iterations in reverse: plain loops in double.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "crf_definition.hpp"

namespace graphcut::test {

// With q_t = softmax(-E - sum_k C_k K_k q_{t-1}) and g_t the loss's gradient in q_t, that in the
// logits is s_t = q_t (g_t - <q_t, g_t>) pixel by pixel, that in E is -sum_t s_t, and
// g_{t-1} = -sum_k K_k' C_k s_t, every C_k being symmetric.
struct Adjoint {
  std::vector<double> scores;  // (labels, pixels)
  std::vector<double> pairs;   // (potentials, labels, labels), see crf::Gradient
  // What round-off is relative to: sums of the terms without their signs, the largest for scores.
  double size = 0;
  std::vector<double> pair_sizes;

  // The iterates are q_0 .. q_T.
  Adjoint(const Scene& scene, const Definition& definition,
          const std::vector<std::vector<float>>& iterates, const std::vector<float>& upstream)
      : scores(scene.scores.size()),
        pairs(scene.potentials.size() * square(scene)),
        pair_sizes(pairs.size()) {
    const auto labels = static_cast<std::size_t>(scene.labels);
    const auto pixels = static_cast<std::size_t>(scene.pixels());
    std::vector<double> gradient(upstream.begin(), upstream.end()), most(gradient.size());
    for (std::size_t i = 0; i < most.size(); ++i) most[i] = std::abs(gradient[i]);
    for (std::size_t t = iterates.size(); t-- > 0;) {
      respond(iterates[t], labels, pixels, gradient, most);
      for (std::size_t i = 0; i < scores.size(); ++i) {
        scores[i] -= gradient[i];
        size = std::max(size, most[i] * static_cast<double>(iterates.size()));
      }
      if (t == 0) break;
      std::vector<double> next(scores.size()), next_most(scores.size());
      for (std::size_t k = 0; k < scene.potentials.size(); ++k) {
        const double weight = scene.potentials[k].kernel.weight;
        for (std::size_t l = 0; l < labels; ++l) {
          const Plane message = definition.filtered(k, plane(gradient, l, pixels), true);
          const Plane sizes = definition.filtered(k, plane(most, l, pixels), true);
          for (std::size_t m = 0; m < labels; ++m) {
            const double cost = definition.compatibility(k, static_cast<std::int64_t>(m),
                                                         static_cast<std::int64_t>(l));
            double pair = 0, pair_size = 0;
            for (std::size_t i = 0; i < pixels; ++i) {
              next[m * pixels + i] -= cost * message[i];
              next_most[m * pixels + i] += std::abs(cost) * std::abs(sizes[i]);
              const double q = iterates[t - 1][m * pixels + i] / weight;
              pair += message[i] * q;
              pair_size += std::abs(sizes[i]) * q;
            }
            const bool potts = scene.padded.empty() && scene.own[k].empty();
            if (potts && l != m) continue;
            pairs[(k * labels + l) * labels + m] += pair;
            pair_sizes[(k * labels + l) * labels + m] += pair_size;
          }
        }
      }
      gradient.swap(next);
      most.swap(next_most);
    }
    if (scene.floor <= 0) return;
    for (std::size_t i = 0; i < scores.size(); ++i) {  // E = -log(max(score, floor))
      const float score = scene.scores[i];
      scores[i] = score >= scene.floor ? -scores[i] / score : 0.0;
    }
  }

 private:
  static std::size_t square(const Scene& scene) {
    return static_cast<std::size_t>(scene.labels * scene.labels);
  }
  static Plane plane(const std::vector<double>& values, std::size_t label, std::size_t pixels) {
    const auto from = values.begin() + static_cast<std::ptrdiff_t>(label * pixels);
    return {from, from + static_cast<std::ptrdiff_t>(pixels)};
  }
  // From the gradient in marginals to that in their logits; `most` of the terms in size.
  static void respond(const std::vector<float>& q, std::size_t labels, std::size_t pixels,
                      std::vector<double>& gradient, std::vector<double>& most) {
    for (std::size_t i = 0; i < pixels; ++i) {
      double mean = 0, mean_most = 0;
      for (std::size_t at = i; at < labels * pixels; at += pixels) {
        mean += q[at] * gradient[at];
        mean_most += q[at] * most[at];
      }
      for (std::size_t at = i; at < labels * pixels; at += pixels) {
        gradient[at] = q[at] * (gradient[at] - mean);
        most[at] = q[at] * (most[at] + mean_most);
      }
    }
  }
};

}  // namespace graphcut::test
