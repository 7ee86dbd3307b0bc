// The nodes, edges and capacities of a graph that grows and changes.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "maxflow/grid_layout.hpp"

namespace graphcut::maxflow {

// Every member checks all it is given first, and throws std::invalid_argument (a capacity),
// std::out_of_range (a number) or std::bad_alloc with nothing changed.
template <class Capacity>
struct Network {
  std::vector<std::int32_t> tail, head;  // (edges), or empty: those of `grid`
  std::vector<Capacity> capacity,
      reverse;                         // (edges): tail to head, head to tail; no reverse: equal
  std::vector<Capacity> source, sink;  // (nodes): source to node, node to sink
  std::optional<GridLayout> grid;      // of all nodes and edges

  std::int64_t nodes() const { return static_cast<std::int64_t>(source.size()); }
  std::int64_t edges() const { return static_cast<std::int64_t>(capacity.size()); }
  const Capacity* reverse_data() const {
    return reverse.empty() ? capacity.data() : reverse.data();
  }

  // Fills `tail`, `head` and `reverse`, which all below but nodes(), edges() and add_grid requires
  // of who reads them.
  void list_edges();

  // Nodes without terminals. Returns the number of the first; the others follow.
  std::int64_t add_nodes(std::int64_t count);
  // The same for edges.
  std::int64_t add_edges(std::int64_t count, const std::int64_t* tails, const std::int64_t* heads,
                         const Capacity* forward, const Capacity* backward);

  // Nodes and edges of a grid, as the first of a network. Null `backward`: equal to `forward`.
  void add_grid(const GridLayout& layout, const Capacity* forward, const Capacity* backward);

  // Both return whether an infinite capacity is among what was given; null gives none.
  bool check_terminals(std::int64_t count, const std::int64_t* numbers, const Capacity* from_source,
                       const Capacity* to_sink) const;
  bool check_capacities(std::int64_t count, const std::int64_t* numbers, const Capacity* forward,
                        const Capacity* backward) const;

  // What the terminals of nodes come to when these are added in turn, out (count) each: assigned in
  // turn, they leave every node with its sum. Changes nothing in the end.
  void sum_terminals(std::int64_t count, const std::int64_t* numbers, const Capacity* from_source,
                     const Capacity* to_sink, Capacity* source_sums, Capacity* sink_sums);
};

}  // namespace graphcut::maxflow
