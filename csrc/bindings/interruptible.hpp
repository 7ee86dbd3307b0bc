// Work without the interpreter's lock that Python's signals can end.
#pragma once

#include <memory>
#include <type_traits>

namespace graphcut::bindings {

// Python runs signal handlers in this thread alone; asked once, while the module is imported.
void remember_main_thread();

// Calls call(work) without the interpreter's lock, see interruptible().
void call_interruptibly(void (*call)(void*), void* work);

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
