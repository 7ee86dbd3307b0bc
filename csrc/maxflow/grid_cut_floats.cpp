#include <cstdint>

#include "maxflow/grid_solver.hpp"

namespace graphcut::maxflow {

template bool solve_grid(const GridProblem<float>&, int, std::uint8_t*, GridFlow<float>&);
template bool solve_grid(const GridProblem<double>&, int, std::uint8_t*, GridFlow<double>&);

}  // namespace graphcut::maxflow
