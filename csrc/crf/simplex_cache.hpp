// The numbers of a lattice's simplices, as far as they are remembered.
#pragma once

#include <algorithm>
#include <bit>
#include <cstdint>
#include <utility>
#include <vector>

#include "crf/embedding.hpp"

namespace graphcut::crf {

// The numbers of simplices that came by lately. Pictures come back to the same few, and to look
// one up here is faster than to look its vertices up one by one.
class SimplexCache {
 public:
  SimplexCache(std::int32_t corners, std::int64_t pixels)
      : corners_(corners),
        slots_(
            std::bit_ceil(static_cast<std::uint32_t>(std::clamp<std::int64_t>(pixels, 1, kMost)))),
        entries_(static_cast<std::size_t>(slots_) * (2 * corners + 1), -1) {}

  // The number of pixel p's simplex, and whether it is known; if not, the caller writes it.
  std::pair<std::int32_t*, bool> find(const Simplices& simplices, std::int32_t p) {
    const std::uint32_t hash = simplices.hash[p] ^ (simplices.hash[p] >> 15U);
    std::int32_t* corner = entries_.data() + std::size_t{hash & (slots_ - 1)} * (2 * corners_ + 1);
    std::int32_t* rank = corner + corners_;
    std::int32_t different = 0;
    for (std::int32_t i = 0; i < corners_; ++i) {
      different |= (corner[i] ^ simplices.corner[i][p]) | (rank[i] ^ simplices.rank[i][p]);
    }
    if (different != 0) {
      for (std::int32_t i = 0; i < corners_; ++i) {
        corner[i] = simplices.corner[i][p];
        rank[i] = simplices.rank[i][p];
      }
    }
    return {rank + corners_, different == 0};
  }

 private:
  static constexpr std::int64_t kMost = 1 << 12;

  std::int32_t corners_;
  std::uint32_t slots_;                // a power of two
  std::vector<std::int32_t> entries_;  // corner, rank and number of each; no rank is -1
};

}  // namespace graphcut::crf
