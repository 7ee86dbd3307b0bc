// Labellings by moves for Python: checks of arrays and the interpreter's lock; no algorithm lives
// here.
#pragma once

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
#include <variant>
#include <vector>

#include "bindings/arrays.hpp"
#include "bindings/in_use.hpp"
#include "bindings/interruptible.hpp"
#include "maxflow/method.hpp"
#include "moves/descent.hpp"
#include "moves/problem.hpp"
#include "moves/steps.hpp"

namespace graphcut::bindings {

namespace py = pybind11;

// A problem, of the dtype that `unary` has, and the arrays that it points to. The operator checks
// what users pass; this guards against memory errors only.
class HeldProblem {
 public:
  // grid: shape of three axes and offsets from tail to head, where there is no edge_index.
  using Grid = std::pair<std::array<std::int32_t, 3>, std::vector<std::array<std::int32_t, 3>>>;

  HeldProblem(const Maybe& edge_index, const std::optional<Grid>& grid, const py::array& unary,
              std::int64_t labels, const Maybe& candidates, const py::array& weights,
              const Maybe& pairwise, const Maybe& tables, const Maybe& set_costs,
              const Maybe& set_members) {
    with_dtype<double, std::int64_t>(unary, "unary", [&](auto zero) {
      using Cost = decltype(zero);
      moves::Problem<Cost> problem;
      const auto shape = sizes<2>(unary, "unary");
      problem.nodes = shape[0];
      problem.columns = shape[1];
      problem.labels = labels;
      problem.unary = arrays_.in<Cost>(unary, "unary", {problem.nodes, problem.columns});
      if (edge_index) {
        problem.edges = sizes<2>(*edge_index, "edge_index")[1];
        problem.edge_index =
            arrays_.in<std::int64_t>(*edge_index, "edge_index", {2, problem.edges});
      } else {
        if (!grid) throw std::invalid_argument("neither edges nor a grid");
        set_grid(problem, *grid);
      }
      problem.weights = arrays_.in<Cost>(weights, "weights", problem.edges);
      problem.candidates =
          arrays_.in<std::int64_t>(candidates, "candidates", {problem.nodes, problem.columns});
      if (!candidates && problem.columns != labels) Arrays::fail("unary", "unexpected shape");
      problem.tables = arrays_.in<std::int64_t>(tables, "tables", problem.edges);
      if (pairwise) {
        const py::ssize_t count = tables ? sizes<3>(*pairwise, "pairwise")[0] : 1;
        problem.pairwise = arrays_.in<Cost>(*pairwise, "pairwise", {count, labels, labels});
      }
      if (set_costs && set_members) {
        problem.sets = set_costs->size();
        problem.set_costs = arrays_.in<Cost>(*set_costs, "set_costs", problem.sets);
        problem.set_members = arrays_.in<bool>(*set_members, "set_members", problem.sets * labels);
      }
      problem_ = problem;
    });
  }

  // Calls use(problem).
  template <class Use>
  auto visit(Use&& use) const {
    return std::visit(use, problem_);
  }

 private:
  template <class Cost>
  static void set_grid(moves::Problem<Cost>& problem, const Grid& grid) {
    const auto& [size, offsets] = grid;
    if (offsets.size() > problem.grid.offset.size()) Arrays::fail("grid", "too many offsets");
    problem.grid.size = size;
    problem.grid.directions = static_cast<int>(offsets.size());
    std::copy(offsets.begin(), offsets.end(), problem.grid.offset.begin());
    if (problem.grid.nodes() != problem.nodes) Arrays::fail("grid", "unexpected shape");
    problem.edges = problem.grid.edges();
  }

  Arrays arrays_{true};
  std::variant<moves::Problem<double>, moves::Problem<std::int64_t>> problem_;
};

// Returns the energy.
inline std::variant<double, std::int64_t> make_moves(const HeldProblem& held,
                                                     const py::array& labels,
                                                     const std::string& move,
                                                     std::int64_t max_cycles,
                                                     const std::string& solver, int threads) {
  using Energy = std::variant<double, std::int64_t>;
  const auto kind = move == "swap" ? moves::Moves::swaps : moves::Moves::expansions;
  const maxflow::Method method = maxflow::method_named(solver);
  Arrays arrays;
  return held.visit([&](const auto& problem) {
    auto* const in_and_out = arrays.out<std::int64_t>(labels, "labels", problem.nodes);
    return interruptible([&]() -> Energy {
      return moves::descend(problem, kind, max_cycles, method, threads, in_and_out);
    });
  });
}

class Steps {
 public:
  Steps(const HeldProblem& held, const py::array& labels, int threads) : held_(held) {
    Arrays arrays;
    held_.visit([&]<class Cost>(const moves::Problem<Cost>& problem) {
      const auto* start = arrays.in<std::int64_t>(labels, "labels", problem.nodes);
      steps_ = interruptible([&] {
        return std::make_unique<moves::Steps<Cost>>(problem, maxflow::Method::automatic, threads,
                                                    start);
      });
    });
  }

  bool expand(std::int32_t alpha) {
    const InUse now(in_use_);
    return interruptible(
        [&] { return std::visit([&](auto& steps) { return steps->expand(alpha); }, steps_); });
  }
  bool exchange(std::int32_t alpha, std::int32_t beta, bool keep_equal) {
    const InUse now(in_use_);
    return interruptible([&] {
      return std::visit([&](auto& steps) { return steps->exchange(alpha, beta, keep_equal); },
                        steps_);
    });
  }
  py::array labels() {
    const InUse now(in_use_);
    return std::visit([](const auto& steps) { return to_array(steps->labels()); }, steps_);
  }

 private:
  HeldProblem held_;
  std::variant<std::unique_ptr<moves::Steps<double>>, std::unique_ptr<moves::Steps<std::int64_t>>>
      steps_;
  std::atomic_flag in_use_;
};

inline void bind_moves(py::module_& module) {
  py::class_<HeldProblem>(module, "MoveProblem")
      .def(py::init<const Maybe&, const std::optional<HeldProblem::Grid>&, const py::array&,
                    std::int64_t, const Maybe&, const py::array&, const Maybe&, const Maybe&,
                    const Maybe&, const Maybe&>(),
           py::arg("edge_index"), py::arg("grid"), py::arg("unary"), py::arg("labels"),
           py::arg("candidates"), py::arg("weights"), py::arg("pairwise"), py::arg("tables"),
           py::arg("set_costs"), py::arg("set_members"));
  module.def("make_moves", &make_moves, py::arg("problem"), py::arg("labels"), py::arg("move"),
             py::arg("max_cycles"), py::arg("solver"), py::arg("threads"));
  py::class_<Steps>(module, "MoveSteps")
      .def(py::init<const HeldProblem&, const py::array&, int>(), py::arg("problem"),
           py::arg("labels"), py::arg("threads"))
      .def("expand", &Steps::expand, py::arg("alpha"))
      .def("swap", &Steps::exchange, py::arg("alpha"), py::arg("beta"), py::arg("keep_equal"))
      .def("labels", &Steps::labels);
}

}  // namespace graphcut::bindings
