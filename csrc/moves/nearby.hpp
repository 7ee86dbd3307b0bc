// The best choice around some nodes, where it is known of all others that they keep their first
// label.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "maxflow/method.hpp"
#include "moves/choice.hpp"

namespace graphcut::moves {

template <class Cost>
class Nearby {
 public:
  Nearby(Choice<Cost>& choice, std::int64_t nodes)
      : choice_(choice), is_known_(static_cast<std::size_t>(nodes), 0) {}

  // Solves `choice`, of known shares, where only the nodes of `affected` may supply: see Note [Kept
  // shares]. weigh(i) is choice.weigh() of a node that may choose, and else says that it takes its
  // first.
  // Returns false, with nothing solved, where so much has to be looked at that a cut of all nodes
  // is better.
  template <class Weigh>
  bool solve(const std::vector<std::int32_t>& affected, Weigh&& weigh, maxflow::Method method) {
    next_.clear();
    for (const std::int32_t i : affected) {
      if (weigh(i) == Choice<Cost>::State::first) continue;
      if (choice_.supply(i) > Cost{0}) next_.push_back(i);
      choice_.drop(i);
    }
    std::erase_if(next_, [&](std::int32_t i) { return choice_.hand_out(i, weigh); });
    const std::size_t most = is_known_.size() / kSmall;
    if (next_.size() > most / 4) return false;
    bool solved = true;
    for (int steps = kSteps; !next_.empty(); steps *= 2) {
      layer_.clear();
      for (const std::int32_t i : next_) enter(i, weigh);
      for (int step = 0; step < steps && !layer_.empty(); ++step) {
        next_.swap(layer_);
        layer_.clear();
        for (const std::int32_t i : next_) {
          choice_.each_way_out(i, [&](std::int32_t j) { enter(j, weigh); });
        }
      }
      if (known_.size() > most) {
        solved = false;
        break;
      }
      choice_.solve_part(method);
      next_.clear();
      for (const std::int32_t i : choice_.nodes()) {
        if (!choice_.takes_second(i)) continue;
        choice_.each_way_out(i, [&](std::int32_t j) {
          if (!is_known_[static_cast<std::size_t>(j)]) next_.push_back(j);
        });
      }
    }
    for (const std::int32_t i : known_) is_known_[static_cast<std::size_t>(i)] = 0;
    known_.clear();
    if (!solved) choice_.clear();
    return solved;
  }

 private:
  static constexpr int kSteps = 4;
  static constexpr std::size_t kSmall = 8;  // parts that many times smaller than all pay

  template <class Weigh>
  void enter(std::int32_t i, Weigh& weigh) {
    if (is_known_[static_cast<std::size_t>(i)]) return;
    is_known_[static_cast<std::size_t>(i)] = 1;
    known_.push_back(i);
    if (weigh(i) == Choice<Cost>::State::first) return choice_.take_shares(i);
    choice_.add_open(i);
    layer_.push_back(i);
  }

  Choice<Cost>& choice_;
  std::vector<std::uint8_t> is_known_;  // (nodes): whether it was looked at
  std::vector<std::int32_t> known_;
  std::vector<std::int32_t> layer_;  // nodes found last that may take their second label
  std::vector<std::int32_t> next_;
};

}  // namespace graphcut::moves
