// Array checks, locking and GIL handling for graphs that change; no algorithm lives here.
#include <pybind11/numpy.h>
#include <pybind11/pybind11.h>
#include <pybind11/stl.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "bindings/bindings.hpp"
#include "bindings/interruptible.hpp"
#include "maxflow/dynamic_cut.hpp"

namespace py = pybind11;

namespace graphcut::bindings {
namespace {

using maxflow::DynamicCut;
using maxflow::GridLayout;
using maxflow::Network;
using maxflow::Value;

template <class T>
using Array = Aligned<T>;
using Ids = Array<std::int64_t>;

// Callers hand over contiguous arrays of agreeing lengths; this guards against memory errors only.
template <class T>
void expect(const Array<T>& array, const char* name, std::int64_t length) {
  if (array.ndim() != 1 || array.shape(0) != length) {
    throw std::invalid_argument(std::string(name) + ": unexpected shape");
  }
}

template <class T>
const T* optional_data(const std::optional<Array<T>>& array, const char* name,
                       std::int64_t length) {
  if (!array) return nullptr;
  expect(*array, name, length);
  return array->data();
}

// A mutex whose owner is known, so that a signal handler which Python runs in the middle of a call
// gets an error, and does not wait for the call that it interrupts.
class OwnedMutex {
 public:
  void lock() {
    if (owner_ == std::this_thread::get_id()) {
      throw std::runtime_error(
          "the graph is in use by the call that this signal handler interrupts");
    }
    while (!mutex_.try_lock_for(Interruption::kPause)) interruption_point();
    owner_ = std::this_thread::get_id();
  }
  void unlock() {
    owner_ = std::thread::id();
    mutex_.unlock();
  }

 private:
  std::timed_mutex mutex_;
  std::atomic<std::thread::id> owner_{std::thread::id()};
};

// A graph that several Python threads may use, one at a time. Nobody waits for the lock while
// holding the GIL, so the two cannot wait for each other.
template <class Capacity>
class SharedGraph {
 public:
  using Wide = Value<Capacity>;
  using Lock = std::unique_lock<OwnedMutex>;

  SharedGraph() = default;
  SharedGraph(const SharedGraph&) = delete;
  SharedGraph& operator=(const SharedGraph&) = delete;

  template <class Use>
  auto locked(Use&& use) {
    const Lock lock = interruptible([this] { return Lock(mutex_); });
    return std::forward<Use>(use)(cut_);
  }

  // Reads the results of a solve. `use` runs without the GIL.
  template <class Use>
  auto solved(const char* name, Use&& use) {
    return interruptible([&] {
      const Lock lock(mutex_);
      if (!cut_.solved()) {
        throw std::runtime_error(std::string(name) +
                                 " is not known: call solve() first, and again after every change");
      }
      return std::forward<Use>(use)(cut_);
    });
  }

  Wide solve(bool reuse, int threads) {
    return interruptible([&] {
      const Lock lock(mutex_);
      return cut_.solve(reuse, threads);
    });
  }

  std::unique_ptr<SharedGraph> copy() {
    auto twin = std::make_unique<SharedGraph>();
    interruptible([&] {
      const Lock lock(mutex_);
      twin->cut_ = cut_;
    });
    return twin;
  }

 private:
  DynamicCut<Capacity> cut_;
  OwnedMutex mutex_;
};

template <class Capacity>
std::int64_t add_edges(SharedGraph<Capacity>& graph, const Ids& tail, const Ids& head,
                       const Array<Capacity>& capacity, const Array<Capacity>& reverse) {
  const std::int64_t count = tail.size();
  expect(tail, "tail", count);
  expect(head, "head", count);
  expect(capacity, "capacity", count);
  expect(reverse, "reverse_capacity", count);
  return graph.locked([&](DynamicCut<Capacity>& cut) {
    return cut.add_edges(count, tail.data(), head.data(), capacity.data(), reverse.data());
  });
}

// shape: of three axes; offsets (directions, 3), from tail to head; no reverse: equal to capacity.
template <class Capacity>
void add_grid(SharedGraph<Capacity>& graph, const std::array<std::int32_t, 3>& shape,
              const std::vector<std::array<std::int32_t, 3>>& offsets,
              const Array<Capacity>& capacity, const std::optional<Array<Capacity>>& reverse) {
  GridLayout layout;
  if (offsets.size() > layout.offset.size()) throw std::invalid_argument("offsets: too many");
  layout.size = shape;
  layout.directions = static_cast<int>(offsets.size());
  std::copy(offsets.begin(), offsets.end(), layout.offset.begin());
  expect(capacity, "capacity", layout.edges());
  const Capacity* back = optional_data(reverse, "reverse_capacity", layout.edges());
  graph.locked([&](DynamicCut<Capacity>& cut) { cut.add_grid(layout, capacity.data(), back); });
}

template <class Capacity>
void add_terminals(SharedGraph<Capacity>& graph, const Ids& nodes, const Array<Capacity>& source,
                   const Array<Capacity>& sink) {
  const std::int64_t count = nodes.size();
  expect(nodes, "nodes", count);
  expect(source, "source", count);
  expect(sink, "sink", count);
  graph.locked([&](DynamicCut<Capacity>& cut) {
    cut.add_terminals(count, nodes.data(), source.data(), sink.data());
  });
}

template <class Capacity>
void set_terminals(SharedGraph<Capacity>& graph, const Ids& nodes,
                   const std::optional<Array<Capacity>>& source,
                   const std::optional<Array<Capacity>>& sink) {
  const std::int64_t count = nodes.size();
  expect(nodes, "nodes", count);
  const Capacity* from_source = optional_data(source, "source", count);
  const Capacity* to_sink = optional_data(sink, "sink", count);
  graph.locked([&](DynamicCut<Capacity>& cut) {
    cut.set_terminals(count, nodes.data(), from_source, to_sink);
  });
}

template <class Capacity>
void set_capacities(SharedGraph<Capacity>& graph, const Ids& edges, const Array<Capacity>& capacity,
                    const Array<Capacity>& reverse) {
  const std::int64_t count = edges.size();
  expect(edges, "edges", count);
  expect(capacity, "capacity", count);
  expect(reverse, "reverse_capacity", count);
  graph.locked([&](DynamicCut<Capacity>& cut) {
    cut.set_capacities(count, edges.data(), capacity.data(), reverse.data());
  });
}

// What a graph writes under its lock, as an array of the size that it then has.
template <class T>
class Buffer {
 public:
  T* allocate(std::int64_t size) {
    size_ = size;
    data_ = std::make_unique<T[]>(static_cast<std::size_t>(size));
    return data_.get();
  }
  Array<T> array() {
    T* const data = data_.release();
    const py::capsule owner(data, [](void* memory) { delete[] static_cast<T*>(memory); });
    return Array<T>(size_, data, owner);
  }

 private:
  std::int64_t size_ = 0;
  std::unique_ptr<T[]> data_;
};

template <class Capacity>
Array<bool> source_side(SharedGraph<Capacity>& graph) {
  Buffer<bool> side;
  graph.solved("source_side", [&](const DynamicCut<Capacity>& cut) {
    cut.write_source_side(side.allocate(cut.network().nodes()));
  });
  return side.array();
}

template <class Capacity>
Array<bool> sink_side(SharedGraph<Capacity>& graph) {
  Buffer<bool> side;
  graph.solved("sink_side", [&](DynamicCut<Capacity>& cut) {
    cut.write_sink_side(side.allocate(cut.network().nodes()));
  });
  return side.array();
}

template <class Capacity>
Array<Capacity> flow(SharedGraph<Capacity>& graph) {
  Buffer<Capacity> found;
  graph.solved("flow", [&](DynamicCut<Capacity>& cut) {
    cut.write_flow(found.allocate(cut.network().edges()));
  });
  return found.array();
}

template <class Capacity>
py::tuple residual(SharedGraph<Capacity>& graph) {
  Buffer<Value<Capacity>> forward, backward;
  graph.solved("residual", [&](DynamicCut<Capacity>& cut) {
    const std::int64_t edges = cut.network().edges();
    cut.write_residual(forward.allocate(edges), backward.allocate(edges));
  });
  return py::make_tuple(forward.array(), backward.array());
}

template <class T>
Array<T> to_array(const std::vector<T>& values) {
  return Array<T>(static_cast<py::ssize_t>(values.size()), values.data());
}

template <class Capacity>
Ids cut_edges(SharedGraph<Capacity>& graph) {
  return to_array(
      graph.solved("cut_edges", [](const DynamicCut<Capacity>& cut) { return cut.cut_edges(); }));
}

// A copy, with all edges.
template <class Capacity>
Network<Capacity> listed(SharedGraph<Capacity>& graph) {
  Network<Capacity> all = graph.locked([](DynamicCut<Capacity>& cut) { return cut.network(); });
  all.list_edges();
  return all;
}

// tail, head, capacity, reverse_capacity (edges each); source, sink (nodes each).
template <class Capacity>
py::tuple columns(SharedGraph<Capacity>& graph) {
  const Network<Capacity> all = listed(graph);
  return py::make_tuple(to_array(all.tail), to_array(all.head), to_array(all.capacity),
                        to_array(all.reverse), to_array(all.source), to_array(all.sink));
}

// One that a grid does not have.
template <class Capacity, class T>
auto listed_column(std::vector<T> Network<Capacity>::* member) {
  return [member](SharedGraph<Capacity>& graph) { return to_array(listed(graph).*member); };
}

// One of them alone, copied under the lock.
template <class Capacity, class T>
auto column(std::vector<T> Network<Capacity>::* member) {
  return [member](SharedGraph<Capacity>& graph) {
    return to_array(
        graph.locked([member](DynamicCut<Capacity>& cut) { return cut.network().*member; }));
  };
}

template <class Capacity>
void bind_type(py::module_& module, const char* name) {
  using Shared = SharedGraph<Capacity>;
  using Cut = DynamicCut<Capacity>;
  py::class_<Shared>(module, name)
      .def(py::init<>())
      .def("copy", &Shared::copy)
      .def("add_nodes",
           [](Shared& graph, std::int64_t count) {
             return graph.locked([&](Cut& cut) { return cut.add_nodes(count); });
           })
      .def("add_edges", &add_edges<Capacity>, py::arg("tail").noconvert(),
           py::arg("head").noconvert(), py::arg("capacity").noconvert(),
           py::arg("reverse_capacity").noconvert())
      .def("add_grid", &add_grid<Capacity>, py::arg("shape"), py::arg("offsets"),
           py::arg("capacity").noconvert(), py::arg("reverse_capacity").noconvert())
      .def("add_terminals", &add_terminals<Capacity>, py::arg("nodes").noconvert(),
           py::arg("source").noconvert(), py::arg("sink").noconvert())
      .def("set_terminals", &set_terminals<Capacity>, py::arg("nodes").noconvert(),
           py::arg("source").noconvert(), py::arg("sink").noconvert())
      .def("set_capacities", &set_capacities<Capacity>, py::arg("edges").noconvert(),
           py::arg("capacity").noconvert(), py::arg("reverse_capacity").noconvert())
      .def("solve", &Shared::solve, py::arg("reuse"), py::arg("threads"))
      .def("nodes",
           [](Shared& graph) {
             return graph.locked([](Cut& cut) { return cut.network().nodes(); });
           })
      .def("edges",
           [](Shared& graph) {
             return graph.locked([](Cut& cut) { return cut.network().edges(); });
           })
      .def("reused",
           [](Shared& graph) {
             return graph.solved("reused", [](const Cut& cut) { return cut.reused(); });
           })
      .def("value",
           [](Shared& graph) {
             return graph.solved("value", [](const Cut& cut) { return cut.value(); });
           })
      .def("source_side", &source_side<Capacity>)
      .def("sink_side", &sink_side<Capacity>)
      .def("flow", &flow<Capacity>)
      .def("residual", &residual<Capacity>)
      .def("cut_edges", &cut_edges<Capacity>)
      .def("tail", listed_column(&Network<Capacity>::tail))
      .def("head", listed_column(&Network<Capacity>::head))
      .def("capacity", column(&Network<Capacity>::capacity))
      .def("reverse_capacity", listed_column(&Network<Capacity>::reverse))
      .def("source", column(&Network<Capacity>::source))
      .def("sink", column(&Network<Capacity>::sink))
      .def("columns", &columns<Capacity>);
}

}  // namespace

void bind_graph(py::module_& module) {
  bind_type<float>(module, "GraphFloat32");
  bind_type<double>(module, "GraphFloat64");
  bind_type<std::int32_t>(module, "GraphInt32");
  bind_type<std::int64_t>(module, "GraphInt64");
}

}  // namespace graphcut::bindings
