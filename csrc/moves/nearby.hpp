// The best choice around some nodes, where all others keep their first label.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "maxflow/method.hpp"
#include "moves/choice.hpp"

namespace graphcut::moves {

// Note [Moves nearby]: after some labels have changed, a move that could not gain before gains, if
// at all, at sets of nodes of which each holds a change or is next to one. Most of these are small.
// So a cut of the nodes that few steps lead to finds nearly all of them. It goes on beside those
// that take their second label. That none was missed is for a cut of all nodes to tell.
template <class Cost>
class Nearby {
 public:
  Nearby(Choice<Cost>& choice, std::int64_t nodes)
      : choice_(choice), is_known_(static_cast<std::size_t>(nodes), 0) {}

  // Solves `choice` around the nodes of [begin, end). weigh(i) is choice.weigh() of a node that may
  // choose, and else says that it takes its first.
  template <class Iterator, class Weigh>
  void solve(Iterator begin, Iterator end, Weigh&& weigh, maxflow::Method method) {
    next_.assign(begin, end);
    while (!next_.empty()) {
      layer_.clear();
      for (const std::int32_t i : next_) enter(i, weigh);
      for (int step = 0; step < kSteps && !layer_.empty(); ++step) {
        next_.swap(layer_);
        layer_.clear();
        for (const std::int32_t i : next_) {
          choice_.each_partner(i, [&](std::int32_t j) { enter(j, weigh); });
        }
      }
      choice_.solve(method);
      next_.clear();
      for (const std::int32_t i : layer_) {
        if (!choice_.takes_second(i)) continue;
        choice_.each_partner(i, [&](std::int32_t j) {
          if (!is_known_[static_cast<std::size_t>(j)]) next_.push_back(j);
        });
      }
    }
    for (const std::int32_t i : known_) is_known_[static_cast<std::size_t>(i)] = 0;
    known_.clear();
  }

 private:
  static constexpr int kSteps = 4;

  template <class Weigh>
  void enter(std::int32_t i, Weigh& weigh) {
    if (is_known_[static_cast<std::size_t>(i)]) return;
    is_known_[static_cast<std::size_t>(i)] = 1;
    known_.push_back(i);
    if (weigh(i) == Choice<Cost>::State::first) return;
    choice_.add(i);
    layer_.push_back(i);
  }

  Choice<Cost>& choice_;
  std::vector<std::uint8_t> is_known_;  // (nodes): whether it was looked at
  std::vector<std::int32_t> known_;
  std::vector<std::int32_t> layer_;  // nodes found last that may take their second label
  std::vector<std::int32_t> next_;
};

}  // namespace graphcut::moves
