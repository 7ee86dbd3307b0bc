// One CRF over feature vectors as a Python object: array checks and the interpreter's lock.
#include <pybind11/numpy.h>
#include <pybind11/pybind11.h>
#include <pybind11/stl.h>

#include <atomic>
#include <cstdint>
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

namespace py = pybind11;

namespace graphcut::bindings {
namespace {

using Floats = Aligned<float>;
using Doubles = Aligned<double>;

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

void bind_crf_field(py::module_& module) {
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
