#include <cstdint>

#include "maxflow/solvers.hpp"

namespace graphcut::maxflow {

template class Solvers<std::int32_t>;
template class Solvers<std::int64_t>;

}  // namespace graphcut::maxflow
