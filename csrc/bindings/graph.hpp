// Graphs that change for Python: checks of arrays, locks and the interpreter's lock; no algorithm
// lives here.
#pragma once

#include <pybind11/numpy.h>
#include <pybind11/pybind11.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <stdexcept>
#include <string>
#include <thread>
#include <variant>
#include <vector>

#include "bindings/arrays.hpp"
#include "bindings/interruptible.hpp"
#include "maxflow/dynamic_cut.hpp"

namespace graphcut::bindings {

namespace py = pybind11;
using maxflow::DynamicCut;

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

// A graph of one dtype that several Python threads may use, one at a time. Nobody waits for the
// lock while holding the GIL, so the two cannot wait for each other.
class SharedGraph {
 public:
  using Lock = std::unique_lock<OwnedMutex>;
  using Value = std::variant<double, std::int64_t>;

  explicit SharedGraph(const std::string& dtype) {
    if (dtype == "float32") {
      cut_ = std::make_unique<DynamicCut<float>>();
    } else if (dtype == "float64") {
      cut_ = std::make_unique<DynamicCut<double>>();
    } else if (dtype == "int32") {
      cut_ = std::make_unique<DynamicCut<std::int32_t>>();
    } else if (dtype == "int64") {
      cut_ = std::make_unique<DynamicCut<std::int64_t>>();
    } else {
      throw std::invalid_argument("dtype: unknown name");
    }
  }

  Lock lock() {
    return interruptible([this] { return Lock(mutex_); });
  }

  // Calls use(cut), before or after the lock is taken.
  template <class Use>
  auto visit(Use&& use) {
    return std::visit(
        [&]<class Capacity>(std::unique_ptr<DynamicCut<Capacity>>& cut) { return use(*cut); },
        cut_);
  }

  // Reads the results of a solve. `use` runs without the GIL.
  template <class Use>
  auto solved(const char* name, Use&& use) {
    return interruptible([&] {
      const Lock held(mutex_);
      return visit([&](auto& cut) {
        if (!cut.solved()) {
          throw std::runtime_error(
              std::string(name) +
              " is not known: call solve() first, and again after every change");
        }
        return use(cut);
      });
    });
  }

  Value solve(bool reuse, int threads) {
    return interruptible([&] {
      const Lock held(mutex_);
      return visit([&](auto& cut) { return Value(cut.solve(reuse, threads)); });
    });
  }

  std::unique_ptr<SharedGraph> copy() {
    return interruptible([&] {
      const Lock held(mutex_);
      return visit([](auto& cut) { return std::unique_ptr<SharedGraph>(new SharedGraph(cut)); });
    });
  }

 private:
  template <class Capacity>
  explicit SharedGraph(const DynamicCut<Capacity>& cut)
      : cut_(std::make_unique<DynamicCut<Capacity>>(cut)) {}

  std::variant<std::unique_ptr<DynamicCut<float>>, std::unique_ptr<DynamicCut<double>>,
               std::unique_ptr<DynamicCut<std::int32_t>>, std::unique_ptr<DynamicCut<std::int64_t>>>
      cut_;
  OwnedMutex mutex_;
};

inline std::int64_t add_edges(SharedGraph& graph, const py::array& tail, const py::array& head,
                              const py::array& capacity, const py::array& reverse) {
  Arrays arrays;
  const std::int64_t count = tail.size();
  const auto* tails = arrays.in<std::int64_t>(tail, "tail", {count});
  const auto* heads = arrays.in<std::int64_t>(head, "head", {count});
  return graph.visit([&]<class Capacity>(DynamicCut<Capacity>& cut) {
    const auto* forward = arrays.in<Capacity>(capacity, "capacity", {count});
    const auto* backward = arrays.in<Capacity>(reverse, "reverse_capacity", {count});
    const auto lock = graph.lock();
    return cut.add_edges(count, tails, heads, forward, backward);
  });
}

// shape: of three axes; offsets (directions, 3), from tail to head; no reverse: equal to capacity.
inline void add_grid(SharedGraph& graph, const std::array<std::int32_t, 3>& shape,
                     const std::vector<std::array<std::int32_t, 3>>& offsets,
                     const py::array& capacity, const Maybe& reverse) {
  maxflow::GridLayout layout;
  if (offsets.size() > layout.offset.size()) throw std::invalid_argument("offsets: too many");
  layout.size = shape;
  layout.directions = static_cast<int>(offsets.size());
  std::copy(offsets.begin(), offsets.end(), layout.offset.begin());
  Arrays arrays;
  graph.visit([&]<class Capacity>(DynamicCut<Capacity>& cut) {
    const auto* forward = arrays.in<Capacity>(capacity, "capacity", {layout.edges()});
    const auto* backward = arrays.in<Capacity>(reverse, "reverse_capacity", {layout.edges()});
    const auto lock = graph.lock();
    cut.add_grid(layout, forward, backward);
  });
}

inline void add_terminals(SharedGraph& graph, const py::array& nodes, const py::array& source,
                          const py::array& sink) {
  Arrays arrays;
  const std::int64_t count = nodes.size();
  const auto* numbers = arrays.in<std::int64_t>(nodes, "nodes", {count});
  graph.visit([&]<class Capacity>(DynamicCut<Capacity>& cut) {
    const auto* from_source = arrays.in<Capacity>(source, "source", {count});
    const auto* to_sink = arrays.in<Capacity>(sink, "sink", {count});
    const auto lock = graph.lock();
    cut.add_terminals(count, numbers, from_source, to_sink);
  });
}

inline void set_terminals(SharedGraph& graph, const py::array& nodes, const Maybe& source,
                          const Maybe& sink) {
  Arrays arrays;
  const std::int64_t count = nodes.size();
  const auto* numbers = arrays.in<std::int64_t>(nodes, "nodes", {count});
  graph.visit([&]<class Capacity>(DynamicCut<Capacity>& cut) {
    const auto* from_source = arrays.in<Capacity>(source, "source", {count});
    const auto* to_sink = arrays.in<Capacity>(sink, "sink", {count});
    const auto lock = graph.lock();
    cut.set_terminals(count, numbers, from_source, to_sink);
  });
}

inline void set_capacities(SharedGraph& graph, const py::array& edges, const py::array& capacity,
                           const py::array& reverse) {
  Arrays arrays;
  const std::int64_t count = edges.size();
  const auto* numbers = arrays.in<std::int64_t>(edges, "edges", {count});
  graph.visit([&]<class Capacity>(DynamicCut<Capacity>& cut) {
    const auto* forward = arrays.in<Capacity>(capacity, "capacity", {count});
    const auto* backward = arrays.in<Capacity>(reverse, "reverse_capacity", {count});
    const auto lock = graph.lock();
    cut.set_capacities(count, numbers, forward, backward);
  });
}

// What a graph writes under its lock, as an array of the dtype and the size that it then has.
class Buffer {
 public:
  template <class T>
  T* allocate(std::int64_t size) {
    size_ = size;
    dtype_ = py::dtype::num_of<T>();
    data_ = std::make_unique<std::byte[]>(static_cast<std::size_t>(size) * sizeof(T));
    return reinterpret_cast<T*>(data_.get());
  }
  py::array array() {
    const void* const data = data_.get();
    const py::capsule owner(data_.release(),
                            [](void* memory) { delete[] static_cast<std::byte*>(memory); });
    return {py::dtype(dtype_), {size_}, {}, data, owner};
  }

 private:
  std::int64_t size_ = 0;
  int dtype_ = 0;
  std::unique_ptr<std::byte[]> data_;
};

inline py::array source_side(SharedGraph& graph) {
  Buffer side;
  graph.solved("source_side", [&](const auto& cut) {
    cut.write_source_side(side.allocate<bool>(cut.network().nodes()));
  });
  return side.array();
}

inline py::array sink_side(SharedGraph& graph) {
  Buffer side;
  graph.solved("sink_side",
               [&](auto& cut) { cut.write_sink_side(side.allocate<bool>(cut.network().nodes())); });
  return side.array();
}

inline py::array flow(SharedGraph& graph) {
  Buffer found;
  graph.solved("flow", [&]<class Capacity>(DynamicCut<Capacity>& cut) {
    cut.write_flow(found.allocate<Capacity>(cut.network().edges()));
  });
  return found.array();
}

inline py::tuple residual(SharedGraph& graph) {
  Buffer forward, backward;
  graph.solved("residual", [&]<class Capacity>(DynamicCut<Capacity>& cut) {
    using Wide = typename DynamicCut<Capacity>::Wide;
    const std::int64_t edges = cut.network().edges();
    cut.write_residual(forward.allocate<Wide>(edges), backward.allocate<Wide>(edges));
  });
  return py::make_tuple(forward.array(), backward.array());
}

// A copy, with all edges, which a grid does not have.
template <class Capacity>
maxflow::Network<Capacity> listed(SharedGraph& graph, const DynamicCut<Capacity>& cut) {
  auto lock = graph.lock();
  maxflow::Network<Capacity> all = cut.network();
  lock.unlock();
  all.list_edges();
  return all;
}

// tail, head, capacity, reverse_capacity (edges each); source, sink (nodes each).
inline py::tuple columns(SharedGraph& graph) {
  return graph.visit([&](const auto& cut) {
    const auto all = listed(graph, cut);
    return py::make_tuple(to_array(all.tail), to_array(all.head), to_array(all.capacity),
                          to_array(all.reverse), to_array(all.source), to_array(all.sink));
  });
}

// One of them alone, read(network).
template <class Read>
auto listed_column(Read read) {
  return [read](SharedGraph& graph) {
    return graph.visit([&](const auto& cut) { return to_array(read(listed(graph, cut))); });
  };
}

// One that a grid has too, copied under the lock.
template <class Read>
auto column(Read read) {
  return [read](SharedGraph& graph) {
    return graph.visit([&](const auto& cut) {
      auto lock = graph.lock();
      const auto values = read(cut.network());
      lock.unlock();
      return to_array(values);
    });
  };
}

inline void bind_graph(py::module_& module) {
  py::class_<SharedGraph>(module, "Graph")
      .def(py::init<const std::string&>(), py::arg("dtype"))
      .def("copy", &SharedGraph::copy)
      .def("add_nodes",
           [](SharedGraph& graph, std::int64_t count) {
             const auto lock = graph.lock();
             return graph.visit([&](auto& cut) { return cut.add_nodes(count); });
           })
      .def("add_edges", &add_edges, py::arg("tail"), py::arg("head"), py::arg("capacity"),
           py::arg("reverse_capacity"))
      .def("add_grid", &add_grid, py::arg("shape"), py::arg("offsets"), py::arg("capacity"),
           py::arg("reverse_capacity"))
      .def("add_terminals", &add_terminals, py::arg("nodes"), py::arg("source"), py::arg("sink"))
      .def("set_terminals", &set_terminals, py::arg("nodes"), py::arg("source"), py::arg("sink"))
      .def("set_capacities", &set_capacities, py::arg("edges"), py::arg("capacity"),
           py::arg("reverse_capacity"))
      .def("solve", &SharedGraph::solve, py::arg("reuse"), py::arg("threads"))
      .def("nodes",
           [](SharedGraph& graph) {
             const auto lock = graph.lock();
             return graph.visit([](const auto& cut) { return cut.network().nodes(); });
           })
      .def("edges",
           [](SharedGraph& graph) {
             const auto lock = graph.lock();
             return graph.visit([](const auto& cut) { return cut.network().edges(); });
           })
      .def("reused",
           [](SharedGraph& graph) {
             return graph.solved("reused", [](const auto& cut) { return cut.reused(); });
           })
      .def("value",
           [](SharedGraph& graph) {
             return graph.solved("value",
                                 [](const auto& cut) { return SharedGraph::Value(cut.value()); });
           })
      .def("source_side", &source_side)
      .def("sink_side", &sink_side)
      .def("flow", &flow)
      .def("residual", &residual)
      .def("cut_edges",
           [](SharedGraph& graph) {
             return to_array(
                 graph.solved("cut_edges", [](const auto& cut) { return cut.cut_edges(); }));
           })
      .def("tail", listed_column([](const auto& all) { return all.tail; }))
      .def("head", listed_column([](const auto& all) { return all.head; }))
      .def("capacity", column([](const auto& network) { return network.capacity; }))
      .def("reverse_capacity", listed_column([](const auto& all) { return all.reverse; }))
      .def("source", column([](const auto& network) { return network.source; }))
      .def("sink", column([](const auto& network) { return network.sink; }))
      .def("columns", &columns);
}

}  // namespace graphcut::bindings
