// Thread blocks of CUDA run by fibers of the calling thread, one for each CUDA thread; block after
// block. A shuffle takes a sixtieth of the time that it takes in threads.hpp, whose place this
// takes where GRAPHCUT_FIBERS is defined. A fiber runs until it waits for others, so data races
// show only in the order of fibers, which changes at every meeting.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <functional>
#include <memory>
#include <vector>

#include "warp_meeting.hpp"

namespace graphcut::test {

// Fibers that wait for others.
struct Meeting {
  unsigned arrived = 0;
  std::vector<unsigned> waiting;
};

// Runs body() in fibers 0, ..., count - 1.
void run_fibers(unsigned count, const std::function<void()>& body);
// Of the fiber that runs.
unsigned current_fiber();
// Returns once `expected` fibers have come.
void meet(Meeting& meeting, unsigned expected);

// Where a thread is.
struct Place {
  unsigned x = 0, y = 0, z = 0;
};
class Block;
struct Thread {
  Block* block = nullptr;
  Place of_block, of_grid, block_size, grid_size;
  unsigned syncs_or = 0;
};

class Block {
 public:
  Block(unsigned threads, std::size_t shared_bytes)
      : threads_(threads),
        shared_bytes_(shared_bytes),
        shared_(std::make_unique<char[]>(shared_bytes)),  // NOLINT(modernize-avoid-c-arrays)
        places_(threads),
        warps_((threads + kWarpLanes - 1) / kWarpLanes) {}

  // Exactly as many bytes as the launch asked for, so that AddressSanitizer sees any beyond.
  char* shared_memory() { return shared_.get(); }
  Thread& thread() { return places_[current_fiber()]; }

  // Runs kernel() as block `at` of a grid. Nothing of what a block left is there for the next one.
  void run(unsigned at, unsigned blocks, const std::function<void()>& kernel) {
    std::memset(shared_.get(), 0xcd, shared_bytes_);
    any_ = {};
    for (unsigned t = 0; t < threads_; ++t) {
      places_[t] = {this, {t, 0, 0}, {at, 0, 0}, {threads_, 1, 1}, {blocks, 1, 1}, 0};
    }
    run_fibers(threads_, kernel);
  }

  void sync() { meet(all_, threads_); }
  // `call`: how many a thread made before, the same in all of them.
  bool sync_or(unsigned call, bool holds) {
    any_[(call + 1) % 3] = false;
    any_[call % 3] = any_[call % 3] || holds;
    sync();
    return any_[call % 3];
  }

  // As WarpMeeting::show.
  const WarpMeeting::Values& show(unsigned thread, unsigned mask, Instruction instruction,
                                  std::uint64_t value) {
    const unsigned lane = thread % kWarpLanes;
    Group& group = warps_[thread / kWarpLanes][lane_group(lane, mask)];
    Round& round = group.rounds[group.round[lane]++ % 2];
    round.values[lane] = value;
    round.instructions[lane] = instruction;
    meet(group.meeting, mask == ~0U ? kWarpLanes : 8);
    check_instructions(lane, mask, instruction, round.instructions);
    return round.values;
  }
  void sync_warp(unsigned thread, unsigned mask) { show(thread, mask, Instruction::sync, 0); }

 private:
  struct Round {
    WarpMeeting::Values values{};
    WarpMeeting::Instructions instructions{};
  };
  struct Group {
    Meeting meeting;
    std::array<Round, 2> rounds;  // nobody writes one of them again before all have left it
    std::array<unsigned, kWarpLanes> round{};
  };

  unsigned threads_;
  std::size_t shared_bytes_;
  std::unique_ptr<char[]> shared_;  // NOLINT(modernize-avoid-c-arrays): of a size known at run time
  std::vector<Thread> places_;
  std::vector<std::array<Group, 5>> warps_;
  Meeting all_;
  std::array<bool, 3> any_{};
};

inline Block*& running_block() {
  static Block* block = nullptr;
  return block;
}
inline Block& this_block() { return *running_block(); }
inline Thread& this_thread() { return this_block().thread(); }

// Calls kernel() in `threads` threads for each of the blocks.
template <class Kernel>
void run_blocks(unsigned blocks, unsigned threads, std::size_t shared_bytes, const Kernel& kernel) {
  Block block(threads, shared_bytes);
  running_block() = &block;
  for (unsigned at = 0; at < blocks; ++at) block.run(at, blocks, kernel);
  running_block() = nullptr;
}

}  // namespace graphcut::test
