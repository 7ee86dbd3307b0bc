// The loops with AVX2 and FMA.
#if defined(__x86_64__) && defined(__GNUC__)

// The libraries' headers first: what they define is not to be compiled for AVX2, as the linker may
// take it for other files too.
#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <memory>
#include <utility>
#include <vector>

#include "crf/loops.hpp"

#if defined(__clang__)
#pragma clang attribute push(__attribute__((target("avx2,fma"))), apply_to = function)
#else
#pragma GCC push_options
#pragma GCC target("avx2,fma")
#endif

#define GRAPHCUT_LANES 8
#define GRAPHCUT_LOOPS kLoopsAvx2
#include "crf/loops.ipp"

#if defined(__clang__)
#pragma clang attribute pop
#else
#pragma GCC pop_options
#endif

#endif
