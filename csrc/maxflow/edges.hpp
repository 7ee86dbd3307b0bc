// The edges of one graph, and one look at all that is given with it.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <type_traits>
#include <utility>
#include <vector>

namespace graphcut::maxflow {

template <class Capacity>
struct Edges {
  const std::int64_t* tail = nullptr;  // (count) each; nodes are numbered from `base`
  const std::int64_t* head = nullptr;
  const Capacity* capacity = nullptr;  // (count) each: tail to head, head to tail
  const Capacity* reverse = nullptr;
  std::int64_t count = 0;
  std::int64_t base = 0;

  // 64 bits, as they are read: the loops over all edges are bound by the number of instructions.
  std::pair<std::int64_t, std::int64_t> ends(std::int64_t e) const {
    return {tail[e] - base, head[e] - base};
  }
};

// Note [Regular input]: nearly all input is of nodes that exist and of capacities that are finite,
// not negative and far from the limits of their type. A few bits, gathered without a branch on the
// way, tell so. All else is irregular: the full checks look at it again, name the first offence
// there is, or accept it.

// The bits of all numbers of a row together: the sign is set where one of them is irregular. For
// integers they also bound the numbers: none is larger.
template <class Capacity>
auto bits_of(const Capacity* row, std::int64_t count) {
  using Bits = std::conditional_t<sizeof(Capacity) == 8, std::int64_t, std::int32_t>;
  Bits all{0};
  if constexpr (std::is_integral_v<Capacity>) {
    for (std::int64_t i = 0; i < count; ++i) all |= row[i];
  } else {
    // Floats that are not negative are ordered as their bits are.
    constexpr auto kMost = std::bit_cast<Bits>(std::numeric_limits<Capacity>::max() / 4);
    for (std::int64_t i = 0; i < count; ++i) {
      const auto bits = std::bit_cast<Bits>(row[i]);
      all |= bits | static_cast<Bits>(static_cast<std::make_unsigned_t<Bits>>(kMost) -
                                      static_cast<std::make_unsigned_t<Bits>>(bits));
    }
  }
  return all;
}

// Sets degree (nodes) to the number of arcs of every node, without self-loops. Returns false, with
// only nonsense in `degree`, where an end is not one of the nodes.
template <class Capacity>
bool count_arcs(const Edges<Capacity>& edges, std::int32_t nodes,
                std::vector<std::int32_t>& degree) {
  constexpr std::int64_t kBlock = 1024;  // looked at twice, the second time in the cache
  degree.assign(static_cast<std::size_t>(nodes), 0);
  std::int32_t* const arcs = degree.data();
  const auto first = static_cast<std::uint64_t>(edges.base);
  const auto last = first + static_cast<std::uint64_t>(nodes) - 1;
  for (std::int64_t from = 0; from < edges.count; from += kBlock) {
    const std::int64_t to = from + kBlock < edges.count ? from + kBlock : edges.count;
    std::uint64_t outside = 0;
    for (std::int64_t e = from; e < to; ++e) {
      const auto u = static_cast<std::uint64_t>(edges.tail[e]);
      const auto v = static_cast<std::uint64_t>(edges.head[e]);
      outside |= (u - first) | (last - u) | (v - first) | (last - v);
    }
    if (outside >> 63 != 0) return false;
    for (std::int64_t e = from; e < to; ++e) {
      const auto [u, v] = edges.ends(e);
      const auto counts = static_cast<std::int32_t>(u != v);
      arcs[u] += counts;
      arcs[v] += counts;
    }
  }
  return true;
}

// Calls pay(capacity) for the edges from `begin` to `end` - 1 in the cut that `side` (nodes) makes,
// in order. They are few: a mask tells those of every 64, without a branch for the others.
template <class Capacity, class Pay>
void each_cut_edge(const Edges<Capacity>& edges, const bool* side, std::int64_t begin,
                   std::int64_t end, Pay&& pay) {
  const auto at_tail = [&](std::int64_t e) { return side[edges.tail[e] - edges.base]; };
  const auto apart = [&](std::int64_t e) {
    return static_cast<std::uint64_t>(at_tail(e) != side[edges.head[e] - edges.base]);
  };
  const auto apart16 = [&](std::int64_t from) {  // unrolled: shifts by constants are fast
    std::uint64_t cut = 0;
    for (int i = 0; i < 16; ++i) cut |= apart(from + i) << i;
    return cut;
  };
  std::int64_t e = begin;
  for (; e + 64 <= end; e += 64) {
    std::uint64_t cut = apart16(e) | apart16(e + 16) << 16 | apart16(e + 32) << 32;
    cut |= apart16(e + 48) << 48;
    for (; cut != 0; cut &= cut - 1) {
      const std::int64_t in_cut = e + std::countr_zero(cut);
      pay(at_tail(in_cut) ? edges.capacity[in_cut] : edges.reverse[in_cut]);
    }
  }
  for (; e < end; ++e) {
    if (apart(e) != 0) pay(at_tail(e) ? edges.capacity[e] : edges.reverse[e]);
  }
}

}  // namespace graphcut::maxflow
