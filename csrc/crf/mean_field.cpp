#include "crf/mean_field.hpp"

#include <vector>

#include "crf/field.hpp"
#include "parallel/parallel_for.hpp"

namespace graphcut::crf {

void infer(const MeanField& problem, float* marginals, int threads) {
  const std::vector<float> rows = padded(problem.compatibility, {problem.labels});
  const float* compatibility = rows.empty() ? nullptr : rows.data();
  const std::int64_t pixels = problem.height * problem.width;
  const bool together = problem.items < threads;  // all threads share one item
  parallel_for(problem.items, together ? 1 : threads, [&](int, std::int64_t i) {
    const float* channel = problem.image + i * problem.channels * pixels;
    std::vector<Potential> potentials;
    if (problem.smoothness.weight > 0) {
      potentials.push_back({{nullptr, 0, problem.height, problem.width}, problem.smoothness});
    }
    if (problem.appearance.weight > 0) {
      potentials.push_back(
          {{channel, problem.channels, problem.height, problem.width}, problem.appearance});
    }
    Field field(problem.height, problem.width, problem.labels, potentials, compatibility,
                together ? threads : 1);
    const std::int64_t first = i * problem.labels * pixels;
    field.infer(problem.scores + first, problem.floor, nullptr, problem.iterations,
                marginals + first);
  });
}

}  // namespace graphcut::crf
