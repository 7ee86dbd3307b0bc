// The model of what a device does: block_batch.hpp by emulated threads.
#pragma once

#include <cstdint>

#include "maxflow/block_batch.hpp"
#include "maxflow/emulated_block.hpp"

namespace graphcut::maxflow {

// Solves the batch by blocks of `threads` threads. Whatever their number, order and `seed`, the
// answer is the same.
template <class Capacity>
void solve_emulated(const BlockBatch<Capacity>& batch, int threads, EmulatedBlock::Order order,
                    std::uint64_t seed);

}  // namespace graphcut::maxflow
