// Grids: the cut is that of an oracle, the pseudoflow proves it, and threads change nothing.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <limits>
#include <string>
#include <utility>
#include <vector>

#include "choices.hpp"
#include "grids.hpp"
#include "maxflow/grid_list.hpp"
#include "oracle.hpp"

namespace graphcut::test {
namespace {

template <class Capacity>
std::int64_t test_random(const char* name, std::uint64_t seeds, std::int64_t most_nodes) {
  std::int64_t tried = 0;
  for (std::uint64_t seed = 0; seed < seeds; ++seed) {
    context() = std::string(name) + ", seed " + std::to_string(seed);
    Choices choices(seed);
    const Grid<Capacity> grid = random_grid<Capacity>(choices, most_nodes);
    tried += static_cast<std::int64_t>(check_grid(choices, grid));
  }
  require(2 * static_cast<std::uint64_t>(tried) > seeds, "few grids were solved");
  return tried;
}

// Lists of the edges of grids, in rows, along the directions or in any order, turned, repeated and
// with gaps, are recognised, and their capacities add up; lists with one other edge are not.
void test_lists(std::uint64_t seeds) {
  for (std::uint64_t seed = 0; seed < seeds; ++seed) {
    context() = "list, seed " + std::to_string(seed);
    Choices choices(seed);
    const bool flat = choices.one_in(2);
    const auto side = [&] { return static_cast<std::int32_t>(choices.between(4, 9)); };
    const GridLayout layout = layout_of({flat ? 1 : side(), side(), side()}, flat,
                                        static_cast<int>(choices.between(1, flat ? 2 : 3)));
    struct Edge {
      std::int64_t place, u, v;
      int forward, backward;
    };
    std::vector<Edge> edges;
    const int order = static_cast<int>(choices.below(3));  // as they are, by tails, any
    const bool turned = choices.one_in(2), repeated = choices.one_in(3), gaps = choices.one_in(3);
    layout.each_edge([&](std::int64_t e, std::int32_t u, std::int32_t v) {
      if (gaps && choices.one_in(9)) return;
      for (int k = repeated && choices.one_in(4) ? 2 : 1; k > 0; --k) {
        const int forward = static_cast<int>(choices.between(0, 9));
        const int backward = static_cast<int>(choices.between(0, 9));
        edges.push_back(turned && choices.one_in(2) ? Edge{e, v, u, backward, forward}
                                                    : Edge{e, u, v, forward, backward});
      }
    });
    if (order == 1) {
      std::stable_sort(edges.begin(), edges.end(),
                       [](const Edge& a, const Edge& b) { return a.u < b.u; });
    }
    for (std::size_t k = edges.size(); order == 2 && k > 1; --k) {
      std::swap(edges[k - 1], edges[choices.below(k)]);
    }
    std::vector<int> capacity(static_cast<std::size_t>(layout.edges())), reverse(capacity);
    for (const Edge& edge : edges) {
      const bool along = edge.u < edge.v;
      capacity[static_cast<std::size_t>(edge.place)] += along ? edge.forward : edge.backward;
      reverse[static_cast<std::size_t>(edge.place)] += along ? edge.backward : edge.forward;
    }
    const auto ends = [&](std::int64_t e) {
      const Edge& edge = edges[static_cast<std::size_t>(e)];
      return std::pair{edge.u, edge.v};
    };
    const auto capacities = [&](std::int64_t e) {
      const Edge& edge = edges[static_cast<std::size_t>(e)];
      return std::pair{edge.forward, edge.backward};
    };
    const auto count = static_cast<std::int64_t>(edges.size());
    const auto guess = maxflow::guess_grid(layout.nodes(), count, ends);
    require(guess && guess->size == layout.size && guess->offset == layout.offset,
            "the grid is not recognised");
    for (const int threads : {1, 3}) {
      maxflow::GridList<int> list;
      require(list.fill(layout, count, threads, ends, capacities), "the list is no grid");
      for (std::size_t e = 0; e < capacity.size(); ++e) {
        require(list.capacity()[e] == capacity[e] && list.reverse()[e] == reverse[e],
                "a capacity is wrong");
      }
      Edge& other = edges[choices.below(edges.size())];
      const Edge kept = other;
      // From the end of a row to the begin of the next one, too far, or nowhere.
      const std::int64_t row = layout.size[2];
      const Edge wrong[] = {{0, row - 1, row, 1, 1},
                            {0, 0, 2, 1, 1},
                            {0, -1, 0, 1, 1},
                            {0, layout.nodes(), layout.nodes() - 1, 1, 1}};
      other = wrong[choices.below(4)];
      if (layout.size[1] > 1 || other.u != row - 1) {
        require(!list.fill(layout, count, threads, ends, capacities), "a wrong edge is taken");
      }
      other = kept;
    }
  }
}

// What this solver leaves to others.
void test_refusals() {
  context() = "refusals";
  Grid<float> grid;
  grid.layout = layout_of({1, 8, 8}, true, 1);
  const auto edges = static_cast<std::size_t>(grid.layout.edges());
  grid.capacity.assign(edges, 1);
  grid.reverse = grid.capacity;
  grid.source.assign(64, 0);
  grid.sink = grid.source;
  std::vector<std::uint8_t> side;
  GridFlow<float> flow;
  require(!solved(grid, 1, 1000, side, flow), "few terminals");
  require(side == std::vector<std::uint8_t>(64, 2), "something was written");
  for (std::size_t i = 0; i < 64; ++i) (i % 2 == 0 ? grid.source : grid.sink)[i] = 1;
  require(solved(grid, 1, 1000, side, flow), "a plain grid");
  grid.capacity[7] = std::numeric_limits<float>::infinity();
  require(!solved(grid, 1, 1000, side, flow), "an infinite capacity");
  grid.capacity[7] = grid.reverse[7] = 3e38F;
  require(!solved(grid, 1, 1000, side, flow), "a sum beyond float");
}

}  // namespace
}  // namespace graphcut::test

int main(int count, char** arguments) {
  using namespace graphcut::test;
  const std::uint64_t seeds = count > 1 ? std::stoull(arguments[1]) : 300;
  test_refusals();
  test_lists(seeds);
  std::int64_t tried = 0;
  for (const std::int64_t nodes : {12, 40, 400}) {
    tried += test_random<float>("float", seeds, nodes);
    tried += test_random<double>("double", seeds, nodes);
    tried += test_random<std::int32_t>("int32", seeds, nodes);
    tried += test_random<std::int64_t>("int64", seeds, nodes);
  }
  std::printf("%lld grids\n", static_cast<long long>(tried));
  return 0;
}
