// Work without the interpreter's lock that Python's signals can end.
#pragma once

#include <pybind11/pybind11.h>

#include <optional>

#include "parallel/interruption.hpp"

namespace graphcut::bindings {

// Python runs signal handlers in its main thread alone. Other threads do not ask for signals: they
// would wait for the interpreter's lock in vain.
inline unsigned long& main_thread() {
  static unsigned long thread = pybind11::module_::import("threading")
                                    .attr("main_thread")()
                                    .attr("ident")
                                    .cast<unsigned long>();
  return thread;
}

// Calls work() without the interpreter's lock. Raises what a signal handler raises meanwhile, as
// KeyboardInterrupt by Ctrl-C, and then nothing that `work` writes is of use.
template <class Work>
auto interruptible(Work&& work) -> decltype(work()) {
  std::optional<pybind11::error_already_set> raised;
  const bool hears = PyThread_get_thread_ident() == main_thread();
  try {
    const pybind11::gil_scoped_release release;
    if (!hears) return work();
    const Interruption call([&raised] {
      const pybind11::gil_scoped_acquire acquire;
      if (PyErr_CheckSignals() == 0) return false;
      raised.emplace();
      return true;
    });
    return work();
  } catch (...) {
    if (!raised) throw;
  }
  throw pybind11::error_already_set(*raised);
}

}  // namespace graphcut::bindings
