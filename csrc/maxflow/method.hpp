// The solvers by name, and the choice among them.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <stdexcept>
#include <string>
#include <string_view>

#include "maxflow/graph.hpp"
#include "maxflow/solver_list.hpp"

namespace graphcut::maxflow {

enum class Method : std::uint8_t {
  automatic,
#define GRAPHCUT_ENTRY(name, method, Solver) method,
  GRAPHCUT_SOLVERS(GRAPHCUT_ENTRY)
#undef GRAPHCUT_ENTRY
};

// By value of Method.
inline constexpr std::array kSolverNames{"auto",
#define GRAPHCUT_ENTRY(name, method, Solver) name,
                                         GRAPHCUT_SOLVERS(GRAPHCUT_ENTRY)
#undef GRAPHCUT_ENTRY
};

inline Method method_named(std::string_view name) {
  const auto found = std::find(kSolverNames.begin(), kSolverNames.end(), name);
  if (found == kSolverNames.end()) {
    throw std::invalid_argument("solver: unknown name " + std::string(name));
  }
  return static_cast<Method>(found - kSolverNames.begin());
}

// A solver, and how often breadth-first search may look at every arc, on average, until pseudoflow
// takes over: see Note [Limited patience].
struct Choice {
  Method method;
  double looks = std::numeric_limits<double>::infinity();
};

// Where breadth-first search is the faster one it nearly always looks less often than that; after
// flow was sent ahead, which leaves it less to do, less often still.
inline constexpr double kPatience = 14, kPatienceAfterSpread = 10;

// The solver for a graph where none is named: see Note [Choice of solver]. `terminals`: how many
// nodes had excess before it was spread, `spread`: whether it was. Compiled for float, double and
// integers of 32 and 64 bits.
template <class R>
Choice chosen(Method method, const Graph<R>& graph, std::int64_t terminals, bool spread);

}  // namespace graphcut::maxflow
