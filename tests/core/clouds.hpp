// Random clouds of points, with many ties, and their neighbours by brute force.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <numeric>
#include <utility>
#include <vector>

#include "choices.hpp"
#include "knn/center.hpp"

namespace graphcut::test {

template <class T>
struct Cloud {
  std::int64_t items, points, channels;
  std::vector<T> x, centred, norm, products;
  std::vector<double> rescale;

  Cloud(Choices& choices, std::int64_t most_points, std::int64_t most_channels)
      : Cloud(choices, choices.between(1, 3), choices.between(2, most_points),
              choices.between(1, most_channels)) {}
  Cloud(Choices& choices, std::int64_t all_items, std::int64_t all_points,
        std::int64_t all_channels)
      : items(all_items), points(all_points), channels(all_channels), rescale(size(items, 1, 1)) {
    const int exponent = static_cast<int>(choices.between(-30, 30));
    const bool few = choices.one_in(2);  // values, so that many distances are equal
    x.resize(size(items, points, channels));
    for (T& value : x) {
      const double unit = few ? static_cast<double>(choices.between(-1, 1))
                              : static_cast<double>(choices.between(-9999, 9999)) / 9999;
      value = static_cast<T>(std::ldexp(unit, exponent));
    }
    centred.resize(x.size());
    norm.resize(size(items, points, 1));
    products.resize(size(items, points, points));
  }

  static std::size_t size(std::int64_t a, std::int64_t b, std::int64_t c) {
    return static_cast<std::size_t>(a * b * c);
  }
  const T* point(const std::vector<T>& cloud, std::int64_t item, std::int64_t i) const {
    return cloud.data() + (item * points + i) * channels;
  }

  std::int64_t center(int threads) {
    return knn::center(x.data(), items, points, channels, centred.data(), norm.data(),
                       rescale.data(), threads);
  }

  void multiply() {
    for (std::int64_t at = 0; at < items * points * points; ++at) {
      const T* a = point(centred, at / points / points, at / points % points);
      const T* b = point(centred, at / points / points, at % points);
      products[static_cast<std::size_t>(at)] = std::inner_product(a, a + channels, b, T{0});
    }
  }

  // Among the first `length` points, by squared distances in double, ties by the lower index; -1
  // where there are no more.
  std::vector<std::int64_t> nearest(std::int64_t item, std::int64_t i, std::int64_t length,
                                    std::int64_t k) const {
    std::vector<std::pair<double, std::int64_t>> others;
    for (std::int64_t j = 0; j < length; ++j) {
      if (j == i) continue;
      double sum = 0;  // exact for few values; else ties are improbable
      for (std::int64_t c = 0; c < channels; ++c) {
        const double difference =
            static_cast<double>(point(x, item, i)[c]) - static_cast<double>(point(x, item, j)[c]);
        sum += difference * difference;
      }
      others.emplace_back(sum, j);
    }
    std::sort(others.begin(), others.end());
    std::vector<std::int64_t> found(static_cast<std::size_t>(k), -1);
    for (std::size_t t = 0; t < std::min(found.size(), others.size()); ++t) {
      found[t] = others[t].second;
    }
    return found;
  }
};

}  // namespace graphcut::test
