// Checks on capacities, shared by every way of giving a graph.
#pragma once

#include <cmath>
#include <cstdint>
#include <limits>
#include <sstream>
#include <stdexcept>
#include <string>
#include <type_traits>

namespace graphcut::maxflow {

// `cuts` rows of `length` capacities; row c starts at data + c * stride (0: one row for all cuts).
template <class Capacity>
struct Rows {
  const Capacity* data = nullptr;
  std::int64_t length = 0;
  std::int64_t stride = 0;

  const Capacity* row(std::int64_t cut) const { return data + cut * stride; }
  std::int64_t distinct(std::int64_t cuts) const { return stride == 0 ? (cuts > 0 ? 1 : 0) : cuts; }
};

// Refuses NaN and negative capacities; returns whether any is infinite. `name` is the argument and
// `element` what its last dimension counts ("edge", "node").
template <class Capacity>
bool check_capacities(const Rows<Capacity>& rows, std::int64_t cuts, const char* name,
                      const char* element);

// Whether forward + backward leaves the range of R; infinities do not count.
template <class R>
bool sum_overflows(R forward, R backward) {
  if constexpr (std::is_floating_point_v<R>) {
    return forward + backward == std::numeric_limits<R>::infinity() &&
           forward != std::numeric_limits<R>::infinity() &&
           backward != std::numeric_limits<R>::infinity();
  } else {
    return forward > std::numeric_limits<R>::max() - backward;
  }
}

// Refuses a capacity and its reverse whose sum, the largest residual they can give, overflows.
template <class R>
void check_sum(R forward, R backward, const char* name, std::int64_t position) {
  if (!sum_overflows(forward, backward)) return;
  std::ostringstream message;
  message << name << " overflows at entry " << position << ": " << forward << " + " << backward
          << " (both directions of a link together) is out of range";
  throw std::invalid_argument(message.str());
}

// The same for every edge, whose `capacity` and `reverse` have `edges` entries; for int32, widened
// to 64 bits, there is nothing to refuse.
template <class Capacity>
void check_sums(const Capacity* capacity, const Capacity* reverse, std::int64_t edges);

// Refuses integer terminals whose flow could exceed int64: a flow is at most the smaller of the sum
// of `source` and the sum of `sink`.
template <class Capacity>
void check_total(const Capacity* source, const Capacity* sink, std::int64_t nodes);

}  // namespace graphcut::maxflow
