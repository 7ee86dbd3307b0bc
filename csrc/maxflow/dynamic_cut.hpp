// One graph, its minimum cut, and new minimum cuts after changes of it.
//
//   DynamicCut<float> cut;
//   cut.add_nodes(2);
//   cut.add_edges(1, &tail, &head, &capacity, &reverse);
//   cut.set_terminals(2, nodes, source, sink);
//   cut.solve(true, 1);
//   cut.set_capacities(1, &edge, &capacity, &reverse);
//   cut.solve(true, 1);                        // goes on from the flow and the trees it has
//
// The first solve is by the solver that suits the graph; grids have one of their own. Later ones
// are by Boykov-Kolmogorov, whose trees the first of them grows.
//
// Changes throw as those of Network do, with nothing changed. Numbers that are given repeatedly
// count in turn. Not for use from several threads at once.
#pragma once

#include <cstdint>
#include <vector>

#include "maxflow/cut.hpp"
#include "maxflow/graph.hpp"
#include "maxflow/grid_cut.hpp"
#include "maxflow/maximum_flow.hpp"
#include "maxflow/network.hpp"
#include "maxflow/resumable_boykov_kolmogorov.hpp"

namespace graphcut::maxflow {

template <class Capacity>
class DynamicCut {
 public:
  // Of residuals too, even for float32, so that changes do not add up to visible errors.
  using Wide = Value<Capacity>;

  const Network<Capacity>& network() const { return network_; }

  // Both return the number of the first that is new; the others follow.
  std::int64_t add_nodes(std::int64_t count);
  std::int64_t add_edges(std::int64_t count, const std::int64_t* tail, const std::int64_t* head,
                         const Capacity* capacity, const Capacity* reverse);

  // The first nodes and edges, see Network.
  void add_grid(const GridLayout& layout, const Capacity* capacity, const Capacity* reverse);

  void add_terminals(std::int64_t count, const std::int64_t* nodes, const Capacity* source,
                     const Capacity* sink);
  // Null: that terminal is left as it is.
  void set_terminals(std::int64_t count, const std::int64_t* nodes, const Capacity* source,
                     const Capacity* sink);
  void set_capacities(std::int64_t count, const std::int64_t* edges, const Capacity* capacity,
                      const Capacity* reverse);

  // Capacity of the minimum cut. `reuse`: go on from the last solve, where there is one and neither
  // nodes nor edges were added since. Throws std::invalid_argument where no finite cut exists or
  // its value is out of range; the graph can then still be changed and solved. The result does not
  // depend on `threads`.
  Wide solve(bool reuse, int threads);

  bool solved() const { return solved_; }  // since the last change
  bool reused() const { return reused_; }  // whether the last solve went on from the one before

  // Of the last solve; all require solved().
  Wide value() const { return value_; }
  void write_source_side(bool* side) const;            // (nodes): the minimal source set
  void write_sink_side(bool* side);                    // (nodes): the minimal sink set
  std::vector<std::int64_t> cut_edges() const;         // ascending
  void write_flow(Capacity* flow);                     // (edges): net, tail to head
  void write_residual(Wide* forward, Wide* backward);  // (edges) each

 private:
  enum Mark : std::uint8_t { kUnmarked = 0, kArcs = 1, kExcess = 2 };

  void mark(std::int32_t i, Mark what);
  void change_edge(std::size_t e, Capacity capacity, Capacity reverse);
  MaximumFlow<Capacity> maximum_flow();
  bool excess_after_changes(std::int32_t i, Wide* excess);
  void load_capacities();
  GridResult solve_as_grid(int threads);
  void start(int threads);
  void restart();
  void ready_to_change(std::int64_t changes, std::int64_t all);
  void ready_to_resume();
  void load_grid(const GridLayout& grid);
  template <class Crossing>
  void each_crossing(Crossing&& crossing) const;
  bool resume();
  void read_sides();
  void sum_cut();

  Network<Capacity> network_;
  Graph<Wide> graph_;
  std::vector<std::int32_t> slot_;   // (edges): arc from tail to head, -1 for a self-loop
  bool laid_out_ = false;            // graph_ and slot_ have all nodes and edges
  bool resumable_ = false;           // graph_, or grid_flow_, holds a flow within the capacities
  GridFlow<Capacity> grid_flow_;     // empty unless the last solve left it
  Left left_ = Left::flow;           // unless flow: how graph_ was left, and solver_ knows nothing
  bool unchecked_infinity_ = false;  // infinite capacities came in since paths were searched for
  ResumableBoykovKolmogorov<Wide> solver_;
  std::vector<std::uint8_t> mark_;     // (nodes), of Mark; kept while resumable_
  std::vector<std::int32_t> changed_;  // the marked nodes
  bool reparameterised_ = false;       // since the restart: the flow may exceed terminals
  double rounding_ = 0;                // bound of what changes since the restart rounded away

  std::vector<std::uint8_t> side_;  // (nodes): whether in the minimal source set
  Wide value_{0};
  bool solved_ = false, reused_ = false;
};

}  // namespace graphcut::maxflow
