#include <cstdint>

#include "maxflow/grid_solver.hpp"

namespace graphcut::maxflow {

template GridResult solve_grid(const GridProblem<float>&, int, std::uint8_t*, GridFlow<float>&,
                               std::int64_t);
template GridResult solve_grid(const GridProblem<double>&, int, std::uint8_t*, GridFlow<double>&,
                               std::int64_t);

}  // namespace graphcut::maxflow
