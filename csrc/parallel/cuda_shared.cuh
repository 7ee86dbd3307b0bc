// The memory that the threads of a block share, in CUDA kernels.
#pragma once

namespace graphcut {

// As much as the launch asked for, aligned to 8 bytes, its contents undefined.
__device__ inline char* shared_memory() {
  extern __shared__ __align__(8) char memory[];
  return memory;
}

}  // namespace graphcut
