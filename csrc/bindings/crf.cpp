// Array checks and GIL handling for the dense CRF; no algorithm lives here.
#include <pybind11/numpy.h>
#include <pybind11/pybind11.h>
#include <pybind11/stl.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cstdint>
#include <limits>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "bindings/bindings.hpp"
#include "bindings/in_use.hpp"
#include "bindings/interruptible.hpp"
#include "crf/field.hpp"
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
std::pair<double, double> bounds_of(const Aligned<T>& array) {
  constexpr py::ssize_t kLanes = 16;  // so that compilers use vectors
  const T* values = array.data();
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
  if (py::isinstance<py::array_t<float>>(array)) return bounds_of(Aligned<float>(array));
  if (py::isinstance<py::array_t<double>>(array)) return bounds_of(Aligned<double>(array));
  if (py::isinstance<py::array_t<std::uint8_t>>(array)) {
    return bounds_of(Aligned<std::uint8_t>(array));
  }
  throw std::invalid_argument("array: unexpected dtype");
}

// One CRF over feature vectors as a Python object.

crf::Normalization normalization_of(const std::string& name) {
  if (name == "none") return crf::Normalization::kNone;
  if (name == "before") return crf::Normalization::kBefore;
  if (name == "after") return crf::Normalization::kAfter;
  if (name == "symmetric") return crf::Normalization::kSymmetric;
  throw std::invalid_argument("normalization: unknown");
}

void require_shape(const Floats& array, std::int64_t rows, std::int64_t columns) {
  if (array.ndim() != 2 || array.shape(0) != rows || array.shape(1) != columns) {
    throw std::invalid_argument("array: unexpected shape");
  }
}

// The callers check what users pass; this guards against memory errors only.
class FeatureField {
 public:
  FeatureField(std::int64_t labels, std::int64_t points, const std::vector<Floats>& features,
               const std::vector<float>& weights,
               const std::vector<std::optional<Floats>>& compatibilities,
               const std::vector<std::string>& normalizations, int threads)
      : labels_(labels), points_(points), kernels_(static_cast<std::int64_t>(features.size())) {
    const std::size_t count = features.size();
    if (labels < 1 || points < 1 || weights.size() != count || compatibilities.size() != count ||
        normalizations.size() != count) {
      throw std::invalid_argument("field: unexpected size");
    }
    std::vector<crf::Potential> potentials;
    for (std::size_t i = 0; i < count; ++i) {
      const Floats& feature = features[i];  // (dimensions, points)
      const std::int64_t dimensions = feature.ndim() == 2 ? feature.shape(0) : 0;
      require_shape(feature, dimensions, points);
      if (dimensions < 1 || dimensions > crf::kMaxDimensions ||
          points >= (std::int64_t{1} << 31) / (dimensions + 1)) {
        throw std::invalid_argument("features: unexpected size");
      }
      const std::optional<Floats>& matrix = compatibilities[i];
      if (matrix) require_shape(*matrix, labels, labels);
      matrices_.push_back(crf::padded(matrix ? matrix->data() : nullptr, {labels}));
      potentials.push_back({{feature.data(), dimensions, points, 1},
                            {0, 1, weights[i], normalization_of(normalizations[i])},
                            matrix ? matrices_.back().data() : nullptr});
    }
    field_ = interruptible([&] {
      return std::make_unique<crf::Field>(points, 1, labels, potentials, nullptr, threads);
    });
  }

  void infer(const Floats& scores, float floor, const std::optional<Floats>& start,
             std::int64_t iterations, Floats& marginals) {
    require_shape(scores, labels_, points_);
    require_shape(marginals, labels_, points_);
    if (start) require_shape(*start, labels_, points_);
    float* out = marginals.mutable_data();
    const float* first = start ? start->data() : nullptr;
    const InUse now(in_use_);
    interruptible([&] { field_->infer(scores.data(), floor, first, iterations, out); });
  }

  void differentiate(const Floats& scores, float floor, std::int64_t iterations,
                     const Floats& gradient, Floats& found, std::optional<Doubles>& pairs) {
    require_shape(scores, labels_, points_);
    require_shape(gradient, labels_, points_);
    require_shape(found, labels_, points_);
    if (pairs && pairs->size() != kernels_ * labels_ * labels_) {
      throw std::invalid_argument("pairs: unexpected size");
    }
    const crf::Gradient wanted{gradient.data(), found.mutable_data(),
                               pairs ? pairs->mutable_data() : nullptr};
    const InUse now(in_use_);
    interruptible([&] { field_->differentiate(scores.data(), floor, iterations, wanted); });
  }

  void message(const Floats& q, bool transposed, Floats& sums) {
    require_shape(q, labels_, points_);
    require_shape(sums, labels_, points_);
    float* out = sums.mutable_data();
    const InUse now(in_use_);
    interruptible([&] { field_->message(q.data(), transposed, out); });
  }

 private:
  std::int64_t labels_;
  std::int64_t points_;
  std::int64_t kernels_;
  std::vector<std::vector<float>> matrices_;  // padded; moving a vector keeps its data in place
  std::unique_ptr<crf::Field> field_;
  std::atomic_flag in_use_;
};

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
  module.attr("CRF_MAX_DIMENSIONS") = crf::kMaxDimensions;
  py::class_<FeatureField>(module, "FeatureField")
      .def(py::init<std::int64_t, std::int64_t, const std::vector<Floats>&,
                    const std::vector<float>&, const std::vector<std::optional<Floats>>&,
                    const std::vector<std::string>&, int>(),
           py::arg("labels"), py::arg("points"), py::arg("features"), py::arg("weights"),
           py::arg("compatibilities"), py::arg("normalizations"), py::arg("threads"))
      .def("infer", &FeatureField::infer, py::arg("scores").noconvert(), py::arg("floor"),
           py::arg("start").noconvert(), py::arg("iterations"), py::arg("marginals").noconvert())
      .def("differentiate", &FeatureField::differentiate, py::arg("scores").noconvert(),
           py::arg("floor"), py::arg("iterations"), py::arg("gradient").noconvert(),
           py::arg("found").noconvert(), py::arg("pairs").noconvert())
      .def("message", &FeatureField::message, py::arg("q").noconvert(), py::arg("transposed"),
           py::arg("sums").noconvert());
}

}  // namespace graphcut::bindings
