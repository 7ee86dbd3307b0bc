// Dynamic parallel loop over independent tasks.
#pragma once

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <exception>
#include <vector>

#include "parallel/interruption.hpp"
#include "parallel/team.hpp"

namespace graphcut {

// More threads than this are never started.
inline constexpr int kMaxThreads = 1024;

// Workers that parallel_for uses at most: no more than there are tasks, and at least 1.
inline int worker_count(std::int64_t tasks, int threads) {
  return static_cast<int>(std::clamp<std::int64_t>(tasks, 1, std::clamp(threads, 1, kMaxThreads)));
}

// Calls body(worker, task) once for every task in [0, tasks), worker in [0, worker_count(tasks,
// threads)); where the system refuses to start so many threads, fewer do the work. Tasks are handed
// out one at a time, so that long and short ones balance; a worker runs its tasks in ascending
// order. The exception of the lowest throwing task is rethrown after all have ended, which makes
// errors independent of the number of threads. Where the call is interrupted, no more tasks are
// begun.
//
// Note [Threads are started per call]: a pool kept between calls would be dead in a forked child
// (data-loader workers); starting a thread costs some tens of microseconds, a batch milliseconds.
// A call with many short loops has a Team.
template <class Body>
void parallel_for(std::int64_t tasks, int threads, Body&& body) {
  struct Failure {
    std::int64_t task;
    std::exception_ptr error;
  };
  std::atomic<std::int64_t> next{0};
  Interruption* const call = Interruption::current();
  const int workers = worker_count(tasks, threads);
  Failure first{tasks, nullptr};  // of the calling thread: one worker needs no memory
  std::vector<Failure> others(static_cast<std::size_t>(workers - 1), first);

  auto run = [&](int worker) noexcept {
    Failure& failure = worker == 0 ? first : others[static_cast<std::size_t>(worker - 1)];
    for (std::int64_t task = next.fetch_add(1); task < tasks; task = next.fetch_add(1)) {
      try {
        if (call != nullptr && call->requested()) throw Interrupted();
        body(worker, task);
      } catch (...) {
        if (failure.task == tasks) failure = {task, std::current_exception()};
        if (call != nullptr && call->requested()) return;
      }
    }
  };
  if (workers == 1) {
    run(0);
  } else if (Team* const team = Team::current(); team != nullptr) {
    team->run(workers, run);
  } else {
    Team::gather()->run(workers, run);
  }

  for (const Failure& failure : others) {
    if (failure.task < first.task) first = failure;
  }
  if (first.error) std::rethrow_exception(first.error);
  if (call != nullptr && call->requested()) throw Interrupted();
}

}  // namespace graphcut
