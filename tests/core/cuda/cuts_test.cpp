// The CUDA kernels of cuts, run by threads of the system: against Edmonds-Karp, and against their
// emulation.
#include <algorithm>
#include <array>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <limits>
#include <memory>
#include <string>
#include <vector>

#include "block_cuts.hpp"
#include "device.hpp"

namespace graphcut::test {
namespace {

// What of a cut's memory a block can share.
enum class Shared : std::uint8_t { everything, nodes, nothing };

template <class C>
Cuts<C> on_device(const Neighbours<C>& lists, Shared shared) {
  return cuts(lists, [&](const BlockBatch<C>& batch) {
    const auto nodes = static_cast<std::size_t>(maxflow::CutMemory::node_bytes(batch.nodes));
    devices().shared_bytes = kStaticShared + (shared == Shared::everything ? kDefaultShared
                                              : shared == Shared::nodes    ? nodes
                                                                           : nodes - 8);
    const auto bytes = static_cast<std::size_t>(maxflow::workspace_bytes(batch, 0));
    const auto workspace = std::make_unique<char[]>(bytes);  // NOLINT(modernize-avoid-c-arrays)
    std::memset(workspace.get(), 0xa5, bytes);
    maxflow::solve_cuda(batch, workspace.get(), 0, nullptr);
  });
}

// Every third entry lists node 0, and every fifth its own node.
template <class C>
void add_hub(Neighbours<C>& lists) {
  for (std::size_t e = 0; e < lists.indices.size(); e += 3) lists.indices[e] = 0;
  for (std::size_t e = 0; e < lists.indices.size(); e += 5) {
    lists.indices[e] = static_cast<std::int64_t>(e) / lists.k % lists.nodes;
  }
}

template <class C>
void check_seed(std::uint64_t seed) {
  context() = "seed " + std::to_string(seed);
  Choices choices(seed);
  const Values values = choices.of({Values::whole, Values::real, Values::any});
  Neighbours<C> lists(choices, values, choices.of({9, 30, 100}), 6);
  if (choices.one_in(3)) add_hub(lists);
  const auto shared = choices.of({Shared::everything, Shared::nodes, Shared::nothing});
  const Cuts<C> found = on_device(lists, shared);
  const Cuts<C> emulated_cuts = emulated(lists, 64, EmulatedBlock::Order::ascending, 0);
  require(found.status == emulated_cuts.status, "device and emulation solve the same cuts");
  const bool all_solved = std::all_of(found.status.begin(), found.status.end(),
                                      [](std::int32_t status) { return status == 0; });
  if (accepted(lists)) {
    check_cuts(lists, found, emulated_cuts);
  } else {
    require(!all_solved || found.status.empty(), "what the host refuses is not solved");
  }
}

// More nodes than a warp has lanes, more entries than a block has threads.
template <class C>
void check_large(std::uint64_t seed, Shared shared) {
  context() = "large, seed " + std::to_string(seed);
  Choices choices(seed);
  Neighbours<C> lists(choices, Values::whole, 0, 0);
  lists.items = lists.cuts = 1;
  lists.nodes = 150;
  lists.k = 7;
  for (std::int64_t e = 0; e < lists.nodes * lists.k; ++e) {
    lists.indices.push_back(choices.between(-1, lists.nodes - 1));
    lists.weights.push_back(static_cast<C>(choices.below(9)));
  }
  for (std::int64_t v = 0; v < lists.nodes; ++v) {
    lists.source.push_back(static_cast<C>(choices.one_in(2) ? choices.below(40) : 0));
    lists.sink.push_back(static_cast<C>(choices.one_in(2) ? choices.below(40) : 0));
  }
  const Cuts<C> found = on_device(lists, shared);
  require(found == emulated(lists, 160, EmulatedBlock::Order::ascending, 0),
          "the device does as its emulation");
  check_cuts(lists, found, found);
}

}  // namespace
}  // namespace graphcut::test

// cuda_cuts_test [PROBLEMS [SEED]]: so many problems per dtype, numbered from SEED.
int main(int count, char** arguments) {
  using namespace graphcut::test;
  const std::uint64_t problems = count > 1 ? std::stoull(arguments[1]) : 30;
  const std::uint64_t first = count > 2 ? std::stoull(arguments[2]) : 0;
  for (std::uint64_t seed = first; seed < first + problems; ++seed) {
    check_seed<float>(seed);
    check_seed<double>(seed);
    check_seed<std::int32_t>(seed);
    check_seed<std::int64_t>(seed);
  }
  check_large<float>(first, Shared::everything);
  check_large<std::int64_t>(first, Shared::nodes);
  std::printf("%llu problems of each dtype: the kernels agree with Edmonds-Karp\n",
              static_cast<unsigned long long>(problems));
}
