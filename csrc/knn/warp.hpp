// Code written once for the warps of a device and for their emulation on the host.
//
// An algorithm is a template over Warp. All lanes of a warp run it together, and
//
//   PerLane<T>         a variable of every lane, x[lane]
//   warp.lanes(f)      f(lane) on every lane
//   warp.ballot(f)     bit l: whether f(l) holds
//   warp.sum(x)        of PerLane<int>; of PerLane<double> in the order of bounds.hpp; in all lanes
//   warp.sync()        what lanes wrote to memory before is seen by what they read next
//
// Between two syncs no lane touches what another one writes; ballot and sum are no syncs. A block
// is kWarps warps with shared memory:
//
//   PerWarp<S>         a variable of every warp, x[w]
//   block.each(n, f)   f(i) for i in [0, n), spread over the threads; then a barrier
//   block.warps(f)     f(warp, w) for w in [0, kWarps); then a barrier
#pragma once

#include <bit>
#include <cstdint>
#include <cstring>
#include <limits>

#include "knn/bounds.hpp"
#include "parallel/host_device.hpp"

namespace graphcut::knn {

inline constexpr int kWarps = 8;

template <class T>
inline constexpr T kInfinity = std::numeric_limits<T>::infinity();  // device code may not call it

GRAPHCUT_BLOCK inline int set_bits(std::uint32_t bits) {
#ifdef __CUDACC__
  return __popc(bits);
#else
  return std::popcount(bits);
#endif
}

// bits is not 0.
GRAPHCUT_BLOCK inline int lowest_bit(std::uint32_t bits) {
#ifdef __CUDACC__
  return __ffs(static_cast<int>(bits)) - 1;
#else
  return std::countr_zero(bits);
#endif
}

// Unsigned integers that order like the floating-point numbers but NaN.
template <class T>
struct OrderedBits;
template <>
struct OrderedBits<float> {
  using type = std::uint32_t;
};
template <>
struct OrderedBits<double> {
  using type = std::uint64_t;
};

template <class T>
struct Key {
  using Bits = typename OrderedBits<T>::type;
  static constexpr Bits kSign = static_cast<Bits>(1) << (8 * sizeof(Bits) - 1);

  static GRAPHCUT_BLOCK Bits of(T value) {
    Bits bits;
    std::memcpy(&bits, &value, sizeof(bits));
    return (bits & kSign) != 0 ? ~bits : bits | kSign;
  }
  static GRAPHCUT_BLOCK T value(Bits key) {
    const Bits bits = (key & kSign) != 0 ? key & ~kSign : ~key;
    T value;
    std::memcpy(&value, &bits, sizeof(value));
    return value;
  }
};

}  // namespace graphcut::knn
