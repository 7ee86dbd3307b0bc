// Capacities as whole numbers of a unit, so that sums of them are exact in any order.
#pragma once

#include <cmath>
#include <cstdint>
#include <type_traits>

#include "maxflow/block.hpp"

namespace graphcut::maxflow {

// Note [Fixed point]: let P be what a flow cannot exceed: the smaller of what the supplies and what
// the demands of all nodes come to, of each node no more than its arcs let through. The unit is the
// least power of two for which everything that is pushed sums up to less than kBound / 2 units;
// with 64 bits, less than 2^-57 P. What is larger than kBound cannot be in a minimum cut and counts
// as kBound, infinity included; what is smaller than a unit, but not 0, counts as one unit, so that
// arcs that are open stay open; all else is rounded down. A capacity is therefore off by less than
// a unit, and the cut found costs at most one unit per capacity in it more than the best. 32 bits
// are used only where nothing is rounded; with 64, float32 capacities above 2^-33 P are exact.
// Integers are taken as they are, in units of 1.
template <class R>
inline constexpr R kBound = R{1} << (sizeof(R) == 8 ? 60 : 29);

// 2^exponent x, for x >= 0, as a number of units.
template <class T, class R>
struct Scale {
  T first{1}, second{1};  // the product is the factor, which T may not hold

  static GRAPHCUT_BLOCK Scale of(int exponent) {
    Scale scale;
    if constexpr (std::is_floating_point_v<T>) {
      const int most = sizeof(T) == 8 ? 1000 : 120;
      const int part = exponent > most ? most : (exponent < -most ? -most : exponent);
      scale.first = std::ldexp(T{1}, part);
      scale.second = std::ldexp(T{1}, exponent - part);
    }
    return scale;
  }

  GRAPHCUT_BLOCK R operator()(T x) const {
    const T scaled = x * first * second;
    if (!(scaled < static_cast<T>(kBound<R>))) return kBound<R>;
    const R whole = static_cast<R>(scaled);
    return whole == 0 && x > T{0} ? R{1} : whole;
  }
  // Whether nothing that matters is rounded.
  GRAPHCUT_BLOCK bool exact(T x) const {
    const T scaled = x * first * second;
    return !(scaled < static_cast<T>(kBound<R>)) ||
           (static_cast<T>(static_cast<R>(scaled)) == scaled && (scaled > T{0} || !(x > T{0})));
  }
};

// The largest exponent for which flows of at most `most`, with `slack` units for roundings, stay
// below half of kBound; 0 where `integral`. False where there is none.
template <class R>
GRAPHCUT_BLOCK bool find_exponent(double most, double slack, bool integral, int& exponent) {
  const double room = static_cast<double>(kBound<R>) / 2 - slack;
  exponent = 0;
  if (!(room >= 1) || !(most < HUGE_VAL)) return false;
  if (integral || !(most > 0)) return most <= room;
  // room / most as a mantissa from a half to 1 and an exponent: subnormal numbers are none.
  int of_room = 0, of_most = 0;
  const double ratio = std::frexp(room, &of_room) / std::frexp(most, &of_most);
  exponent = of_room - of_most - (ratio < 1 ? 1 : 0);
  return true;
}

}  // namespace graphcut::maxflow
