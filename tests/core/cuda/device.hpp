// The devices that the tests' cuda_runtime.h pretends to have.
#pragma once

#include <array>
#include <cstddef>
#include <map>
#include <mutex>

namespace graphcut::test {

inline constexpr std::size_t kDefaultShared = 49152;  // bytes for a block, unless it asks for more
inline constexpr std::size_t kStaticShared = 256;     // of which a kernel may have these itself

struct Devices {
  std::array<bool, 3> context{};              // whether a device has one
  std::size_t shared_bytes = 65536;           // that a block can have at most
  int driver = 13000;                         // the CUDA version it is for
  std::mutex busy;                            // held while a kernel runs
  std::map<const void*, std::size_t> raised;  // bytes a kernel may ask for in a launch
};
inline Devices& devices() {
  static Devices all;
  return all;
}
inline int& current_device() {
  thread_local int device = 0;
  return device;
}

}  // namespace graphcut::test
