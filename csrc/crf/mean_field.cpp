#include "crf/mean_field.hpp"

#include <vector>

#include "crf/field.hpp"
#include "parallel/parallel_for.hpp"

namespace graphcut::crf {
namespace {

// Calls work(field, item) for every item. `wanted` tells whether a kernel takes part.
template <class Wanted, class Work>
void for_items(const MeanField& problem, int threads, Wanted&& wanted, Work&& work) {
  const std::vector<float> rows = padded(problem.compatibility, {problem.labels});
  const float* compatibility = rows.empty() ? nullptr : rows.data();
  const std::int64_t pixels = problem.height * problem.width;
  const bool together = problem.items < threads;  // all threads share one item
  const auto team = Team::gather();
  parallel_for(problem.items, together ? 1 : threads, [&](int, std::int64_t i) {
    const float* channel = problem.image + i * problem.channels * pixels;
    std::vector<Potential> potentials;
    if (wanted(problem.smoothness)) {
      potentials.push_back({{nullptr, 0, problem.height, problem.width}, problem.smoothness});
    }
    if (wanted(problem.appearance)) {
      potentials.push_back(
          {{channel, problem.channels, problem.height, problem.width}, problem.appearance});
    }
    Field field(problem.height, problem.width, problem.labels, potentials, compatibility,
                together ? threads : 1);
    work(field, i);
  });
}

bool acts(const Kernel& kernel) { return kernel.weight > 0; }

}  // namespace

void infer(const MeanField& problem, float* marginals, int threads) {
  const std::int64_t values = problem.labels * problem.height * problem.width;
  for_items(problem, threads, acts, [&](Field& field, std::int64_t i) {
    field.infer(problem.scores + i * values, problem.floor, nullptr, problem.iterations,
                marginals + i * values);
  });
}

void differentiate(const MeanField& problem, const float* gradient, float* scores, double* pairs,
                   int threads) {
  const std::int64_t values = problem.labels * problem.height * problem.width;
  const auto wanted = [&](const Kernel& kernel) {
    return pairs == nullptr ? acts(kernel) : kernel.xy > 0;
  };
  const std::int64_t size = problem.labels * problem.labels;
  // The first of the kernels that take part comes first in a field.
  const std::int64_t first = wanted(problem.smoothness) ? 0 : size;
  for_items(problem, threads, wanted, [&](Field& field, std::int64_t i) {
    field.differentiate(problem.scores + i * values, problem.floor, problem.iterations,
                        {gradient + i * values, scores + i * values,
                         pairs == nullptr ? nullptr : pairs + i * 2 * size + first});
  });
}

}  // namespace graphcut::crf
