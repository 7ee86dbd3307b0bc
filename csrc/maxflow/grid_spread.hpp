// Flow sent before a grid is solved, row by row; see spread.hpp for what it does and why.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <type_traits>

#include "maxflow/grid_layout.hpp"

namespace graphcut::maxflow {

template <class R, class Excess>
struct GridSpread {
  int passes = 0;
  R rounder{0};  // rounds what it is added to and taken from again to multiples of the quantum

  Excess share(Excess first, Excess second) const {
    if constexpr (std::is_floating_point_v<R>) {
      return (static_cast<R>(0.7) * (first - second) + rounder) - rounder;
    } else {
      return (first >> 1) - (second >> 1);
    }
  }

  void even_out(Excess& first, Excess& second, R forward, R backward, R& flow) const {
    const auto before = static_cast<Excess>(flow);
    const Excess wanted = before + share(first, second);
    const Excess least = Excess{0} - static_cast<Excess>(backward);
    const Excess above = wanted < least ? least : wanted;
    const Excess sent = above < static_cast<Excess>(forward) ? above : static_cast<Excess>(forward);
    flow = static_cast<R>(sent);
    first -= sent - before;
    second += sent - before;
  }

  // The edges of a row, whose tails have the excess at `first`, their heads that `step` nodes on.
  void row(Excess* first, std::int32_t step, const R* forward, const R* backward, R* flow,
           std::int32_t count) const {
    if (step >= count) {  // every node is in one edge: vectorised
      Excess* const second = first + step;
#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC ivdep
#elif defined(__clang__)
#pragma clang loop vectorize(assume_safety)
#endif
      for (std::int32_t x = 0; x < count; ++x) {
        even_out(first[x], second[x], forward[x], backward[x], flow[x]);
      }
      return;
    }
    for (std::int32_t odd = 0; odd < 2; ++odd) {
      for (std::int32_t x = odd; x < count; x += 2) {
        even_out(first[x], first[x + step], forward[x], backward[x], flow[x]);
      }
    }
  }
};

}  // namespace graphcut::maxflow
