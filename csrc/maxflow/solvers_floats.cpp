#include "maxflow/solvers.hpp"

namespace graphcut::maxflow {

template class Solvers<float>;
template class Solvers<double>;

}  // namespace graphcut::maxflow
