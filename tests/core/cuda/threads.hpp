// Thread blocks of CUDA run by threads of the system, one for each; block after block.
#pragma once

#include <array>
#include <atomic>
#include <barrier>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <thread>
#include <vector>

#include "warp_meeting.hpp"

namespace graphcut::test {

class Block {
 public:
  Block(unsigned threads, std::size_t shared_bytes)
      : shared_bytes_(shared_bytes),
        warps_((threads + kWarpLanes - 1) / kWarpLanes),
        barrier_(threads) {
    poison();
  }

  // Exactly as many bytes as the launch asked for, so that AddressSanitizer sees any beyond.
  char* shared_memory() { return shared_.get(); }
  // Nothing of what a block left is there for the next one. The barrier is for one thread.
  void poison() {
    shared_ = std::make_unique<char[]>(shared_bytes_);
    std::memset(shared_.get(), 0xcd, shared_bytes_);
    for (auto& any : any_) any.store(false, std::memory_order_relaxed);
  }

  void sync() { barrier_.arrive_and_wait(); }
  // `call`: how many a thread made before, the same in all of them.
  bool sync_or(unsigned call, bool holds) {
    any_[(call + 1) % 3].store(false, std::memory_order_relaxed);
    if (holds) any_[call % 3].store(true, std::memory_order_relaxed);
    sync();
    return any_[call % 3].load(std::memory_order_relaxed);
  }

  WarpMeeting::Values show(unsigned thread, unsigned mask, Instruction instruction,
                           std::uint64_t value) {
    return warps_[thread / kWarpLanes].meeting.show(thread % kWarpLanes, mask, instruction, value);
  }
  // What lanes of the mask did before is done before what they do next.
  void sync_warp(unsigned thread, unsigned mask) {
    std::atomic<unsigned>& order = warps_[thread / kWarpLanes].order;
    order.fetch_add(1, std::memory_order_acq_rel);
    show(thread, mask, Instruction::sync, 0);
    order.fetch_add(1, std::memory_order_acq_rel);
  }

 private:
  struct Warp {
    WarpMeeting meeting;
    std::atomic<unsigned> order{0};
  };

  std::size_t shared_bytes_;
  std::unique_ptr<char[]> shared_;  // NOLINT(modernize-avoid-c-arrays): of a size known at run time
  std::vector<Warp> warps_;
  std::barrier<> barrier_;
  std::array<std::atomic<bool>, 3> any_{};
};

// Where a thread is.
struct Place {
  unsigned x = 0, y = 0, z = 0;
};
struct Thread {
  Block* block = nullptr;
  Place of_block, of_grid, block_size, grid_size;
  unsigned syncs_or = 0;
};
inline Thread& this_thread() {
  thread_local Thread thread;
  return thread;
}
inline Block& this_block() { return *this_thread().block; }

// Calls kernel() in `threads` threads for each of the blocks.
template <class Kernel>
void run_blocks(unsigned blocks, unsigned threads, std::size_t shared_bytes, const Kernel& kernel) {
  Block block(threads, shared_bytes);
  std::barrier next(threads, [&block]() noexcept { block.poison(); });
  std::vector<std::jthread> running;
  running.reserve(threads);
  for (unsigned thread = 0; thread < threads; ++thread) {
    running.emplace_back([&, thread] {
      for (unsigned at = 0; at < blocks; ++at) {
        this_thread() = {&block, {thread, 0, 0}, {at, 0, 0}, {threads, 1, 1}, {blocks, 1, 1}, 0};
        kernel();
        next.arrive_and_wait();
      }
    });
  }
}

}  // namespace graphcut::test
