// The present labels, and trials of others.
#pragma once

#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

#include "moves/adjacency.hpp"
#include "moves/exact_sum.hpp"
#include "moves/label_sets.hpp"
#include "moves/problem.hpp"
#include "moves/unary.hpp"

namespace graphcut::moves {

template <class Cost>
class Labelling {
 public:
  Labelling(const Problem<Cost>& problem, const Adjacency<Cost>& adjacency,
            const std::int64_t* start)
      : problem_(problem), adjacency_(adjacency), unary_(problem), sets_(problem) {
    own_.resize(static_cast<std::size_t>(problem.nodes));
    set(std::vector<std::int32_t>(start, start + problem.nodes));
  }

  void set(std::vector<std::int32_t> labels) {
    labels_ = std::move(labels);
    next_ = labels_;
    for (std::size_t i = 0; i < own_.size(); ++i) {
      own_[i] = cost(static_cast<std::int32_t>(i), labels_[i]);
    }
    sets_.set(labels_);
  }
  const std::vector<std::int32_t>& all() const { return labels_; }

  const std::int32_t* labels() const { return labels_.data(); }
  std::int32_t operator[](std::int32_t i) const { return labels_[place(i)]; }
  const Unary<Cost>& unary() const { return unary_; }
  const LabelSets<Cost>& sets() const { return sets_; }
  // Costs (nodes) of the present labels.
  const Cost* own() const { return own_.data(); }

  // Tries `label` at node i, whose present one is another.
  void propose(std::int32_t i, std::int32_t label) {
    next_[place(i)] = label;
    changed_.push_back(i);
    if (!sets_.empty()) sets_.propose(labels_[place(i)], label);
  }
  const std::vector<std::int32_t>& changed() const { return changed_; }

  // The sign of what the labels tried cost more. The sum of the terms that change is exact in sign,
  // so that no chain of decreases comes back to a labelling.
  int change() const {
    if (changed_.empty()) return 0;
    return sign_of_sum(Cost{}, [this](auto&& add) { each_change(add); });
  }

  void accept() {
    for (const std::int32_t i : changed_) {
      labels_[place(i)] = next_[place(i)];
      own_[place(i)] = cost(i, labels_[place(i)]);
    }
    changed_.clear();
    sets_.accept();
  }
  void reject() {
    for (const std::int32_t i : changed_) next_[place(i)] = labels_[place(i)];
    changed_.clear();
    sets_.reject();
  }

  // Of the present labels.
  Cost energy() const {
    return rounded_sum(Cost{}, [this](auto&& add) {
      for (const Cost cost : own_) add(cost);
      problem_.each_edge([&](std::int64_t e, std::int32_t u, std::int32_t v) {
        add(term(problem_.weights[e], problem_.table(e), labels_[place(u)], labels_[place(v)]));
      });
      sets_.each_cost(add);
    });
  }

 private:
  static std::size_t place(std::int32_t i) { return static_cast<std::size_t>(i); }

  Cost cost(std::int32_t i, std::int32_t label) const { return *unary_.find(i, label); }
  // Rounded before it is summed, wherever that is.
  Cost term(Cost weight, std::int32_t table, std::int32_t first, std::int32_t second) const {
    return weight * problem_.between(table, first, second);
  }

  template <class Add>
  void each_change(Add&& add) const {
    const std::int32_t* const before = labels_.data();
    const std::int32_t* const after = next_.data();
    for (const std::int32_t i : changed_) {
      add(cost(i, after[i]));
      add(-own_[place(i)]);
      const Link<Cost>* const end = adjacency_.end(i);
      for (const Link<Cost>* link = adjacency_.begin(i); link != end; ++link) {
        const std::int32_t j = link->node(), table = problem_.table(link->edge);
        if (link->towards() == 0) {
          add(term(link->weight, table, after[i], after[j]));
          add(-term(link->weight, table, before[i], before[j]));
        } else if (after[j] == before[j]) {  // else it is met at j
          add(term(link->weight, table, after[j], after[i]));
          add(-term(link->weight, table, before[j], before[i]));
        }
      }
    }
    for (const auto& [i, table, weight] : adjacency_.loops()) {
      if (after[i] == before[i]) continue;
      add(term(weight, table, after[i], after[i]));
      add(-term(weight, table, before[i], before[i]));
    }
    sets_.each_change(add);
  }

  const Problem<Cost>& problem_;
  const Adjacency<Cost>& adjacency_;
  Unary<Cost> unary_;
  LabelSets<Cost> sets_;
  std::vector<std::int32_t> labels_, next_;  // (nodes); the same but for changed_
  std::vector<std::int32_t> changed_;
  std::vector<Cost> own_;  // (nodes)
};

}  // namespace graphcut::moves
