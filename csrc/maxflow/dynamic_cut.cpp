#include "maxflow/dynamic_cut.hpp"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <tuple>
#include <type_traits>
#include <utility>

#include "maxflow/capacities.hpp"
#include "maxflow/cut.hpp"
#include "maxflow/first_cut.hpp"
#include "maxflow/infinite_path.hpp"
#include "maxflow/maximum_flow.hpp"

// Note [Reparameterisation]: any flow within the capacities will do to start from. What a node gets
// from its terminals and does not pass on by its arcs is its excess, of either sign, and the
// minimum cuts of residuals and excesses are those of the capacities. So a capacity that falls
// below its flow takes the flow with it, and both ends have their excess computed anew. Kohli and
// Torr add the difference to terminal capacities instead, which comes to the same.

namespace graphcut::maxflow {
namespace {

// Cuts that cost this much more than the minimum, relatively, are not accepted from a resume.
constexpr double kTolerance = 0x1p-30;
// With more changes at a time than this, of so many nodes or edges, grids are solved afresh: to go
// on, their edges would have to be listed.
std::int64_t few_changes(std::int64_t all) { return std::max<std::int64_t>(all / 64, 1024); }

}  // namespace

template <class Capacity>
void DynamicCut<Capacity>::add_grid(const GridLayout& layout, const Capacity* capacity,
                                    const Capacity* reverse) {
  network_.add_grid(layout, capacity, reverse);
  solved_ = laid_out_ = resumable_ = false;
  unchecked_infinity_ = true;
}

template <class Capacity>
std::int64_t DynamicCut<Capacity>::add_nodes(std::int64_t count) {
  const std::int64_t first = network_.add_nodes(count);
  solved_ = laid_out_ = resumable_ = false;
  return first;
}

template <class Capacity>
std::int64_t DynamicCut<Capacity>::add_edges(std::int64_t count, const std::int64_t* tail,
                                             const std::int64_t* head, const Capacity* capacity,
                                             const Capacity* reverse) {
  const std::int64_t first = network_.add_edges(count, tail, head, capacity, reverse);
  solved_ = laid_out_ = resumable_ = false;
  unchecked_infinity_ = true;
  return first;
}

template <class Capacity>
void DynamicCut<Capacity>::add_terminals(std::int64_t count, const std::int64_t* nodes,
                                         const Capacity* source, const Capacity* sink) {
  std::vector<Capacity> source_sums(static_cast<std::size_t>(count)), sink_sums(source_sums);
  network_.sum_terminals(count, nodes, source, sink, source_sums.data(), sink_sums.data());
  set_terminals(count, nodes, source_sums.data(), sink_sums.data());
}

template <class Capacity>
void DynamicCut<Capacity>::set_terminals(std::int64_t count, const std::int64_t* nodes,
                                         const Capacity* source, const Capacity* sink) {
  const bool infinite = network_.check_terminals(count, nodes, source, sink);
  ready_to_change(count, network_.nodes());
  changed_.reserve(network_.source.size());  // so that marking cannot fail halfway
  unchecked_infinity_ |= infinite;
  for (std::int64_t k = 0; k < count; ++k) {
    Capacity& old_source = network_.source[static_cast<std::size_t>(nodes[k])];
    Capacity& old_sink = network_.sink[static_cast<std::size_t>(nodes[k])];
    const Capacity new_source = source == nullptr ? old_source : source[k];
    const Capacity new_sink = sink == nullptr ? old_sink : sink[k];
    if (new_source == old_source && new_sink == old_sink) continue;
    old_source = new_source;
    old_sink = new_sink;
    mark(static_cast<std::int32_t>(nodes[k]), kExcess);
  }
  solved_ = false;
}

template <class Capacity>
void DynamicCut<Capacity>::set_capacities(std::int64_t count, const std::int64_t* edges,
                                          const Capacity* capacity, const Capacity* reverse) {
  const bool infinite = network_.check_capacities(count, edges, capacity, reverse);
  if (network_.reverse.empty()) network_.reverse = network_.capacity;
  ready_to_change(count, network_.edges());
  changed_.reserve(network_.source.size());
  unchecked_infinity_ |= infinite;
  for (std::int64_t k = 0; k < count; ++k) {
    const auto e = static_cast<std::size_t>(edges[k]);
    if (resumable_ && slot_[e] >= 0) change_edge(e, capacity[k], reverse[k]);
    network_.capacity[e] = capacity[k];
    network_.reverse[e] = reverse[k];
  }
  solved_ = false;
}

template <class Capacity>
void DynamicCut<Capacity>::mark(std::int32_t i, Mark what) {
  if (!resumable_) return;
  std::uint8_t& marks = mark_[static_cast<std::size_t>(i)];
  if (marks == kUnmarked) changed_.push_back(i);
  marks |= what;
}

// Fits the residuals of edge e to new capacities, which the caller then stores. Residuals of a
// direction that does not change stay as they are: computed anew they might round differently.
template <class Capacity>
void DynamicCut<Capacity>::change_edge(std::size_t e, Capacity capacity, Capacity reverse) {
  const std::int32_t slot = slot_[e];
  const Arc<Wide>& arc = graph_.arcs[static_cast<std::size_t>(slot)];
  const Arc<Wide>& sister = graph_.arcs[static_cast<std::size_t>(arc.sister)];
  const bool open = arc.open(), sister_open = sister.open();
  const Wide before =
      settled_flow(arc, solver_.flow(slot, arc.sister), static_cast<Wide>(network_.capacity[e]),
                   static_cast<Wide>(network_.reverse[e]));
  const Wide flow = std::clamp(before, -static_cast<Wide>(reverse), static_cast<Wide>(capacity));
  const bool kept = flow == before;
  const Wide forward =
      kept && capacity == network_.capacity[e] ? arc.residual : static_cast<Wide>(capacity) - flow;
  const Wide backward =
      kept && reverse == network_.reverse[e] ? sister.residual : static_cast<Wide>(reverse) + flow;
  graph_.set_residuals(slot, forward, backward);
  solver_.set_flow(slot, arc.sister, flow);
  const bool toggled = open != arc.open() || sister_open != sister.open();
  if (kept && !toggled) return;
  const Mark what = kept ? kArcs : kExcess;
  mark(network_.tail[e], what);
  mark(network_.head[e], what);
}

// What node i has left of its terminals. Returns false where it is out of range.
template <class Capacity>
bool DynamicCut<Capacity>::excess_after_changes(std::int32_t i, Wide* excess) {
  const auto node = static_cast<std::size_t>(i);
  const Wide supply =
      static_cast<Wide>(network_.source[node]) - static_cast<Wide>(network_.sink[node]);
  double size = static_cast<double>(supply), passed = 0;
  for (std::int32_t a = graph_.first[node]; a != graph_.first[node + 1]; ++a) {
    const Wide flow = solver_.flow(a, graph_.arcs[static_cast<std::size_t>(a)].sister);
    size -= static_cast<double>(flow);
    passed += std::abs(static_cast<double>(flow));
  }
  const Wide out = net_outflow(graph_, solver_, i);
  if constexpr (std::is_floating_point_v<Wide>) {
    *excess = supply - out;
    rounding_ += passed * std::numeric_limits<Wide>::epsilon();
    return std::isfinite(passed) && (std::isfinite(*excess) || std::isinf(supply));
  } else {
    *excess =
        static_cast<Wide>(static_cast<std::uint64_t>(supply) - static_cast<std::uint64_t>(out));
    return std::abs(size) < 0x1p62;
  }
}

template <class Capacity>
void DynamicCut<Capacity>::load_capacities() {
  resumable_ = false;
  grid_flow_ = {};
  network_.list_edges();
  load(network_, Spread<Wide>{}, laid_out_, graph_, slot_);
  laid_out_ = true;
}

template <class Capacity>
GridResult DynamicCut<Capacity>::solve_as_grid(int threads) {
  if (!network_.grid) return GridResult::refused;
  for (std::size_t i = 0; unchecked_infinity_ && i < network_.source.size(); ++i) {
    // A path of infinite capacity within the node; all others have infinite edges.
    if (std::isinf(static_cast<double>(std::min(network_.source[i], network_.sink[i])))) {
      return GridResult::refused;
    }
  }
  side_.resize(network_.source.size());
  GridProblem<Capacity> problem;
  problem.layout = &*network_.grid;
  problem.capacity = network_.capacity.data();
  problem.reverse = network_.reverse_data();
  problem.source = network_.source.data();
  problem.sink = network_.sink.data();
  return solve_grid(problem, threads, side_.data(), grid_flow_);
}

// Solves from the capacities, by the solver that suits the graph.
template <class Capacity>
void DynamicCut<Capacity>::start(int threads) {
  resumable_ = false;
  grid_flow_ = {};
  const GridResult as_grid = solve_as_grid(threads);
  if (as_grid == GridResult::solved) {
    left_ = Left::pseudoflow;
  } else {
    network_.list_edges();
    const bool hard = as_grid == GridResult::too_long;
    left_ = first_cut(network_, hard ? Method::pseudoflow : Method::automatic, unchecked_infinity_,
                      laid_out_, graph_, slot_, side_);
    laid_out_ = true;
  }
  unchecked_infinity_ = false;
  if (left_ == Left::flow) {  // the flow is of use, were it known
    load_capacities();
    restart();
    return;
  }
  reparameterised_ = true;
  resumable_ = true;
}

// Solves from the capacities, which are loaded, by Boykov-Kolmogorov.
template <class Capacity>
void DynamicCut<Capacity>::restart() {
  graph_.excess.resize(network_.source.size());
  for (std::size_t i = 0; i < network_.source.size(); ++i) {
    graph_.excess[i] = static_cast<Wide>(network_.source[i]) - static_cast<Wide>(network_.sink[i]);
  }
  mark_.assign(network_.source.size(), kUnmarked);
  changed_.clear();
  solver_.solve(graph_);
  read_sides();
  left_ = Left::flow;
  rounding_ = 0;
  reparameterised_ = false;
  resumable_ = true;
}

template <class Capacity>
void DynamicCut<Capacity>::ready_to_change(std::int64_t changes, std::int64_t all) {
  if (grid_flow_.residual && changes > few_changes(all)) {
    grid_flow_ = {};
    resumable_ = false;
  }
  ready_to_resume();
}

// Has solver_ know the flow, as changes and results need.
template <class Capacity>
void DynamicCut<Capacity>::ready_to_resume() {
  if (!resumable_ || left_ == Left::flow) return;
  network_.list_edges();
  // What a grid of float32 rounds away is what every solver of float32 does.
  const bool rough = grid_flow_.residual && std::is_same_v<Capacity, float>;
  rounding_ = rough ? 0 : rounding_of_residuals(network_);
  bool known = rounding_ <= kTolerance * static_cast<double>(value_);
  if (known && grid_flow_.residual && network_.grid) load_grid(*network_.grid);
  if (known) {
    solver_.begin(graph_, [&] {
      known = settle_first_cut(network_, slot_, left_ == Left::reversed, graph_, rounding_,
                               [&](std::size_t e, Wide flow) {
                                 const std::int32_t slot = slot_[e];
                                 const Arc<Wide>& arc = graph_.arcs[static_cast<std::size_t>(slot)];
                                 solver_.set_flow(slot, arc.sister, flow);
                               });
    });
  }
  if (known) {
    mark_.assign(network_.source.size(), kUnmarked);
    changed_.clear();
    left_ = Left::flow;
  } else {
    load_capacities();
    restart();
  }
}

// Lays out graph_ with what grid_flow_ left of the capacities.
template <class Capacity>
void DynamicCut<Capacity>::load_grid(const GridLayout& grid) {
  const GridFlow<Capacity> found = std::move(grid_flow_);
  load_capacities();
  for (int d = 0; d < grid.directions; ++d) {
    grid.each_row(d, [&](std::int64_t first, std::int32_t tail, std::int32_t count) {
      for (std::int32_t x = 0; x < count; ++x) {
        const auto e = static_cast<std::size_t>(first + x);
        const Capacity forward = found.along(tail + x, d);
        const Capacity backward = found.against(tail + x + grid.step(d), d);
        const auto capacity = static_cast<Wide>(network_.capacity[e]);
        const auto reverse = static_cast<Wide>(network_.reverse[e]);
        Wide flow = network_.capacity[e] <= network_.reverse[e]
                        ? capacity - static_cast<Wide>(forward)
                        : static_cast<Wide>(backward) - reverse;
        if (forward == Capacity{0}) flow = capacity;
        if (backward == Capacity{0}) flow = -reverse;
        graph_.set_residuals(slot_[e], capacity - flow, reverse + flow);
      }
    });
  }
  graph_.excess.resize(network_.source.size());
  for (std::size_t i = 0; i < graph_.excess.size(); ++i) {
    graph_.excess[i] = static_cast<Wide>(found.excess[static_cast<std::ptrdiff_t>(i)]);
  }
  resumable_ = true;
}

// Solves from the last flow and trees. Returns false, with nothing solved, where an excess is out
// of range.
template <class Capacity>
bool DynamicCut<Capacity>::resume() {
  reparameterised_ |= !changed_.empty();
  for (const std::int32_t i : changed_) {
    if ((mark_[static_cast<std::size_t>(i)] & kExcess) == 0) continue;
    Wide excess{0};
    if (!excess_after_changes(i, &excess)) return false;
    solver_.set_excess(i, excess);
  }
  const bool solved = solver_.resume(graph_, changed_);
  for (const std::int32_t i : changed_) mark_[static_cast<std::size_t>(i)] = kUnmarked;
  changed_.clear();
  if (solved) {
    read_sides();
    return true;
  }
  left_ = finish_cut(graph_, side_);
  return left_ != Left::flow;
}

template <class Capacity>
void DynamicCut<Capacity>::read_sides() {
  side_.resize(network_.source.size());
  for (std::size_t i = 0; i < side_.size(); ++i) {
    side_[i] = static_cast<std::uint8_t>(solver_.in_source_set(static_cast<std::int32_t>(i)));
  }
}

// Calls crossing(e, out) for the edges between the source set and the rest, in their order; out:
// the tail is in the set.
template <class Capacity>
template <class Crossing>
void DynamicCut<Capacity>::each_crossing(Crossing&& crossing) const {
  const std::uint8_t* const side = side_.data();
  if (network_.grid) {
    const GridLayout& grid = *network_.grid;
    for (int d = 0; d < grid.directions; ++d) {
      grid.each_row(
          d, [&, step = grid.step(d)](std::int64_t e, std::int32_t tail, std::int32_t count) {
            const std::uint8_t* const tails = side + tail;
            if (std::memcmp(tails, tails + step, static_cast<std::size_t>(count)) == 0) return;
            for (std::int32_t x = 0; x < count; ++x) {
              if (tails[x] != tails[x + step])
                crossing(static_cast<std::size_t>(e + x), tails[x] != 0);
            }
          });
    }
    return;
  }
  for (std::size_t e = 0; e < network_.tail.size(); ++e) {
    const bool tail = side[network_.tail[e]] != 0, head = side[network_.head[e]] != 0;
    if (tail != head) crossing(e, tail);
  }
}

// The cost of the source set, summed in the order of the edge-list solver.
template <class Capacity>
void DynamicCut<Capacity>::sum_cut() {
  value_ = Wide{0};
  for (std::size_t i = 0; i < side_.size(); ++i) {
    value_ += static_cast<Wide>(side_[i] != 0 ? network_.sink[i] : network_.source[i]);
  }
  const Capacity* const reverse = network_.reverse_data();
  each_crossing([&](std::size_t e, bool out) {
    value_ += static_cast<Wide>(out ? network_.capacity[e] : reverse[e]);
  });
}

template <class Capacity>
typename DynamicCut<Capacity>::Wide DynamicCut<Capacity>::solve(bool reuse, int threads) {
  const bool resumes = reuse && resumable_;
  if (resumes && solved_) {
    reused_ = true;
    return value_;
  }
  solved_ = false;
  check_total(network_.source.data(), network_.sink.data(), network_.nodes());
  bool reused = false;
  if (resumes) {
    if constexpr (std::is_floating_point_v<Capacity>) {
      if (unchecked_infinity_) {
        refuse_infinite_path(graph_, network_.source.data(), network_.sink.data(), "");
      }
      unchecked_infinity_ = false;
    }
    resumable_ = false;  // while it is under way, which an exception may end
    reused = resume();
    resumable_ = true;
    if (reused) sum_cut();
    if (value_ > Wide{0} && rounding_ > kTolerance * static_cast<double>(value_)) reused = false;
  }
  if (!reused) {
    if (resumes) {
      load_capacities();
      restart();
    } else {
      start(threads);
    }
    sum_cut();
  }
  checked_value(value_, "");
  solved_ = true;
  reused_ = reused;
  return value_;
}

template <class Capacity>
void DynamicCut<Capacity>::write_source_side(bool* side) const {
  for (std::size_t i = 0; i < side_.size(); ++i) side[i] = side_[i] != 0;
}

// All that can reach demand. The sink tree has it after a resume, and its roots before.
template <class Capacity>
void DynamicCut<Capacity>::write_sink_side(bool* side) {
  ready_to_resume();
  std::vector<std::int32_t> queue;
  for (std::int32_t i = 0; i < graph_.nodes(); ++i) {
    side[i] = solver_.in_sink_tree(i);
    if (side[i]) queue.push_back(i);
  }
  for (std::size_t k = 0; k < queue.size(); ++k) {
    const auto v = static_cast<std::size_t>(queue[k]);
    for (std::int32_t a = graph_.first[v]; a != graph_.first[v + 1]; ++a) {
      const Arc<Wide>& arc = graph_.arcs[static_cast<std::size_t>(a)];
      if (!arc.sister_open() || side[arc.head()]) continue;
      side[arc.head()] = true;
      queue.push_back(arc.head());
    }
  }
}

template <class Capacity>
MaximumFlow<Capacity> DynamicCut<Capacity>::maximum_flow() {
  ready_to_resume();
  return {network_, graph_, solver_, slot_, side_, !reparameterised_};
}

template <class Capacity>
void DynamicCut<Capacity>::write_flow(Capacity* flow) {
  const MaximumFlow<Capacity> found = maximum_flow();
  for (std::size_t e = 0; e < slot_.size(); ++e) flow[e] = static_cast<Capacity>(found.net(e));
}

template <class Capacity>
void DynamicCut<Capacity>::write_residual(Wide* forward, Wide* backward) {
  const MaximumFlow<Capacity> found = maximum_flow();
  for (std::size_t e = 0; e < slot_.size(); ++e) {
    std::tie(forward[e], backward[e]) = found.residual(e);
  }
}

template <class Capacity>
std::vector<std::int64_t> DynamicCut<Capacity>::cut_edges() const {
  std::vector<std::int64_t> cut;
  const Capacity* const reverse = network_.reverse_data();
  each_crossing([&](std::size_t e, bool out) {
    if ((out ? network_.capacity[e] : reverse[e]) > Capacity{0}) {
      cut.push_back(static_cast<std::int64_t>(e));
    }
  });
  return cut;
}

template class DynamicCut<float>;
template class DynamicCut<double>;
template class DynamicCut<std::int32_t>;
template class DynamicCut<std::int64_t>;

}  // namespace graphcut::maxflow
