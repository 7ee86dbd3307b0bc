// Mean-field inference in a fully connected CRF with Gaussian edge potentials.
//
// Krähenbühl and Koltun, "Efficient inference in fully connected CRFs with Gaussian edge
// potentials", NIPS 2011: Q = softmax(-energy), then, `iterations` times,
// Q = softmax(-energy - compatibility sum_m K_m Q) with K_m = weight D^-1/2 K D^-1/2.
#pragma once

#include <cstdint>

#include "crf/permutohedral.hpp"

namespace graphcut::crf {

struct MeanField {
  std::int64_t items;
  std::int64_t labels;
  std::int64_t channels;
  std::int64_t height;
  std::int64_t width;
  const float* scores;         // (items, labels, height, width), finite: energies or probabilities
  const float* image;          // (items, channels, height, width), finite
  const float* compatibility;  // (labels, labels), symmetric; nullptr: Potts
  std::int64_t iterations;
  Kernel smoothness;  // positions alone; left out where its weight is 0
  Kernel appearance;  // positions and values; left out where its weight is 0
  float floor = 0;    // > 0: scores are probabilities p, energies are -log(max(p, floor))
};

// marginals: (items, labels, height, width). They do not depend on `threads`.
void infer(const MeanField& problem, float* marginals, int threads);

// Of a loss with `gradient` in the marginals: the gradient in the scores, all of their shape, and
// in the kernels (items, 2, labels, labels), see Gradient::pairs, or nullptr where it is not
// wanted. Where it is, kernels of weight 0 count as long as their xy is not 0.
void differentiate(const MeanField& problem, const float* gradient, float* scores, double* pairs,
                   int threads);

}  // namespace graphcut::crf
