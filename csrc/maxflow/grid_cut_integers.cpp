#include <cstdint>

#include "maxflow/grid_solver.hpp"

namespace graphcut::maxflow {

template GridResult solve_grid(const GridProblem<std::int32_t>&, int, std::uint8_t*,
                               GridFlow<std::int32_t>&, std::int64_t);
template GridResult solve_grid(const GridProblem<std::int64_t>&, int, std::uint8_t*,
                               GridFlow<std::int64_t>&, std::int64_t);

}  // namespace graphcut::maxflow
