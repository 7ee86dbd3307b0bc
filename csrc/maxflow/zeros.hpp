// Memory that is all zero, for arrays of which each thread fills a part.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <new>

#include "maxflow/large_blocks.hpp"

namespace graphcut::maxflow {

// All zero, by the system, page by page where it is used; in large pages where there are any.
template <class T>
std::shared_ptr<T[]> zeros(std::int64_t count) {
  const auto bytes = static_cast<std::size_t>(std::max<std::int64_t>(count, 1)) * sizeof(T);
#ifdef GRAPHCUT_LARGE_PAGES
  constexpr std::size_t kPage = LargeBlocks::kPage;
  if (bytes >= kPage) {
    const std::size_t size = (bytes + 2 * kPage - 1) / kPage * kPage;  // to begin with a page
    void* const memory =
        mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED) throw std::bad_alloc();
    const auto free = [memory, size](T* /*aligned*/) { munmap(memory, size); };
    void* aligned = memory;
    std::size_t space = size;
    std::align(kPage, bytes, aligned, space);
    madvise(aligned, size - kPage, MADV_HUGEPAGE);  // a wish
    return std::shared_ptr<T[]>(static_cast<T*>(aligned), free);
  }
#endif
  void* const memory = std::calloc(bytes, 1);
  if (memory == nullptr) throw std::bad_alloc();
  return std::shared_ptr<T[]>(static_cast<T*>(memory), [](T* p) { std::free(p); });
}

}  // namespace graphcut::maxflow
