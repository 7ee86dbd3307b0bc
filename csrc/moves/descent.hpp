// Labellings of low energy, by moves that are minimum cuts.
//
// Y. Boykov, O. Veksler, R. Zabih, "Fast approximate energy minimization via graph cuts", PAMI
// 2001.
#pragma once

#include <cstdint>

#include "maxflow/method.hpp"
#include "moves/problem.hpp"

namespace graphcut::moves {

enum class Moves : std::uint8_t { expansions, swaps };

// Improves `labels` (nodes), which are allowed, by moves in turn until none lowers the energy, or
// for `max_cycles` rounds where that is not negative. Returns their energy, rounded once. Results
// do not depend on `threads`.
template <class Cost>
Cost descend(const Problem<Cost>& problem, Moves moves, std::int64_t max_cycles,
             maxflow::Method method, int threads, std::int64_t* labels);

}  // namespace graphcut::moves
