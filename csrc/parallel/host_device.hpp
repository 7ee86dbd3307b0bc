// Functions that run on the host and, in CUDA sources, on devices.
#pragma once

#ifdef __CUDACC__
#define GRAPHCUT_HD __host__ __device__
#else
#define GRAPHCUT_HD
#endif
