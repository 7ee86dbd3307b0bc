// Large blocks: none is in two hands, each is as large as was asked, the last two come back.
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <thread>
#include <utility>
#include <vector>

#include "maxflow/uninitialized.hpp"
#include "oracle.hpp"

#ifdef GRAPHCUT_LARGE_PAGES
namespace {

using graphcut::maxflow::LargeBlocks;
using graphcut::test::require;

constexpr std::size_t kPage = LargeBlocks::kPage;

// Each thread writes its own number at both ends of what it holds, and finds it again.
void hold(std::uint64_t number) {
  std::vector<std::pair<std::uint64_t*, std::size_t>> held;
  for (std::uint64_t turn = 0; turn < 300; ++turn) {
    const std::size_t bytes = (1 + (turn * 7 + number) % 5) * kPage;
    auto* const block = static_cast<std::uint64_t*>(LargeBlocks::take(bytes));
    block[0] = block[bytes / sizeof(*block) - 1] = number;
    held.emplace_back(block, bytes);
    if (held.size() < 3) continue;
    const auto [first, size] = held.front();
    require(first[0] == number && first[size / sizeof(*first) - 1] == number, "a block is shared");
    LargeBlocks::give(first, size);
    held.erase(held.begin());
  }
  for (const auto& [block, size] : held) LargeBlocks::give(block, size);
}

void come_back() {
  void* const small = LargeBlocks::take(2 * kPage);
  void* const large = LargeBlocks::take(3 * kPage);
  LargeBlocks::give(small, 2 * kPage);
  LargeBlocks::give(large, 3 * kPage);
  require(LargeBlocks::take(2 * kPage) == small, "the one before the last is kept");
  require(LargeBlocks::take(3 * kPage) == large, "the last one is kept");
  LargeBlocks::give(small, 2 * kPage);
  LargeBlocks::give(large, 3 * kPage);
}

}  // namespace

int main() {
  come_back();
  std::vector<std::thread> threads;
  for (std::uint64_t number = 1; number <= 4; ++number) threads.emplace_back(hold, number);
  for (std::thread& thread : threads) thread.join();
  std::puts("large blocks: as asked for, in one hand each");
}
#else
int main() { std::puts("large blocks: none on this system"); }
#endif
