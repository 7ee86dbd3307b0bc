#include "bindings/interruptible.hpp"

#include <pybind11/pybind11.h>

#include <optional>

#include "parallel/interruption.hpp"

namespace graphcut::bindings {
namespace {

// Other threads do not ask for signals: they would wait for the interpreter's lock in vain.
unsigned long main_thread() {
  static const unsigned long thread = pybind11::module_::import("threading")
                                          .attr("main_thread")()
                                          .attr("ident")
                                          .cast<unsigned long>();
  return thread;
}

}  // namespace

void remember_main_thread() { main_thread(); }

void call_interruptibly(void (*call)(void*), void* work) {
  std::optional<pybind11::error_already_set> raised;
  const bool hears = PyThread_get_thread_ident() == main_thread();
  try {
    const pybind11::gil_scoped_release release;
    if (!hears) return call(work);
    const Interruption hearing([&raised] {
      const pybind11::gil_scoped_acquire acquire;
      if (PyErr_CheckSignals() == 0) return false;
      raised.emplace();
      return true;
    });
    return call(work);
  } catch (...) {
    if (!raised) throw;
  }
  throw pybind11::error_already_set(*raised);
}

}  // namespace graphcut::bindings
