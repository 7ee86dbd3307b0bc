// Blocks of memory in large pages, the last of which are kept for the next graph of their size.
#pragma once

#if defined(__linux__)
#include <sys/mman.h>
#endif

#if defined(__linux__) && defined(MADV_HUGEPAGE)
#define GRAPHCUT_LARGE_PAGES

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdlib>
#include <cstring>
#include <new>

namespace graphcut::maxflow {

// The system clears what it gives, which takes a tenth of the time of an easy cut. So the last two
// blocks stay with the process, 64 MiB at most. Nothing waits for a lock: a child of fork() may
// come from a process whose other threads were in here.
class LargeBlocks {
 public:
  static constexpr std::size_t kPage = std::size_t{1} << 21;

  // `bytes`: a multiple of kPage.
  static void* take(std::size_t bytes) {
    for (auto& place : kept_) {
      void* const block = place.exchange(nullptr);
      if (block == nullptr) continue;
      if (size(block) == bytes) return block;
      std::free(place.exchange(block));  // what came in meanwhile
    }
    void* const block = std::aligned_alloc(kPage, bytes);
    if (block == nullptr) throw std::bad_alloc();
    madvise(block, bytes, MADV_HUGEPAGE);  // a wish: small pages do as well
    return block;
  }

  // Takes `block` back, of as many bytes as it was asked for.
  static void give(void* block, std::size_t bytes) {
    if (bytes > kMost) return std::free(block);
    std::memcpy(block, &bytes, sizeof(bytes));
    for (auto& place : kept_) block = place.exchange(block);
    std::free(block);
  }

 private:
  static constexpr std::size_t kMost = std::size_t{1} << 25;

  static std::size_t size(const void* block) {
    std::size_t bytes = 0;
    std::memcpy(&bytes, block, sizeof(bytes));
    return bytes;
  }

  inline static std::array<std::atomic<void*>, 2> kept_{};  // each begins with its size
};

}  // namespace graphcut::maxflow
#endif
