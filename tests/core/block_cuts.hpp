// Batches of cuts by thread blocks, and what must hold of them.
#pragma once

#include <algorithm>
#include <cstdint>
#include <limits>
#include <memory>
#include <stdexcept>
#include <vector>

#include "maxflow/emulated_batch.hpp"
#include "neighbours.hpp"

namespace graphcut::test {

using maxflow::BlockBatch;
using maxflow::EmulatedBlock;
using maxflow::Status;

template <class C>
struct Cuts {
  std::vector<maxflow::Value<C>> value;
  std::unique_ptr<bool[]> side;  // NOLINT(modernize-avoid-c-arrays): vector<bool> has no bools
  std::size_t sides = 0;
  std::vector<std::int32_t> status, work;

  bool operator==(const Cuts& other) const {
    return status == other.status && work == other.work &&
           std::equal(side.get(), side.get() + sides, other.side.get()) &&
           std::equal(value.begin(), value.end(), other.value.begin(),
                      [](auto a, auto b) { return a == b || (a != a && b != b); });
  }
};

template <class C, class Solve>
Cuts<C> cuts(const Neighbours<C>& lists, Solve&& solve) {
  Cuts<C> found;
  const auto rows = static_cast<std::size_t>(lists.items * lists.cuts);
  found.sides = lists.source.size();
  found.value.resize(rows);
  found.side = std::make_unique<bool[]>(found.sides);
  found.status.resize(rows, -1);
  found.work.resize(3 * rows);
  BlockBatch<C> batch;
  batch.items = lists.items;
  batch.cuts = lists.cuts;
  batch.nodes = lists.nodes;
  batch.k = lists.k;
  batch.indices = lists.indices.data();
  batch.weights = lists.weights.data();
  batch.source = lists.source.data();
  batch.sink = lists.sink.data();
  batch.value = found.value.data();
  batch.source_side = found.side.get();
  batch.status = found.status.data();
  batch.work = found.work.data();
  batch.certify = true;
  solve(batch);
  return found;
}

template <class C>
Cuts<C> emulated(const Neighbours<C>& lists, int threads, EmulatedBlock::Order order,
                 std::uint64_t seed) {
  return cuts(lists, [&](const BlockBatch<C>& batch) {
    maxflow::solve_emulated(batch, threads, order, seed);
  });
}

// Whether the host solves the batch.
template <class C>
bool accepted(const Neighbours<C>& lists) {
  try {
    lists.solve("bk", 1);
    return true;
  } catch (const std::invalid_argument&) {
    return false;
  } catch (const std::out_of_range&) {
    return false;
  }
}

// Every cut of `found` is the oracle's, but for those that are left to the host: of extreme
// capacities. Where one answer alone is right, `other` has the same.
template <class C>
void check_cuts(const Neighbours<C>& lists, const Cuts<C>& found, const Cuts<C>& other) {
  for (std::size_t row = 0; row < found.status.size(); ++row) {
    const auto oracle = lists.oracle(static_cast<std::int64_t>(row) / lists.cuts,
                                     static_cast<std::int64_t>(row) % lists.cuts);
    if (found.status[row] != 0) {
      require(oracle.total() > std::numeric_limits<maxflow::Residual<C>>::max() / 64,
              "only extreme capacities are left to the host");
      continue;
    }
    const auto nodes = static_cast<std::size_t>(lists.nodes);
    const bool* side = found.side.get() + row * nodes;
    constexpr auto rounding = static_cast<double>(std::numeric_limits<C>::epsilon());  // of sums
    check_cut(oracle, found.value[row], side, lists.nodes, rounding, "blocks");
    if (oracle.exact()) {
      require(std::equal(side, side + nodes, other.side.get() + row * nodes) &&
                  found.value[row] == other.value[row],
              "the number of threads does not matter");
    }
  }
}

}  // namespace graphcut::test
