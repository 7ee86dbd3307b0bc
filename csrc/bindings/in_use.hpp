// Objects that one thread may use at a time.
#pragma once

#include <atomic>
#include <stdexcept>

namespace graphcut::bindings {

// Holds the flag of an object while a call works on it, without the interpreter's lock. A second
// call meanwhile, by another thread or a signal handler, gets an error.
class InUse {
 public:
  explicit InUse(std::atomic_flag& flag) : flag_(flag) {
    if (flag_.test_and_set(std::memory_order_acquire)) {
      throw std::runtime_error("the object is in use by another call");
    }
  }
  ~InUse() { flag_.clear(std::memory_order_release); }
  InUse(const InUse&) = delete;
  InUse& operator=(const InUse&) = delete;

 private:
  std::atomic_flag& flag_;
};

}  // namespace graphcut::bindings
