// Several arrays in one block of memory, so that large pages serve small ones too.
//
//   SharedBlock block(SharedBlock::bytes<float>(n) + SharedBlock::bytes<char>(m));
//   std::shared_ptr<float[]> first = block.take<float>(n);   // not cleared
//   std::shared_ptr<char[]> second = block.take<char>(m);
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>

#include "maxflow/uninitialized.hpp"

namespace graphcut::maxflow {

// The block lives as long as any of its arrays. Each of them starts a cache line; none is null.
class SharedBlock {
 public:
  explicit SharedBlock(std::int64_t bytes)
      : bytes_(std::make_shared<Store<std::byte>>(
            static_cast<std::size_t>(std::max<std::int64_t>(bytes, 1)))) {}

  template <class T>
  static std::int64_t bytes(std::int64_t count) {
    return (count * static_cast<std::int64_t>(sizeof(T)) + 63) / 64 * 64;
  }
  template <class T>
  std::shared_ptr<T[]> take(std::int64_t count) {
    T* const start = reinterpret_cast<T*>(bytes_->data() + used_);
    used_ += bytes<T>(count);
    return std::shared_ptr<T[]>(bytes_, start);
  }

 private:
  std::shared_ptr<Store<std::byte>> bytes_;
  std::int64_t used_ = 0;
};

}  // namespace graphcut::maxflow
