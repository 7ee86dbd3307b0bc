// Random batches of neighbour lists, and what must hold of their minimum cuts.
#pragma once

#include <algorithm>
#include <cstdint>
#include <limits>
#include <memory>
#include <vector>

#include "edge_lists.hpp"
#include "maxflow/knn_batch.hpp"

namespace graphcut::test {

template <class C>
struct Neighbours {
  std::int64_t items = 0, cuts = 0, nodes = 0, k = 0;
  std::vector<std::int64_t> indices;
  std::vector<C> weights, source, sink;

  Neighbours(Choices& choices, Values values, std::int64_t most_nodes, std::int64_t most_k) {
    items = choices.between(0, 3);
    cuts = choices.between(0, 3);
    nodes = choices.between(0, most_nodes);
    k = choices.between(0, most_k);
    const std::int64_t entries = items * nodes * k;
    for (std::int64_t e = 0; e < entries; ++e) indices.push_back(choices.between(-1, nodes - 1));
    if (values == Values::any && entries > 0 && choices.one_in(8)) {
      const std::int64_t odd[] = {-2, nodes, std::numeric_limits<std::int64_t>::min(),
                                  std::numeric_limits<std::int64_t>::max()};
      indices[choices.below(indices.size())] = choices.of(odd);
    }
    auto draw = [&](std::vector<C>& data, std::int64_t size) {
      for (std::int64_t i = 0; i < size; ++i) data.push_back(draw_capacity<C>(choices, values));
    };
    draw(weights, entries);
    draw(source, items * cuts * nodes);
    draw(sink, items * cuts * nodes);
  }

  Answer<C> solve(const char* solver, int threads) const {
    Answer<C> answer;
    answer.value.resize(static_cast<std::size_t>(items * cuts));
    answer.side = std::make_unique<bool[]>(source.size());
    maxflow::KnnBatch<C> batch;
    batch.items = items;
    batch.cuts = cuts;
    batch.nodes = nodes;
    batch.k = k;
    batch.method = maxflow::method_named(solver);
    batch.indices = indices.data();
    batch.weights = weights.data();
    batch.source = source.data();
    batch.sink = sink.data();
    batch.value = answer.value.data();
    batch.source_side = answer.side.get();
    maxflow::solve(batch, threads);
    return answer;
  }

  bool valid() const {
    auto numbered = [this](std::int64_t j) { return j >= -1 && j < nodes; };
    auto positive = [](C c) { return c >= C{0}; };
    return std::all_of(indices.begin(), indices.end(), numbered) &&
           std::all_of(weights.begin(), weights.end(), positive) &&
           std::all_of(source.begin(), source.end(), positive) &&
           std::all_of(sink.begin(), sink.end(), positive);
  }

  Oracle<C> oracle(std::int64_t item, std::int64_t cut) const {
    Oracle<C> oracle(nodes);
    const auto first = static_cast<std::size_t>(item * nodes * k);
    for (std::size_t e = 0; e < static_cast<std::size_t>(nodes * k); ++e) {
      const C weight = weights[first + e];
      if (indices[first + e] < 0) continue;  // no neighbour
      oracle.add_edge(static_cast<std::int64_t>(e) / k, indices[first + e], weight, weight);
    }
    const auto row = static_cast<std::size_t>((item * cuts + cut) * nodes);
    for (std::int64_t i = 0; i < nodes; ++i) {
      const auto at = row + static_cast<std::size_t>(i);
      oracle.add_terminals(i, source[at], sink[at]);
    }
    oracle.solve();
    return oracle;
  }
};

template <class C>
void check_neighbours(const Neighbours<C>& lists, int threads) {
  std::string refused;
  const auto answers = solve_by_all(
      threads, refused, [&](const char* solver, int count) { return lists.solve(solver, count); });
  const bool accepted = answers[0].has_value();
  if (!lists.valid()) {
    require(!accepted, "bad input is refused");
    return;
  }
  bool endless = false, far_from_overflow = true;
  std::vector<Oracle<C>> oracles;
  for (std::int64_t b = 0; b < lists.items; ++b) {
    for (std::int64_t c = 0; c < lists.cuts; ++c) {
      oracles.push_back(lists.oracle(b, c));
      endless |= oracles.back().endless();
      far_from_overflow &=
          oracles.back().total() < std::numeric_limits<maxflow::Residual<C>>::max() / 8;
    }
  }
  if (endless) require(!accepted, "a path of infinite capacity is refused");
  if (!accepted) {
    require(endless || !far_from_overflow,
            "good input is accepted, not refused with '" + refused + "'");
    return;
  }
  constexpr auto rounding = static_cast<double>(std::numeric_limits<C>::epsilon());  // of sums
  for (std::size_t k = 0; k < answers.size(); ++k) {
    const Answer<C>& answer = *answers[k];
    const auto sides = static_cast<std::int64_t>(lists.source.size());
    require(same(answer, *answers[k - k % 2], sides), "threads do not matter");
    for (std::size_t row = 0; row < oracles.size(); ++row) {
      const bool* side = answer.side.get() + row * static_cast<std::size_t>(lists.nodes);
      check_cut(oracles[row], answer.value[row], side, lists.nodes, rounding, kSolverNames[k / 2]);
    }
  }
}

}  // namespace graphcut::test
