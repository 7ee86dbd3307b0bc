#pragma once

#include <pybind11/pybind11.h>

namespace graphcut::bindings {

void bind_crf(pybind11::module_& module);
void bind_crf_field(pybind11::module_& module);
void bind_graph(pybind11::module_& module);
void bind_knn(pybind11::module_& module);
void bind_maxflow(pybind11::module_& module);
void bind_moves(pybind11::module_& module);

}  // namespace graphcut::bindings
