// Moves one at a time, for callers that choose them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

#include "maxflow/method.hpp"
#include "moves/expansions.hpp"
#include "moves/problem.hpp"
#include "moves/search.hpp"
#include "moves/swaps.hpp"

namespace graphcut::moves {

template <class Cost>
class Steps {
 public:
  // Begins with the labels of `start`, which are allowed. What `problem` points to is to stay.
  Steps(const Problem<Cost>& problem, maxflow::Method method, int threads,
        const std::int64_t* start)
      : search_(problem, method, threads, start) {}

  const std::vector<std::int32_t>& labels() const { return search_.labels.all(); }

  // Expands a label; returns whether that lowers the energy.
  bool expand(std::int32_t alpha) {
    if (!expansions_) expansions_.emplace(search_);
    if (!expansions_->make(static_cast<std::size_t>(alpha), 0, true)) return false;
    swaps_.reset();
    return true;
  }

  // Swaps two labels, as if sets of labels had no costs; of the best labellings it is the one of
  // the fewest betas. Returns whether that lowers the energy; one of equal energy is kept if asked.
  bool exchange(std::int32_t alpha, std::int32_t beta, bool keep_equal) {
    if (!swaps_) swaps_.emplace(search_);
    const int change = swaps_->choose(alpha, beta);
    if (change < 0 || (change == 0 && keep_equal)) {
      swaps_->accept(0);
      expansions_.reset();
    } else {
      swaps_->reject();
    }
    return change < 0;
  }

 private:
  Search<Cost> search_;
  std::optional<Expansions<Cost>> expansions_;
  std::optional<Swaps<Cost>> swaps_;
};

}  // namespace graphcut::moves
