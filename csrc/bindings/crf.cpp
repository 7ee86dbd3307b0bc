// Array checks and GIL handling for the dense CRF; no algorithm lives here.
#include <pybind11/numpy.h>
#include <pybind11/pybind11.h>
#include <pybind11/stl.h>

#include <cstdint>
#include <optional>
#include <stdexcept>

#include "bindings/bindings.hpp"
#include "bindings/interruptible.hpp"
#include "crf/mean_field.hpp"

namespace py = pybind11;

namespace graphcut::bindings {
namespace {

using Floats = py::array_t<float, py::array::c_style>;

// The operator checks what users pass; this guards against memory errors only.
void dense_crf(const Floats& scores, float floor, const Floats& image,
               const std::optional<Floats>& compatibility, std::int64_t iterations,
               float smoothness_xy, float smoothness_weight, float appearance_xy,
               float appearance_value, float appearance_weight, Floats& marginals, int threads) {
  if (scores.ndim() != 4 || image.ndim() != 4 || marginals.ndim() != 4) {
    throw std::invalid_argument("scores, image and marginals must be 4-D");
  }
  for (const int axis : {0, 2, 3}) {
    if (image.shape(axis) != scores.shape(axis)) {
      throw std::invalid_argument("image: unexpected shape");
    }
  }
  for (int axis = 0; axis < 4; ++axis) {
    if (marginals.shape(axis) != scores.shape(axis)) {
      throw std::invalid_argument("marginals: unexpected shape");
    }
  }
  const py::ssize_t labels = scores.shape(1);
  const py::ssize_t corners = image.shape(1) + 3;
  if (corners - 1 > crf::kMaxDimensions ||
      scores.shape(2) * scores.shape(3) >= (std::int64_t{1} << 31) / corners) {
    throw std::invalid_argument("image: too large");
  }
  if (compatibility && (compatibility->ndim() != 2 || compatibility->shape(0) != labels ||
                        compatibility->shape(1) != labels)) {
    throw std::invalid_argument("compatibility: unexpected shape");
  }
  const crf::MeanField problem{scores.shape(0),
                               labels,
                               image.shape(1),
                               scores.shape(2),
                               scores.shape(3),
                               scores.data(),
                               image.data(),
                               compatibility ? compatibility->data() : nullptr,
                               iterations,
                               {smoothness_xy, 1, smoothness_weight},
                               {appearance_xy, appearance_value, appearance_weight},
                               floor};
  float* out = marginals.mutable_data();
  interruptible([&] { crf::infer(problem, out, threads); });
}

}  // namespace

void bind_crf(py::module_& module) {
  module.attr("CRF_MAX_CHANNELS") = crf::kMaxDimensions - 2;  // two are positions
  module.def("dense_crf", &dense_crf, py::arg("scores").noconvert(), py::arg("floor"),
             py::arg("image").noconvert(), py::arg("compatibility").noconvert(),
             py::arg("iterations"), py::arg("smoothness_xy"), py::arg("smoothness_weight"),
             py::arg("appearance_xy"), py::arg("appearance_value"), py::arg("appearance_weight"),
             py::arg("marginals").noconvert(), py::arg("threads"));
}

}  // namespace graphcut::bindings
