// The undirected graph of a K-nearest-neighbour relation, built by one thread block. The same graph
// as knn_topology.hpp, with its arcs in one order whatever the threads do.
#pragma once

#include <cstdint>
#include <type_traits>

#include "maxflow/block.hpp"

namespace graphcut::maxflow {

// An arc. Its edge's flow counts from the end that is `edge >= 0`; the other end has ~edge.
struct Link {
  std::int32_t head;
  std::int32_t edge;

  GRAPHCUT_BLOCK bool forward() const { return edge >= 0; }
  GRAPHCUT_BLOCK std::int32_t number() const { return edge >= 0 ? edge : ~edge; }
};

// One item's neighbours.
template <class Capacity>
struct Neighbours {
  const std::int64_t* indices;  // (nodes, k), -1: none
  const Capacity* weights;      // (nodes, k)
  std::int32_t nodes, k;

  GRAPHCUT_BLOCK std::int32_t entries() const { return nodes * k; }
  // The other end of the link that an entry lists, or -1.
  GRAPHCUT_BLOCK std::int32_t linked(std::int32_t entry) const {
    const std::int64_t j = indices[entry];
    return j < 0 || j >= nodes || j == entry / k ? -1 : static_cast<std::int32_t>(j);
  }
};

// Written for one item; `entries` is nodes * k.
template <class W>
struct Topology {
  std::int32_t* first;    // (nodes + 1): the arcs leaving i are first[i] .. first[i+1]-1
  Link* links;            // (2 * entries): the arcs
  W* capacity;            // (2 * entries): of the arcs
  std::int32_t* edges;    // (1): how many there are, in links [0, 2 * edges)
  std::int32_t* refused;  // (1): whether an index or a weight is one that the host has to refuse

  std::int32_t* entry;    // scratch (entries): by edge, the entry that lists it first
  std::int32_t* codes;    // scratch (2 * entries)
  std::int32_t* cursor;   // scratch (nodes)
  std::int32_t* partial;  // scratch (2 * kMostThreads)
};

// Calls put(i, sum of get(j) over j < i) for i in [0, n) and returns the sum of all.
template <class Block, class Get, class Put>
GRAPHCUT_BLOCK std::int32_t exclusive_sums(Block& block, std::int32_t n, std::int32_t* partial,
                                           Get&& get, Put&& put) {
  const std::int32_t chunk = n / kMostThreads + 1;
  std::int32_t* sums = partial;
  std::int32_t* next = partial + kMostThreads;
  block.each(kMostThreads, [&](std::int64_t c) {
    std::int32_t sum = 0;
    const std::int64_t end = lesser<std::int64_t>(n, (c + 1) * chunk);
    for (std::int64_t i = c * chunk; i < end; ++i) sum += get(static_cast<std::int32_t>(i));
    sums[c] = sum;
  });
  for (int step = 1; step < kMostThreads; step *= 2) {
    block.each(kMostThreads,
               [&](std::int64_t c) { next[c] = sums[c] + (c >= step ? sums[c - step] : 0); });
    std::int32_t* const swapped = sums;
    sums = next;
    next = swapped;
  }
  block.each(kMostThreads, [&](std::int64_t c) {
    std::int32_t sum = c > 0 ? sums[c - 1] : 0;
    const std::int64_t end = lesser<std::int64_t>(n, (c + 1) * chunk);
    for (std::int64_t i = c * chunk; i < end; ++i) {
      const std::int32_t term = get(static_cast<std::int32_t>(i));
      put(static_cast<std::int32_t>(i), sum);
      sum += term;
    }
  });
  return block.value(sums[kMostThreads - 1]);
}

// Whether an entry is the first, in the order of entries, to list its pair of nodes.
template <class Capacity>
GRAPHCUT_BLOCK bool lists_first(const Neighbours<Capacity>& lists, std::int32_t entry) {
  const std::int32_t j = lists.linked(entry), i = entry / lists.k;
  if (j < 0) return false;
  for (std::int32_t e = i * lists.k; e < entry; ++e) {
    if (lists.indices[e] == j) return false;
  }
  if (j > i) return true;
  for (std::int32_t e = j * lists.k; e < (j + 1) * lists.k; ++e) {
    if (lists.indices[e] == i) return false;
  }
  return true;
}

// The sum of the weights that list the pair of which `entry` is the first, in the order of entries
// as on the host. False where the sum of both directions leaves the range of W; what is negative is
// refused anyway, and not summed.
template <class W, class Capacity>
GRAPHCUT_BLOCK bool merge(const Neighbours<Capacity>& lists, std::int32_t entry, W& sum) {
  const std::int32_t j = lists.linked(entry), i = entry / lists.k;
  constexpr W kMost = kLargest<W> / 2;
  sum = W{0};
  bool fits = true;
  const auto gather = [&](std::int32_t begin, std::int32_t end, std::int32_t other) {
    for (std::int32_t e = begin; e < end; ++e) {
      if (lists.indices[e] != other) continue;
      const W weight = static_cast<W>(lists.weights[e]);
      if constexpr (std::is_integral_v<W>) {
        if (!fits || weight < 0 || weight > kMost || sum > kMost - weight) {
          fits = false;
          continue;
        }
        sum += weight;
      } else {
        const bool endless = sum > kLargest<W> || weight > kLargest<W>;
        sum += weight;
        fits &= endless || sum <= kMost;
      }
    }
  };
  gather(entry, (i + 1) * lists.k, j);
  gather(j * lists.k, (j + 1) * lists.k, i);
  return fits;
}

// Writes `topology`. Arcs are ordered by tail and then by edge, edges by the entry that lists them
// first.
template <class Block, class Capacity, class W>
GRAPHCUT_BLOCK void build_topology(Block& block, const Neighbours<Capacity>& lists,
                                   const Topology<W>& topology) {
  const std::int32_t n = lists.nodes, k = lists.k, entries = lists.entries();
  block.each(n, [&](std::int64_t v) { topology.cursor[v] = 0; });
  const bool refused = block.any(entries, [&](std::int64_t at) {
    const auto e = static_cast<std::int32_t>(at);
    const std::int64_t index = lists.indices[e];
    bool bad = index < -1 || index >= n || !(lists.weights[e] >= Capacity{0});
    const bool first = lists_first(lists, e);
    topology.codes[e] = first ? 1 : 0;
    if (first) {
      W sum;
      bad |= !merge(lists, e, sum);
      block.add(topology.cursor[e / k], 1);
      block.add(topology.cursor[index], 1);
    }
    return bad;
  });
  const std::int32_t edges = exclusive_sums(
      block, entries, topology.partial, [&](std::int32_t e) { return topology.codes[e]; },
      [&](std::int32_t e, std::int32_t before) {
        if (topology.codes[e] != 0) topology.entry[before] = e;
      });
  exclusive_sums(
      block, n, topology.partial, [&](std::int32_t v) { return topology.cursor[v]; },
      [&](std::int32_t v, std::int32_t before) {
        topology.first[v] = topology.cursor[v] = before;
      });
  block.each(1, [&](std::int64_t) {
    topology.first[n] = 2 * edges;
    *topology.edges = edges;
    *topology.refused = refused ? 1 : 0;
  });
  // Each node's arcs come in any order...
  block.each(edges, [&](std::int64_t m) {
    const std::int32_t e = topology.entry[m];
    const auto code = static_cast<std::int32_t>(2 * m);
    topology.codes[block.take(topology.cursor[e / k])] = code;
    topology.codes[block.take(topology.cursor[lists.indices[e]])] = code + 1;
  });
  // ...and go to the place that their rank tells.
  block.each(2 * std::int64_t{edges}, [&](std::int64_t s) {
    const std::int32_t code = topology.codes[s];
    const std::int32_t e = topology.entry[code / 2];
    const std::int32_t ends[] = {e / k, static_cast<std::int32_t>(lists.indices[e])};
    const std::int32_t tail = ends[code % 2];
    std::int32_t place = topology.first[tail];
    for (std::int32_t a = topology.first[tail]; a < topology.first[tail + 1]; ++a) {
      place += topology.codes[a] < code ? 1 : 0;
    }
    topology.links[place] = {ends[1 - code % 2], code % 2 == 0 ? code / 2 : ~(code / 2)};
    W sum;
    merge(lists, e, sum);
    topology.capacity[place] = sum;
  });
}

}  // namespace graphcut::maxflow
