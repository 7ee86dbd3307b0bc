// Minimum cuts over K-nearest-neighbour graphs, each by one thread block of a CUDA device; or by
// the same source on the host, see emulated_batch.hpp.
#pragma once

#include <cstdint>

#include "maxflow/block_cut.hpp"
#include "maxflow/block_topology.hpp"

namespace graphcut::maxflow {

// As KnnBatch. Nothing is thrown for what the values are: see Status.
template <class Capacity>
struct BlockBatch {
  std::int64_t items = 0, cuts = 0, nodes = 0, k = 0;
  const std::int64_t* indices = nullptr;  // (items, nodes, k), -1: no neighbour
  const Capacity* weights = nullptr;      // (items, nodes, k)
  const Capacity* source = nullptr;       // (items, cuts, nodes): source -> node
  const Capacity* sink = nullptr;         // (items, cuts, nodes): node -> sink
  Value<Capacity>* value = nullptr;       // out (items, cuts); see no_value
  bool* source_side = nullptr;            // out (items, cuts, nodes): the minimal source set
  std::int32_t* status = nullptr;         // out (items, cuts): a Status
  std::int32_t* work = nullptr;           // out (items, cuts, 3) or null: as Work
  std::int64_t most_rounds = kLargest<std::int32_t>;  // cuts that take more are given up
  bool certify = false;  // whether each cut is proven by its flow, as all are in debug builds

  GRAPHCUT_HD std::int64_t entries() const { return nodes * k; }
};

// Where the parts of the workspace lie, in bytes. Offsets are multiples of 8.
struct BlockWorkspace {
  std::int64_t links, first, entry, codes, cursor, partial, shape;  // of an item, behind capacities
  std::int64_t item;  // bytes of an item; items come first
  std::int64_t cut;   // bytes of a cut that does not fit into shared memory

  template <class Capacity>
  static GRAPHCUT_HD BlockWorkspace of(const BlockBatch<Capacity>& batch) {
    BlockWorkspace at{};
    const std::int64_t n = batch.nodes, entries = batch.entries();
    constexpr std::int64_t kCapacity = sizeof(Residual<Capacity>), kLink = sizeof(Link);
    at.links = even(2 * entries * kCapacity);
    at.first = at.links + 2 * entries * kLink;
    at.entry = at.first + even(4 * (n + 1));
    at.codes = at.entry + even(4 * entries);
    at.cursor = at.codes + 8 * entries;
    at.partial = at.cursor + even(4 * n);
    at.shape = at.partial + std::int64_t{8} * kMostThreads;
    at.item = at.shape + 8;
    at.cut = CutMemory::node_bytes(n) + CutMemory::kPerEdge * entries;
    return at;
  }

  template <class Capacity>
  GRAPHCUT_HD Topology<Residual<Capacity>> topology(char* workspace, const BlockBatch<Capacity>&,
                                                    std::int64_t number) const {
    char* const base = workspace + number * item;
    const auto integers = [base](std::int64_t offset) {
      return reinterpret_cast<std::int32_t*>(base + offset);
    };
    return {integers(first),
            reinterpret_cast<Link*>(base + links),
            reinterpret_cast<Residual<Capacity>*>(base),
            integers(shape),
            integers(shape + 4),
            integers(entry),
            integers(codes),
            integers(cursor),
            integers(partial)};
  }

 private:
  static GRAPHCUT_HD std::int64_t even(std::int64_t bytes) { return (bytes + 7) / 8 * 8; }
};

// Builds the topology of an item.
template <class Block, class Capacity>
GRAPHCUT_BLOCK void build_item(Block& block, const BlockBatch<Capacity>& batch,
                               const Topology<Residual<Capacity>>& topology, std::int64_t item) {
  const std::int64_t offset = item * batch.entries();
  build_topology(block,
                 Neighbours<Capacity>{batch.indices + offset, batch.weights + offset,
                                      static_cast<std::int32_t>(batch.nodes),
                                      static_cast<std::int32_t>(batch.k)},
                 topology);
}

#ifdef NDEBUG
inline constexpr bool kDebugBuild = false;
#else
inline constexpr bool kDebugBuild = true;
#endif

// Solves cut `row` of items * cuts over the topology of its item.
template <class Block, class Capacity>
GRAPHCUT_BLOCK void solve_cut(Block& block, const BlockBatch<Capacity>& batch,
                              const Topology<Residual<Capacity>>& topology, const CutMemory& memory,
                              std::int64_t row) {
  const std::int64_t offset = row * batch.nodes;
  const CutProblem<Capacity> problem{topology.first,      topology.links,
                                     topology.capacity,   batch.source + offset,
                                     batch.sink + offset, static_cast<std::int32_t>(batch.nodes),
                                     *topology.edges};
  bool* const side = batch.source_side + offset;
  CutAnswer<Capacity> answer{no_value<Capacity>(), Status::refused, {}};
  if (*topology.refused != 0) {
    block.each(batch.nodes, [side](std::int64_t v) { side[v] = false; });
  } else {
    answer = BlockCut<Block, Capacity>(block, problem, memory, batch.most_rounds)
                 .solve(batch.certify || kDebugBuild, side);
  }
  block.each(1, [&](std::int64_t) {
    batch.value[row] = answer.value;
    batch.status[row] = static_cast<std::int32_t>(answer.status);
    if (batch.work == nullptr) return;
    std::int32_t* const work = batch.work + 3 * row;
    work[0] = answer.work.rounds;
    work[1] = answer.work.updates;
    work[2] = answer.work.levels;
  });
}

// Bytes of workspace that solve_cuda needs on a device.
template <class Capacity>
std::int64_t workspace_bytes(const BlockBatch<Capacity>& batch, int device);

// Solves the batch on a CUDA device: all pointers are the device's, work is queued on `stream` (a
// cudaStream_t), and nothing is waited for. `workspace` is aligned to 8 bytes. Throws
// std::runtime_error with CUDA's message where a launch fails.
template <class Capacity>
void solve_cuda(const BlockBatch<Capacity>& batch, void* workspace, int device, void* stream);

}  // namespace graphcut::maxflow
