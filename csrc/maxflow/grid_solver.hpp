// Loads a grid, in parts, has them solved, and joins them.
#pragma once

#include <algorithm>
#include <array>
#include <atomic>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <memory>
#include <type_traits>
#include <vector>

#include "maxflow/grid_cut.hpp"
#include "maxflow/grid_spread.hpp"
#include "maxflow/grid_trees.hpp"
#include "maxflow/shared_block.hpp"
#include "maxflow/zeros.hpp"
#include "parallel/parallel_for.hpp"

namespace graphcut::maxflow {

// What is known of a problem before it is solved.
struct Facts {
  std::int64_t terminals = 0, endless = 0;  // nodes with excess; with infinite excess
  double imbalance = 0;                     // the finite excess, supply and demand
};

template <class Capacity, class Mask>
class GridSolver {
  using R = Capacity;
  using Excess = typename GridFlow<Capacity>::Excess;
  using State = GridState<R, Excess, Mask>;
  using Trees = GridTrees<R, Excess, Mask>;

 public:
  GridSolver(const GridProblem<Capacity>& problem, int threads, std::int64_t part)
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

  GridResult solve(std::uint8_t* side, GridFlow<Capacity>& result) {
    if (!links_fit()) return GridResult::refused;
    const std::int64_t arcs = nodes_ * 2 * grid_.directions;
    SharedBlock kept(SharedBlock::bytes<Excess>(nodes_) + SharedBlock::bytes<R>(arcs));
    excess_ = kept.take<Excess>(nodes_);
    residual_ = kept.take<R>(arcs);
    if (!suits(look_at_terminals())) return GridResult::refused;
    prepare_state();
    std::atomic<bool> too_long{false};
    std::vector<std::unique_ptr<Trees>> trees(static_cast<std::size_t>(parts()));
    {
      const std::shared_ptr<R[]> sent = zeros<R>(spread_.passes > 0 ? edges_ : 0);
      parallel_for(parts(), threads_, [&](int, std::int64_t p) {
        spread(p, sent.get());
        load(p, spread_.passes > 0 ? sent.get() : nullptr);
      });
    }
    parallel_for(parts(), threads_, [&](int, std::int64_t p) {
      auto& mine = trees[static_cast<std::size_t>(p)];
      mine = std::make_unique<Trees>(state_, first_node(p), first_node(p + 1));
      if (!mine->solve(kLooks)) too_long = true;
    });
    for (std::int64_t width = 1; width < parts() && !too_long; width *= 2) {
      parallel_for(parts() / (2 * width), threads_, [&](int, std::int64_t pair) {
        const auto left = static_cast<std::size_t>(2 * pair * width);
        const std::size_t right = left + static_cast<std::size_t>(width);
        trees[left]->join(*trees[right],
                          [&](auto&& border) { open_border(first_slab_[right], border); });
        trees[right].reset();
        if (!trees[left]->solve(kLooks)) too_long = true;
      });
    }
    if (too_long) return GridResult::too_long;
    trees[0]->finish();
    for (std::int64_t v = 0; v < nodes_; ++v)
      side[v] = static_cast<std::uint8_t>(state_.level[v] > 0);
    result.directions = grid_.directions;
    result.residual = residual_;
    result.excess = excess_;
    return GridResult::solved;
  }

 private:
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

  void prepare_state() {
    state_.arcs = 2 * grid_.directions;
    for (int d = 0; d < grid_.directions; ++d) {
      const std::size_t k = 2 * static_cast<std::size_t>(d);
      state_.step[k] = grid_.step(d);
      state_.step[k + 1] = -grid_.step(d);
    }
    const auto n = nodes_;
    using Bits = typename State::Bits;
    SharedBlock work(3 * SharedBlock::bytes<std::int32_t>(n) + SharedBlock::bytes<Bits>(n) +
                     2 * SharedBlock::bytes<char>(n));
    level_ = work.take<std::int32_t>(n);
    next_orphan_ = work.take<std::int32_t>(n);
    next_excess_ = work.take<std::int32_t>(n);
    bits_ = work.take<Bits>(n);
    std::fill_n(bits_.get(), n, Bits{});
    parent_ = work.take<std::int8_t>(n);
    active_ = work.take<std::uint8_t>(n);
    state_.residual = residual_.get();
    state_.excess = excess_.get();
    state_.bits = bits_.get();
    state_.level = level_.get();
    state_.parent = parent_.get();
    state_.active = active_.get();
    state_.next_orphan = next_orphan_.get();
    state_.next_excess = next_excess_.get();
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
                   spread_.row(excess_.get() + tail, state_.step[2 * static_cast<std::size_t>(d)],
                               problem_.capacity + e, problem_.reverse + e, sent + e, count);
                 });
      }
    }
  }

  // Sets the residuals of the edges of a part, what was sent of their capacities, if anything, and
  // opens those inside. Any other thread sets other residuals of nodes across the border.
  void load(std::int64_t part, const R* sent) const {
    each_row(part, 0, grid_.directions,
             [&](int d, std::int64_t e, std::int32_t tail, std::int32_t count, bool inside) {
               const std::int32_t step = state_.step[2 * static_cast<std::size_t>(d)];
               for (std::int32_t x = 0; x < count; ++x) {
                 const R flow = sent == nullptr ? R{0} : sent[e + x];
                 const std::int32_t v = tail + x;
                 const R forward = static_cast<R>(problem_.capacity[e + x] - flow);
                 const R backward = static_cast<R>(problem_.reverse[e + x] + flow);
                 state_.of(v, 2 * d) = forward;
                 state_.of(v + step, 2 * d + 1) = backward;
                 if (inside) open(v, d, v + step, forward, backward);
               }
             });
  }

  void open(std::int32_t v, int d, std::int32_t w, R forward, R backward) const {
    const auto there = static_cast<Mask>(forward > R{0}), back = static_cast<Mask>(backward > R{0});
    auto& tail = state_.bits[v];
    auto& head = state_.bits[w];
    tail.open |= static_cast<Mask>(there << (2 * d));
    tail.sister_open |= static_cast<Mask>(back << (2 * d));
    head.open |= static_cast<Mask>(back << (2 * d + 1));
    head.sister_open |= static_cast<Mask>(there << (2 * d + 1));
  }

  // Opens the arcs between a slab and the one before; calls border(v) for their ends.
  template <class Border>
  void open_border(std::int32_t slab, Border&& border) const {
    for (int d = 0; d < grid_.directions; ++d) {
      if (grid_.offset[static_cast<std::size_t>(d)][grid_.slab_axis()] == 0) continue;
      const std::int32_t step = grid_.step(d);
      grid_.each_row(d, slab - 1, slab, [&](std::int64_t, std::int32_t tail, std::int32_t count) {
        for (std::int32_t v = tail; v < tail + count; ++v) {
          open(v, d, v + step, state_.of(v, 2 * d), state_.of(v + step, 2 * d + 1));
          border(v);
          border(v + step);
        }
      });
    }
  }

  static constexpr int kPasses = 2;
  static constexpr std::int64_t kLooks = 32;  // more than in method.hpp: pseudoflow starts anew

  GridProblem<Capacity> problem_;
  const GridLayout& grid_;
  int threads_;
  std::int64_t nodes_, edges_;
  std::vector<std::int32_t> first_slab_;                                    // (parts + 1)
  std::array<std::int64_t, GridLayout::kMostDirections + 1> first_edge_{};  // of each direction
  GridSpread<R, Excess> spread_;
  State state_{};
  std::shared_ptr<R[]> residual_;
  std::shared_ptr<Excess[]> excess_;
  std::shared_ptr<typename State::Bits[]> bits_;
  std::shared_ptr<std::int32_t[]> level_, next_orphan_, next_excess_;
  std::shared_ptr<std::int8_t[]> parent_;
  std::shared_ptr<std::uint8_t[]> active_;
};

template <class Capacity>
GridResult solve_grid(const GridProblem<Capacity>& problem, int threads, std::uint8_t* side,
                      GridFlow<Capacity>& flow, std::int64_t part) {
  const int directions = problem.layout->directions;
  if (directions < 1 || directions > GridLayout::kMostDirections) return GridResult::refused;
  if (directions <= 4) {  // the bits of a node in two bytes
    return GridSolver<Capacity, std::uint8_t>(problem, threads, part).solve(side, flow);
  }
  return GridSolver<Capacity, std::uint32_t>(problem, threads, part).solve(side, flow);
}

}  // namespace graphcut::maxflow
