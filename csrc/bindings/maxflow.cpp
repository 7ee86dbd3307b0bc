// Array checks and GIL handling for the min-cut kernels; no algorithm lives here.
#include <pybind11/numpy.h>
#include <pybind11/pybind11.h>
#include <pybind11/stl.h>

#include <algorithm>
#include <array>
#include <optional>
#include <stdexcept>
#include <string>

#include "bindings/bindings.hpp"
#include "bindings/interruptible.hpp"
#include "maxflow/block_batch.hpp"
#include "maxflow/edge_list_batch.hpp"
#include "maxflow/emulated_batch.hpp"
#include "maxflow/graph.hpp"
#include "maxflow/knn_batch.hpp"
#include "maxflow/method.hpp"
#include "maxflow/value_gradient.hpp"

namespace py = pybind11;

namespace graphcut::bindings {
namespace {

using maxflow::BlockBatch;
using maxflow::EdgeListBatch;
using maxflow::EmulatedBlock;
using maxflow::KnnBatch;
using maxflow::Rows;
using maxflow::Value;

template <class T>
using Array = Aligned<T>;

// Callers hand over contiguous arrays of agreeing shapes; this guards against memory errors only.
template <class T>
void expect(const Array<T>& array, const char* name, std::initializer_list<py::ssize_t> shape) {
  bool same = array.ndim() == static_cast<py::ssize_t>(shape.size());
  py::ssize_t axis = 0;
  for (const py::ssize_t size : shape) same = same && array.shape(axis++) == size;
  if (!same) throw std::invalid_argument(std::string(name) + ": unexpected shape");
}

// (cuts, length), or (length): a row that serves every cut.
template <class T>
Rows<T> rows(const Array<T>& array, const char* name, py::ssize_t cuts, py::ssize_t length) {
  if (array.ndim() == 1) {
    expect(array, name, {length});
    return {array.data(), length, 0};
  }
  expect(array, name, {cuts, length});
  return {array.data(), length, length};
}

template <class Capacity>
void solve_edge_list(const Array<std::int64_t>& edge_index, const Array<Capacity>& capacity,
                     const std::optional<Array<Capacity>>& reverse_capacity,
                     const Array<Capacity>& source, const Array<Capacity>& sink,
                     const std::optional<Array<std::int64_t>>& ptr, Array<Value<Capacity>>& value,
                     Array<bool>& source_side, std::optional<Array<Capacity>>& flow,
                     const std::string& solver, int threads) {
  if (source_side.ndim() != 2 || edge_index.ndim() != 2 ||
      (ptr && (ptr->ndim() != 1 || ptr->shape(0) < 1))) {
    throw std::invalid_argument("unexpected number of dimensions");
  }
  EdgeListBatch<Capacity> batch;
  batch.cuts = source_side.shape(0);
  batch.nodes = source_side.shape(1);
  batch.edges = edge_index.shape(1);
  const std::array<std::int64_t, 2> whole{0, batch.nodes};
  batch.graphs = ptr ? ptr->shape(0) - 1 : 1;
  expect(edge_index, "edge_index", {2, batch.edges});
  expect(value, "value", {batch.cuts, batch.graphs});
  batch.method = maxflow::method_named(solver);
  batch.edge_index = edge_index.data();
  batch.ptr = ptr ? ptr->data() : whole.data();
  batch.capacity = rows(capacity, "capacity", batch.cuts, batch.edges);
  batch.reverse_capacity =
      reverse_capacity ? rows(*reverse_capacity, "reverse_capacity", batch.cuts, batch.edges)
                       : batch.capacity;
  batch.source = rows(source, "source", batch.cuts, batch.nodes);
  batch.sink = rows(sink, "sink", batch.cuts, batch.nodes);
  batch.value = value.mutable_data();
  batch.source_side = source_side.mutable_data();
  if (flow) {
    expect(*flow, "flow", {batch.cuts, batch.edges});
    batch.flow = flow->mutable_data();
  }
  interruptible([&] { maxflow::solve(batch, threads); });
}

// What is not wanted is None. Arrays (cuts, length) have the cuts' axes, which may be none.
template <class T>
void write_value_gradient(const Array<std::int64_t>& edge_index, const Array<bool>& source_side,
                          const Array<double>& gradient, bool directed,
                          std::optional<Array<T>>& capacity,
                          std::optional<Array<T>>& reverse_capacity,
                          std::optional<Array<T>>& source, std::optional<Array<T>>& sink) {
  if (edge_index.ndim() != 2 || edge_index.shape(0) != 2 || source_side.ndim() < 1) {
    throw std::invalid_argument("unexpected number of dimensions");
  }
  const py::ssize_t cuts = gradient.size();
  const py::ssize_t nodes = source_side.shape(source_side.ndim() - 1);
  const py::ssize_t edges = edge_index.shape(1);
  const std::int64_t* const ends = edge_index.data();
  const auto outside = [&](std::int64_t node) { return node < 0 || node >= nodes; };
  if (source_side.size() != cuts * nodes || std::any_of(ends, ends + 2 * edges, outside)) {
    throw std::invalid_argument("source_side or edge_index: unexpected shape or value");
  }
  const auto written = [&](std::optional<Array<T>>& array, py::ssize_t length) -> T* {
    if (!array) return nullptr;
    if (array->size() != cuts * length) throw std::invalid_argument("unexpected shape");
    return array->mutable_data();
  };
  const maxflow::ValueGradient<T> found{cuts,
                                        nodes,
                                        edges,
                                        ends,
                                        source_side.data(),
                                        gradient.data(),
                                        directed,
                                        written(capacity, edges),
                                        written(reverse_capacity, edges),
                                        written(source, nodes),
                                        written(sink, nodes)};
  interruptible([&] { found.write(); });
}

template <class Capacity>
void solve_knn(const Array<std::int64_t>& indices, const Array<Capacity>& weights,
               const Array<Capacity>& source, const Array<Capacity>& sink,
               Array<Value<Capacity>>& value, Array<bool>& source_side, const std::string& solver,
               int threads) {
  if (indices.ndim() != 3 || source.ndim() != 3) {
    throw std::invalid_argument("unexpected number of dimensions");
  }
  KnnBatch<Capacity> batch;
  batch.items = indices.shape(0);
  batch.nodes = indices.shape(1);
  batch.k = indices.shape(2);
  batch.cuts = source.shape(1);
  expect(weights, "weights", {batch.items, batch.nodes, batch.k});
  expect(source, "source", {batch.items, batch.cuts, batch.nodes});
  expect(sink, "sink", {batch.items, batch.cuts, batch.nodes});
  expect(value, "value", {batch.items, batch.cuts});
  expect(source_side, "source_side", {batch.items, batch.cuts, batch.nodes});
  batch.method = maxflow::method_named(solver);
  batch.indices = indices.data();
  batch.weights = weights.data();
  batch.source = source.data();
  batch.sink = sink.data();
  batch.value = value.mutable_data();
  batch.source_side = source_side.mutable_data();
  interruptible([&] { maxflow::solve(batch, threads); });
}

// A model of solve_knn_cuda: what a device does, by emulated threads, certificates included.
template <class Capacity>
void solve_knn_emulated(const Array<std::int64_t>& indices, const Array<Capacity>& weights,
                        const Array<Capacity>& source, const Array<Capacity>& sink,
                        Array<Value<Capacity>>& value, Array<bool>& source_side,
                        Array<std::int32_t>& status, Array<std::int32_t>& work, int threads,
                        const std::string& order, std::uint64_t seed) {
  if (indices.ndim() != 3 || source.ndim() != 3) {
    throw std::invalid_argument("unexpected number of dimensions");
  }
  BlockBatch<Capacity> batch;
  batch.items = indices.shape(0);
  batch.nodes = indices.shape(1);
  batch.k = indices.shape(2);
  batch.cuts = source.shape(1);
  expect(weights, "weights", {batch.items, batch.nodes, batch.k});
  expect(source, "source", {batch.items, batch.cuts, batch.nodes});
  expect(sink, "sink", {batch.items, batch.cuts, batch.nodes});
  expect(value, "value", {batch.items, batch.cuts});
  expect(source_side, "source_side", {batch.items, batch.cuts, batch.nodes});
  expect(status, "status", {batch.items, batch.cuts});
  expect(work, "work", {batch.items, batch.cuts, 3});
  if (threads < 1 || threads > maxflow::kMostThreads) {
    throw std::invalid_argument("threads must be from 1 to 1024");
  }
  batch.indices = indices.data();
  batch.weights = weights.data();
  batch.source = source.data();
  batch.sink = sink.data();
  batch.value = value.mutable_data();
  batch.source_side = source_side.mutable_data();
  batch.status = status.mutable_data();
  batch.work = work.mutable_data();
  batch.certify = true;
  const auto of_threads = order == "ascending"    ? EmulatedBlock::Order::ascending
                          : order == "descending" ? EmulatedBlock::Order::descending
                                                  : EmulatedBlock::Order::shuffled;
  py::gil_scoped_release release;
  maxflow::solve_emulated(batch, threads, of_threads, seed);
}

#ifdef GRAPHCUT_WITH_CUDA
template <class T>
T* pointer(std::uintptr_t address) {
  return reinterpret_cast<T*>(address);  // NOLINT(performance-no-int-to-ptr): torch's data_ptr()
}

template <class Capacity>
BlockBatch<Capacity> sized(std::int64_t items, std::int64_t cuts, std::int64_t nodes,
                           std::int64_t k) {
  BlockBatch<Capacity> batch;
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
  batch.value = pointer<Value<Capacity>>(value);
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

template <class Capacity>
void bind_solvers(py::module_& module) {
  module.def("solve_edge_list", &solve_edge_list<Capacity>, py::arg("edge_index").noconvert(),
             py::arg("capacity").noconvert(), py::arg("reverse_capacity").noconvert(),
             py::arg("source").noconvert(), py::arg("sink").noconvert(), py::arg("ptr").noconvert(),
             py::arg("value").noconvert(), py::arg("source_side").noconvert(),
             py::arg("flow").noconvert(), py::arg("solver"), py::arg("threads"));
  module.def("solve_knn", &solve_knn<Capacity>, py::arg("indices").noconvert(),
             py::arg("weights").noconvert(), py::arg("source").noconvert(),
             py::arg("sink").noconvert(), py::arg("value").noconvert(),
             py::arg("source_side").noconvert(), py::arg("solver"), py::arg("threads"));
  module.def("solve_knn_emulated", &solve_knn_emulated<Capacity>, py::arg("indices").noconvert(),
             py::arg("weights").noconvert(), py::arg("source").noconvert(),
             py::arg("sink").noconvert(), py::arg("value").noconvert(),
             py::arg("source_side").noconvert(), py::arg("status").noconvert(),
             py::arg("work").noconvert(), py::arg("threads"), py::arg("order"), py::arg("seed"));
}

template <class T>
void bind_gradient(py::module_& module) {
  module.def("write_value_gradient", &write_value_gradient<T>, py::arg("edge_index").noconvert(),
             py::arg("source_side").noconvert(), py::arg("gradient").noconvert(),
             py::arg("directed"), py::arg("capacity").noconvert(),
             py::arg("reverse_capacity").noconvert(), py::arg("source").noconvert(),
             py::arg("sink").noconvert());
}

}  // namespace

void bind_maxflow(py::module_& module) {
  py::tuple names(maxflow::kSolverNames.size());
  for (std::size_t k = 0; k < names.size(); ++k) names[k] = maxflow::kSolverNames[k];
  module.attr("SOLVERS") = names;
  module.attr("MAX_NODES") = maxflow::kMaxNodes;
  module.attr("MAX_EDGES") = maxflow::kMaxEdges;
  bind_solvers<float>(module);
  bind_solvers<double>(module);
  bind_solvers<std::int32_t>(module);
  bind_solvers<std::int64_t>(module);
  bind_gradient<float>(module);
  bind_gradient<double>(module);
#ifdef GRAPHCUT_WITH_CUDA
  bind_cuda<float>(module, "float32");
  bind_cuda<double>(module, "float64");
  bind_cuda<std::int32_t>(module, "int32");
  bind_cuda<std::int64_t>(module, "int64");
#endif
}

}  // namespace graphcut::bindings
