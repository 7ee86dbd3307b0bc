// Calls of the CUDA runtime.
#pragma once

#include <cuda_runtime.h>

#include <cstdint>
#include <stdexcept>
#include <string>

namespace graphcut {

inline void check_cuda(cudaError_t status, const char* what, const char* file, int line) {
  if (status == cudaSuccess) return;
  throw std::runtime_error(std::string("graphcut_ext: ") + what + " failed at " + file + ":" +
                           std::to_string(line) + ": " + cudaGetErrorName(status) + ": " +
                           cudaGetErrorString(status));
}
#define GRAPHCUT_CUDA_CHECK(call) ::graphcut::check_cuda((call), #call, __FILE__, __LINE__)

// `blocks` as a launch takes them; `what`: how an error calls what they work on.
inline unsigned cuda_grid(std::int64_t blocks, const char* what) {
  if (blocks <= 0x7fffffff) return static_cast<unsigned>(blocks);
  throw std::runtime_error(std::string("graphcut_ext: too many ") + what + " in one launch");
}

// Makes `device` current and restores the caller's device.
class DeviceGuard {
 public:
  explicit DeviceGuard(int device) {
    GRAPHCUT_CUDA_CHECK(cudaGetDevice(&previous_));
    GRAPHCUT_CUDA_CHECK(cudaSetDevice(device));
  }
  ~DeviceGuard() { static_cast<void>(cudaSetDevice(previous_)); }
  DeviceGuard(const DeviceGuard&) = delete;
  DeviceGuard& operator=(const DeviceGuard&) = delete;

 private:
  int previous_ = 0;
};

}  // namespace graphcut
