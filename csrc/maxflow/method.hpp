// The solvers by name, and the choice among them.
#pragma once

#include <cstdint>
#include <stdexcept>
#include <string>

namespace graphcut::maxflow {

enum class Method : std::uint8_t { automatic, boykov_kolmogorov, push_relabel };

inline Method method_named(const std::string& name) {
  if (name == "auto") return Method::automatic;
  if (name == "bk") return Method::boykov_kolmogorov;
  if (name == "push_relabel") return Method::push_relabel;
  throw std::invalid_argument("solver: unknown name " + name);
}

// Note [Choice of solver]: Boykov-Kolmogorov wins where a node has few neighbours and most have a
// terminal link, so that paths are short: 4-connected pictures, 6-connected volumes, moves of
// stereo matching (1.2 to 3 times). Push-relabel wins where a node has many neighbours, as in
// feature space (1.2 to 4 times), and where terminal links are rare, so that paths are long (20
// times and more). `python -m benchmarks maxflow` shows both on every family.
inline Method chosen(Method method, std::int64_t nodes, std::int64_t arcs, std::int64_t terminals) {
  if (method != Method::automatic) return method;
  const bool push = arcs >= 7 * nodes || 10 * terminals < nodes;
  return push ? Method::push_relabel : Method::boykov_kolmogorov;
}

}  // namespace graphcut::maxflow
