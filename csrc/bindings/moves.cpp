// Array checks and GIL handling for labellings by moves; no algorithm lives here.
#include "moves/descent.hpp"

#include <pybind11/numpy.h>
#include <pybind11/pybind11.h>
#include <pybind11/stl.h>

#include <algorithm>
#include <array>
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
#include "maxflow/method.hpp"
#include "moves/steps.hpp"

namespace py = pybind11;

namespace graphcut::bindings {
namespace {

template <class T>
using Array = Aligned<T>;
using Ids = Array<std::int64_t>;
using Grid = std::pair<std::array<std::int32_t, 3>, std::vector<std::array<std::int32_t, 3>>>;

void require(bool holds) {
  if (!holds) throw std::invalid_argument("unexpected shape");
}

// A problem and the arrays that it points to. The operator checks what users pass; this guards
// against memory errors only.
template <class Cost>
class HeldProblem {
 public:
  // grid: shape of three axes and offsets from tail to head, where there is no edge_index.
  HeldProblem(std::optional<Ids> edge_index, const std::optional<Grid>& grid, Array<Cost> unary,
              std::int64_t labels, std::optional<Ids> candidates, Array<Cost> weights,
              std::optional<Array<Cost>> pairwise, std::optional<Ids> tables,
              std::optional<Array<Cost>> set_costs, std::optional<Array<bool>> set_members)
      : edge_index_(std::move(edge_index)),
        unary_(std::move(unary)),
        candidates_(std::move(candidates)),
        weights_(std::move(weights)),
        pairwise_(std::move(pairwise)),
        tables_(std::move(tables)),
        set_costs_(std::move(set_costs)),
        set_members_(std::move(set_members)) {
    require(unary_.ndim() == 2);
    problem_.nodes = unary_.shape(0);
    problem_.columns = unary_.shape(1);
    problem_.labels = labels;
    set_edges(grid);
    if (candidates_) {
      require(candidates_->ndim() == 2 && candidates_->shape(0) == problem_.nodes &&
              candidates_->shape(1) == problem_.columns);
      problem_.candidates = candidates_->data();
    } else {
      require(problem_.columns == problem_.labels);
    }
    problem_.unary = unary_.data();
    problem_.weights = weights_.data();
    if (pairwise_) {
      require(pairwise_->ndim() == 3 && pairwise_->shape(1) == labels &&
              pairwise_->shape(2) == labels);
      problem_.pairwise = pairwise_->data();
      if (!tables_) require(pairwise_->shape(0) == 1);
    }
    if (tables_) {
      require(tables_->size() == problem_.edges);
      problem_.tables = tables_->data();
    }
    if (set_costs_ && set_members_) {
      problem_.sets = set_costs_->size();
      require(set_members_->size() == problem_.sets * problem_.labels);
      problem_.set_costs = set_costs_->data();
      problem_.set_members = set_members_->data();
    }
  }

  const moves::Problem<Cost>& get() const { return problem_; }

 private:
  void set_edges(const std::optional<Grid>& grid) {
    if (edge_index_) {
      require(edge_index_->ndim() == 2 && edge_index_->shape(0) == 2);
      problem_.edges = edge_index_->shape(1);
      problem_.edge_index = edge_index_->data();
    } else {
      if (!grid) throw std::invalid_argument("neither edges nor a grid");
      const auto& [size, offsets] = *grid;
      require(offsets.size() <= problem_.grid.offset.size());
      problem_.grid.size = size;
      problem_.grid.directions = static_cast<int>(offsets.size());
      std::copy(offsets.begin(), offsets.end(), problem_.grid.offset.begin());
      require(problem_.grid.nodes() == problem_.nodes);
      problem_.edges = problem_.grid.edges();
    }
    require(weights_.size() == problem_.edges);
  }

  std::optional<Ids> edge_index_;
  Array<Cost> unary_;
  std::optional<Ids> candidates_;
  Array<Cost> weights_;
  std::optional<Array<Cost>> pairwise_;
  std::optional<Ids> tables_;
  std::optional<Array<Cost>> set_costs_;
  std::optional<Array<bool>> set_members_;
  moves::Problem<Cost> problem_;
};

template <class Cost>
Cost make_moves(const HeldProblem<Cost>& problem, Ids& labels, const std::string& move,
                std::int64_t max_cycles, const std::string& solver, int threads) {
  require(labels.size() == problem.get().nodes);
  const auto kind = move == "swap" ? moves::Moves::swaps : moves::Moves::expansions;
  const maxflow::Method method = maxflow::method_named(solver);
  std::int64_t* const in_and_out = labels.mutable_data();
  return interruptible(
      [&] { return moves::descend(problem.get(), kind, max_cycles, method, threads, in_and_out); });
}

template <class Cost>
class Steps {
 public:
  Steps(HeldProblem<Cost> problem, const Ids& labels, int threads)
      : problem_(std::move(problem)), steps_([&] {
          require(labels.size() == problem_.get().nodes);
          return interruptible([&] {
            return std::make_unique<moves::Steps<Cost>>(problem_.get(), maxflow::Method::automatic,
                                                        threads, labels.data());
          });
        }()) {}

  bool expand(std::int32_t alpha) {
    const InUse now(in_use_);
    return interruptible([&] { return steps_->expand(alpha); });
  }
  bool exchange(std::int32_t alpha, std::int32_t beta, bool keep_equal) {
    const InUse now(in_use_);
    return interruptible([&] { return steps_->exchange(alpha, beta, keep_equal); });
  }
  Array<std::int32_t> labels() {
    const InUse now(in_use_);
    const auto& labels = steps_->labels();
    return Array<std::int32_t>(static_cast<py::ssize_t>(labels.size()), labels.data());
  }

 private:
  HeldProblem<Cost> problem_;
  std::unique_ptr<moves::Steps<Cost>> steps_;
  std::atomic_flag in_use_;
};

template <class Cost>
void bind(py::module_& module, const std::string& suffix) {
  using Problem = HeldProblem<Cost>;
  py::class_<Problem>(module, ("MoveProblem" + suffix).c_str())
      .def(py::init<std::optional<Ids>, const std::optional<Grid>&, Array<Cost>, std::int64_t,
                    std::optional<Ids>, Array<Cost>, std::optional<Array<Cost>>, std::optional<Ids>,
                    std::optional<Array<Cost>>, std::optional<Array<bool>>>(),
           py::arg("edge_index").noconvert(), py::arg("grid"), py::arg("unary").noconvert(),
           py::arg("labels"), py::arg("candidates").noconvert(), py::arg("weights").noconvert(),
           py::arg("pairwise").noconvert(), py::arg("tables").noconvert(),
           py::arg("set_costs").noconvert(), py::arg("set_members").noconvert());
  module.def("make_moves", &make_moves<Cost>, py::arg("problem"), py::arg("labels").noconvert(),
             py::arg("move"), py::arg("max_cycles"), py::arg("solver"), py::arg("threads"));
  py::class_<Steps<Cost>>(module, ("MoveSteps" + suffix).c_str())
      .def(py::init<Problem, const Ids&, int>(), py::arg("problem"), py::arg("labels").noconvert(),
           py::arg("threads"))
      .def("expand", &Steps<Cost>::expand, py::arg("alpha"))
      .def("swap", &Steps<Cost>::exchange, py::arg("alpha"), py::arg("beta"), py::arg("keep_equal"))
      .def("labels", &Steps<Cost>::labels);
}

}  // namespace

void bind_moves(py::module_& module) {
  bind<double>(module, "Float");
  bind<std::int64_t>(module, "Int");
}

}  // namespace graphcut::bindings
