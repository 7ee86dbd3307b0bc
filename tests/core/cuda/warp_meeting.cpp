#include "warp_meeting.hpp"

#include <cstddef>
#include <cstdio>
#include <cstdlib>

#ifdef __linux__
#include <linux/futex.h>
#include <sys/syscall.h>
#include <unistd.h>
#else
#include <sched.h>
#endif

namespace graphcut::test {
namespace {

[[noreturn]] void fail(unsigned lane, unsigned mask, const char* what) {
  std::fprintf(stderr, "FAILED: lane %u, mask %08x: %s\n", lane, mask, what);
  std::abort();
}

// Returns when `count` is no longer `seen`, or at any time before.
void wait_for_change(std::uint32_t* count, std::uint32_t seen) {
#ifdef __linux__
  syscall(SYS_futex, count, FUTEX_WAIT_PRIVATE, seen, nullptr, nullptr, 0);
#else
  static_cast<void>(count);
  static_cast<void>(seen);
  sched_yield();
#endif
}

void wake_all(std::uint32_t* count) {
#ifdef __linux__
  syscall(SYS_futex, count, FUTEX_WAKE_PRIVATE, kWarpLanes, nullptr, nullptr, 0);
#else
  static_cast<void>(count);
#endif
}

}  // namespace

std::size_t lane_group(unsigned lane, unsigned mask) {
  if (mask == ~0U) return 0;
  const unsigned eight = lane / 8;
  if (mask != 0xffU << (8 * eight)) fail(lane, mask, "not all lanes, nor the eight of this lane");
  return 1 + eight;
}

void check_instructions(unsigned lane, unsigned mask, Instruction instruction,
                        const WarpMeeting::Instructions& instructions) {
  for (unsigned other = 0; other < kWarpLanes; ++other) {
    if ((mask >> other & 1U) != 0 && instructions[other] != instruction) {
      fail(lane, mask, "lanes wait for each other at different instructions");
    }
  }
}

WarpMeeting::Values WarpMeeting::show(unsigned lane, unsigned mask, Instruction instruction,
                                      std::uint64_t value) {
  Group& group = groups_[lane_group(lane, mask)];
  const std::uint32_t lanes = mask == ~0U ? kWarpLanes : 8;
  const std::uint32_t round = group.rounds[lane]++;
  auto& values = group.values[round % 2];
  auto& instructions = group.instructions[round % 2];
  values[lane] = value;
  instructions[lane] = instruction;
  const std::uint32_t end = (round + 1) * lanes;
  std::uint32_t arrived = __atomic_add_fetch(&group.arrived, 1, __ATOMIC_ACQ_REL);
  if (arrived == end) wake_all(&group.arrived);
  while (static_cast<std::int32_t>(arrived - end) < 0) {
    wait_for_change(&group.arrived, arrived);
    arrived = __atomic_load_n(&group.arrived, __ATOMIC_ACQUIRE);
  }
  check_instructions(lane, mask, instruction, instructions);
  return values;
}

}  // namespace graphcut::test
