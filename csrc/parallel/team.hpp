// Threads that stay for all parallel loops of one call.
#pragma once

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <exception>
#include <memory>
#include <mutex>
#include <thread>

#include "parallel/interruption.hpp"

namespace graphcut {

// While it lives, parallel_for on the thread that made it takes its threads and starts none. It
// lives within one call: threads that were kept longer would be dead in a forked child. One that is
// made while another one lives does nothing.
class Team {
 public:
  static std::unique_ptr<Team> gather() { return std::unique_ptr<Team>(new Team()); }
  ~Team() {
    if (!owner_) return;
    current() = nullptr;
    {
      const std::lock_guard<std::mutex> lock(mutex_);
      for (Member& member : members_) member.turn.store(kLeave, std::memory_order_release);
    }
    begun_.notify_all();
    for (Member& member : members_) member.thread.join();
  }
  Team(const Team&) = delete;
  Team& operator=(const Team&) = delete;

  // The team of this thread, or nullptr. Within run() there is none: a loop within a loop starts
  // threads of its own.
  static Team*& current() {
    static thread_local Team* team = nullptr;
    return team;
  }

  // Calls work(worker), which throws nothing, once for every worker in [0, workers), 0 on this
  // thread; where the system refuses to start threads, for the first of them only.
  template <class Work>
  void run(int workers, Work& work) {
    current() = nullptr;
    job_ = [](void* what, int worker) { (*static_cast<Work*>(what))(worker); };
    what_ = &work;
    call_ = Interruption::current();
    enlist(workers - 1);
    const int helpers = std::min(workers - 1, static_cast<int>(members_.size()));
    running_.store(helpers, std::memory_order_relaxed);
    {
      const std::lock_guard<std::mutex> lock(mutex_);
      for (int i = 0; i < helpers; ++i) members_[i].turn.store(kWork, std::memory_order_release);
    }
    begun_.notify_all();
    work(0);
    wait();
    current() = this;
  }

 private:
  Team() : owner_(current() == nullptr) {
    if (owner_) current() = this;
  }

  enum Turn : std::uint8_t { kRest, kWork, kLeave };

  struct Member {
    std::atomic<Turn> turn{kRest};
    std::thread thread;
  };

  static constexpr int kLooks = 200;  // before a thread goes to sleep

  // Whether something came true soon, so that nobody has to be woken.
  template <class Condition>
  static bool soon(Condition&& condition) {
    for (int look = 0; look < kLooks; ++look) {
      if (condition()) return true;
      if (look >= kLooks / 2) std::this_thread::yield();
    }
    return false;
  }

  void enlist(int helpers) {
    while (static_cast<int>(members_.size()) < helpers) {
      Member& member = members_.emplace_back();
      try {
        const int worker = static_cast<int>(members_.size());
        member.thread = std::thread([this, &member, worker] { serve(member, worker); });
      } catch (const std::exception&) {  // fewer do the work
        members_.pop_back();
        return;
      }
    }
  }

  void serve(Member& member, int worker) {
    const auto called = [&] { return member.turn.load(std::memory_order_acquire) != kRest; };
    while (true) {
      if (!soon(called)) {
        std::unique_lock<std::mutex> lock(mutex_);
        begun_.wait(lock, called);
      }
      if (member.turn.load(std::memory_order_acquire) == kLeave) return;
      {
        const SharedInterruption shared(call_);
        job_(what_, worker);
      }
      member.turn.store(kRest, std::memory_order_relaxed);
      if (running_.fetch_sub(1, std::memory_order_acq_rel) == 1) {
        const std::lock_guard<std::mutex> lock(mutex_);
        ended_.notify_one();
      }
    }
  }

  void wait() {
    const auto done = [&] { return running_.load(std::memory_order_acquire) == 0; };
    if (soon(done)) return;
    std::unique_lock<std::mutex> lock(mutex_);
    while (!ended_.wait_for(lock, Interruption::kPause, done)) {
      lock.unlock();
      if (call_ != nullptr) static_cast<void>(call_->requested());
      lock.lock();
    }
  }

  bool owner_;
  std::deque<Member> members_;
  std::mutex mutex_;
  std::condition_variable begun_;
  std::condition_variable ended_;
  std::atomic<int> running_{0};
  // Of the loop that runs.
  void (*job_)(void*, int) = nullptr;
  void* what_ = nullptr;
  Interruption* call_ = nullptr;
};

}  // namespace graphcut
