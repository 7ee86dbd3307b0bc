#pragma once

#include <pybind11/numpy.h>
#include <pybind11/pybind11.h>

namespace graphcut::bindings {

// Dense arrays. One whose memory is not aligned for T is copied, so results need aligned memory.
inline constexpr int kDense =
    int{pybind11::array::c_style} | int{pybind11::detail::npy_api::NPY_ARRAY_ALIGNED_};
template <class T>
using Aligned = pybind11::array_t<T, kDense>;

void bind_crf(pybind11::module_& module);
void bind_graph(pybind11::module_& module);
void bind_knn(pybind11::module_& module);
void bind_maxflow(pybind11::module_& module);
void bind_moves(pybind11::module_& module);

}  // namespace graphcut::bindings
