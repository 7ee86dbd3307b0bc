// Has the parts of a grid solved, and joins them.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "maxflow/grid_cut.hpp"
#include "maxflow/grid_parts.hpp"
#include "maxflow/grid_trees.hpp"
#include "maxflow/zeros.hpp"
#include "parallel/parallel_for.hpp"

namespace graphcut::maxflow {

// In D directions.
template <class Capacity, int D>
class GridSolver : GridParts<Capacity> {
  using Parts = GridParts<Capacity>;
  using R = Capacity;
  using typename Parts::Excess;
  using State = GridState<R, Excess, D>;
  using Trees = GridTrees<R, Excess, D>;

 public:
  GridSolver(const GridProblem<Capacity>& problem, int threads, std::int64_t part)
      : Parts(problem, threads, part) {}

  GridResult solve(std::uint8_t* side, GridFlow<Capacity>& result) {
    if (!links_fit()) return GridResult::refused;
    const std::int64_t arcs = nodes_ * State::kArcs;
    Block kept(Block::bytes<Excess>(nodes_) + Block::bytes<R>(arcs));
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
    result.directions = D;
    result.residual = residual_;
    result.excess = excess_;
    return GridResult::solved;
  }

 private:
  using Parts::each_row;
  using Parts::edges_;
  using Parts::excess_;
  using Parts::first_node;
  using Parts::first_slab_;
  using Parts::grid_;
  using Parts::links_fit;
  using Parts::look_at_terminals;
  using Parts::nodes_;
  using Parts::parts;
  using Parts::problem_;
  using Parts::spread;
  using Parts::spread_;
  using Parts::suits;
  using Parts::threads_;

  void prepare_state() {
    for (int d = 0; d < D; ++d) {
      const auto k = static_cast<std::size_t>(d);
      state_.step[k] = grid_.step(d);
      state_.step[k + D] = -grid_.step(d);
    }
    const auto n = nodes_;
    using Bits = typename State::Bits;
    Block work(3 * Block::bytes<std::int32_t>(n) + Block::bytes<Bits>(n) +
               2 * Block::bytes<char>(n));
    level_ = work.take<std::int32_t>(n);
    next_orphan_ = work.take<std::int32_t>(n);
    next_excess_ = work.take<std::int32_t>(n);
    bits_ = work.take<Bits>(n);
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

  // Sets the residuals of the edges of a part, what was sent of their capacities, if anything, and
  // opens those inside. Any other thread sets other residuals of nodes across the border.
  void load(std::int64_t part, const R* sent) const {
    each_row(part, 0, D,
             [&](int d, std::int64_t e, std::int32_t tail, std::int32_t count, bool inside) {
               const std::int32_t step = state_.step[static_cast<std::size_t>(d)];
               for (std::int32_t x = 0; x < count; ++x) {
                 const R flow = sent == nullptr ? R{0} : sent[e + x];
                 const std::int32_t v = tail + x;
                 const R forward = static_cast<R>(problem_.capacity[e + x] - flow);
                 const R backward = static_cast<R>(problem_.reverse[e + x] + flow);
                 state_.of(v, d) = forward;
                 state_.of(v + step, d + D) = backward;
                 if (inside) open(v, d, v + step, forward, backward);
               }
             });
  }

  void open(std::int32_t v, int d, std::int32_t w, R forward, R backward) const {
    using Mask = typename State::Mask;
    const auto there = static_cast<Mask>(forward > R{0}), back = static_cast<Mask>(backward > R{0});
    auto& tail = state_.bits[v];
    auto& head = state_.bits[w];
    tail.open |= static_cast<Mask>(there << d);
    tail.sister_open |= static_cast<Mask>(back << d);
    head.open |= static_cast<Mask>(back << (d + D));
    head.sister_open |= static_cast<Mask>(there << (d + D));
  }

  // Opens the arcs between a slab and the one before; calls border(v) for their ends.
  template <class Border>
  void open_border(std::int32_t slab, Border&& border) const {
    for (int d = 0; d < D; ++d) {
      if (grid_.offset[static_cast<std::size_t>(d)][grid_.slab_axis()] == 0) continue;
      const std::int32_t step = grid_.step(d);
      grid_.each_row(d, slab - 1, slab, [&](std::int64_t, std::int32_t tail, std::int32_t count) {
        for (std::int32_t v = tail; v < tail + count; ++v) {
          open(v, d, v + step, state_.of(v, d), state_.of(v + step, d + D));
          border(v);
          border(v + step);
        }
      });
    }
  }

  static constexpr std::int64_t kLooks = 32;  // more than in method.hpp: pseudoflow starts anew

  State state_{};
  std::shared_ptr<R[]> residual_;
  std::shared_ptr<typename State::Bits[]> bits_;
  std::shared_ptr<std::int32_t[]> level_, next_orphan_, next_excess_;
  std::shared_ptr<std::int8_t[]> parent_;
  std::shared_ptr<std::uint8_t[]> active_;
};

template <class Capacity>
GridResult solve_grid(const GridProblem<Capacity>& problem, int threads, std::uint8_t* side,
                      GridFlow<Capacity>& flow, std::int64_t part) {
  switch (problem.layout->directions) {
    case 2:
      return GridSolver<Capacity, 2>(problem, threads, part).solve(side, flow);
    case 3:
      return GridSolver<Capacity, 3>(problem, threads, part).solve(side, flow);
    case 4:
      return GridSolver<Capacity, 4>(problem, threads, part).solve(side, flow);
    case 9:
      return GridSolver<Capacity, 9>(problem, threads, part).solve(side, flow);
    case 13:
      return GridSolver<Capacity, 13>(problem, threads, part).solve(side, flow);
    default:
      return GridResult::refused;
  }
}

}  // namespace graphcut::maxflow
