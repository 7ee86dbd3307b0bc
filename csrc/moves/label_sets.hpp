// Sets of labels that cost something once where any of them is in use.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "moves/problem.hpp"

namespace graphcut::moves {

// The sets of costs above 0, by their labels, and how many nodes use them: at present, and after
// the changes that are tried.
template <class Cost>
class LabelSets {
 public:
  explicit LabelSets(const Problem<Cost>& problem) : of_(static_cast<std::size_t>(problem.labels)) {
    for (std::int64_t set = 0; set < problem.sets; ++set) {
      if (!(problem.set_costs[set] > Cost{0})) continue;
      const auto number = static_cast<std::int32_t>(costs_.size());
      costs_.push_back(problem.set_costs[set]);
      for (std::int64_t label = 0; label < problem.labels; ++label) {
        if (problem.set_members[set * problem.labels + label]) {
          of_[static_cast<std::size_t>(label)].push_back(number);
        }
      }
    }
    users_.resize(costs_.size());
    next_users_.resize(costs_.size());
  }

  std::int32_t count() const { return static_cast<std::int32_t>(costs_.size()); }
  bool empty() const { return costs_.empty(); }
  Cost cost(std::int32_t set) const { return costs_[place(set)]; }
  // The sets that a label is in, ascending.
  const std::vector<std::int32_t>& of(std::int32_t label) const { return of_[place(label)]; }
  std::int32_t users(std::int32_t set) const { return users_[place(set)]; }

  void set(const std::vector<std::int32_t>& labels) {
    if (empty()) return;
    users_.assign(users_.size(), 0);
    for (const std::int32_t label : labels) {
      for (const std::int32_t set : of(label)) ++users_[place(set)];
    }
    next_users_ = users_;
  }
  // Tries another label at a node.
  void propose(std::int32_t before, std::int32_t after) {
    for (const std::int32_t set : of(before)) --next_users_[place(set)];
    for (const std::int32_t set : of(after)) ++next_users_[place(set)];
  }
  void accept() { users_ = next_users_; }
  void reject() { next_users_ = users_; }

  template <class Add>
  void each_change(Add&& add) const {
    for (std::int32_t set = 0; set < count(); ++set) {
      const bool before = is_used(users_, set), after = is_used(next_users_, set);
      if (before != after) add(after ? cost(set) : -cost(set));
    }
  }
  template <class Add>
  void each_cost(Add&& add) const {
    for (std::int32_t set = 0; set < count(); ++set) {
      if (is_used(users_, set)) add(cost(set));
    }
  }

 private:
  static std::size_t place(std::int32_t i) { return static_cast<std::size_t>(i); }
  static bool is_used(const std::vector<std::int32_t>& users, std::int32_t set) {
    return users[place(set)] > 0;
  }

  std::vector<Cost> costs_;                       // (sets)
  std::vector<std::vector<std::int32_t>> of_;     // (labels)
  std::vector<std::int32_t> users_, next_users_;  // (sets)
};

}  // namespace graphcut::moves
