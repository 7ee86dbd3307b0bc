// What all moves of a problem share.
#pragma once

#include <cstdint>

#include "maxflow/method.hpp"
#include "moves/adjacency.hpp"
#include "moves/choice.hpp"
#include "moves/labelling.hpp"
#include "moves/problem.hpp"
#include "moves/table.hpp"

namespace graphcut::moves {

template <class Cost>
struct Search {
  Search(const Problem<Cost>& given, maxflow::Method method_asked, int threads_given,
         const std::int64_t* start)
      : problem(given),
        adjacency(problem),
        labels(problem, adjacency, start),
        table(problem),
        choice(adjacency, labels, table, problem.nodes),
        method(method_asked),
        threads(threads_given) {}
  Search(const Search&) = delete;
  Search& operator=(const Search&) = delete;

  // What the choice between two labels at node i adds where i is joined to itself.
  Cost loops(std::int32_t i, std::int32_t first, std::int32_t second) const {
    Cost sum{0};
    adjacency.each_loop(i, [&](const auto& loop) {
      sum += loop.weight * (problem.between(loop.table, second, second) -
                            problem.between(loop.table, first, first));
    });
    return sum;
  }

  // Calls act(j) for every node whose costs of a label depend on labels that are being changed.
  template <class Act>
  void each_affected(Act&& act) const {
    for (const std::int32_t i : labels.changed()) {
      act(i);
      for (auto link = adjacency.begin(i); link != adjacency.end(i); ++link) act(link->node());
    }
  }

  const Problem<Cost> problem;
  Adjacency<Cost> adjacency;
  Labelling<Cost> labels;
  Table<Cost> table;
  Choice<Cost> choice;
  maxflow::Method method;
  int threads;
};

}  // namespace graphcut::moves
