// The dense CRF for Python: checks of arrays and the interpreter's lock; no algorithm lives here.
#pragma once

#include <pybind11/pybind11.h>
#include <pybind11/stl.h>

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "bindings/arrays.hpp"
#include "bindings/in_use.hpp"
#include "bindings/interruptible.hpp"
#include "crf/bounds.hpp"
#include "crf/field.hpp"
#include "crf/mean_field.hpp"

namespace graphcut::bindings {

namespace py = pybind11;

// Scores, images and what both have in common, as the operator has checked them.
class DenseProblem {
 public:
  DenseProblem(const py::array& scores, float floor, const py::array& image,
               const Maybe& compatibility, std::int64_t iterations,
               const std::array<float, 5>& kernels)
      : shape_(sizes<4>(scores, "scores")) {
    const auto [items, labels, height, width] = shape_;
    const py::ssize_t channels = sizes<4>(image, "image")[1];
    const py::ssize_t corners = channels + 3;
    if (corners - 1 > crf::kMaxDimensions || height * width >= (std::int64_t{1} << 31) / corners) {
      throw std::invalid_argument("image: too large");
    }
    const auto [smoothness_xy, smoothness_weight, appearance_xy, appearance_value,
                appearance_weight] = kernels;
    problem_ = {items,
                labels,
                channels,
                height,
                width,
                like_scores(scores, "scores"),
                arrays_.in<float>(image, "image", {items, channels, height, width}),
                arrays_.in<float>(compatibility, "compatibility", {labels, labels}),
                iterations,
                {smoothness_xy, 1, smoothness_weight},
                {appearance_xy, appearance_value, appearance_weight},
                floor};
  }

  const crf::MeanField& get() const { return problem_; }

  const float* like_scores(const py::array& array, const char* name) {
    return arrays_.in<float>(array, name, {shape_[0], shape_[1], shape_[2], shape_[3]});
  }
  float* result(const py::array& array, const char* name) {
    return arrays_.out<float>(array, name, {shape_[0], shape_[1], shape_[2], shape_[3]});
  }
  double* pairs(const Maybe& array) {
    return arrays_.out<double>(array, "pairs", shape_[0] * 2 * shape_[1] * shape_[1]);
  }

 private:
  std::array<py::ssize_t, 4> shape_;
  Arrays arrays_;
  crf::MeanField problem_;
};

inline void dense_crf(const py::array& scores, float floor, const py::array& image,
                      const Maybe& compatibility, std::int64_t iterations,
                      const std::array<float, 5>& kernels, const py::array& marginals,
                      int threads) {
  DenseProblem problem(scores, floor, image, compatibility, iterations, kernels);
  float* out = problem.result(marginals, "marginals");
  interruptible([&] { crf::infer(problem.get(), out, threads); });
}

inline void dense_crf_gradient(const py::array& scores, float floor, const py::array& image,
                               const Maybe& compatibility, std::int64_t iterations,
                               const std::array<float, 5>& kernels, const py::array& gradient,
                               const py::array& found, const Maybe& pairs, int threads) {
  DenseProblem problem(scores, floor, image, compatibility, iterations, kernels);
  const float* of_marginals = problem.like_scores(gradient, "gradient");
  float* out = problem.result(found, "found");
  double* sums = problem.pairs(pairs);
  interruptible([&] { crf::differentiate(problem.get(), of_marginals, out, sums, threads); });
}

inline std::pair<double, double> bounds(const py::array& array) {
  if (array.size() == 0) throw std::invalid_argument("array: empty");
  std::pair<double, double> found;
  with_dtype<float, double, std::uint8_t>(array, "array", [&](auto zero) {
    Arrays arrays;
    found = crf::bounds(arrays.in<decltype(zero)>(array, "array", array.size()), array.size());
  });
  return found;
}

// One CRF over feature vectors as a Python object.

inline crf::Normalization normalization_of(const std::string& name) {
  if (name == "none") return crf::Normalization::kNone;
  if (name == "before") return crf::Normalization::kBefore;
  if (name == "after") return crf::Normalization::kAfter;
  if (name == "symmetric") return crf::Normalization::kSymmetric;
  throw std::invalid_argument("normalization: unknown");
}

// The callers check what users pass; this guards against memory errors only.
class FeatureField {
 public:
  FeatureField(std::int64_t labels, std::int64_t points, const std::vector<py::array>& features,
               const std::vector<float>& weights, const std::vector<Maybe>& compatibilities,
               const std::vector<std::string>& normalizations, int threads)
      : labels_(labels), points_(points), kernels_(static_cast<std::int64_t>(features.size())) {
    const std::size_t count = features.size();
    if (labels < 1 || points < 1 || weights.size() != count || compatibilities.size() != count ||
        normalizations.size() != count) {
      throw std::invalid_argument("field: unexpected size");
    }
    Arrays arrays;
    std::vector<crf::Potential> potentials;
    for (std::size_t i = 0; i < count; ++i) {
      const std::int64_t dimensions = sizes<2>(features[i], "features")[0];
      const auto* feature = arrays.in<float>(features[i], "features", {dimensions, points});
      if (dimensions < 1 || dimensions > crf::kMaxDimensions ||
          points >= (std::int64_t{1} << 31) / (dimensions + 1)) {
        throw std::invalid_argument("features: unexpected size");
      }
      const auto* matrix =
          arrays.in<float>(compatibilities[i], "compatibilities", {labels, labels});
      matrices_.push_back(crf::padded(matrix, {labels}));
      potentials.push_back({{feature, dimensions, points, 1},
                            {0, 1, weights[i], normalization_of(normalizations[i])},
                            matrix != nullptr ? matrices_.back().data() : nullptr});
    }
    field_ = interruptible([&] {
      return std::make_unique<crf::Field>(points, 1, labels, potentials, nullptr, threads);
    });
  }

  void infer(const py::array& scores, float floor, const Maybe& start, std::int64_t iterations,
             const py::array& marginals) {
    Arrays arrays;
    const auto* in = arrays.in<float>(scores, "scores", {labels_, points_});
    const auto* first = arrays.in<float>(start, "start", {labels_, points_});
    auto* out = arrays.out<float>(marginals, "marginals", {labels_, points_});
    const InUse now(in_use_);
    interruptible([&] { field_->infer(in, floor, first, iterations, out); });
  }

  void differentiate(const py::array& scores, float floor, std::int64_t iterations,
                     const py::array& gradient, const py::array& found, const Maybe& pairs) {
    Arrays arrays;
    const auto* in = arrays.in<float>(scores, "scores", {labels_, points_});
    const crf::Gradient wanted{arrays.in<float>(gradient, "gradient", {labels_, points_}),
                               arrays.out<float>(found, "found", {labels_, points_}),
                               arrays.out<double>(pairs, "pairs", kernels_ * labels_ * labels_)};
    const InUse now(in_use_);
    interruptible([&] { field_->differentiate(in, floor, iterations, wanted); });
  }

  void message(const py::array& q, bool transposed, const py::array& sums) {
    Arrays arrays;
    const auto* in = arrays.in<float>(q, "q", {labels_, points_});
    auto* out = arrays.out<float>(sums, "sums", {labels_, points_});
    const InUse now(in_use_);
    interruptible([&] { field_->message(in, transposed, out); });
  }

 private:
  std::int64_t labels_;
  std::int64_t points_;
  std::int64_t kernels_;
  std::vector<std::vector<float>> matrices_;  // padded; moving a vector keeps its data in place
  std::unique_ptr<crf::Field> field_;
  std::atomic_flag in_use_;
};

inline void bind_crf(py::module_& module) {
  module.attr("CRF_MAX_CHANNELS") = crf::kMaxDimensions - 2;  // two are positions
  module.def("dense_crf", &dense_crf, py::arg("scores"), py::arg("floor"), py::arg("image"),
             py::arg("compatibility"), py::arg("iterations"), py::arg("kernels"),
             py::arg("marginals"), py::arg("threads"));
  module.def("bounds", &bounds, py::arg("array"));
  module.def("dense_crf_gradient", &dense_crf_gradient, py::arg("scores"), py::arg("floor"),
             py::arg("image"), py::arg("compatibility"), py::arg("iterations"), py::arg("kernels"),
             py::arg("gradient"), py::arg("found"), py::arg("pairs"), py::arg("threads"));
  module.attr("CRF_MAX_DIMENSIONS") = crf::kMaxDimensions;
  py::class_<FeatureField>(module, "FeatureField")
      .def(py::init<std::int64_t, std::int64_t, const std::vector<py::array>&,
                    const std::vector<float>&, const std::vector<Maybe>&,
                    const std::vector<std::string>&, int>(),
           py::arg("labels"), py::arg("points"), py::arg("features"), py::arg("weights"),
           py::arg("compatibilities"), py::arg("normalizations"), py::arg("threads"))
      .def("infer", &FeatureField::infer, py::arg("scores"), py::arg("floor"), py::arg("start"),
           py::arg("iterations"), py::arg("marginals"))
      .def("differentiate", &FeatureField::differentiate, py::arg("scores"), py::arg("floor"),
           py::arg("iterations"), py::arg("gradient"), py::arg("found"), py::arg("pairs"))
      .def("message", &FeatureField::message, py::arg("q"), py::arg("transposed"), py::arg("sums"));
}

}  // namespace graphcut::bindings
