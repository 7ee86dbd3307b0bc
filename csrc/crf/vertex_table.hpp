// Numbers the vertices of a lattice by their coordinates, in the order of their first appearance.
#pragma once

#include <cstdint>
#include <vector>

namespace graphcut::crf {

class VertexTable {
 public:
  explicit VertexTable(std::int64_t dimensions) : dimensions_(dimensions), slots_(64) {}

  std::int32_t size() const { return size_; }
  const std::int32_t* key(std::int32_t vertex) const { return keys_.data() + vertex * dimensions_; }

  // The vertex with these coordinates (the first `dimensions` ones tell), added if it is new.
  // kDimensions: their number, or 0 where it is known at run time only.
  template <int kDimensions = 0>
  std::int32_t add(const std::int32_t* key) {
    std::uint32_t tag = 0;
    const std::size_t slot = find_slot<kDimensions>(key, tag);
    if (slots_[slot].vertex >= 0) return slots_[slot].vertex;
    slots_[slot] = {tag, size_};
    keys_.insert(keys_.end(), key, key + dimensions_);
    ++size_;
    if (2 * static_cast<std::size_t>(size_) > slots_.size()) grow();
    return size_ - 1;
  }

  // -1 where there is no such vertex.
  std::int32_t find(const std::int32_t* key) const {
    std::uint32_t tag = 0;
    return slots_[find_slot(key, tag)].vertex;
  }

 private:
  struct Slot {
    std::uint32_t tag = 0;
    std::int32_t vertex = -1;
  };

  template <int kDimensions = 0>
  std::size_t find_slot(const std::int32_t* key, std::uint32_t& tag) const {
    const std::int64_t dimensions = kDimensions > 0 ? kDimensions : dimensions_;
    std::uint64_t hash = 0;
    for (std::int64_t i = 0; i < dimensions; ++i) {
      hash = (hash + static_cast<std::uint32_t>(key[i])) * 0x9E3779B97F4A7C15U;
    }
    hash ^= hash >> 32U;
    tag = static_cast<std::uint32_t>(hash >> 32U);
    std::size_t slot = hash & (slots_.size() - 1);
    while (slots_[slot].vertex >= 0 &&
           (slots_[slot].tag != tag ||
            !same(key, keys_.data() + slots_[slot].vertex * dimensions, dimensions))) {
      slot = (slot + 1) & (slots_.size() - 1);
    }
    return slot;
  }

  // std::equal would call memcmp for these few numbers.
  static bool same(const std::int32_t* a, const std::int32_t* b, std::int64_t dimensions) {
    std::int32_t different = 0;
    for (std::int64_t i = 0; i < dimensions; ++i) different |= a[i] ^ b[i];
    return different == 0;
  }

  void grow() {
    slots_.assign(2 * slots_.size(), Slot{});
    for (std::int32_t vertex = 0; vertex < size_; ++vertex) {
      std::uint32_t tag = 0;
      const std::size_t slot = find_slot(key(vertex), tag);
      slots_[slot] = {tag, vertex};
    }
  }

  std::int64_t dimensions_;
  std::int32_t size_ = 0;
  std::vector<Slot> slots_;  // a power of two of them, at most half taken
  std::vector<std::int32_t> keys_;
};

}  // namespace graphcut::crf
