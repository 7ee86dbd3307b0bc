// Vectors that are not cleared before they are filled, in large pages where there are any.
#pragma once

#include <cstddef>
#include <memory>
#include <new>
#include <type_traits>
#include <utility>
#include <vector>

#include "maxflow/large_blocks.hpp"

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
#ifdef GRAPHCUT_LARGE_PAGES
    if (is_large(count)) return static_cast<T*>(LargeBlocks::take(pages(count)));
#endif
    return std::allocator<T>().allocate(count);
  }
  void deallocate(T* block, std::size_t count) {
#ifdef GRAPHCUT_LARGE_PAGES
    if (is_large(count)) return LargeBlocks::give(block, pages(count));
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

#ifdef GRAPHCUT_LARGE_PAGES
 private:
  static bool is_large(std::size_t count) { return count * sizeof(T) >= 2 * LargeBlocks::kPage; }
  static std::size_t pages(std::size_t count) {  // in bytes
    return (count * sizeof(T) + LargeBlocks::kPage - 1) / LargeBlocks::kPage * LargeBlocks::kPage;
  }
#endif
};

template <class T>
using Store = std::vector<T, Uninitialized<T>>;

}  // namespace graphcut::maxflow
