// Fuzz target of the two entry points: bytes make up a batch, right or wrong. It must be refused
// with a documented exception, or solved alike by every solver and as Edmonds-Karp does; anything
// else, also another exception, ends the process.
#include <cstddef>
#include <cstdint>

#include "edge_lists.hpp"
#include "neighbours.hpp"

namespace graphcut::test {
namespace {

constexpr std::int64_t kNodes = 10, kEdges = 30, kNeighbours = 5;

template <class C>
void check(Choices& choices) {
  const Values values = choices.of({Values::any, Values::whole, Values::real, Values::any});
  // Starting threads costs more than all the rest.
  const int threads = choices.one_in(16) ? static_cast<int>(choices.between(-1, 9)) : 1;
  if (choices.one_in(2)) {
    check_neighbours(Neighbours<C>(choices, values, kNodes, kNeighbours), threads);
  } else {
    check_edge_lists(EdgeLists<C>(choices, values, kNodes, kEdges), threads);
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
