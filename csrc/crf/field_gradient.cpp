// The derivatives of mean field, by its iterations in reverse.
#include <algorithm>
#include <utility>

#include "crf/field.hpp"

namespace graphcut::crf {

void Field::differentiate(const float* scores, float floor, std::int64_t iterations,
                          const Gradient& gradient) {
  const auto team = Team::gather();
  if (!narrow_.has_value() && wide_.empty()) iterations = 0;
  Adjoint adjoint{gradient, scores, floor, {}, {}, {}, {}};
  for (std::int64_t i = 0; i <= iterations; ++i) adjoint.iterates.push_back(floats(values()));
  if (gradient.pairs != nullptr) {
    const auto size = static_cast<std::size_t>(labels_.count * labels_.padded());
    adjoint.pairs.resize(strips_.size() * potentials_ * size);
    adjoint.sums.resize(workspaces_.size(), std::vector<float>(size));
  }

  for_groups([&](int, const Group& group) { arrange(group, scores, floor); });
  for (std::int64_t i = 0; i <= iterations; ++i) {
    if (i > 0) filter();
    pass(i > 0, nullptr, adjoint.iterates[i].get());
  }

  // From here on energy_ takes the sum of the gradients in the logits.
  std::fill_n(energy_.get(), values(), 0.0F);
  turn();
  if (narrow_ && gradient.pairs != nullptr) {
    adjoint.down = gaussian_band(height_, narrow_->xy, 1);
  }
  for (std::int64_t i = iterations; i >= 0; --i) {
    if (i < iterations) filter(true, gradient.pairs != nullptr);
    for_groups([&](int worker, const Group& group) { step_back(group, i, adjoint, worker); });
  }
  turn();
  if (gradient.pairs != nullptr) sum_pairs(adjoint);
}

// From the gradient in the logits of iteration + 1, filtered, to that of this iteration.
void Field::step_back(const Group& group, std::int64_t iteration, Adjoint& adjoint, int worker) {
  Workspace& space = workspaces_[worker];
  const std::int64_t count = pixels(group);
  const float* q = adjoint.iterates[iteration].get() + base(group);
  float* own = space.q.get();
  if (iteration + 1 == static_cast<std::int64_t>(adjoint.iterates.size())) {
    read(group, adjoint.gradient.marginals, own);
  } else {
    if (adjoint.gradient.pairs != nullptr) {
      collect_pairs(group, q, adjoint, worker);
    } else {
      collect(group, space);
    }
    if (compatibility_ == nullptr) {
      std::copy_n(space.field.get(), labels_.padded() * count, own);
    } else {
      std::fill_n(own, labels_.padded() * count, 0.0F);
      loops().mix({labels_, count, nullptr, space.field.get(), compatibility_, own});
    }
  }
  float* total = energy_.get() + base(group);
  loops().respond(labels_, count, q, own, total);
  if (iteration > 0) return spread(group, own, space);
  each_value(group, [&](std::int64_t from, std::int64_t to, std::int64_t label) {
    if (label >= labels_.count) return;
    float& found = adjoint.gradient.scores[to];
    found = -total[from];
    if (adjoint.floor > 0) {  // the energy is -log(max(score, floor))
      const float score = adjoint.scores[to];
      found = score >= adjoint.floor ? total[from] / score : 0.0F;
    }
  });
}

// As collect(), from values that were filtered for the weight 1, which it pairs with q.
void Field::collect_pairs(const Group& group, const float* q, Adjoint& adjoint, int worker) {
  Workspace& space = workspaces_[worker];
  const std::int64_t count = pixels(group);
  float* own = space.scaled.get();
  std::fill_n(space.field.get(), labels_.padded() * count, 0.0F);
  if (narrow_ && adjoint.down) {
    const Narrow& kernel = *narrow_;
    const Band& down = *adjoint.down;
    std::fill_n(own, labels_.padded() * count, 0.0F);
    for (std::int64_t chunk = 0; chunk < labels_.chunks(); ++chunk) {
      collect_narrow(group, kernel, down, chunk, own + chunk * kChunk * count);
    }
    pair(group, kernel.index, compatibility_ != nullptr, q, adjoint, worker);
    add(group, kernel.weight, nullptr, space);
  }
  for (const Wide& kernel : wide_) {
    collect_wide(group, kernel, own);
    pair(group, kernel.index, compatibility_ != nullptr || kernel.compatibility != nullptr, q,
         adjoint, worker);
    add(group, kernel.weight, kernel.compatibility, space);
  }
}

// Adds the products of a kernel's filtered values in `scaled` and q to the strip's pairs.
void Field::pair(const Group& group, std::int64_t potential, bool whole, const float* q,
                 Adjoint& adjoint, int worker) {
  std::vector<float>& sums = adjoint.sums[worker];
  std::fill(sums.begin(), sums.end(), 0.0F);
  const auto multiply = whole ? loops().outer : loops().inner;
  multiply(labels_, pixels(group), workspaces_[worker].scaled.get(), q, sums.data());
  const std::size_t size = sums.size();
  double* to = adjoint.pairs.data() + (group.strip * potentials_ + potential) * size;
  if (whole) {
    for (std::size_t i = 0; i < size; ++i) to[i] += sums[i];
  } else {
    const std::int64_t next = labels_.padded() + 1;  // on the diagonal
    for (std::int64_t label = 0; label < labels_.count; ++label) to[label * next] += sums[label];
  }
}

// Sums the strips' pairs, in their order.
void Field::sum_pairs(const Adjoint& adjoint) const {
  const std::int64_t count = labels_.count;
  const std::int64_t rows = potentials_ * count;
  for (std::int64_t row = 0; row < rows; ++row) {
    double* to = adjoint.gradient.pairs + row * count;
    std::fill_n(to, count, 0.0);
    for (std::size_t strip = 0; strip < strips_.size(); ++strip) {
      const double* from = adjoint.pairs.data() + (strip * rows + row) * labels_.padded();
      for (std::int64_t i = 0; i < count; ++i) to[i] += from[i];
    }
  }
}

}  // namespace graphcut::crf
