// Where the lanes of a warp show each other values.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

namespace graphcut::test {

inline constexpr unsigned kWarpLanes = 32;

// What the lanes of a warp can do together.
enum class Instruction : std::uint8_t { sync, shuffle, ballot };

// The masks known are all lanes, and eight in a row from a multiple of eight.
//
// warp_meeting.cpp is compiled without ThreadSanitizer. To a device shuffles and ballots order no
// accesses to memory, and so they must not seem to here.
class WarpMeeting {
 public:
  using Values = std::array<std::uint64_t, kWarpLanes>;
  using Instructions = std::array<Instruction, kWarpLanes>;

  // Waits until all lanes of the mask have called, and returns what each has shown. Ends the
  // process where they come with different instructions, or a lane is not in its mask.
  Values show(unsigned lane, unsigned mask, Instruction instruction, std::uint64_t value);

 private:
  struct Group {
    std::uint32_t arrived = 0;  // all calls so far
    // By parity of the round: nobody writes one of them again before all have left it.
    std::array<std::array<std::uint64_t, kWarpLanes>, 2> values{};
    std::array<Instructions, 2> instructions{};
    std::array<std::uint32_t, kWarpLanes> rounds{};  // of each lane, which alone uses it
  };

  std::array<Group, 5> groups_;  // all lanes, then the eights
};

// The number of a mask, 0 for all lanes. Ends the process where the lane is not in it.
std::size_t lane_group(unsigned lane, unsigned mask);
// Ends the process where a lane of the mask came with another instruction.
void check_instructions(unsigned lane, unsigned mask, Instruction instruction,
                        const WarpMeeting::Instructions& instructions);

}  // namespace graphcut::test
