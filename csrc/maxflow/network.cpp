#include "maxflow/network.hpp"

#include <algorithm>
#include <limits>
#include <sstream>
#include <stdexcept>
#include <string>
#include <utility>

#include "maxflow/capacities.hpp"
#include "maxflow/graph.hpp"

namespace graphcut::maxflow {
namespace {

void check_numbers(const std::int64_t* numbers, std::int64_t count, std::int64_t size,
                   const char* name, const char* what) {
  bool outside = false;  // no branch: vectorised
  for (std::int64_t k = 0; k < count; ++k) {
    outside |= static_cast<std::uint64_t>(numbers[k]) >= static_cast<std::uint64_t>(size);
  }
  if (!outside) return;
  for (std::int64_t k = 0; k < count; ++k) {
    if (numbers[k] >= 0 && numbers[k] < size) continue;
    throw std::out_of_range(std::string(name) + " is " + std::to_string(numbers[k]) + " at entry " +
                            std::to_string(k) + ", out of range for " + std::to_string(size) + " " +
                            what);
  }
}

// Returns whether any is infinite.
template <class Capacity>
bool check_row(const Capacity* row, std::int64_t count, const char* name) {
  return row != nullptr && check_capacities(Rows<Capacity>{row, count, 0}, 1, name, "entry");
}

template <class Capacity>
bool check_links(const Capacity* forward, const Capacity* backward, std::int64_t count) {
  const bool infinite = check_row(forward, count, "capacity");
  const bool same = backward == forward;
  const bool infinite_back = same ? infinite : check_row(backward, count, "reverse_capacity");
  if constexpr (std::is_same_v<Capacity, Value<Capacity>>) check_sums(forward, backward, count);
  return infinite || infinite_back;
}

}  // namespace

template <class Capacity>
void Network<Capacity>::list_edges() {
  if (reverse.empty()) reverse = capacity;
  if (!grid || tail.size() == capacity.size()) return;
  std::vector<std::int32_t> tails(capacity.size()), heads(capacity.size());
  grid->each_edge([&](std::int64_t e, std::int32_t u, std::int32_t v) {
    tails[static_cast<std::size_t>(e)] = u;
    heads[static_cast<std::size_t>(e)] = v;
  });
  tail.swap(tails);
  head.swap(heads);
}

template <class Capacity>
void Network<Capacity>::add_grid(const GridLayout& layout, const Capacity* forward,
                                 const Capacity* backward) {
  if (nodes() > 0) throw std::invalid_argument("shape: a grid must come before all other nodes");
  const std::int64_t count = layout.edges();
  if (count > kMaxEdges) {
    throw std::invalid_argument("shape has " + std::to_string(count) +
                                " edges, too many: a graph has at most 2^30 - 1");
  }
  check_links(forward, backward == nullptr ? forward : backward, count);
  Network fresh;
  fresh.add_nodes(layout.nodes());
  fresh.capacity.assign(forward, forward + count);
  if (backward != nullptr) fresh.reverse.assign(backward, backward + count);
  fresh.grid = layout;
  *this = std::move(fresh);
}

template <class Capacity>
std::int64_t Network<Capacity>::add_nodes(std::int64_t count) {
  const std::int64_t before = nodes();
  if (count < 0) throw std::invalid_argument("n must be >= 0, not " + std::to_string(count));
  if (count > kMaxNodes - before) {
    throw std::invalid_argument("n is " + std::to_string(count) + " after " +
                                std::to_string(before) +
                                " nodes, too many: a graph has at most 2^30 - 1");
  }
  list_edges();
  const auto after = static_cast<std::size_t>(before + count);
  source.resize(after);
  try {
    sink.resize(after);
  } catch (...) {
    source.resize(static_cast<std::size_t>(before));
    throw;
  }
  if (count > 0) grid.reset();
  return before;
}

template <class Capacity>
std::int64_t Network<Capacity>::add_edges(std::int64_t count, const std::int64_t* tails,
                                          const std::int64_t* heads, const Capacity* forward,
                                          const Capacity* backward) {
  const std::int64_t before = edges();
  if (count > kMaxEdges - before) {
    throw std::invalid_argument("tail has " + std::to_string(count) + " entries after " +
                                std::to_string(before) +
                                " edges, too many: a graph has at most 2^30 - 1");
  }
  check_numbers(tails, count, nodes(), "tail", "nodes");
  check_numbers(heads, count, nodes(), "head", "nodes");
  check_links(forward, backward, count);
  list_edges();
  const auto size = static_cast<std::size_t>(before + count);
  const auto grow = [size](auto& column) {
    if (size > column.capacity()) column.reserve(std::max(size, 2 * column.size()));
  };
  grow(tail);
  grow(head);
  grow(capacity);
  grow(reverse);  // now nothing can fail
  tail.insert(tail.end(), tails, tails + count);
  head.insert(head.end(), heads, heads + count);
  capacity.insert(capacity.end(), forward, forward + count);
  reverse.insert(reverse.end(), backward, backward + count);
  if (count > 0) grid.reset();
  return before;
}

template <class Capacity>
bool Network<Capacity>::check_terminals(std::int64_t count, const std::int64_t* numbers,
                                        const Capacity* from_source,
                                        const Capacity* to_sink) const {
  check_numbers(numbers, count, nodes(), "nodes", "nodes");
  const bool infinite = check_row(from_source, count, "source");
  return check_row(to_sink, count, "sink") || infinite;
}

template <class Capacity>
bool Network<Capacity>::check_capacities(std::int64_t count, const std::int64_t* numbers,
                                         const Capacity* forward, const Capacity* backward) const {
  check_numbers(numbers, count, edges(), "edges", "edges");
  return check_links(forward, backward, count);
}

template <class Capacity>
void Network<Capacity>::sum_terminals(std::int64_t count, const std::int64_t* numbers,
                                      const Capacity* from_source, const Capacity* to_sink,
                                      Capacity* source_sums, Capacity* sink_sums) {
  check_terminals(count, numbers, from_source, to_sink);
  std::vector<std::pair<Capacity, Capacity>> before;
  before.reserve(static_cast<std::size_t>(count));
  auto put_back = [&] {
    for (std::size_t k = before.size(); k-- > 0;) {
      const auto i = static_cast<std::size_t>(numbers[k]);
      source[i] = before[k].first;
      sink[i] = before[k].second;
    }
  };
  for (std::int64_t k = 0; k < count; ++k) {
    const auto i = static_cast<std::size_t>(numbers[k]);
    const bool source_fits = !sum_overflows(source[i], from_source[k]);
    if (!source_fits || sum_overflows(sink[i], to_sink[k])) {
      std::ostringstream message;
      message << (source_fits ? "sink" : "source") << " overflows at entry " << k << ": node "
              << numbers[k] << " has " << (source_fits ? sink[i] : source[i]) << " already, and "
              << (source_fits ? to_sink[k] : from_source[k]) << " more is out of range";
      put_back();
      throw std::invalid_argument(message.str());
    }
    before.emplace_back(source[i], sink[i]);
    source_sums[k] = source[i] += from_source[k];
    sink_sums[k] = sink[i] += to_sink[k];
  }
  put_back();
}

template struct Network<float>;
template struct Network<double>;
template struct Network<std::int32_t>;
template struct Network<std::int64_t>;

}  // namespace graphcut::maxflow
