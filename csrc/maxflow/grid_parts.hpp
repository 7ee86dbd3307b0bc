// A grid in parts, for several threads: what is done the same way in any number of directions.
#pragma once

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <memory>
#include <type_traits>
#include <vector>

#include "maxflow/grid_cut.hpp"
#include "maxflow/grid_spread.hpp"
#include "parallel/parallel_for.hpp"

namespace graphcut::maxflow {

// What is known of a problem before it is solved.
struct Facts {
  std::int64_t terminals = 0, endless = 0;  // nodes with excess; with infinite excess
  double imbalance = 0;                     // the finite excess, supply and demand
};

template <class Capacity>
class GridParts {
  using R = Capacity;

 protected:
  using Excess = typename GridFlow<Capacity>::Excess;

  GridParts(const GridProblem<Capacity>& problem, int threads, std::int64_t part)
      : problem_(problem),
        grid_(*problem.layout),
        threads_(threads),
        nodes_(grid_.nodes()),
        edges_(grid_.edges()) {
    // As many parts as may pay, whatever the number of threads is: the cut is then the same.
    std::int64_t parts = 1;
    while (2 * parts * part <= nodes_ && 2 * parts <= slabs() && parts < 64) parts *= 2;
    for (int d = 0; d < grid_.directions; ++d) {
      first_edge_[static_cast<std::size_t>(d) + 1] =
          first_edge_[static_cast<std::size_t>(d)] + grid_.edges(d);
    }
    for (std::int64_t p = 0; p <= parts; ++p) {
      first_slab_.push_back(static_cast<std::int32_t>(slabs() * p / parts));
    }
  }

  std::int64_t slabs() const { return grid_.size[grid_.slab_axis()]; }
  std::int64_t parts() const { return static_cast<std::int64_t>(first_slab_.size()) - 1; }
  std::int32_t first_node(std::int64_t part) const {
    return static_cast<std::int32_t>(first_slab_[static_cast<std::size_t>(part)] *
                                     grid_.slab_nodes());
  }

  // Whether residuals fit their type and are finite.
  bool links_fit() const {
    const R* const capacity = problem_.capacity;
    const R* const reverse = problem_.reverse;
    bool fit = true;
    for (std::int64_t e = 0; e < edges_; ++e) {
      if constexpr (std::is_floating_point_v<R>) {
        fit &= capacity[e] + reverse[e] <= std::numeric_limits<R>::max();
      } else {
        fit &= capacity[e] <= std::numeric_limits<R>::max() - reverse[e];
      }
    }
    return fit;
  }

  // Sets the excess.
  Facts look_at_terminals() {
    std::vector<Facts> facts(static_cast<std::size_t>(parts()));
    parallel_for(parts(), threads_, [&](int, std::int64_t p) {
      Facts found;
      for (std::int32_t v = first_node(p); v < first_node(p + 1); ++v) {
        const Excess excess =
            static_cast<Excess>(problem_.source[v]) - static_cast<Excess>(problem_.sink[v]);
        excess_[v] = excess;
        found.terminals += static_cast<std::int64_t>(excess != Excess{0});
        const double size = std::abs(static_cast<double>(excess));
        const bool endless = size > std::numeric_limits<double>::max();
        found.endless += static_cast<std::int64_t>(endless);
        found.imbalance += endless ? 0 : size;
      }
      facts[static_cast<std::size_t>(p)] = found;
    });
    Facts all;
    for (const Facts& part : facts) {
      all.terminals += part.terminals;
      all.endless += part.endless;
      all.imbalance += part.imbalance;
    }
    return all;
  }

  // Whether this solver is the one to use; decides on spreading.
  bool suits(const Facts& facts) {
    if (!grid_suits(facts.terminals, nodes_)) return false;
    const std::int64_t step = edges_ / 128 | 1;
    double both = 0, samples = 0, single = 0;
    for (std::int64_t e = 0; e < edges_; e += step, ++samples) {
      both += static_cast<double>(problem_.capacity[e]) + static_cast<double>(problem_.reverse[e]);
      single += static_cast<double>((problem_.capacity[e] > R{0}) != (problem_.reverse[e] > R{0}));
    }
    const double mean = samples > 0 ? both / (2 * samples) : 0;
    const double imbalance =
        facts.imbalance + 2 * grid_.directions * mean * static_cast<double>(facts.endless);
    constexpr double kMost = static_cast<double>(std::numeric_limits<Excess>::max()) / 8;
    if (!(imbalance + both / std::max(samples, 1.0) * static_cast<double>(edges_) < kMost))
      return false;
    const bool strong = 25 * imbalance < 2 * mean * static_cast<double>(edges_);
    spread_.passes = mean > 0 && !strong && 2 * single <= samples ? kPasses : 0;
    if constexpr (std::is_floating_point_v<R>) {
      if (spread_.passes > 0) set_quantum(mean, imbalance, step);
    }
    return true;
  }

  // Calls row(d, edge, tail, count, inside) for the rows of edges with tails in a part, of the
  // directions from .. to - 1 before the next row of tails; inside: the heads are in the part too.
  template <class Row>
  void each_row(std::int64_t part, int from, int to, Row&& row) const {
    const auto p = static_cast<std::size_t>(part);
    const std::size_t axis = grid_.slab_axis();
    std::array<std::int32_t, 2> first{0, 0}, end{grid_.size[0], grid_.size[1]};
    first[axis] = first_slab_[p];
    end[axis] = first_slab_[p + 1];
    for (std::int32_t z = first[0]; z < end[0]; ++z) {
      for (std::int32_t y = first[1]; y < end[1]; ++y) {
        const bool last = (axis == 0 ? z : y) + 1 == end[axis] && part + 1 < parts();
        for (int d = from; d < to; ++d) {
          const std::int32_t count = grid_.end(d, 2) - grid_.begin(d, 2);
          if (z < grid_.begin(d, 0) || z >= grid_.end(d, 0) || y < grid_.begin(d, 1) ||
              y >= grid_.end(d, 1) || count <= 0) {
            continue;
          }
          const std::int64_t rows =
              std::int64_t{z - grid_.begin(d, 0)} * (grid_.end(d, 1) - grid_.begin(d, 1)) +
              (y - grid_.begin(d, 1));
          const std::int32_t tail = (z * grid_.size[1] + y) * grid_.size[2] + grid_.begin(d, 2);
          const bool inside = !last || grid_.offset[static_cast<std::size_t>(d)][axis] == 0;
          row(d, first_edge_[static_cast<std::size_t>(d)] + rows * count, tail, count, inside);
        }
      }
    }
  }

  // Direction after direction, which meets more in a pass than row after row.
  void spread(std::int64_t part, R* sent) const {
    for (int pass = 0; pass < spread_.passes; ++pass) {
      for (int d = 0; d < grid_.directions; ++d) {
        each_row(part, d, d + 1,
                 [&](int, std::int64_t e, std::int32_t tail, std::int32_t count, bool inside) {
                   if (!inside) return;
                   spread_.row(excess_.get() + tail, grid_.step(d), problem_.capacity + e,
                               problem_.reverse + e, sent + e, count);
                 });
      }
    }
  }

  GridProblem<Capacity> problem_;
  const GridLayout& grid_;
  int threads_;
  std::int64_t nodes_, edges_;
  std::vector<std::int32_t> first_slab_;  // (parts + 1)
  GridSpread<R, Excess> spread_;
  std::shared_ptr<Excess[]> excess_;

 private:
  // See Note [Exact sums] in spread.hpp.
  void set_quantum(double mean, double imbalance, std::int64_t step) {
    constexpr int kDigits = std::numeric_limits<R>::digits - 1;
    int exponent = std::ilogb(mean) - 6;
    const int exact = std::ilogb(imbalance) - kDigits;
    if (exponent < exact) {
      const auto suits = [unit = std::ldexp(1.0, exact)](R value) {
        return std::isinf(value) || std::fmod(static_cast<double>(value), unit) == 0;
      };
      bool all = std::all_of(excess_.get(), excess_.get() + nodes_, suits);
      for (std::int64_t e = 0; all && e < edges_; e += step) {
        all = suits(problem_.capacity[e]) && suits(problem_.reverse[e]);
      }
      if (all) exponent = exact;
    }
    spread_.rounder = static_cast<R>(std::ldexp(1.5, exponent + kDigits));
  }

  static constexpr int kPasses = 2;

  std::array<std::int64_t, GridLayout::kMostDirections + 1> first_edge_{};  // of each direction
};

}  // namespace graphcut::maxflow
