#include "maxflow/capacities.hpp"

#include <sstream>

namespace graphcut::maxflow {
namespace {

template <class Capacity>
[[noreturn]] void refuse(const Rows<Capacity>& rows, std::int64_t cuts, std::int64_t cut,
                         const char* name, const char* element) {
  const Capacity* row = rows.row(cut);
  std::int64_t i = 0;
  while (row[i] >= Capacity{0}) ++i;
  std::ostringstream message;
  message << name << " is " << row[i] << " at " << element << " " << i;
  if (rows.stride != 0 && cuts > 1) message << " of cut " << cut;
  message << "; capacities must be >= 0 (inf is allowed, NaN is not)";
  throw std::invalid_argument(message.str());
}

}  // namespace

template <class Capacity>
bool check_capacities(const Rows<Capacity>& rows, std::int64_t cuts, const char* name,
                      const char* element) {
  bool infinite = false;
  for (std::int64_t c = 0; c < rows.distinct(cuts); ++c) {
    const Capacity* row = rows.row(c);
    int bad = 0, endless = 0;  // int: flags of this width are vectorised
    for (std::int64_t i = 0; i < rows.length; ++i) {
      bad |= static_cast<int>(!(row[i] >= Capacity{0}));
      if constexpr (std::is_floating_point_v<Capacity>) {
        endless |= static_cast<int>(row[i] == std::numeric_limits<Capacity>::infinity());
      }
    }
    if (bad != 0) refuse(rows, cuts, c, name, element);
    infinite |= endless != 0;
  }
  return infinite;
}

template <class Capacity>
void check_sums(const Capacity* capacity, const Capacity* reverse, std::int64_t edges) {
  if constexpr (!std::is_same_v<Capacity, std::int32_t>) {
    int suspicious = 0;
    for (std::int64_t e = 0; e < edges; ++e) {
      if constexpr (std::is_floating_point_v<Capacity>) {
        const Capacity sum = capacity[e] + reverse[e];
        suspicious |= static_cast<int>(sum == std::numeric_limits<Capacity>::infinity());
      } else {
        suspicious |= static_cast<int>(sum_overflows(capacity[e], reverse[e]));
      }
    }
    if (suspicious == 0) return;
    for (std::int64_t e = 0; e < edges; ++e) check_sum(capacity[e], reverse[e], "capacity", e);
  }
}

template <class Capacity>
void check_total(const Capacity* source, const Capacity* sink, std::int64_t nodes) {
  if constexpr (std::is_same_v<Capacity, std::int64_t>) {
    auto overflows = [nodes](const Capacity* terminal) {
      std::uint64_t sum = 0;  // a sum past int64 is seen before it can pass uint64
      for (std::int64_t i = 0; i < nodes; ++i) {
        sum += static_cast<std::uint64_t>(terminal[i]);
        if (sum > static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max())) return true;
      }
      return false;
    };
    if (overflows(source) && overflows(sink)) {
      throw std::invalid_argument(
          "source and sink: both sums exceed the largest int64, so the flow could overflow; scale "
          "the capacities down or use float64");
    }
  }
}

#define GRAPHCUT_CHECKS(Capacity)                                                                \
  template bool check_capacities(const Rows<Capacity>&, std::int64_t, const char*, const char*); \
  template void check_sums(const Capacity*, const Capacity*, std::int64_t);                      \
  template void check_total(const Capacity*, const Capacity*, std::int64_t);
GRAPHCUT_CHECKS(float)
GRAPHCUT_CHECKS(double)
GRAPHCUT_CHECKS(std::int32_t)
GRAPHCUT_CHECKS(std::int64_t)
#undef GRAPHCUT_CHECKS

}  // namespace graphcut::maxflow
