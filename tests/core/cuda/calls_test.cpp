// How the core calls the CUDA runtime.
#include <cuda_runtime.h>

#include <cstdio>
#include <stdexcept>
#include <string>
#include <thread>

#include "device.hpp"
#include "oracle.hpp"
#include "parallel/cuda_call.cuh"

namespace graphcut::test {
namespace {

std::string message(cudaError_t status) {
  try {
    GRAPHCUT_CUDA_CHECK(status);
  } catch (const std::runtime_error& error) {
    return error.what();
  }
  return "";
}

void check_guard() {
  devices().context = {};
  std::thread([] {
    {
      const DeviceGuard guard(1);
    }
    require(!devices().context[0], "device 0 gets no context from a thread that never used it");
    require(devices().context[1], "the device that is worked on gets one");
  }).join();
  std::thread([] {
    require(cudaSetDevice(2) == cudaSuccess, "there are three devices");
    {
      const DeviceGuard guard(1);
      require(current_device() == 1, "the device is current");
    }
    require(current_device() == 2, "the device of before is current again");
  }).join();
}

void check_messages() {
  require(message(cudaSuccess).empty(), "success is no error");
  devices().driver = 12040;
  const std::string driver = message(cudaErrorInsufficientDriver);
  require(driver.find("needs a driver for CUDA 13, the installed one is for CUDA 12.4") !=
              std::string::npos,
          "the driver that is needed is named, not '" + driver + "'");
  const std::string image = message(cudaErrorNoKernelImageForDevice);
  require(image.find("CMAKE_CUDA_ARCHITECTURES=native") != std::string::npos,
          "what to build with is named, not '" + image + "'");
}

void check_grid() {
  require(cuda_grid(0x7fffffff, "rows") == 0x7fffffff, "the most blocks of a launch");
  std::string refused;
  try {
    cuda_grid(std::int64_t{0x80000000}, "rows");
  } catch (const std::runtime_error& error) {
    refused = error.what();
  }
  require(refused == "graphcut_ext: too many rows in one launch", "more blocks are refused");
}

}  // namespace
}  // namespace graphcut::test

int main() {
  graphcut::test::check_guard();
  graphcut::test::check_messages();
  graphcut::test::check_grid();
  std::printf("calls of the CUDA runtime are as they should be\n");
}
