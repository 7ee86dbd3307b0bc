// Vectors that are not cleared before they are filled, in large pages where there are any.
#pragma once

#include <cstddef>
#include <memory>
#include <new>
#include <type_traits>
#include <utility>
#include <vector>

#if defined(__linux__)
#include <sys/mman.h>

#include <cstdlib>
#endif

namespace graphcut::maxflow {

// Clearing what is written next is one pass over memory too many, and small pages cost a fault for
// every 4 KiB of it. Large blocks are therefore aligned to 2 MiB, and the system is asked for pages
// of that size.
template <class T>
struct Uninitialized {
  using value_type = T;

  Uninitialized() = default;
  template <class U>
  explicit(false) Uninitialized(const Uninitialized<U>& /*other*/) {}

  T* allocate(std::size_t count) {
#if defined(__linux__) && defined(MADV_HUGEPAGE)
    if (count * sizeof(T) >= kLarge) {
      const std::size_t bytes = (count * sizeof(T) + kPage - 1) / kPage * kPage;
      void* const block = std::aligned_alloc(kPage, bytes);
      if (block == nullptr) throw std::bad_alloc();
      madvise(block, bytes, MADV_HUGEPAGE);  // a wish: small pages do as well
      return static_cast<T*>(block);
    }
#endif
    return std::allocator<T>().allocate(count);
  }
  void deallocate(T* block, std::size_t count) {
#if defined(__linux__) && defined(MADV_HUGEPAGE)
    if (count * sizeof(T) >= kLarge) return std::free(block);
#endif
    std::allocator<T>().deallocate(block, count);
  }

  template <class U>
  void construct(U* place) {
    static_assert(std::is_trivially_default_constructible_v<U>);
    ::new (static_cast<void*>(place)) U;
  }
  template <class U, class... Arguments>
  void construct(U* place, Arguments&&... arguments) {
    ::new (static_cast<void*>(place)) U(std::forward<Arguments>(arguments)...);
  }

  friend bool operator==(const Uninitialized& /*a*/, const Uninitialized& /*b*/) { return true; }

 private:
  static constexpr std::size_t kPage = std::size_t{1} << 21, kLarge = 2 * kPage;
};

template <class T>
using Store = std::vector<T, Uninitialized<T>>;

}  // namespace graphcut::maxflow
