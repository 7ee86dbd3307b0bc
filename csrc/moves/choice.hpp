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
        users_(static_cast<std::size_t>(labels.sets().count())),
        arcs_to_(users_.size()) {}

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
  // A node that takes part in solve_part().
  void add_open(std::int32_t i) {
    state_[place(i)] = State::open;
    nodes_.push_back(i);
  }
  // Node i, which was weighed, is not added after all.
  void drop(std::int32_t i) { state_[place(i)] = State::first; }

  // Note [Kept shares]. Starts from the `shares` (edges) that the tails of edges have of products,
  // where they are `known`, and leaves there those of the flow that it ends with. Null: neither.
  void keep_shares(Cost* shares, bool known) {
    shares_ = shares;
    known_ = known && shares != nullptr;
    are_kept_ = shares != nullptr;
  }
  // Whether the shares are now those of a flow after which no node supplies but those that take
  // their second label.
  bool are_shares_kept() const { return are_kept_; }
  // A node that has its second label without a choice.
  void add_second(std::int32_t i) {
    state_[place(i)] = State::second;
    nodes_.push_back(i);
  }

  const std::vector<std::int32_t>& nodes() const { return nodes_; }
  bool takes_first(std::int32_t i) const { return state_[place(i)] == State::first; }
  bool takes_second(std::int32_t i) const { return state_[place(i)] == State::second; }

  // What node i, which was weighed, supplies by its shares; demands where below 0.
  Cost supply(std::int32_t i) const {
    Cost kept = -bounds_[place(i)].most;
    each_share(i, [&](const Link<Cost>& /*link*/, Cost /*product*/, Cost own) { kept += own; });
    return kept;
  }
  // Hands the supply of node i, which was weighed, to neighbours that demand; weigh(j) is weigh()
  // of node j. Returns whether it supplies nothing then.
  template <class Weigh>
  bool hand_out(std::int32_t i, Weigh&& weigh) {
    Cost left = supply(i);
    each_share(i, [&](const Link<Cost>& link, Cost product, Cost own) {
      if (!(left > Cost{0}) || !(own > Cost{0})) return;
      const std::int32_t j = link.node();
      Cost flow = std::min(left, own);
      if (weigh(j) != State::first) flow = std::clamp(-supply(j), Cost{0}, flow);
      drop(j);
      set_share(link, product, own - flow);
      left -= flow;
    });
    return !(left > Cost{0});
  }
  // Calls act(j) for the nodes next to i that i has a share to hand to.
  template <class Act>
  void each_way_out(std::int32_t i, Act&& act) const {
    each_share(i, [&](const Link<Cost>& link, Cost /*product*/, Cost own) {
      if (own > Cost{0}) act(link.node());
    });
  }
  // Gives node i, which is sure of its first label whatever its shares, all of its products.
  void take_shares(std::int32_t i) {
    each_share(i, [&](const Link<Cost>& link, Cost product, Cost /*own*/) {
      set_share(link, product, product);
    });
  }

  // A set of labels that is given up where all its users, which add_users() finds among the nodes
  // added, take their second.
  void add_set(std::int32_t set) {
    const LabelSets<Cost>& sets = labels_.sets();
    sets_.push_back(nodes_in_all_ + set);
    at(sets_.back()).most = sets.cost(set) * static_cast<Cost>(sets.users(set) - 1);
    state_[place(sets_.back())] = State::open;
  }

  // To be called after the last add_set().
  void add_users() {
    if (sets_.empty()) return;
    for (const std::int32_t i : nodes_) {
      for (const std::int32_t set : labels_.sets().of(labels_[i])) {
        if (is_open(nodes_in_all_ + set)) users_[place(set)].push_back(i);
      }
    }
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
    const bool reduces = --until_reduced_ <= 0;
    for (const std::int32_t i : nodes_) {
      if (!reduces) state_[place(i)] = State::open;
      if (is_open(i)) open_.push_back(i);
    }
    open_.insert(open_.end(), sets_.begin(), sets_.end());
    if (reduces) {
      reduce();
    } else if (shares_ != nullptr) {
      for (const std::int32_t i : open_) hand_to_first(i);
    }
    if (!open_.empty()) cut(method, [this](std::int32_t i) { return -at(i).most; });
  }

  // The same of the nodes of add_open() alone, of known shares: all others keep theirs of the edges
  // between.
  void solve_part(maxflow::Method method) {
    std::sort(nodes_.begin(), nodes_.end());  // neighbours lie close together
    open_ = nodes_;
    for (const std::int32_t i : open_) state_[place(i)] = State::open;
    for (const std::int32_t i : open_) {
      Bounds& bounds = at(i);
      bounds.products = Cost{0};
      each_share(i, [&](const Link<Cost>& link, Cost /*product*/, Cost own) {
        if (!is_open(link.node())) bounds.products += own;
      });
    }
    cut(method, [this](std::int32_t i) { return at(i).products - at(i).most; });
  }

 private:
  struct Bounds {
    Cost most, products;
    std::int32_t number;  // of the node in the graph
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

  // Calls act(link, product, own) for the links of i of products above 0, with its share of them.
  template <class Act>
  void each_share(std::int32_t i, Act&& act) const {
    each_link(i, [&](const Link<Cost>& link, const Entry<Cost>& entry) {
      const Cost product = link.weight * entry.product;
      if (!(product > Cost{0})) return;
      act(link, product, share(link, product));
    });
  }
  Cost share(const Link<Cost>& link, Cost product) const {
    const Cost tail = std::min(shares_[link.edge], product);
    return link.towards() == 0 ? tail : product - tail;
  }
  void set_share(const Link<Cost>& link, Cost product, Cost own) {
    shares_[link.edge] = link.towards() == 0 ? own : product - own;
  }

  // Calls act(j, product, link) for the neighbours of i that the choice at i matters to; sets of
  // labels and their users are neighbours.
  template <class Act>
  void each_product(std::int32_t i, Act&& act) const {
    const LabelSets<Cost>& sets = labels_.sets();
    if (i >= nodes_in_all_) {
      for (const std::int32_t j : users_[place(i - nodes_in_all_)]) {
        if (state_[place(j)] != State::first) act(j, sets.cost(i - nodes_in_all_), nullptr);
      }
      return;
    }
    if (!sets_.empty()) {
      for (const std::int32_t set : sets.of(labels_[i])) {
        if (state_[place(nodes_in_all_ + set)] != State::first) {
          act(nodes_in_all_ + set, sets.cost(set), nullptr);
        }
      }
    }
    each_link(i, [&](const Link<Cost>& link, const Entry<Cost>& entry) {
      const std::int32_t j = link.node();
      if (state_[place(j)] == State::first) return;
      const Cost product = link.weight * entry.product;
      if (product > Cost{0}) act(j, product, &link);
    });
  }

  // Takes nodes out of open_ that are sure of their label. Where few are, which is the same for
  // moves in a row, it is not tried for a while.
  void reduce() {
    const std::size_t before = open_.size();
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
    if (sets_.empty() && before - open_.size() < before / 8) until_reduced_ = 8;
  }

  // Sets the bounds of i to what is sure of its neighbours.
  void look_around(std::int32_t i) {
    Bounds& bounds = at(i);
    bounds.products = Cost{0};
    each_product(i, [&](std::int32_t j, Cost product, const Link<Cost>* /*link*/) {
      if (is_open(j)) {
        bounds.products += product;
      } else {
        bounds.most -= product;
      }
    });
    if (shares_ != nullptr) hand_to_first(i);
  }

  // Neighbours that take their first label have all of the products with i, which they may need.
  void hand_to_first(std::int32_t i) {
    if (i >= nodes_in_all_) return;  // a set
    each_share(i, [&](const Link<Cost>& link, Cost product, Cost /*own*/) {
      if (state_[place(link.node())] == State::first) set_share(link, product, Cost{0});
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
    each_product(i, [&](std::int32_t j, Cost product, const Link<Cost>* link) {
      if (!is_open(j)) return;
      if (shares_ != nullptr && link != nullptr && !second) set_share(*link, product, product);
      Bounds& bounds = at(j);
      bounds.products -= product;
      if (second) bounds.most -= product;
      decide(j);
    });
  }

  // The capacities F (paid by x_u = 1, x_v = 0) and P - F (paid by the reverse) make up a product;
  // F goes to the excess of u and P - F to that of v. Excess starts as demand, and F is what the
  // demand of u takes.
  template <class Excess>
  void cut(maxflow::Method method, Excess&& excess) {
    lay(excess);
    const auto count = static_cast<std::int32_t>(open_.size());
    if (side_size_ < open_.size()) {
      side_size_ = 2 * open_.size();
      side_.reset(new bool[side_size_]);
    }
    graph_.evened_out = false;
    const bool asked = method != maxflow::Method::automatic;
    const maxflow::Left left =
        solvers_.cut(graph_,
                     asked ? maxflow::Choice{method}
                           : maxflow::Choice{maxflow::Method::incremental_bfs, maxflow::kPatience},
                     side_.get());
    if (left != maxflow::Left::reversed) {
      for (const Laid& laid : laid_) shares_[laid.edge] = graph_.arcs[place(laid.arc)].residual;
    } else if (shares_ != nullptr) {
      are_kept_ = false;
    }
    for (std::int32_t k = 0; k < count; ++k) {
      state_[place(open_[place(k)])] = side_[place(k)] ? State::second : State::first;
    }
  }

  template <class Excess>
  void lay(Excess&& excess) {
    const auto count = static_cast<std::int32_t>(open_.size());
    graph_.first.resize(open_.size() + 1);
    graph_.excess.resize(open_.size());
    std::size_t most = 0;  // arcs
    for (std::int32_t k = 0; k < count; ++k) {
      const std::int32_t i = open_[place(k)];
      at(i).number = k;
      graph_.excess[place(k)] = excess(i);
      most += most_arcs(i);
    }
    graph_.arcs.resize(most + maxflow::Graph<Cost>::kPadding);
    arc_of_edge_.resize(adjacency_.edges());
    for (const std::int32_t s : sets_) arcs_to_[place(s - nodes_in_all_)].clear();
    laid_.clear();
    std::int32_t next = 0;
    for (std::int32_t k = 0; k < count; ++k) {
      graph_.first[place(k)] = next;
      next = lay_arcs(k, next);
    }
    graph_.first[place(count)] = next;
    for (std::size_t a = 0; a < maxflow::Graph<Cost>::kPadding; ++a) {
      graph_.arcs[place(next) + a] = {0, 0, Cost{0}};
    }
  }

  std::size_t most_arcs(std::int32_t i) const {
    if (i >= nodes_in_all_) return users_[place(i - nodes_in_all_)].size();
    const std::size_t sets = sets_.empty() ? 0 : labels_.sets().of(labels_[i]).size();
    return static_cast<std::size_t>(adjacency_.end(i) - adjacency_.begin(i)) + sets;
  }

  // Lays the arcs of node k from `next` on; returns where the next node's begin.
  std::int32_t lay_arcs(std::int32_t k, std::int32_t next) {
    maxflow::Arc<Cost>* const arcs = graph_.arcs.data();
    const std::int32_t i = open_[place(k)];
    std::size_t user = 0;
    each_product(i, [&](std::int32_t j, Cost product, const Link<Cost>* link) {
      if (!is_open(j)) return;
      const std::int32_t m = at(j).number;
      const std::int32_t a = next++;
      if (m < k) {  // whose arc was laid before
        const std::int32_t b = link != nullptr ? arc_of_edge_[place(link->edge)]
                                               : arcs_to_[place(i - nodes_in_all_)][user++];
        const Cost forward = arcs[b].residual, backward = product - forward;
        const auto open = static_cast<std::uint32_t>(forward > Cost{0});
        const auto back = static_cast<std::uint32_t>(backward > Cost{0});
        arcs[a] = {4 * static_cast<std::uint32_t>(m) + 2 * open + back, b, backward};
        arcs[b].bits |= 2 * back;
        arcs[b].sister = a;
        if (shares_ != nullptr && link != nullptr)
          laid_.push_back({link->towards() == 0 ? a : b, link->edge});
        return;
      }
      Cost& excess = graph_.excess[place(k)];
      const Cost forward =
          known_ && link != nullptr ? share(*link, product) : std::clamp(-excess, Cost{0}, product);
      excess += forward;
      graph_.excess[place(m)] += product - forward;
      const auto open = static_cast<std::uint32_t>(forward > Cost{0});
      arcs[a] = {4 * static_cast<std::uint32_t>(m) + open, 0, forward};
      if (link != nullptr) {
        arc_of_edge_[place(link->edge)] = a;
      } else {
        arcs_to_[place(j - nodes_in_all_)].push_back(a);
      }
    });
    return next;
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
  struct Laid {
    std::int32_t arc, edge;  // from the tail of an edge, and that edge
  };
  Cost* shares_ = nullptr;
  bool known_ = false, are_kept_ = false;
  std::vector<Laid> laid_;
  maxflow::Graph<Cost> graph_;
  int until_reduced_ = 0;
  maxflow::Store<std::int32_t> arc_of_edge_;        // (edges): that from the end laid first
  std::vector<std::vector<std::int32_t>> arcs_to_;  // (sets): arcs from users
  maxflow::Solvers<Cost> solvers_;
  std::unique_ptr<bool[]> side_;
  std::size_t side_size_ = 0;
};

}  // namespace graphcut::moves
