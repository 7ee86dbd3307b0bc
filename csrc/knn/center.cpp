#include "knn/center.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include "knn/center_loops.hpp"
#include "parallel/parallel_for.hpp"

namespace graphcut::knn {
namespace {

constexpr std::int64_t kSummed = 128;  // points of a task that sums columns
constexpr std::int64_t kCentred = 16;  // points of a task that centres them
constexpr std::int64_t kPacked = 16;   // points of a panel that are packed together

constexpr double kLargestNorm = 46340.0;     // of q: its square is below 2^31
constexpr double kLargestInteger = 32766.0;  // in t y

std::int64_t pieces(std::int64_t length, std::int64_t size) { return (length + size - 1) / size; }

// Largest exponent to which double values are raised before they are squared: the sum of up to
// 2^40 squared differences still fits.
constexpr int kTopExponent = 480;

template <class T>
struct ItemScale {
  T scale;  // s
  double rescale;
};

// peak: the largest magnitude of the item.
template <class T>
ItemScale<T> item_scale(T peak) {
  int exponent = 0;
  std::frexp(peak, &exponent);
  constexpr int limit = std::numeric_limits<T>::max_exponent - 2;
  const T scale = std::ldexp(T{1}, -std::clamp(exponent, -limit, limit));
  const double rescale =
      sizeof(T) == sizeof(double) ? std::ldexp(1.0, std::min(kTopExponent - exponent, 1000)) : 1.0;
  return {scale, rescale};
}

template <class T>
struct Centring {
  std::vector<T> scale;  // (items,): s
  std::vector<T> mean;   // (items, channels): m
  std::int64_t bad;      // the first item with a value that is NaN or infinite, else -1
};

template <class T>
Centring<T> centring(const T* x, std::int64_t items, std::int64_t points, std::int64_t channels,
                     double* rescale, int threads) {
  // Sums of doubles are scaled down against overflow; that they then underflow for tiny values
  // only moves the centre, which may be anywhere.
  const double factor = sizeof(T) == sizeof(double) ? std::ldexp(1.0, -64) : 1.0;
  const std::int64_t parts = pieces(points, kSummed);
  std::vector<double> sums(static_cast<std::size_t>(items * parts * channels));
  std::vector<T> peaks(sums.size());
  parallel_for(items * parts, threads, [&](int, std::int64_t task) {
    const std::int64_t first = task % parts * kSummed;
    loops::column_sums(x + (task / parts * points + first) * channels,
                       std::min(kSummed, points - first), channels, factor,
                       sums.data() + task * channels, peaks.data() + task * channels);
  });

  Centring<T> result{std::vector<T>(static_cast<std::size_t>(items)),
                     std::vector<T>(static_cast<std::size_t>(items * channels)), -1};
  for (std::int64_t item = 0; item < items; ++item) {
    double* const sum = sums.data() + item * parts * channels;
    for (std::int64_t at = channels; at < parts * channels; ++at) sum[at % channels] += sum[at];
    if (!std::all_of(sum, sum + channels, [](double value) { return std::isfinite(value); })) {
      result.bad = item;
      return result;
    }
    const T* peak = peaks.data() + item * parts * channels;
    const auto scale = item_scale(*std::max_element(peak, peak + parts * channels));
    result.scale[item] = scale.scale;
    rescale[item] = scale.rescale;
    for (std::int64_t c = 0; c < channels; ++c) {
      result.mean[item * channels + c] = static_cast<T>(sum[c] / static_cast<double>(points) *
                                                        static_cast<double>(scale.scale) / factor);
    }
  }
  return result;
}

// t of every item, about the largest with |q|^2 < 2^31 and |q_c| < 2^15 for q within 1/2 of t y.
std::vector<float> rounding_factors(const float* x, const Panels& panels,
                                    const Centring<float>& centred, int threads) {
  const std::int64_t parts = pieces(panels.points, kSummed);
  std::vector<double> largest(static_cast<std::size_t>(panels.items * parts));
  parallel_for(panels.items * parts, threads, [&](int, std::int64_t task) {
    const std::int64_t item = task / parts;
    const std::int64_t first = task % parts * kSummed;
    for (std::int64_t i = first; i < std::min(first + kSummed, panels.points); ++i) {
      const double norm = loops::norm_above(x + (item * panels.points + i) * panels.channels,
                                            centred.mean.data() + item * panels.channels,
                                            centred.scale[item], panels.channels);
      largest[task] = std::max(largest[task], norm);
    }
  });
  const double most =
      std::min(kLargestNorm - std::sqrt(static_cast<double>(panels.channels)), kLargestInteger);
  std::vector<float> factors(static_cast<std::size_t>(panels.items));
  for (std::int64_t item = 0; item < panels.items; ++item) {
    const auto of_item = largest.begin() + item * parts;
    factors[item] =
        static_cast<float>(most / std::sqrt(*std::max_element(of_item, of_item + parts)));
  }
  return factors;
}

// e of a rounded point: its distance from t y, and what the centring of y, the multiplication by t,
// the oracle and the roundings here add, less than 8 u t |y| altogether; values below the normal
// range, which may be lost, have t y below 2^-40.
float rounding_error(const loops::RoundedRow& row) {
  const double error = std::sqrt(row.square_error);
  const double unit = std::numeric_limits<float>::epsilon();
  return static_cast<float>(error + 4.0 * unit * (1.0 + error + std::sqrt(row.norm)));
}

// Pairs of kPacked points, rows (kPacked, pairs, 2), to their places in a panel.
void pack(const std::int16_t* rows, std::int64_t pairs, std::uint32_t* panel) {
  for (std::int64_t p = 0; p < pairs; ++p) {
    for (std::int64_t r = 0; r < kPacked; ++r) {
      const std::int16_t* pair = rows + (r * pairs + p) * 2;
      panel[p * kPanel + r] = static_cast<std::uint16_t>(pair[0]) |
                              static_cast<std::uint32_t>(static_cast<std::uint16_t>(pair[1])) << 16;
    }
  }
}

}  // namespace

template <class T>
std::int64_t center(const T* x, std::int64_t items, std::int64_t points, std::int64_t channels,
                    T* y, T* norm, double* rescale, int threads) {
  const auto centred = centring(x, items, points, channels, rescale, threads);
  if (centred.bad >= 0) return centred.bad;
  const std::int64_t chunks = pieces(points, kCentred);
  parallel_for(items * chunks, threads, [&](int, std::int64_t task) {
    const std::int64_t item = task / chunks;
    const std::int64_t first = task % chunks * kCentred;
    for (std::int64_t i = first; i < std::min(first + kCentred, points); ++i) {
      const std::int64_t at = item * points + i;
      norm[at] =
          static_cast<T>(loops::center_row(x + at * channels, centred.mean.data() + item * channels,
                                           centred.scale[item], channels, y + at * channels));
    }
  });
  return -1;
}

template <class T>
std::int64_t find_rescale(const T* x, std::int64_t items, std::int64_t points,
                          std::int64_t channels, double* rescale) {
  for (std::int64_t item = 0; item < items; ++item) {
    const T* const first = x + item * points * channels;
    T peak = 0;
    for (const T* value = first; value < first + points * channels; ++value) {
      if (!std::isfinite(*value)) return item;
      peak = std::max(peak, std::abs(*value));
    }
    rescale[item] = item_scale(peak).rescale;
  }
  return -1;
}

std::int64_t center_rounded(const float* x, const Panels& panels, const Rounded& rounded,
                            double* rescale, int threads) {
  const auto centred = centring(x, panels.items, panels.points, panels.channels, rescale, threads);
  if (centred.bad >= 0) return centred.bad;
  const auto factors = rounding_factors(x, panels, centred, threads);
  const std::int64_t tasks = panels.items * panels.count();
  const std::int64_t width = 2 * panels.pairs();
  std::vector<std::vector<std::int16_t>> scratch(
      static_cast<std::size_t>(worker_count(tasks, threads)));
  parallel_for(tasks, threads, [&](int worker, std::int64_t task) {
    const std::int64_t item = task / panels.count();
    const float* const mean = centred.mean.data() + item * panels.channels;
    auto& rows = scratch[worker];
    rows.resize(static_cast<std::size_t>(kPacked * width));
    for (std::int64_t lane = 0; lane < kPanel; lane += kPacked) {
      std::fill(rows.begin(), rows.end(), std::int16_t{0});
      for (std::int64_t r = 0; r < kPacked; ++r) {
        const std::int64_t point = panels.point(task % panels.count(), lane + r);
        if (point < 0) continue;
        const std::int64_t at = item * panels.points + point;
        const auto row = loops::round_row(x + at * panels.channels, mean, centred.scale[item],
                                          factors[item], panels.channels, rows.data() + r * width);
        rounded.norm[at] = static_cast<float>(row.norm);
        rounded.error[at] = rounding_error(row);
      }
      pack(rows.data(), panels.pairs(), rounded.pairs + task * panels.pairs() * kPanel + lane);
    }
  });
  for (std::int64_t item = 0; item < panels.items; ++item) {
    const float* error = rounded.error + item * panels.points;
    rounded.largest_error[item] = *std::max_element(error, error + panels.points);
  }
  return -1;
}

template std::int64_t center(const float*, std::int64_t, std::int64_t, std::int64_t, float*, float*,
                             double*, int);
template std::int64_t center(const double*, std::int64_t, std::int64_t, std::int64_t, double*,
                             double*, double*, int);
template std::int64_t find_rescale(const float*, std::int64_t, std::int64_t, std::int64_t, double*);
template std::int64_t find_rescale(const double*, std::int64_t, std::int64_t, std::int64_t,
                                   double*);

}  // namespace graphcut::knn
