// Array checks and GIL handling for the dense CRF; no algorithm lives here.
#include <pybind11/numpy.h>
#include <pybind11/pybind11.h>
#include <pybind11/stl.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <limits>
#include <optional>
#include <stdexcept>
#include <utility>

#include "bindings/bindings.hpp"
#include "bindings/interruptible.hpp"
#include "crf/mean_field.hpp"

namespace py = pybind11;

namespace graphcut::bindings {
namespace {

using Floats = Aligned<float>;

using Doubles = Aligned<double>;

void require_like(const Floats& scores, const Floats& array) {
  if (array.ndim() != 4) throw std::invalid_argument("array: unexpected shape");
  for (int axis = 0; axis < 4; ++axis) {
    if (array.shape(axis) != scores.shape(axis)) {
      throw std::invalid_argument("array: unexpected shape");
    }
  }
}

// The operator checks what users pass; this guards against memory errors only.
crf::MeanField problem_of(const Floats& scores, float floor, const Floats& image,
                          const std::optional<Floats>& compatibility, std::int64_t iterations,
                          const std::array<float, 5>& kernels) {
  if (scores.ndim() != 4 || image.ndim() != 4) {
    throw std::invalid_argument("scores and image must be 4-D");
  }
  for (const int axis : {0, 2, 3}) {
    if (image.shape(axis) != scores.shape(axis)) {
      throw std::invalid_argument("image: unexpected shape");
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
  const auto [smoothness_xy, smoothness_weight, appearance_xy, appearance_value,
              appearance_weight] = kernels;
  return {scores.shape(0),
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
}

void dense_crf(const Floats& scores, float floor, const Floats& image,
               const std::optional<Floats>& compatibility, std::int64_t iterations,
               const std::array<float, 5>& kernels, Floats& marginals, int threads) {
  const crf::MeanField problem =
      problem_of(scores, floor, image, compatibility, iterations, kernels);
  require_like(scores, marginals);
  float* out = marginals.mutable_data();
  interruptible([&] { crf::infer(problem, out, threads); });
}

void dense_crf_gradient(const Floats& scores, float floor, const Floats& image,
                        const std::optional<Floats>& compatibility, std::int64_t iterations,
                        const std::array<float, 5>& kernels, const Floats& gradient, Floats& found,
                        std::optional<Doubles>& pairs, int threads) {
  const crf::MeanField problem =
      problem_of(scores, floor, image, compatibility, iterations, kernels);
  require_like(scores, gradient);
  require_like(scores, found);
  if (pairs && pairs->size() != problem.items * 2 * problem.labels * problem.labels) {
    throw std::invalid_argument("pairs: unexpected size");
  }
  float* out = found.mutable_data();
  double* sums = pairs ? pairs->mutable_data() : nullptr;
  interruptible([&] { crf::differentiate(problem, gradient.data(), out, sums, threads); });
}

// The least and the greatest value of a contiguous array; NaN where there is a NaN.
template <class T>
std::pair<double, double> bounds_of(const py::array& array) {
  constexpr py::ssize_t kLanes = 16;  // so that compilers use vectors
  const auto* values = static_cast<const T*>(array.data());
  const py::ssize_t count = array.size();
  std::array<T, kLanes> low;
  std::array<T, kLanes> high;
  low.fill(values[0]);
  high.fill(values[0]);
  std::array<bool, kLanes> ordered;  // none is NaN
  ordered.fill(true);
  const auto look = [&](py::ssize_t first, py::ssize_t lanes) {
    for (py::ssize_t i = 0; i < lanes; ++i) {
      const T value = values[first + i];
      low[i] = value < low[i] ? value : low[i];
      high[i] = value > high[i] ? value : high[i];
      ordered[i] = ordered[i] & (value == value);
    }
  };
  py::ssize_t first = 0;
  for (; first + kLanes <= count; first += kLanes) look(first, kLanes);
  look(first, count - first);
  if (!std::all_of(ordered.begin(), ordered.end(), [](bool one) { return one; })) {
    const double nan = std::numeric_limits<double>::quiet_NaN();
    return {nan, nan};
  }
  return {*std::min_element(low.begin(), low.end()), *std::max_element(high.begin(), high.end())};
}

std::pair<double, double> bounds(const py::array& array) {
  if (array.size() == 0 || (array.flags() & py::array::c_style) == 0) {
    throw std::invalid_argument("array: empty or not contiguous");
  }
  if (py::isinstance<py::array_t<float>>(array)) return bounds_of<float>(array);
  if (py::isinstance<py::array_t<double>>(array)) return bounds_of<double>(array);
  if (py::isinstance<py::array_t<std::uint8_t>>(array)) return bounds_of<std::uint8_t>(array);
  throw std::invalid_argument("array: unexpected dtype");
}

}  // namespace

void bind_crf(py::module_& module) {
  module.attr("CRF_MAX_CHANNELS") = crf::kMaxDimensions - 2;  // two are positions
  module.def("dense_crf", &dense_crf, py::arg("scores").noconvert(), py::arg("floor"),
             py::arg("image").noconvert(), py::arg("compatibility").noconvert(),
             py::arg("iterations"), py::arg("kernels"), py::arg("marginals").noconvert(),
             py::arg("threads"));
  module.def("bounds", &bounds, py::arg("array"));
  module.def("dense_crf_gradient", &dense_crf_gradient, py::arg("scores").noconvert(),
             py::arg("floor"), py::arg("image").noconvert(), py::arg("compatibility").noconvert(),
             py::arg("iterations"), py::arg("kernels"), py::arg("gradient").noconvert(),
             py::arg("found").noconvert(), py::arg("pairs").noconvert(), py::arg("threads"));
}

}  // namespace graphcut::bindings
