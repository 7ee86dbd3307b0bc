// The best choice between two labels at every node, by a minimum cut over the nodes that need one.
//
//   choice.weigh(i, difference);  // for every node that may choose, in any order, in threads too
//   choice.add(i);                // for those that weigh() left open or sure of their second label
//   choice.solve(method);
//   ... choice.nodes(), choice.takes_second(i) ...
//   choice.clear();
//
// Note [Sure nodes]: what the second label of a node costs more than the first lies between two
// bounds: the most, where all its neighbours take their first, and that less all products (see
// Table), where all take their second. A node whose bounds have one sign takes no part in the cut.
// Its neighbours' bounds draw nearer to each other then, which makes more nodes sure. In late
// cycles hardly any are left.
//
// Note [Label costs]: A. Delong, A. Osokin, H. Isack, Y. Boykov, "Fast approximate energy
// minimization with label costs", IJCV 2012. A set of labels that costs h and that n nodes use is
// given up where all of them take their second label. A node y of its own, 1 where the set is given
// up, makes that a matter of pairs ::
//
//   h (1 - y) + sum_i h y (1 - x_i)  =  h + h (n - 1) y - sum_i h x_i y
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "maxflow/cut.hpp"
#include "maxflow/graph.hpp"
#include "maxflow/method.hpp"
#include "moves/adjacency.hpp"
#include "moves/labelling.hpp"
#include "moves/table.hpp"

namespace graphcut::moves {

// Of the cheapest choices the one of the fewest second labels.
template <class Cost>
class Choice {
 public:
  enum class State : std::uint8_t { first, second, open };

  Choice(const Adjacency<Cost>& adjacency, const Labelling<Cost>& labels, const Table<Cost>& table,
         std::int64_t nodes)
      : adjacency_(adjacency),
        labels_(labels),
        table_(table),
        nodes_in_all_(static_cast<std::int32_t>(nodes)),
        state_(static_cast<std::size_t>(nodes + labels.sets().count()), State::first),
        bounds_(state_.size()),
        users_(static_cast<std::size_t>(labels.sets().count())) {}

  // What is sure of node i, whose second label costs `difference` more than the first at the node
  // itself, and may save up to `saved` of the costs of sets. It stays so until the label of a
  // neighbour changes.
  State weigh(std::int32_t i, Cost difference, Cost saved = Cost{0}) {
    Cost most = difference, products{0};
    each_link(i, [&](const Link<Cost>& link, const Entry<Cost>& entry) {
      most += link.weight * entry.change;
      products += link.weight * entry.product;
    });
    Bounds& bounds = at(i);
    bounds.most = most;
    bounds.products = products + saved;
    return state_[place(i)] = sure(bounds);
  }

  void add(std::int32_t i) { nodes_.push_back(i); }
  // A node that has its second label without a choice.
  void add_second(std::int32_t i) {
    state_[place(i)] = State::second;
    nodes_.push_back(i);
  }

  const std::vector<std::int32_t>& nodes() const { return nodes_; }
  bool takes_second(std::int32_t i) const { return state_[place(i)] == State::second; }

  // Calls act(j) for the nodes next to i with which it saves something where both take their
  // second.
  template <class Act>
  void each_partner(std::int32_t i, Act&& act) const {
    each_link(i, [&](const Link<Cost>& link, const Entry<Cost>& entry) {
      if (link.weight * entry.product > Cost{0}) act(link.node());
    });
  }

  // A set of labels that is given up where all its users, which have been added, take their second.
  void add_set(std::int32_t set) {
    const LabelSets<Cost>& sets = labels_.sets();
    auto& users = users_[place(set)];
    for (const std::int32_t i : nodes_) {
      const auto& of = sets.of(labels_[i]);
      if (std::binary_search(of.begin(), of.end(), set)) users.push_back(i);
    }
    sets_.push_back(nodes_in_all_ + set);
    at(sets_.back()).most = sets.cost(set) * static_cast<Cost>(sets.users(set) - 1);
    state_[place(sets_.back())] = State::open;
  }

  void clear() {
    for (const std::int32_t i : nodes_) state_[place(i)] = State::first;
    nodes_.clear();
    for (const std::int32_t s : sets_) {
      state_[place(s)] = State::first;
      users_[place(s - nodes_in_all_)].clear();
    }
    sets_.clear();
  }

  void solve(maxflow::Method method) {
    open_.clear();
    for (const std::int32_t i : nodes_) {
      if (is_open(i)) open_.push_back(i);
    }
    open_.insert(open_.end(), sets_.begin(), sets_.end());
    for (const std::int32_t i : open_) look_around(i);
    for (const std::int32_t i : open_) {
      if (is_open(i)) decide(i);
    }
    while (!decided_.empty()) {
      const std::int32_t i = decided_.back();
      decided_.pop_back();
      tell_neighbours(i);
    }
    std::erase_if(open_, [this](std::int32_t i) { return !is_open(i); });
    if (!open_.empty()) cut(method);
  }

 private:
  struct Bounds {
    Cost most, products;
    std::int32_t degree, number;  // of edges to open nodes; of the node in the graph
  };

  static std::size_t place(std::int32_t i) { return static_cast<std::size_t>(i); }
  Bounds& at(std::int32_t i) { return bounds_[place(i)]; }
  bool is_open(std::int32_t i) const { return state_[place(i)] == State::open; }

  static State sure(const Bounds& bounds) {
    if (bounds.most >= bounds.products) return State::first;
    return bounds.most < Cost{0} ? State::second : State::open;
  }

  // Calls act(link, entry) for the links of i.
  template <class Act>
  void each_link(std::int32_t i, Act&& act) const {
    const Link<Cost>* const end = adjacency_.end(i);
    const std::int32_t* const labels = labels_.labels();
    if (!table_.is_looked_up()) {
      for (const Link<Cost>* link = adjacency_.begin(i); link != end; ++link) {
        act(*link, table_.of_link(labels, i, *link));
      }
      return;
    }
    const auto rows = table_.rows(labels[i]);
    for (const Link<Cost>* link = adjacency_.begin(i); link != end; ++link) {
      act(*link, rows[link->towards()][labels[link->node()]]);
    }
  }

  // Calls act(j, product) for the neighbours of i that the choice at i matters to; sets of labels
  // and their users are neighbours.
  template <class Act>
  void each_product(std::int32_t i, Act&& act) const {
    const LabelSets<Cost>& sets = labels_.sets();
    if (i >= nodes_in_all_) {
      for (const std::int32_t j : users_[place(i - nodes_in_all_)]) {
        if (state_[place(j)] != State::first) act(j, sets.cost(i - nodes_in_all_));
      }
      return;
    }
    if (!sets_.empty()) {
      for (const std::int32_t set : sets.of(labels_[i])) {
        if (state_[place(nodes_in_all_ + set)] != State::first) {
          act(nodes_in_all_ + set, sets.cost(set));
        }
      }
    }
    each_link(i, [&](const Link<Cost>& link, const Entry<Cost>& entry) {
      const std::int32_t j = link.node();
      if (state_[place(j)] == State::first) return;
      const Cost product = link.weight * entry.product;
      if (product > Cost{0}) act(j, product);
    });
  }

  // Sets the bounds of i to what is sure of its neighbours.
  void look_around(std::int32_t i) {
    Bounds& bounds = at(i);
    bounds.products = Cost{0};
    bounds.degree = 0;
    each_product(i, [&](std::int32_t j, Cost product) {
      if (is_open(j)) {
        bounds.products += product;
        ++bounds.degree;
      } else {
        bounds.most -= product;
      }
    });
  }

  void decide(std::int32_t i) {
    const State state = sure(at(i));
    if (state == State::open) return;
    state_[place(i)] = state;
    decided_.push_back(i);
  }

  void tell_neighbours(std::int32_t i) {
    const bool second = takes_second(i);
    each_product(i, [&](std::int32_t j, Cost product) {
      if (!is_open(j)) return;
      Bounds& bounds = at(j);
      bounds.products -= product;
      if (second) bounds.most -= product;
      --bounds.degree;
      decide(j);
    });
  }

  // The capacities F (paid by x_u = 1, x_v = 0) and P - F (paid by the reverse) make up a product;
  // F goes to the excess of u and P - F to that of v. Excess starts as demand, and F is what the
  // demand of u takes.
  void cut(maxflow::Method method) {
    const auto count = static_cast<std::int32_t>(open_.size());
    auto& first = graph_.first;
    first.resize(open_.size() + 1);
    graph_.excess.resize(open_.size());
    filled_.resize(open_.size());
    std::int32_t total = 0;
    for (std::int32_t k = 0; k < count; ++k) {
      Bounds& bounds = at(open_[place(k)]);
      bounds.number = k;
      graph_.excess[place(k)] = -bounds.most;
      first[place(k)] = filled_[place(k)] = total;
      total += bounds.degree;
    }
    first[place(count)] = total;
    graph_.arcs.resize(static_cast<std::size_t>(total) + maxflow::Graph<Cost>::kPadding);
    for (std::size_t a = 0; a < maxflow::Graph<Cost>::kPadding; ++a) {
      graph_.arcs[static_cast<std::size_t>(total) + a] = {0, 0, Cost{0}};
    }
    for (std::int32_t k = 0; k < count; ++k) lay_arcs(k);
    if (side_size_ < open_.size()) {
      side_size_ = 2 * open_.size();
      side_.reset(new bool[side_size_]);
    }
    graph_.evened_out = false;
    const bool asked = method != maxflow::Method::automatic;
    maxflow::cut(graph_, *solvers_,
                 asked ? maxflow::Choice{method}
                       : maxflow::Choice{maxflow::Method::incremental_bfs, maxflow::kPatience},
                 side_.get());
    for (std::int32_t k = 0; k < count; ++k) {
      state_[place(open_[place(k)])] = side_[place(k)] ? State::second : State::first;
    }
  }

  void lay_arcs(std::int32_t k) {
    Cost& excess = graph_.excess[place(k)];
    each_product(open_[place(k)], [&](std::int32_t j, Cost product) {
      if (!is_open(j)) return;
      const std::int32_t m = at(j).number;
      if (m < k) return;  // laid there
      const Cost forward = std::clamp(-excess, Cost{0}, product);
      const Cost backward = product - forward;
      excess += forward;
      graph_.excess[place(m)] += backward;
      const std::int32_t a = filled_[place(k)]++, b = filled_[place(m)]++;
      const auto open = static_cast<std::uint32_t>(forward > Cost{0});
      const auto back = static_cast<std::uint32_t>(backward > Cost{0});
      graph_.arcs[place(a)] = {4 * static_cast<std::uint32_t>(m) + 2 * back + open, b, forward};
      graph_.arcs[place(b)] = {4 * static_cast<std::uint32_t>(k) + 2 * open + back, a, backward};
    });
  }

  const Adjacency<Cost>& adjacency_;
  const Labelling<Cost>& labels_;
  const Table<Cost>& table_;
  std::int32_t nodes_in_all_;
  std::vector<State> state_;    // (nodes, then sets); first where neither in nodes_ nor in sets_
  std::vector<Bounds> bounds_;  // (nodes, then sets)
  std::vector<std::vector<std::int32_t>> users_;  // (sets), empty where not in sets_
  std::vector<std::int32_t> sets_;                // that may be given up, numbered after the nodes
  std::vector<std::int32_t> nodes_;               // that may take their second label
  std::vector<std::int32_t> open_;                // that are not sure yet
  std::vector<std::int32_t> decided_;             // whose neighbours do not know yet
  maxflow::Graph<Cost> graph_;
  std::vector<std::int32_t> filled_;  // where the next arc of a node goes
  std::unique_ptr<maxflow::Solvers<Cost>> solvers_ = std::make_unique<maxflow::Solvers<Cost>>();
  std::unique_ptr<bool[]> side_;
  std::size_t side_size_ = 0;
};

}  // namespace graphcut::moves
