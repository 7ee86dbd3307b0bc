// Long calls that can be ended from outside, as by Ctrl-C.
//
//   Interruption call(asked);               // asked() tells whether to end, from this thread alone
//   solve(...);                             // throws Interrupted where it did
//
// Whatever may take long calls interruption_point() now and then, a few times a second or more. So
// does parallel_for before each task, and while it waits for other threads.
#pragma once

#include <atomic>
#include <chrono>
#include <exception>
#include <functional>
#include <thread>
#include <utility>

namespace graphcut {

struct Interrupted : std::exception {
  const char* what() const noexcept override { return "interrupted"; }
};

class Interruption {
 public:
  using Clock = std::chrono::steady_clock;
  static constexpr std::chrono::milliseconds kPause{100};  // from one question to the next

  explicit Interruption(std::function<bool()> asked, std::chrono::milliseconds pause = kPause)
      : asked_(std::move(asked)), pause_(pause), before_(std::exchange(current(), this)) {}
  ~Interruption() { current() = before_; }
  Interruption(const Interruption&) = delete;
  Interruption& operator=(const Interruption&) = delete;

  // Of what this thread works for; null where nobody can interrupt it.
  static Interruption*& current() {
    static thread_local Interruption* call = nullptr;
    return call;
  }

  bool requested() {
    if (requested_.load(std::memory_order_relaxed)) return true;
    if (std::this_thread::get_id() != owner_ || Clock::now() < next_) return false;
    const bool asked = asked_();
    next_ = Clock::now() + pause_;
    if (asked) requested_.store(true, std::memory_order_relaxed);
    return asked;
  }

 private:
  std::function<bool()> asked_;
  std::chrono::milliseconds pause_;
  Interruption* before_;
  std::thread::id owner_ = std::this_thread::get_id();
  Clock::time_point next_ = Clock::now() + pause_;  // of the owner alone
  std::atomic<bool> requested_{false};
};

// Has another thread work for the same call.
class SharedInterruption {
 public:
  explicit SharedInterruption(Interruption* call)
      : before_(std::exchange(Interruption::current(), call)) {}
  ~SharedInterruption() { Interruption::current() = before_; }
  SharedInterruption(const SharedInterruption&) = delete;
  SharedInterruption& operator=(const SharedInterruption&) = delete;

 private:
  Interruption* before_;
};

inline void interruption_point() {
  Interruption* const call = Interruption::current();
  if (call != nullptr && call->requested()) throw Interrupted();
}

// An interruption_point() for loops whose turns are short: one turn in so many looks.
template <unsigned kTurns>
class InterruptionPoint {
  static_assert((kTurns & (kTurns - 1)) == 0);

 public:
  void operator()() {
    if ((++turn_ & (kTurns - 1)) == 0) interruption_point();
  }

 private:
  unsigned turn_ = 0;
};

}  // namespace graphcut
