// What all moves of a problem share.
#pragma once

#include <cmath>
#include <cstdint>
#include <type_traits>

#include "maxflow/method.hpp"
#include "moves/adjacency.hpp"
#include "moves/choice.hpp"
#include "moves/labelling.hpp"
#include "moves/problem.hpp"
#include "moves/table.hpp"

namespace graphcut::moves {

template <class Cost>
bool is_forbidden(Cost cost) {
  if constexpr (std::is_floating_point_v<Cost>) return std::isinf(cost);
  return false;
}

template <class Cost>
struct Search {
  Search(const Problem<Cost>& given, maxflow::Method method_asked, int threads_given,
         const std::int64_t* start)
      : problem(given),
        adjacency(given),
        labels(given, adjacency, start),
        table(given),
        choice(adjacency, labels, table, given.nodes),
        method(method_asked),
        threads(threads_given) {}

  // What the choice between two labels at node i adds where i is joined to itself.
  Cost loops(std::int32_t i, std::int32_t first, std::int32_t second) const {
    return adjacency.loop_weight(i) *
           (problem.between(second, second) - problem.between(first, first));
  }

  // Calls act(j) for every node whose costs of a label depend on labels that are being changed.
  template <class Act>
  void each_affected(Act&& act) const {
    for (const std::int32_t i : labels.changed()) {
      act(i);
      for (auto link = adjacency.begin(i); link != adjacency.end(i); ++link) act(link->node());
    }
  }

  const Problem<Cost>& problem;
  Adjacency<Cost> adjacency;
  Labelling<Cost> labels;
  Table<Cost> table;
  Choice<Cost> choice;
  maxflow::Method method;
  int threads;
};

}  // namespace graphcut::moves
