// Fuzz target of all entry points: bytes make up a batch, a grid or a graph that changes, right or
// wrong. It must be refused with a documented exception, or solved alike by every solver and as
// Edmonds-Karp does; anything else, also another exception, ends the process.
#include <algorithm>
#include <cstddef>
#include <cstdint>

#include "changing_graphs.hpp"
#include "edge_lists.hpp"
#include "grids.hpp"
#include "neighbours.hpp"

namespace graphcut::test {
namespace {

constexpr std::int64_t kNodes = 10, kEdges = 30, kNeighbours = 5, kPixels = 40;

template <class C>
void check(Choices& choices) {
  const Values values = choices.of({Values::any, Values::whole, Values::real, Values::any});
  // Starting threads costs more than all the rest.
  const int threads = choices.one_in(16) ? static_cast<int>(choices.between(-1, 9)) : 1;
  switch (choices.below(4)) {
    case 0:
      return check_neighbours(Neighbours<C>(choices, values, kNodes, kNeighbours), threads);
    case 1:
      return check_edge_lists(EdgeLists<C>(choices, values, kNodes, kEdges), threads);
    case 2:
      return check_changing_graph<C>(choices, values, kNodes, std::max(1, threads));
    default:
      check_grid(choices, random_grid<C>(choices, kPixels));
  }
}

}  // namespace
}  // namespace graphcut::test

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  graphcut::test::Choices choices(data, size);
  switch (choices.below(4)) {
    case 0:
      graphcut::test::check<float>(choices);
      break;
    case 1:
      graphcut::test::check<double>(choices);
      break;
    case 2:
      graphcut::test::check<std::int32_t>(choices);
      break;
    default:
      graphcut::test::check<std::int64_t>(choices);
  }
  return 0;
}
