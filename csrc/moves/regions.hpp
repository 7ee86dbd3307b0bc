// The regions of equal labels, as the nodes of a smaller problem.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <numeric>
#include <utility>
#include <vector>

#include "moves/adjacency.hpp"
#include "moves/problem.hpp"

namespace graphcut::moves {

// Labellings of the regions cost what the same labels cost at all their nodes, but for round-off. A
// region may have the labels that all its nodes may have.
template <class Cost>
class Regions {
 public:
  Regions(const Problem<Cost>& whole, const std::vector<std::int32_t>& labels)
      : region_(labels.size()) {
    problem_ = whole;
    problem_.grid = {};  // without edges, as there may be none
    problem_.nodes = number(whole, labels);
    add_nodes(whole);
    add_edges(whole);
    problem_.edges = static_cast<std::int64_t>(weights_.size());
    problem_.edge_index = ends_.data();
    problem_.unary = unary_.data();
    if (whole.candidates != nullptr) problem_.candidates = candidates_.data();
    problem_.weights = weights_.data();
    if (whole.tables != nullptr) problem_.tables = tables_.data();
  }
  Regions(const Regions&) = delete;
  Regions& operator=(const Regions&) = delete;

  const Problem<Cost>& problem() const { return problem_; }

  // The cheapest allowed label of every region, the first of several.
  std::vector<std::int64_t> cheapest() const {
    std::vector<std::int64_t> labels;
    for (std::int64_t r = 0; r < problem_.nodes; ++r) {
      std::pair<Cost, std::int64_t> best{Cost{0}, -1};
      each_label(r, [&](std::int64_t label, std::size_t k) {
        const std::pair costs{unary_[k], label};
        if (best.second < 0 || costs < best) best = costs;
      });
      labels.push_back(best.second);
    }
    return labels;
  }

  // The labels of the nodes, by those of their regions.
  std::vector<std::int32_t> spread(const std::vector<std::int32_t>& labels) const {
    std::vector<std::int32_t> all(region_.size());
    for (std::size_t i = 0; i < all.size(); ++i) {
      all[i] = labels[static_cast<std::size_t>(region_[i])];
    }
    return all;
  }

 private:
  // Several edges from one region to another count as one, where they have the same costs of pairs.
  struct Border {
    std::array<std::int32_t, 3> key;  // tail, head, table
    Cost weight;
  };

  // Finds the region of every node; returns how many there are.
  std::int32_t number(const Problem<Cost>& whole, const std::vector<std::int32_t>& labels) {
    std::iota(region_.begin(), region_.end(), 0);
    const auto root = [this](std::int32_t i) {  // on the way there, every other link is cut short
      while (of(i) != i) i = of(i) = of(of(i));
      return i;
    };
    whole.each_edge([&](std::int64_t e, std::int32_t u, std::int32_t v) {
      if (labels[place(u)] != labels[place(v)] || whole.weights[e] == Cost{0}) return;
      const std::int32_t first = root(u), second = root(v);
      of(std::max(first, second)) = std::min(first, second);  // so that roots come first
    });
    std::int32_t count = 0;
    std::vector<std::int32_t> numbers(region_.size());
    for (std::int32_t i = 0; i < static_cast<std::int32_t>(region_.size()); ++i) {
      numbers[place(i)] = of(i) == i ? count++ : numbers[place(root(i))];
    }
    region_ = std::move(numbers);
    return count;
  }

  // Calls act(label, k), k: the place of its cost, for what region r may have.
  template <class Act>
  void each_label(std::int64_t r, Act&& act) const {
    for (std::int64_t k = r * problem_.columns; k < (r + 1) * problem_.columns; ++k) {
      const std::int64_t label =
          candidates_.empty() ? k - r * problem_.columns : candidates_[static_cast<std::size_t>(k)];
      if (label >= 0) act(label, static_cast<std::size_t>(k));
    }
  }

  void add_nodes(const Problem<Cost>& whole) {
    const std::int64_t columns = whole.columns;
    std::int32_t regions = 0;  // that have been met
    for (std::size_t i = 0; i < region_.size(); ++i) {
      const Cost* const costs = whole.unary + static_cast<std::int64_t>(i) * columns;
      const std::int64_t* const labels =
          whole.candidates == nullptr ? nullptr
                                      : whole.candidates + static_cast<std::int64_t>(i) * columns;
      if (region_[i] == regions) {  // regions are numbered by their first nodes
        ++regions;
        unary_.insert(unary_.end(), costs, costs + columns);
        if (labels != nullptr) candidates_.insert(candidates_.end(), labels, labels + columns);
        continue;
      }
      const auto first = static_cast<std::size_t>(region_[i] * columns);
      for (std::int64_t column = 0; column < columns; ++column) {
        const std::size_t at = first + static_cast<std::size_t>(column);
        if (labels == nullptr) {
          unary_[at] += costs[column];
        } else if (candidates_[at] >= 0) {
          const std::int64_t* const same = std::find(labels, labels + columns, candidates_[at]);
          if (same == labels + columns) {
            candidates_[at] = -1;
          } else {
            unary_[at] += costs[same - labels];
          }
        }
      }
    }
  }

  void add_edges(const Problem<Cost>& whole) {
    std::vector<Border> borders;
    whole.each_edge([&](std::int64_t e, std::int32_t u, std::int32_t v) {
      const std::int32_t tail = of(u), head = of(v), table = whole.table(e);
      const Cost weight = whole.weights[e];
      if (weight == Cost{0}) return;
      if (tail != head) return borders.push_back({{tail, head, table}, weight});
      if (whole.pairwise == nullptr) return;
      each_label(tail, [&](std::int64_t label, std::size_t k) {
        const auto same = static_cast<std::int32_t>(label);
        unary_[k] += weight * whole.between(table, same, same);
      });
    });
    std::stable_sort(borders.begin(), borders.end(),
                     [](const Border& a, const Border& b) { return a.key < b.key; });
    std::vector<std::int64_t> tails, heads;
    for (std::size_t k = 0; k < borders.size(); ++k) {
      const auto& [key, weight] = borders[k];
      const Cost room = std::numeric_limits<Cost>::max() - weight;
      if (k > 0 && key == borders[k - 1].key && weights_.back() <= room) {
        weights_.back() += weight;
        continue;
      }
      tails.push_back(key[0]);
      heads.push_back(key[1]);
      tables_.push_back(key[2]);
      weights_.push_back(weight);
    }
    ends_ = std::move(tails);
    ends_.insert(ends_.end(), heads.begin(), heads.end());
  }

  static std::size_t place(std::int32_t i) { return static_cast<std::size_t>(i); }
  std::int32_t& of(std::int32_t i) { return region_[place(i)]; }

  Problem<Cost> problem_;
  std::vector<std::int32_t> region_;         // (nodes)
  std::vector<Cost> unary_, weights_;        // (regions, columns), (borders)
  std::vector<std::int64_t> ends_, tables_;  // (2, borders), (borders)
  std::vector<std::int64_t> candidates_;     // (regions, columns), or empty
};

}  // namespace graphcut::moves
