// Memory that is all zero, for arrays of which each thread fills a part.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <new>

#if defined(__linux__)
#include <sys/mman.h>
#endif

namespace graphcut::maxflow {

// All zero, by the system, page by page where it is used; in large pages where there are any.
template <class T>
std::shared_ptr<T[]> zeros(std::int64_t count) {
  const auto bytes = static_cast<std::size_t>(std::max<std::int64_t>(count, 1)) * sizeof(T);
#if defined(__linux__) && defined(MADV_HUGEPAGE)
  constexpr std::size_t kPage = std::size_t{1} << 21;
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

// Several arrays in one block, so that large pages serve small ones too. Each starts a cache line.
class Block {
 public:
  explicit Block(std::int64_t bytes) : bytes_(zeros<std::byte>(bytes)) {}

  template <class T>
  static std::int64_t bytes(std::int64_t count) {
    return (count * static_cast<std::int64_t>(sizeof(T)) + 63) / 64 * 64;
  }
  template <class T>
  std::shared_ptr<T[]> take(std::int64_t count) {
    T* const start = reinterpret_cast<T*>(bytes_.get() + used_);
    used_ += bytes<T>(count);
    return std::shared_ptr<T[]>(bytes_, start);
  }

 private:
  std::shared_ptr<std::byte[]> bytes_;
  std::int64_t used_ = 0;
};

}  // namespace graphcut::maxflow
