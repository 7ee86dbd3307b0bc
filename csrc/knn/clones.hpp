// Function multiversioning: the loop is compiled for several x86 levels, the best is taken at load.
#pragma once

// GRAPHCUT_NO_AVX512, defined, measures on a newer processor what older ones run.
#if defined(__x86_64__) && defined(__GLIBC__) && defined(__GNUC__) && !defined(__clang__) && \
    !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
#ifdef GRAPHCUT_NO_AVX512
#define GRAPHCUT_CLONES __attribute__((target_clones("avx2", "default")))
#else
#define GRAPHCUT_CLONES __attribute__((target_clones("avx512f", "avx2", "default")))
#endif
#else
#define GRAPHCUT_CLONES
#endif

#if defined(__GNUC__)
#define GRAPHCUT_INLINE [[gnu::always_inline]] inline
#define GRAPHCUT_RESTRICT __restrict__
#define GRAPHCUT_PREFETCH(address) __builtin_prefetch(address)
#else
#define GRAPHCUT_INLINE inline
#define GRAPHCUT_RESTRICT
#define GRAPHCUT_PREFETCH(address) static_cast<void>(address)
#endif
