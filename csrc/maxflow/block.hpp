// Code written once for a thread block on a device and for its emulation on the host.
//
// An algorithm is a template over Block. All threads of a block run it; what they share changes
// only inside phases, each of which ends with a barrier:
//
//   block.each(n, f)        f(i) for i in [0, n), spread over the threads
//   block.each_team(n, f)   f(team, i) for i in [0, n), spread over teams of kTeam threads
//   block.total<T>(n, f)    the sum of f(i), T: for a number of threads always the same bits
//   block.any(n, f)         whether some f(i) holds
//   block.value(x)          what the shared variable x holds, which may change right after
//
// Within a phase, what one thread writes no other may touch, but for
//   block.add(x, v)         x += v; T is an integer, so the order does not matter
//   block.take(x)           x += 1, the old value: different threads get different numbers
//   block.claim(x, a, b)    x = b if x was a; true for one of those who ask
// A team steps through the same code with one lane per thread, and
//   team.lanes(f)           f(lane) on every lane
//   PerLane<T>              a variable of every lane, x[lane]
//   team.scan(x, most)      x[lane] = min(most, sum of x before the lane); x from 0 to most
//   team.least(x)           the smallest x
//   team.sync()             what lanes did before is done before what they do next
#pragma once

#include <cstdint>
#include <limits>

#include "parallel/host_device.hpp"

namespace graphcut::maxflow {

// Two steps see most neighbours of a node where every node lists nine.
inline constexpr int kTeam = 8;
inline constexpr int kMostThreads = 1024;

template <class T>
inline constexpr T kLargest = std::numeric_limits<T>::max();  // device code may not call max()

template <class T>
GRAPHCUT_BLOCK constexpr T lesser(T a, T b) {
  return b < a ? b : a;
}

// a + b for a, b from 0 to most; `most` is at most half of what T holds.
template <class T>
GRAPHCUT_BLOCK constexpr T sum_up_to(T most, T a, T b) {
  return lesser(most, static_cast<T>(a + b));
}

}  // namespace graphcut::maxflow
