#include "maxflow/emulated_batch.hpp"

#include <cstddef>
#include <vector>

namespace graphcut::maxflow {

template <class Capacity>
void solve_emulated(const BlockBatch<Capacity>& batch, int threads, EmulatedBlock::Order order,
                    std::uint64_t seed) {
  const BlockWorkspace at = BlockWorkspace::of(batch);
  std::vector<std::int64_t> of_item(static_cast<std::size_t>(at.item) / 8);
  std::vector<std::int64_t> of_cut(static_cast<std::size_t>(at.cut) / 8);
  auto* const memory = reinterpret_cast<char*>(of_cut.data());
  EmulatedBlock block(threads, order, seed);
  for (std::int64_t item = 0; item < batch.items; ++item) {
    const auto topology = at.topology(reinterpret_cast<char*>(of_item.data()), batch, 0);
    build_item(block, batch, topology, item);
    for (std::int64_t row = item * batch.cuts; row < (item + 1) * batch.cuts; ++row) {
      solve_cut(block, batch, topology, {memory, memory + CutMemory::node_bytes(batch.nodes)}, row);
    }
  }
}

template void solve_emulated(const BlockBatch<float>&, int, EmulatedBlock::Order, std::uint64_t);
template void solve_emulated(const BlockBatch<double>&, int, EmulatedBlock::Order, std::uint64_t);
template void solve_emulated(const BlockBatch<std::int32_t>&, int, EmulatedBlock::Order,
                             std::uint64_t);
template void solve_emulated(const BlockBatch<std::int64_t>&, int, EmulatedBlock::Order,
                             std::uint64_t);

}  // namespace graphcut::maxflow
