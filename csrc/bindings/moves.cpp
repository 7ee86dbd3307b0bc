// Array checks and GIL handling for labellings by moves; no algorithm lives here.
#include "moves/descent.hpp"

#include <pybind11/numpy.h>
#include <pybind11/pybind11.h>

#include <cstdint>
#include <stdexcept>
#include <string>

#include "bindings/bindings.hpp"
#include "bindings/interruptible.hpp"
#include "maxflow/method.hpp"

namespace py = pybind11;

namespace graphcut::bindings {
namespace {

template <class T>
using Array = py::array_t<T, py::array::c_style>;

// The operator checks what users pass; this guards against memory errors only.
template <class Cost>
Cost make_moves(const Array<std::int64_t>& edge_index, const Array<Cost>& unary,
                const Array<Cost>& weights, const Array<Cost>& pairwise,
                Array<std::int64_t>& labels, const std::string& move, std::int64_t max_cycles,
                const std::string& solver, int threads) {
  moves::Problem<Cost> problem;
  if (unary.ndim() != 2 || edge_index.ndim() != 2 || edge_index.shape(0) != 2) {
    throw std::invalid_argument("unexpected number of dimensions");
  }
  problem.nodes = unary.shape(0);
  problem.labels = unary.shape(1);
  problem.edges = edge_index.shape(1);
  if (weights.size() != problem.edges || pairwise.size() != problem.labels * problem.labels ||
      labels.size() != problem.nodes) {
    throw std::invalid_argument("unexpected shape");
  }
  problem.edge_index = edge_index.data();
  problem.unary = unary.data();
  problem.weights = weights.data();
  problem.pairwise = pairwise.data();
  const auto kind = move == "swap" ? moves::Moves::swaps : moves::Moves::expansions;
  const maxflow::Method method = maxflow::method_named(solver);
  std::int64_t* const in_and_out = labels.mutable_data();
  return interruptible(
      [&] { return moves::descend(problem, kind, max_cycles, method, threads, in_and_out); });
}

template <class Cost>
void bind(py::module_& module) {
  module.def("make_moves", &make_moves<Cost>, py::arg("edge_index").noconvert(),
             py::arg("unary").noconvert(), py::arg("weights").noconvert(),
             py::arg("pairwise").noconvert(), py::arg("labels").noconvert(), py::arg("move"),
             py::arg("max_cycles"), py::arg("solver"), py::arg("threads"));
}

}  // namespace

void bind_moves(py::module_& module) {
  bind<double>(module);
  bind<std::int64_t>(module);
}

}  // namespace graphcut::bindings
