// Functions that run on the host and, in CUDA sources, on devices.
#pragma once

// GRAPHCUT_BLOCK marks code written once for threads of a device and for their emulation.
#ifdef __CUDACC__
#define GRAPHCUT_HD __host__ __device__
#define GRAPHCUT_BLOCK __device__
#define GRAPHCUT_UNROLL _Pragma("unroll")
#define GRAPHCUT_OUTLINE __noinline__
#else
#define GRAPHCUT_HD
#define GRAPHCUT_BLOCK
#define GRAPHCUT_UNROLL
#define GRAPHCUT_OUTLINE
#endif
