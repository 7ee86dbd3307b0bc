// The present labels, and trials of others.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

#include "maxflow/uninitialized.hpp"
#include "moves/adjacency.hpp"
#include "moves/exact_sum.hpp"
#include "moves/problem.hpp"

namespace graphcut::moves {

template <class Cost>
class Labelling {
 public:
  Labelling(const Problem<Cost>& problem, const Adjacency<Cost>& adjacency,
            const std::int64_t* start)
      : problem_(problem), adjacency_(adjacency) {
    transpose();
    own_.resize(static_cast<std::size_t>(problem.nodes));
    set(std::vector<std::int32_t>(start, start + problem.nodes));
  }

  void set(std::vector<std::int32_t> labels) {
    labels_ = std::move(labels);
    next_ = labels_;
    for (std::size_t i = 0; i < own_.size(); ++i) own_[i] = unary(labels_[i])[i];
  }
  const std::vector<std::int32_t>& all() const { return labels_; }

  const std::int32_t* labels() const { return labels_.data(); }
  std::int32_t operator[](std::int32_t i) const { return labels_[place(i)]; }
  // Costs (nodes) of a label, and of the present ones.
  const Cost* unary(std::int32_t label) const {
    return columns_.data() + static_cast<std::int64_t>(label) * problem_.nodes;
  }
  const Cost* own() const { return own_.data(); }

  // Tries `label` at node i, whose present one is another.
  void propose(std::int32_t i, std::int32_t label) {
    next_[place(i)] = label;
    changed_.push_back(i);
  }
  const std::vector<std::int32_t>& changed() const { return changed_; }

  // Whether the labels tried cost less. The sum of the terms that change is exact in sign, so that
  // no chain of decreases comes back to a labelling.
  bool improves() const {
    return !changed_.empty() && sign_of_sum(Cost{}, [this](auto&& add) { each_change(add); }) < 0;
  }

  void accept() {
    for (const std::int32_t i : changed_) {
      labels_[place(i)] = next_[place(i)];
      own_[place(i)] = unary(labels_[place(i)])[i];
    }
    changed_.clear();
  }
  void reject() {
    for (const std::int32_t i : changed_) next_[place(i)] = labels_[place(i)];
    changed_.clear();
  }

  // Of the present labels.
  Cost energy() const {
    return rounded_sum(Cost{}, [this](auto&& add) {
      for (const Cost cost : own_) add(cost);
      for (std::int64_t e = 0; e < problem_.edges; ++e) {
        add(term(problem_.weights[e], labels_[place(problem_.tail(e))],
                 labels_[place(problem_.head(e))]));
      }
    });
  }

 private:
  static std::size_t place(std::int32_t i) { return static_cast<std::size_t>(i); }

  // Rounded before it is summed, wherever that is.
  Cost term(Cost weight, std::int32_t first, std::int32_t second) const {
    return weight * problem_.between(first, second);
  }

  template <class Add>
  void each_change(Add&& add) const {
    const std::int32_t* const before = labels_.data();
    const std::int32_t* const after = next_.data();
    for (const std::int32_t i : changed_) {
      add(unary(after[i])[i]);
      add(-own_[place(i)]);
      const Link<Cost>* const end = adjacency_.end(i);
      for (const Link<Cost>* link = adjacency_.begin(i); link != end; ++link) {
        const std::int32_t j = link->node();
        if (link->towards() == 0) {
          add(term(link->weight, after[i], after[j]));
          add(-term(link->weight, before[i], before[j]));
        } else if (after[j] == before[j]) {  // else it is met at j
          add(term(link->weight, after[j], after[i]));
          add(-term(link->weight, before[j], before[i]));
        }
      }
    }
    for (const std::int64_t e : adjacency_.loops()) {
      const std::int32_t i = problem_.tail(e);
      if (after[i] == before[i]) continue;
      add(term(problem_.weights[e], after[i], after[i]));
      add(-term(problem_.weights[e], before[i], before[i]));
    }
  }

  // A move looks at all nodes' costs of one label.
  void transpose() {
    constexpr std::int64_t kBlock = 64;
    columns_.resize(static_cast<std::size_t>(problem_.nodes * problem_.labels));
    for (std::int64_t from = 0; from < problem_.nodes; from += kBlock) {
      const std::int64_t to = std::min(from + kBlock, problem_.nodes);
      for (std::int64_t label = 0; label < problem_.labels; ++label) {
        Cost* const column = columns_.data() + label * problem_.nodes;
        for (std::int64_t i = from; i < to; ++i) {
          column[i] = problem_.unary[i * problem_.labels + label];
        }
      }
    }
  }

  const Problem<Cost>& problem_;
  const Adjacency<Cost>& adjacency_;
  std::vector<std::int32_t> labels_, next_;  // (nodes); the same but for changed_
  std::vector<std::int32_t> changed_;
  maxflow::Store<Cost> columns_;  // (labels, nodes)
  std::vector<Cost> own_;         // (nodes)
};

}  // namespace graphcut::moves
