// Work without the interpreter's lock that Python's signals can end.
#pragma once

#include <pybind11/pybind11.h>

#include <memory>
#include <optional>
#include <type_traits>

#include "parallel/interruption.hpp"

namespace graphcut::bindings {

// Python runs signal handlers in this thread alone. Others do not ask for signals: they would wait
// for the interpreter's lock in vain. First called while the module is imported.
inline unsigned long main_thread() {
  static const unsigned long thread = pybind11::module_::import("threading")
                                          .attr("main_thread")()
                                          .attr("ident")
                                          .cast<unsigned long>();
  return thread;
}

// Calls call(work) without the interpreter's lock, see interruptible().
inline void call_interruptibly(void (*call)(void*), void* work) {
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

// Calls work() without the interpreter's lock. Raises what a signal handler raises meanwhile, as
// KeyboardInterrupt by Ctrl-C, and then nothing that `work` writes is of use.
template <class Work>
auto interruptible(Work&& work) -> decltype(work()) {
  using Result = decltype(work());
  if constexpr (std::is_void_v<Result>) {
    using Callable = std::remove_reference_t<Work>;
    call_interruptibly([](void* called) { (*static_cast<Callable*>(called))(); },
                       const_cast<void*>(static_cast<const void*>(std::addressof(work))));
  } else {
    Result result{};
    interruptible([&] { result = work(); });
    return result;
  }
}

}  // namespace graphcut::bindings
