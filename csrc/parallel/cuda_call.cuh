// Calls of the CUDA runtime.
#pragma once

#include <cuda_runtime.h>

#include <cstddef>
#include <cstdint>
#include <stdexcept>
#include <string>
#include <type_traits>

namespace graphcut {

// What to do about an error that comes from how this build and the machine fit together.
inline std::string cuda_advice(cudaError_t status) {
  if (status == cudaErrorInsufficientDriver) {
    int supported = 0;
    static_cast<void>(cudaDriverGetVersion(&supported));
    return "; this build needs a driver for CUDA " + std::to_string(CUDART_VERSION / 1000) +
           ", the installed one is for CUDA " + std::to_string(supported / 1000) + "." +
           std::to_string(supported % 1000 / 10) +
           ": update it, or build with a CUDA toolkit of that version";
  }
  if (status == cudaErrorNoKernelImageForDevice) {
    return "; this build has no code for this GPU: build with CMAKE_CUDA_ARCHITECTURES=native";
  }
  return "";
}

inline void check_cuda(cudaError_t status, const char* what, const char* file, int line) {
  if (status == cudaSuccess) return;
  throw std::runtime_error(std::string("graphcut_ext: ") + what + " failed at " + file + ":" +
                           std::to_string(line) + ": " + cudaGetErrorName(status) + ": " +
                           cudaGetErrorString(status) + cuda_advice(status));
}
#define GRAPHCUT_CUDA_CHECK(call) ::graphcut::check_cuda((call), #call, __FILE__, __LINE__)

// `blocks` as a launch takes them; `what`: how an error calls what they work on.
inline unsigned cuda_grid(std::int64_t blocks, const char* what) {
  if (blocks <= 0x7fffffff) return static_cast<unsigned>(blocks);
  throw std::runtime_error(std::string("graphcut_ext: too many ") + what + " in one launch");
}

// How a kernel is launched: launch(kernel, arguments...) queues it.
struct Launch {
  unsigned blocks, threads;
  std::int64_t shared_bytes;
  void* stream;  // a cudaStream_t

  template <class... P>
  void operator()(void (*kernel)(P...), const std::type_identity_t<P>&... arguments) const {
    void* values[] = {const_cast<void*>(static_cast<const void*>(&arguments))...};
    GRAPHCUT_CUDA_CHECK(cudaLaunchKernel(kernel, dim3(blocks), dim3(threads), values,
                                         static_cast<std::size_t>(shared_bytes),
                                         static_cast<cudaStream_t>(stream)));
  }
};

// Whether the device has a context. To make it current would create one, of some hundred MB.
inline bool has_context(int device) {
  void* found = nullptr;
  cudaDriverEntryPointQueryResult result{};
#if CUDART_VERSION >= 12050
  const cudaError_t status = cudaGetDriverEntryPointByVersion("cuDevicePrimaryCtxGetState", &found,
                                                              12000, cudaEnableDefault, &result);
#else
  const cudaError_t status =
      cudaGetDriverEntryPoint("cuDevicePrimaryCtxGetState", &found, cudaEnableDefault, &result);
#endif
  if (status != cudaSuccess || result != cudaDriverEntryPointSuccess) return true;
  unsigned flags = 0;
  int active = 0;
  const auto state = reinterpret_cast<int (*)(int, unsigned*, int*)>(found);
  return state(device, &flags, &active) != 0 || active != 0;
}

// Makes `device` current and restores the caller's device, if that has a context: a thread that
// never used CUDA has device 0, on which nothing is to be created.
class DeviceGuard {
 public:
  explicit DeviceGuard(int device) : device_(device) {
    GRAPHCUT_CUDA_CHECK(cudaGetDevice(&previous_));
    if (previous_ != device_) GRAPHCUT_CUDA_CHECK(cudaSetDevice(device_));
  }
  ~DeviceGuard() {
    if (previous_ != device_ && has_context(previous_)) {
      static_cast<void>(cudaSetDevice(previous_));
    }
  }
  DeviceGuard(const DeviceGuard&) = delete;
  DeviceGuard& operator=(const DeviceGuard&) = delete;

 private:
  int device_, previous_ = 0;
};

}  // namespace graphcut
