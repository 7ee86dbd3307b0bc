// The Python face of the compiled core. This folder alone knows pybind11; nothing here knows torch.
//
// One source: pybind11's headers take the compiler longer than all that is bound.
#include <pybind11/pybind11.h>

#include "bindings/crf.hpp"
#include "bindings/graph.hpp"
#include "bindings/interruptible.hpp"
#include "bindings/knn.hpp"
#include "bindings/maxflow.hpp"
#include "bindings/moves.hpp"
#include "parallel/parallel_for.hpp"

namespace py = pybind11;

namespace {

py::dict build_info() {
  py::dict info;
  info["version"] = GRAPHCUT_VERSION;
  info["compiler"] = GRAPHCUT_COMPILER;
  info["build_type"] = GRAPHCUT_BUILD_TYPE;
#ifdef GRAPHCUT_WITH_CUDA
  info["cuda"] = GRAPHCUT_CUDA_VERSION;
  info["cuda_architectures"] = GRAPHCUT_CUDA_ARCHITECTURES;
#else
  info["cuda"] = py::none();
  info["cuda_architectures"] = py::none();
#endif
  return info;
}

}  // namespace

// Objects that change lock themselves, so free-threaded interpreters need no lock around the
// module.
PYBIND11_MODULE(_core, module, py::mod_gil_not_used()) {
  module.doc() = "Compiled core of graphcut_ext (private; use the operators in graphcut_ext).";
  module.def("build_info", &build_info);
  module.attr("MAX_THREADS") = graphcut::kMaxThreads;
  graphcut::bindings::main_thread();
  graphcut::bindings::bind_crf(module);
  graphcut::bindings::bind_graph(module);
  graphcut::bindings::bind_knn(module);
  graphcut::bindings::bind_maxflow(module);
  graphcut::bindings::bind_moves(module);
}
