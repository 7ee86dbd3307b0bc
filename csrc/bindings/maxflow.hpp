// Minimum cuts for Python: checks of arrays and the interpreter's lock; no algorithm lives here.
#pragma once

#include <pybind11/pybind11.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <stdexcept>
#include <string>
#include <type_traits>

#include "bindings/arrays.hpp"
#include "bindings/interruptible.hpp"
#include "maxflow/block_batch.hpp"
#include "maxflow/edge_list_batch.hpp"
#include "maxflow/emulated_batch.hpp"
#include "maxflow/graph.hpp"
#include "maxflow/knn_batch.hpp"
#include "maxflow/method.hpp"
#include "maxflow/value_gradient.hpp"

namespace graphcut::bindings {

namespace py = pybind11;

// Calls use(T{}) for the type of capacities that an array has.
template <class Use>
void with_capacity(const py::array& array, const char* name, Use&& use) {
  with_dtype<float, double, std::int32_t, std::int64_t>(array, name, use);
}

// (cuts, length), or (length): a row that serves every cut.
template <class T>
maxflow::Rows<T> rows(Arrays& arrays, const py::array& array, const char* name, py::ssize_t cuts,
                      py::ssize_t length) {
  if (array.ndim() == 1) return {arrays.in<T>(array, name, {length}), length, 0};
  return {arrays.in<T>(array, name, {cuts, length}), length, length};
}

inline void solve_edge_list(const py::array& edge_index, const py::array& capacity,
                            const Maybe& reverse_capacity, const py::array& source,
                            const py::array& sink, const Maybe& ptr, const py::array& value,
                            const py::array& source_side, const Maybe& flow,
                            const std::string& solver, int threads) {
  const auto shape = sizes<2>(source_side, "source_side");
  const py::ssize_t cuts = shape[0];
  const py::ssize_t nodes = shape[1];
  const py::ssize_t edges = sizes<2>(edge_index, "edge_index")[1];
  const py::ssize_t starts = ptr ? sizes<1>(*ptr, "ptr")[0] : 2;
  if (starts < 1) throw std::invalid_argument("ptr: unexpected shape");
  const std::array<std::int64_t, 2> whole{0, nodes};
  with_capacity(capacity, "capacity", [&](auto zero) {
    using Capacity = decltype(zero);
    Arrays arrays;
    maxflow::EdgeListBatch<Capacity> batch;
    batch.cuts = cuts;
    batch.nodes = nodes;
    batch.edges = edges;
    batch.graphs = starts - 1;
    batch.method = maxflow::method_named(solver);
    batch.edge_index = arrays.in<std::int64_t>(edge_index, "edge_index", {2, edges});
    batch.ptr = ptr ? arrays.in<std::int64_t>(*ptr, "ptr", {starts}) : whole.data();
    batch.capacity = rows<Capacity>(arrays, capacity, "capacity", cuts, edges);
    batch.reverse_capacity = reverse_capacity ? rows<Capacity>(arrays, *reverse_capacity,
                                                               "reverse_capacity", cuts, edges)
                                              : batch.capacity;
    batch.source = rows<Capacity>(arrays, source, "source", cuts, nodes);
    batch.sink = rows<Capacity>(arrays, sink, "sink", cuts, nodes);
    batch.value = arrays.out<maxflow::Value<Capacity>>(value, "value", {cuts, starts - 1});
    batch.source_side = arrays.out<bool>(source_side, "source_side", {cuts, nodes});
    batch.flow = arrays.out<Capacity>(flow, "flow", {cuts, edges});
    interruptible([&] { maxflow::solve(batch, threads); });
  });
}

// What is not wanted is None. Arrays (cuts, length) have the cuts' axes, which may be none.
inline void write_value_gradient(const py::array& edge_index, const py::array& source_side,
                                 const py::array& gradient, bool directed, const Maybe& capacity,
                                 const Maybe& reverse_capacity, const Maybe& source,
                                 const Maybe& sink) {
  const py::ssize_t edges = sizes<2>(edge_index, "edge_index")[1];
  if (source_side.ndim() < 1) throw std::invalid_argument("source_side: unexpected shape");
  const py::ssize_t cuts = gradient.size();
  const py::ssize_t nodes = source_side.shape(source_side.ndim() - 1);
  Arrays arrays;
  const auto* ends = arrays.in<std::int64_t>(edge_index, "edge_index", {2, edges});
  const auto outside = [&](std::int64_t node) { return node < 0 || node >= nodes; };
  if (std::any_of(ends, ends + 2 * edges, outside)) {
    throw std::invalid_argument("edge_index: unexpected value");
  }
  const auto* sides = arrays.in<bool>(source_side, "source_side", cuts * nodes);
  const auto* paid = arrays.in<double>(gradient, "gradient", cuts);
  for (const Maybe* wanted : {&capacity, &reverse_capacity, &source, &sink}) {
    if (!*wanted) continue;
    return with_dtype<float, double>(**wanted, "gradients", [&](auto zero) {
      using T = decltype(zero);
      const maxflow::ValueGradient<T> found{
          cuts,
          nodes,
          edges,
          ends,
          sides,
          paid,
          directed,
          arrays.out<T>(capacity, "capacity", cuts * edges),
          arrays.out<T>(reverse_capacity, "reverse_capacity", cuts * edges),
          arrays.out<T>(source, "source", cuts * nodes),
          arrays.out<T>(sink, "sink", cuts * nodes)};
      interruptible([&] { found.write(); });
    });
  }
}

// What batches of lists of neighbours have in common, but for results of the emulation alone.
template <class Batch>
void set_lists(Batch& batch, Arrays& arrays, const py::array& indices, const py::array& weights,
               const py::array& source, const py::array& sink, const py::array& value,
               const py::array& source_side) {
  using Capacity = std::remove_cvref_t<decltype(*batch.weights)>;
  const auto [items, nodes, k] = sizes<3>(indices, "indices");
  const py::ssize_t cuts = sizes<3>(source, "source")[1];
  batch.items = items;
  batch.nodes = nodes;
  batch.k = k;
  batch.cuts = cuts;
  batch.indices = arrays.in<std::int64_t>(indices, "indices", {items, nodes, k});
  batch.weights = arrays.in<Capacity>(weights, "weights", {items, nodes, k});
  batch.source = arrays.in<Capacity>(source, "source", {items, cuts, nodes});
  batch.sink = arrays.in<Capacity>(sink, "sink", {items, cuts, nodes});
  batch.value = arrays.out<maxflow::Value<Capacity>>(value, "value", {items, cuts});
  batch.source_side = arrays.out<bool>(source_side, "source_side", {items, cuts, nodes});
}

inline void solve_knn(const py::array& indices, const py::array& weights, const py::array& source,
                      const py::array& sink, const py::array& value, const py::array& source_side,
                      const std::string& solver, int threads) {
  with_capacity(weights, "weights", [&](auto zero) {
    Arrays arrays;
    maxflow::KnnBatch<decltype(zero)> batch;
    set_lists(batch, arrays, indices, weights, source, sink, value, source_side);
    batch.method = maxflow::method_named(solver);
    interruptible([&] { maxflow::solve(batch, threads); });
  });
}

// A model of solve_knn_cuda: what a device does, by emulated threads, certificates included.
inline void solve_knn_emulated(const py::array& indices, const py::array& weights,
                               const py::array& source, const py::array& sink,
                               const py::array& value, const py::array& source_side,
                               const py::array& status, const py::array& work, int threads,
                               const std::string& order, std::uint64_t seed) {
  using Order = maxflow::EmulatedBlock::Order;
  if (threads < 1 || threads > maxflow::kMostThreads) {
    throw std::invalid_argument("threads must be from 1 to 1024");
  }
  const auto of_threads = order == "ascending"    ? Order::ascending
                          : order == "descending" ? Order::descending
                                                  : Order::shuffled;
  with_capacity(weights, "weights", [&](auto zero) {
    Arrays arrays;
    maxflow::BlockBatch<decltype(zero)> batch;
    set_lists(batch, arrays, indices, weights, source, sink, value, source_side);
    batch.status = arrays.out<std::int32_t>(status, "status", {batch.items, batch.cuts});
    batch.work = arrays.out<std::int32_t>(work, "work", {batch.items, batch.cuts, 3});
    batch.certify = true;
    const py::gil_scoped_release release;
    maxflow::solve_emulated(batch, threads, of_threads, seed);
  });
}

#ifdef GRAPHCUT_WITH_CUDA
template <class Capacity>
maxflow::BlockBatch<Capacity> sized(std::int64_t items, std::int64_t cuts, std::int64_t nodes,
                                    std::int64_t k) {
  maxflow::BlockBatch<Capacity> batch;
  batch.items = items;
  batch.cuts = cuts;
  batch.nodes = nodes;
  batch.k = k;
  return batch;
}

template <class Capacity>
std::int64_t workspace_bytes(std::int64_t items, std::int64_t cuts, std::int64_t nodes,
                             std::int64_t k, int device) {
  return maxflow::workspace_bytes(sized<Capacity>(items, cuts, nodes, k), device);
}

// Addresses are device pointers of dense arrays with the shapes in maxflow/block_batch.hpp.
template <class Capacity>
void solve_knn_cuda(std::int64_t items, std::int64_t cuts, std::int64_t nodes, std::int64_t k,
                    std::uintptr_t indices, std::uintptr_t weights, std::uintptr_t source,
                    std::uintptr_t sink, std::uintptr_t value, std::uintptr_t source_side,
                    std::uintptr_t status, std::uintptr_t work, bool certify,
                    std::uintptr_t workspace, int device, std::uintptr_t stream) {
  auto batch = sized<Capacity>(items, cuts, nodes, k);
  batch.indices = pointer<const std::int64_t>(indices);
  batch.weights = pointer<const Capacity>(weights);
  batch.source = pointer<const Capacity>(source);
  batch.sink = pointer<const Capacity>(sink);
  batch.value = pointer<maxflow::Value<Capacity>>(value);
  batch.source_side = pointer<bool>(source_side);
  batch.status = pointer<std::int32_t>(status);
  batch.work = pointer<std::int32_t>(work);
  batch.certify = certify;
  py::gil_scoped_release release;
  maxflow::solve_cuda(batch, pointer<void>(workspace), device, pointer<void>(stream));
}

template <class Capacity>
void bind_cuda(py::module_& module, const std::string& dtype) {
  module.def(("knn_cut_workspace_" + dtype).c_str(), &workspace_bytes<Capacity>);
  module.def(("solve_knn_cuda_" + dtype).c_str(), &solve_knn_cuda<Capacity>);
}
#endif

inline void bind_maxflow(py::module_& module) {
  py::tuple names(maxflow::kSolverNames.size());
  for (std::size_t k = 0; k < names.size(); ++k) names[k] = maxflow::kSolverNames[k];
  module.attr("SOLVERS") = names;
  module.attr("MAX_NODES") = maxflow::kMaxNodes;
  module.attr("MAX_EDGES") = maxflow::kMaxEdges;
  module.def("solve_edge_list", &solve_edge_list, py::arg("edge_index"), py::arg("capacity"),
             py::arg("reverse_capacity"), py::arg("source"), py::arg("sink"), py::arg("ptr"),
             py::arg("value"), py::arg("source_side"), py::arg("flow"), py::arg("solver"),
             py::arg("threads"));
  module.def("write_value_gradient", &write_value_gradient, py::arg("edge_index"),
             py::arg("source_side"), py::arg("gradient"), py::arg("directed"), py::arg("capacity"),
             py::arg("reverse_capacity"), py::arg("source"), py::arg("sink"));
  module.def("solve_knn", &solve_knn, py::arg("indices"), py::arg("weights"), py::arg("source"),
             py::arg("sink"), py::arg("value"), py::arg("source_side"), py::arg("solver"),
             py::arg("threads"));
  module.def("solve_knn_emulated", &solve_knn_emulated, py::arg("indices"), py::arg("weights"),
             py::arg("source"), py::arg("sink"), py::arg("value"), py::arg("source_side"),
             py::arg("status"), py::arg("work"), py::arg("threads"), py::arg("order"),
             py::arg("seed"));
#ifdef GRAPHCUT_WITH_CUDA
  bind_cuda<float>(module, "float32");
  bind_cuda<double>(module, "float64");
  bind_cuda<std::int32_t>(module, "int32");
  bind_cuda<std::int64_t>(module, "int64");
#endif
}

}  // namespace graphcut::bindings
