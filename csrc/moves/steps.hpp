// Moves one at a time, for callers that choose them.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "maxflow/method.hpp"
#include "moves/problem.hpp"

namespace graphcut::moves {

template <class Cost>
class Steps {
 public:
  // Begins with the labels of `start`, which are allowed. What `problem` points to is to stay.
  Steps(const Problem<Cost>& problem, maxflow::Method method, int threads,
        const std::int64_t* start);
  ~Steps();
  Steps(const Steps&) = delete;
  Steps& operator=(const Steps&) = delete;

  const std::vector<std::int32_t>& labels() const;

  // Expands a label; returns whether that lowers the energy.
  bool expand(std::int32_t alpha);

  // Swaps two labels, as if sets of labels had no costs; of the best labellings it is the one of
  // the fewest betas. Returns whether that lowers the energy; one of equal energy is kept if asked.
  bool exchange(std::int32_t alpha, std::int32_t beta, bool keep_equal);

 private:
  struct State;  // compiled with the moves in turn, which need the same solvers
  std::unique_ptr<State> state_;
};

}  // namespace graphcut::moves
