// Error bounds of a squared distance computed from a floating-point matrix product.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>

#include "parallel/host_device.hpp"

namespace graphcut::knn {

// Note [Why the selection is exact]
// The matrix product is fast but its rounding is unknown: it depends on the BLAS, the block and the
// threads. It is used only to discard points that provably are no neighbours; the rest is measured
// again from the original points in double precision, in one fixed order of summation.
//
// Let u be the unit roundoff of T, C the number of channels, s a power of two, m any vector, and
//   z_j = s x_j - m (exact),  y_j = z_j rounded,  n_j = |y_j|^2,  g_ij = the computed y_i . y_j,
//   D_ij = s^2 |x_i - x_j|^2 = |z_i - z_j|^2.
// 1. Centring. |y_j - z_j| <= u |z_j|, so |y_i - y_j| and sqrt(D_ij) differ by at most
//    u' (|y_i| + |y_j|), u' = u / (1 - u), and their squares by at most 5 u (n_i + n_j), because
//    (|y_i| + |y_j|)^2 <= 2 (n_i + n_j). A mean subtracted from far-away points loses nothing: the
//    error is relative to the centred values.
// 2. Product. In any order of summation, fused or not, |g_ij - y_i . y_j| <= e |y_i| |y_j| with
//    e = C u / (1 - C u); where the hardware first rounds operands (TF32, bfloat16) by at most a
//    relative p and accumulates with truncation, e = (1 + p)^2 (1 + 2 C u / (1 - 2 C u)) - 1.
//    Since 2 |y_i| |y_j| <= n_i + n_j, twice the product is off by at most e (n_i + n_j).
// 3. Norms are summed in double and rounded to T: 2 u (n_i + n_j) at most.
// 4. The oracle. Distances recomputed in double, in any order, are off by a relative
//    r = (C + 8) v / (1 - (C + 8) v), v = 2^-53; D_ij <= 2 (n_i + n_j) up to the above.
// 5. Underflow costs at most `absolute` (products and squares of values below the normal range are
//    counted as lost, so flushing them to zero is covered too); |y| is at most 8 per channel.
// So with c = e + 16 u + 5 r and a = absolute, which also covers the roundings of the bounds below,
//    lower_j - c n_i - a <= D_ij - n_i <= upper_j + c n_i + a,
//    lower_j = (1 - c) n_j - 2 g_ij,  upper_j = (1 + c) n_j - 2 g_ij.
// If U is the k-th smallest upper_j over j != i, or anything above it, at least k points lie within
// U + c n_i + a, so each of the k nearest has lower_j <= U + 2 c n_i + 2 a. Every point passing
// that test is a candidate; no other can be among the k nearest, ties included.
//
// Products may also be those of q_j, integers near t y_j for some t, with n_j = |q_j|^2. Then 2, 3
// and 5 bound Q_ij = |q_i - q_j|^2 in place of D_ij, with e = p u for products that are exact but
// for p roundings, and by the triangle inequality t sqrt(D_ij) and sqrt(Q_ij) differ by at most e_i
// + e_j, e_j >= |t z_j - q_j|, which also takes in 1 and 4. Let E be the largest e_j. With V = U +
// (1 + c) n_i + a at least k points lie within sqrt(V) + e_i + E, so for each of the k nearest
// sqrt(Q_ij) <= R = sqrt(V) + 2 (e_i + E), and lower_j <= R^2 - (1 - c) n_i + a.
template <class T>
struct Bounds {
  T shrink;    // 1 - c
  T grow;      // 1 + c
  T margin;    // 2 c
  T absolute;  // 2 a

  // operand_error: p above, 0 where the product takes its operands as they are.
  // Holds for C u <= 1/16; callers use a wider T beyond.
  static Bounds make(std::int64_t channels, double operand_error) {
    return make(channels, operand_error, static_cast<double>(channels));
  }
  // roundings: of a sum of products, at most as many as there are channels.
  static Bounds make(std::int64_t channels, double operand_error, double roundings) {
    const double u = std::numeric_limits<T>::epsilon() / 2.0;
    const double v = std::numeric_limits<double>::epsilon() / 2.0;
    const auto c = static_cast<double>(channels);
    const double steps = (operand_error > 0.0 ? 2.0 : 1.0) * roundings * u;
    const double sum = steps / (1.0 - steps);
    const double product = sum + operand_error * (2.0 + operand_error) * (1.0 + sum);
    const double recomputed = (c + 8.0) * v / (1.0 - (c + 8.0) * v);
    const double relative = product + 16.0 * u + 5.0 * recomputed;
    const double absolute = 512.0 * c * static_cast<double>(std::numeric_limits<T>::min());
    return {static_cast<T>(1.0 - relative), static_cast<T>(1.0 + relative),
            static_cast<T>(2.0 * relative), static_cast<T>(absolute)};
  }

  GRAPHCUT_HD T lower(T norm, T product) const { return shrink * norm - 2 * product; }
  GRAPHCUT_HD T upper(T norm, T product) const { return grow * norm - 2 * product; }

  // Largest lower bound of a candidate of a row whose norm and k-th smallest upper bound are given.
  GRAPHCUT_HD T limit(T kth_upper, T norm) const { return kth_upper + (margin * norm + absolute); }

  // The same where products are those of rounded points; errors: e_i + E.
  T limit(T kth_upper, T norm, T errors) const {
    const double n = norm;
    const double nearest = kth_upper + grow * n + absolute;
    const double reach = std::sqrt(std::max(nearest, 0.0)) + 2.0 * errors;
    const double square = reach * reach;
    const double rounding = 4.0 * std::numeric_limits<T>::epsilon() * (square + n);
    return static_cast<T>(square - shrink * n + absolute + rounding);
  }
};

// Channel c is added to lane c mod kLanes; lane l then takes in lane l + 16, + 8, + 4, + 2, + 1.
// CPU and CUDA keep to this order, without fusing the multiplication with the addition.
inline constexpr int kLanes = 32;

GRAPHCUT_HD inline double rounded_sum(double a, double b) {
#ifdef __CUDA_ARCH__
  return __dadd_rn(a, b);
#else
  return a + b;
#endif
}
GRAPHCUT_HD inline double rounded_product(double a, double b) {
#ifdef __CUDA_ARCH__
  return __dmul_rn(a, b);
#else
  return a * b;
#endif
}

// A coordinate as distances are recomputed of it. `rescale` is 1 but for double values whose
// squares would overflow or vanish; floats have neither trouble in double.
template <class T>
GRAPHCUT_HD inline double widened(T value, double rescale) {
  return sizeof(T) == sizeof(double) ? rounded_product(value, rescale) : value;
}
// One difference of the recomputed distance.
template <class T>
GRAPHCUT_HD inline double difference(T a, T b, double rescale) {
  return rounded_sum(widened(a, rescale), -widened(b, rescale));
}

}  // namespace graphcut::knn
