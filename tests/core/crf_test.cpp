// Mean field against its definition in double, and against itself with other numbers of threads.
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <random>
#include <vector>

#include "crf/mean_field.hpp"

namespace {

using graphcut::crf::MeanField;

struct Scene {
  std::vector<float> energy;
  std::vector<float> image;
  std::vector<float> compatibility;
  MeanField problem;
};

Scene scene(std::int64_t items, std::int64_t labels, std::int64_t height, std::int64_t width,
            bool matrix, unsigned seed) {
  std::mt19937 random(seed);
  std::uniform_real_distribution<float> uniform(0, 1);
  Scene s;
  s.energy.resize(items * labels * height * width);
  s.image.resize(items * 3 * height * width);
  s.compatibility.resize(labels * labels);
  for (float& x : s.energy) x = 3 * uniform(random);
  for (float& x : s.image) x = 255 * uniform(random);
  for (std::int64_t i = 0; i < labels; ++i) {
    for (std::int64_t j = 0; j <= i; ++j) {
      s.compatibility[i * labels + j] = s.compatibility[j * labels + i] = uniform(random);
    }
  }
  s.problem = {items, labels, 3, height, width, nullptr, nullptr, nullptr, 3, {}, {}};
  s.problem.scores = s.energy.data();
  s.problem.image = s.image.data();
  s.problem.compatibility = matrix ? s.compatibility.data() : nullptr;
  return s;
}

void softmax(std::vector<double>& q, std::int64_t labels, std::int64_t pixels) {
  for (std::int64_t i = 0; i < pixels; ++i) {
    double most = -1e300;
    double total = 0;
    for (std::int64_t l = 0; l < labels; ++l) most = std::max(most, q[l * pixels + i]);
    for (std::int64_t l = 0; l < labels; ++l) {
      total += q[l * pixels + i] = std::exp(q[l * pixels + i] - most);
    }
    for (std::int64_t l = 0; l < labels; ++l) q[l * pixels + i] /= total;
  }
}

// The smoothness kernel alone, over all pairs of pixels.
std::vector<double> definition(const MeanField& p) {
  const std::int64_t n = p.height * p.width;
  std::vector<double> kernel(n * n);
  std::vector<double> sum(n);
  for (std::int64_t i = 0; i < n; ++i) {
    for (std::int64_t j = 0; j < n; ++j) {
      const std::int64_t rows = i / p.width - j / p.width;
      const std::int64_t columns = i % p.width - j % p.width;
      const auto squared = static_cast<double>(rows * rows + columns * columns);
      const double sigma = p.smoothness.xy;
      sum[i] += kernel[i * n + j] = std::exp(-0.5 * squared / (sigma * sigma));
    }
  }
  std::vector<double> q(p.labels * n);
  for (std::size_t i = 0; i < q.size(); ++i) q[i] = -p.scores[i];
  softmax(q, p.labels, n);
  for (std::int64_t turn = 0; turn < p.iterations; ++turn) {
    std::vector<double> field(q.size());
    for (std::int64_t l = 0; l < p.labels; ++l) {
      for (std::int64_t i = 0; i < n; ++i) {
        for (std::int64_t j = 0; j < n; ++j) {
          field[l * n + i] +=
              p.smoothness.weight * kernel[i * n + j] / std::sqrt(sum[i] * sum[j]) * q[l * n + j];
        }
      }
    }
    for (std::int64_t l = 0; l < p.labels; ++l) {
      for (std::int64_t i = 0; i < n; ++i) {
        double message = -field[l * n + i];
        if (p.compatibility != nullptr) {
          message = 0;
          for (std::int64_t m = 0; m < p.labels; ++m) {
            message += p.compatibility[l * p.labels + m] * field[m * n + i];
          }
        }
        q[l * n + i] = -p.scores[l * n + i] - message;
      }
    }
    softmax(q, p.labels, n);
  }
  return q;
}

bool check_narrow(std::int64_t labels, bool matrix) {
  Scene s = scene(1, labels, 9, 11, matrix, 5);
  s.problem.smoothness = {1.2F, 1, 2};
  std::vector<float> found(s.energy.size());
  graphcut::crf::infer(s.problem, found.data(), 2);
  const std::vector<double> expected = definition(s.problem);
  double largest = 0;
  for (std::size_t i = 0; i < found.size(); ++i) {
    largest = std::max(largest, std::abs(found[i] - expected[i]));
  }
  if (largest < 1e-3) return true;
  std::printf("%lld labels: off by %g\n", static_cast<long long>(labels), largest);
  return false;
}

bool check_threads(std::int64_t items, std::int64_t height, std::int64_t width, bool matrix) {
  Scene s = scene(items, 34, height, width, matrix, 6);
  s.problem.smoothness = {3, 1, 3};
  s.problem.appearance = {40, 60, 5};
  std::vector<float> one(s.energy.size());
  graphcut::crf::infer(s.problem, one.data(), 1);
  for (const int threads : {2, 4, 7}) {
    std::vector<float> many(s.energy.size());
    graphcut::crf::infer(s.problem, many.data(), threads);
    if (many != one) {
      std::printf("%d threads: another result\n", threads);
      return false;
    }
  }
  return true;
}

// The gradients against the slopes of the definition along random directions.
bool check_gradient(std::int64_t labels, bool matrix) {
  constexpr float kStep = 1e-2F;
  Scene s = scene(1, labels, 7, 9, matrix, 8);
  s.problem.smoothness = {1.2F, 1, 2};
  s.problem.appearance = {0, 0, 0};
  const Scene direction = scene(1, labels, 7, 9, false, 9);
  const Scene upstream = scene(1, labels, 7, 9, false, 10);
  std::vector<float> found(s.energy.size());
  std::vector<double> pairs(2 * labels * labels);
  graphcut::crf::differentiate(s.problem, upstream.energy.data(), found.data(), pairs.data(), 2);
  const auto loss = [&](float step, float step_of_weight) {
    std::vector<float> energy = s.energy;
    for (std::size_t i = 0; i < energy.size(); ++i) energy[i] += step * direction.energy[i];
    MeanField moved = s.problem;
    moved.scores = energy.data();
    moved.smoothness.weight += step_of_weight;
    const std::vector<double> q = definition(moved);
    double total = 0;
    for (std::size_t i = 0; i < q.size(); ++i) total += q[i] * upstream.energy[i];
    return total;
  };
  double slope = 0;
  for (std::size_t i = 0; i < found.size(); ++i) slope += found[i] * direction.energy[i];
  double slope_of_weight = 0;
  for (std::int64_t i = 0; i < labels; ++i) {
    for (std::int64_t j = 0; j < labels; ++j) {
      const double cost = matrix ? s.compatibility[i * labels + j] : (i == j ? -1 : 0);
      slope_of_weight -= cost * pairs[i * labels + j];
    }
  }
  const double expected = (loss(kStep, 0) - loss(-kStep, 0)) / (2 * kStep);
  const double of_weight = (loss(0, kStep) - loss(0, -kStep)) / (2 * kStep);
  const auto near = [](double a, double b) { return std::abs(a - b) < 1e-3 + 5e-3 * std::abs(b); };
  if (near(slope, expected) && near(slope_of_weight, of_weight)) return true;
  std::printf("%lld labels: slopes %g and %g, not %g and %g\n", static_cast<long long>(labels),
              slope, slope_of_weight, expected, of_weight);
  return false;
}

// The gradient in a weight against its slope, in an image that is divided into strips.
bool check_strips() {
  constexpr float kStep = 1e-2F;
  Scene s = scene(1, 2, 9000, 2, false, 11);
  s.problem.smoothness = {1.2F, 1, 2};
  s.problem.appearance = {0, 0, 0};
  const Scene upstream = scene(1, 2, 9000, 2, false, 12);
  std::vector<float> found(s.energy.size());
  std::vector<double> pairs(8);  // two kernels of 2 x 2
  graphcut::crf::differentiate(s.problem, upstream.energy.data(), found.data(), pairs.data(), 2);
  const auto loss = [&](float step) {
    MeanField moved = s.problem;
    moved.smoothness.weight += step;
    graphcut::crf::infer(moved, found.data(), 2);
    double total = 0;
    for (std::size_t i = 0; i < found.size(); ++i) total += double{found[i]} * upstream.energy[i];
    return total;
  };
  const double slope = pairs[0] + pairs[3];
  const double expected = (loss(kStep) - loss(-kStep)) / (2 * kStep);
  if (std::abs(slope - expected) < 1 + 1e-2 * std::abs(expected)) return true;
  std::printf("strips: a slope of %g, not %g\n", slope, expected);
  return false;
}

bool check_threads_of_gradients(std::int64_t items, std::int64_t height, std::int64_t width,
                                bool matrix) {
  Scene s = scene(items, 34, height, width, matrix, 6);
  s.problem.smoothness = {1.2F, 1, 3};
  s.problem.appearance = {40, 60, 5};
  const Scene upstream = scene(items, 34, height, width, false, 7);
  const std::int64_t size = items * 2 * 34 * 34;
  std::vector<float> one(s.energy.size());
  std::vector<double> pairs(size);
  graphcut::crf::differentiate(s.problem, upstream.energy.data(), one.data(), pairs.data(), 1);
  for (const int threads : {2, 5}) {
    std::vector<float> many(s.energy.size());
    std::vector<double> sums(size);
    graphcut::crf::differentiate(s.problem, upstream.energy.data(), many.data(), sums.data(),
                                 threads);
    if (many != one || sums != pairs) {
      std::printf("%d threads: another gradient\n", threads);
      return false;
    }
  }
  return true;
}

}  // namespace

int main() {
  bool right = true;
  for (const std::int64_t labels : {1, 3, 8, 33, 65}) {
    for (const bool matrix : {false, true}) right = check_narrow(labels, matrix) && right;
  }
  for (const std::int64_t labels : {1, 3, 33}) {
    for (const bool matrix : {false, true}) right = check_gradient(labels, matrix) && right;
  }
  right = check_strips() && right;
  right = check_threads_of_gradients(1, 100, 90, false) && right;
  right = check_threads_of_gradients(3, 20, 15, true) && right;
  right = check_threads(1, 100, 90, false) && right;
  right = check_threads(5, 20, 15, true) && right;
  return right ? 0 : 1;
}
