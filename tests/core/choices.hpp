// Choices that make up a random problem: from a seed, or from the bytes of a fuzzer.
#pragma once

#include <cstddef>
#include <cstdint>
#include <iterator>

namespace graphcut::test {

class Choices {
 public:
  explicit Choices(std::uint64_t seed) : state_(seed) {}
  // Once the bytes are used up every choice is 0; they must outlive this object.
  Choices(const std::uint8_t* data, std::size_t size) : data_(data), left_(size) {}

  // In [0, bound).
  std::uint64_t below(std::uint64_t bound) {
    if (bound <= 1) return 0;
    if (data_ == nullptr) return next() % bound;
    std::uint64_t value = 0;
    for (std::uint64_t range = bound - 1; range > 0; range >>= 8) value = value << 8 | byte();
    return value % bound;
  }
  std::int64_t between(std::int64_t low, std::int64_t high) {
    return low + static_cast<std::int64_t>(below(static_cast<std::uint64_t>(high - low) + 1));
  }
  bool one_in(std::uint64_t n) { return below(n) == n - 1; }
  template <class T, std::size_t n>
  T of(const T (&values)[n]) {
    return values[below(n)];
  }

 private:
  std::uint8_t byte() {
    if (left_ == 0) return 0;
    --left_;
    return *data_++;
  }
  std::uint64_t next() {  // SplitMix64
    std::uint64_t z = state_ += 0x9e3779b97f4a7c15;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
    z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
    return z ^ (z >> 31);
  }

  std::uint64_t state_ = 0;
  const std::uint8_t* data_ = nullptr;
  std::size_t left_ = 0;
};

}  // namespace graphcut::test
