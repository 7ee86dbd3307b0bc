// A thread block of real threads, one to a team, for ThreadSanitizer to look at.
#pragma once

#include <atomic>
#include <barrier>
#include <cstdint>
#include <thread>
#include <vector>

#include "maxflow/emulated_block.hpp"

namespace graphcut::test {

struct Meeting {
  explicit Meeting(int count)
      : threads(count), barrier(count), bytes(8 * static_cast<std::size_t>(count)) {}

  int threads;
  std::barrier<> barrier;
  std::vector<unsigned char> bytes;  // what a thread shows the others, 8 bytes each
};

// What one of the threads holds. See maxflow/block.hpp for the contract.
class ThreadedBlock {
 public:
  using Team = maxflow::EmulatedTeam;

  ThreadedBlock(Meeting& meeting, int thread) : meeting_(meeting), thread_(thread) {}

  template <class F>
  void each(std::int64_t n, F&& f) {
    for (std::int64_t i = thread_; i < n; i += meeting_.threads) f(i);
    meeting_.barrier.arrive_and_wait();
  }
  template <class F>
  void each_team(std::int64_t n, F&& f) {
    each(n, [&f](std::int64_t i) { f(Team{}, i); });
  }
  template <class T, class F>
  T total(std::int64_t n, F&& f) {
    auto* const partial = reinterpret_cast<T*>(meeting_.bytes.data());
    T sum{0};
    for (std::int64_t i = thread_; i < n; i += meeting_.threads) sum += f(i);
    partial[thread_] = sum;
    meeting_.barrier.arrive_and_wait();
    sum = T{0};
    for (int thread = 0; thread < meeting_.threads; ++thread) sum += partial[thread];
    meeting_.barrier.arrive_and_wait();
    return sum;
  }
  template <class F>
  bool any(std::int64_t n, F&& f) {
    return total<int>(n, [&f](std::int64_t i) { return f(i) ? 1 : 0; }) != 0;
  }
  template <class T>
  T value(const T& x) {
    const T found = x;
    meeting_.barrier.arrive_and_wait();
    return found;
  }

  template <class T>
  void add(T& x, T v) {
    std::atomic_ref(x).fetch_add(v, std::memory_order_relaxed);
  }
  std::int32_t take(std::int32_t& x) {
    return std::atomic_ref(x).fetch_add(1, std::memory_order_relaxed);
  }
  bool claim(std::int32_t& x, std::int32_t from, std::int32_t to) {
    return std::atomic_ref(x).compare_exchange_strong(from, to, std::memory_order_relaxed);
  }

 private:
  Meeting& meeting_;
  int thread_;
};

// Runs body(block) in every thread of a block.
template <class Body>
void run_threaded(int threads, Body&& body) {
  Meeting meeting(threads);
  std::vector<std::jthread> running;
  for (int thread = 0; thread < threads; ++thread) {
    running.emplace_back([&meeting, &body, thread] {
      ThreadedBlock block(meeting, thread);
      body(block);
    });
  }
}

}  // namespace graphcut::test
