// Exact neighbour selection against a brute force, over random clouds with many ties.
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <limits>
#include <numeric>
#include <type_traits>
#include <utility>
#include <vector>

#include "clouds.hpp"
#include "knn/center.hpp"
#include "knn/rounded_search.hpp"
#include "knn/select.hpp"
#include "knn/tree_search.hpp"
#include "oracle.hpp"

namespace graphcut::test {
namespace {

// All neighbours by way of points rounded to integers.
std::vector<std::int64_t> search_rounded(const knn::Points<float>& points,
                                         const knn::Nearest<float>& nearest, int threads) {
  const knn::Panels panels{points.items, points.points, points.searched, points.channels};
  std::vector<std::uint32_t> pairs(
      static_cast<std::size_t>(panels.items * panels.count() * panels.pairs() * knn::kPanel));
  std::vector<float> norm(static_cast<std::size_t>(points.items * points.points));
  std::vector<float> error(norm.size());
  std::vector<float> largest(static_cast<std::size_t>(points.items));
  std::vector<double> rescale(largest.size());
  const knn::Rounded rounded{pairs.data(), norm.data(), error.data(), largest.data()};
  require(knn::center_rounded(points.x, panels, rounded, rescale.data(), threads) == -1,
          "finite clouds are rounded");
  knn::Points<float> cloud = points;
  cloud.norm = norm.data();
  cloud.rescale = rescale.data();
  return knn::search_rounded(cloud, panels, rounded, nearest, points.points, threads);
}

// What the selection relies on: a point at least as near as another one is never discarded by the
// limit that the other one gives.
template <class T>
void check_bounds(Choices& choices) {
  Cloud<T> cloud(choices, 1, choices.between(3, 70), choices.between(1, 4));
  require(cloud.center(1) == -1, "finite clouds are centred");
  cloud.multiply();
  const auto bounds = knn::Bounds<T>::make(cloud.channels, 0.0);
  for (std::int64_t i = 0; i < cloud.points; ++i) {
    std::vector<std::pair<long double, std::size_t>> others;
    for (std::int64_t j = 0; j < cloud.points; ++j) {
      long double sum = 0;
      for (std::int64_t c = 0; c < cloud.channels; ++c) {
        const long double difference = static_cast<long double>(cloud.point(cloud.x, 0, i)[c]) -
                                       static_cast<long double>(cloud.point(cloud.x, 0, j)[c]);
        sum += difference * difference;
      }
      if (j != i) others.emplace_back(sum, static_cast<std::size_t>(j));
    }
    std::sort(others.begin(), others.end());
    const auto row = static_cast<std::size_t>(i);
    const T* const product = cloud.products.data() + i * cloud.points;
    T lower = -std::numeric_limits<T>::infinity();  // the largest of those that are as near
    auto nearer = others.begin();
    for (const auto& [distance, other] : others) {
      for (; nearer != others.end() && nearer->first <= distance; ++nearer) {
        lower = std::max(lower, bounds.lower(cloud.norm[nearer->second], product[nearer->second]));
      }
      const T upper = bounds.upper(cloud.norm[other], product[other]);
      require(lower <= bounds.limit(upper, cloud.norm[row]), "near points are not discarded");
    }
  }
}

// The tree of boxes, with queries, missing points and more neighbours than there are points.
template <class T>
void check_tree(std::uint64_t seed) {
  context() = "tree, seed " + std::to_string(seed);
  Choices choices(seed);
  Cloud<T> cloud(choices, choices.one_in(8) ? 900 : 90, knn::kMaxTreeChannels);
  const std::int64_t searched =
      choices.one_in(2) ? cloud.points : choices.between(1, cloud.points - 1);
  const std::int64_t skipped = searched < cloud.points ? searched : 0;
  const std::int64_t results = cloud.points - skipped;
  std::vector<std::int64_t> lengths(static_cast<std::size_t>(cloud.items));
  for (std::int64_t& length : lengths) {
    length = choices.one_in(2) ? choices.between(0, searched) : searched;
  }
  const std::int64_t k = choices.one_in(4) ? choices.between(30, 40) : choices.between(1, 9);
  std::vector<T> distances(Cloud<T>::size(cloud.items, results, k));
  std::vector<std::int64_t> indices(distances.size(), -2);
  std::vector<std::int64_t> measured(Cloud<T>::size(cloud.items, results, 1), -2);
  const knn::Nearest<T> nearest{distances.data(), indices.data(), measured.data(), k};
  const knn::Points<T> points{cloud.x.data(), nullptr,        nullptr,  cloud.items,
                              cloud.points,   cloud.channels, searched, lengths.data()};
  const int threads = static_cast<int>(choices.between(1, 4));
  require(knn::search_tree(points, nearest, threads) == -1, "finite clouds are searched");
  for (std::int64_t row = 0; row < cloud.items * results; ++row) {
    const std::int64_t item = row / results;
    const std::int64_t point = skipped + row % results;
    const std::int64_t length = lengths[static_cast<std::size_t>(item)];
    const bool padding = skipped == 0 && point >= length;
    const auto expected = cloud.nearest(item, point, padding ? 0 : length, k);
    require(std::equal(expected.begin(), expected.end(), indices.begin() + row * k),
            "the neighbours are the nearest");
    std::int64_t found = 0;
    for (std::int64_t t = row * k; t < (row + 1) * k; ++t) {
      const auto at = static_cast<std::size_t>(t);
      require(std::isinf(distances[at]) == (indices[at] < 0), "what is missing is far");
      found += indices[at] < 0 ? 0 : 1;
    }
    const std::int64_t count = measured[static_cast<std::size_t>(row)];
    require(count >= found && count <= length, "measured points are there");
  }
  cloud.x[choices.below(cloud.x.size())] =
      choices.of({std::numeric_limits<T>::quiet_NaN(), -std::numeric_limits<T>::infinity()});
  require(knn::search_tree(points, nearest, threads) >= 0, "NaN and infinity are found");
}

template <class T>
void check_seed(std::uint64_t seed) {
  context() = "seed " + std::to_string(seed);
  Choices choices(seed);
  check_bounds<T>(choices);
  Cloud<T> cloud(choices, 70, 40);
  const int threads = static_cast<int>(choices.between(1, 4));
  require(cloud.center(threads) == -1, "finite clouds are centred");
  cloud.multiply();
  // Points are searched for neighbours of one another, or for those of the points behind them.
  const std::int64_t searched =
      choices.one_in(2) ? cloud.points : choices.between(1, cloud.points - 1);
  const std::int64_t skipped = searched < cloud.points ? searched : 0;
  const std::int64_t results = cloud.points - skipped;
  std::vector<std::int64_t> lengths(static_cast<std::size_t>(cloud.items), searched);
  const bool shorter = choices.one_in(2);
  for (std::int64_t& length : lengths) length = shorter ? choices.between(0, searched) : searched;
  const std::int64_t k = choices.between(1, 9);
  std::vector<T> distances(Cloud<T>::size(cloud.items, results, k));
  std::vector<std::int64_t> indices(distances.size(), -2);
  std::vector<std::int64_t> measured(Cloud<T>::size(cloud.items, results, 1), -2);
  const knn::Nearest<T> nearest{distances.data(), indices.data(), measured.data(), k};
  const knn::Points<T> points{cloud.x.data(),
                              cloud.norm.data(),
                              cloud.rescale.data(),
                              cloud.items,
                              cloud.points,
                              cloud.channels,
                              searched,
                              shorter ? lengths.data() : nullptr};
  if (skipped == 0 && choices.one_in(2)) {  // only what is right of diagonal blocks is read
    const std::int64_t block = choices.between(1, 3) * knn::kChunkRows;
    for (std::int64_t at = 0; at < cloud.items * cloud.points * cloud.points; ++at) {
      const std::int64_t i = at / cloud.points % cloud.points;
      if (at % cloud.points >= i / block * block) continue;
      cloud.products[static_cast<std::size_t>(at)] = std::numeric_limits<T>::quiet_NaN();
    }
    const knn::Rows<T> rows{cloud.products.data(), 0, cloud.points, 0.0, block};
    require(knn::select(points, rows, nearest, cloud.points, threads).empty(),
            "rows have at most as many distances as there are points");
  } else {
    const std::int64_t step = choices.between(1, results);
    for (std::int64_t first = skipped; first < cloud.points; first += step) {
      const std::int64_t count = std::min(step, cloud.points - first);
      std::vector<T> some;
      for (std::int64_t row = 0; row < cloud.items * count; ++row) {
        const std::int64_t point = row / count * cloud.points + first + row % count;
        const auto begin = cloud.products.begin() + point * cloud.points;
        some.insert(some.end(), begin, begin + searched);
      }
      const knn::Rows<T> rows{some.data(), first, count, 0.0, 0};
      require(knn::select(points, rows, nearest, cloud.points, threads).empty(),
              "rows have at most as many distances as there are points");
    }
  }
  const auto check = [&] {
    for (std::int64_t row = 0; row < cloud.items * results; ++row) {
      const std::int64_t item = row / results;
      const std::int64_t point = skipped + row % results;
      const std::int64_t length = lengths[static_cast<std::size_t>(item)];
      const bool padding = skipped == 0 && point >= length;
      const auto expected = cloud.nearest(item, point, padding ? 0 : length, k);
      require(std::equal(expected.begin(), expected.end(), indices.begin() + row * k),
              "the neighbours are the nearest");
      for (std::int64_t t = row * k; t < (row + 1) * k; ++t) {
        const auto at = static_cast<std::size_t>(t);
        require(std::isinf(distances[at]) == (indices[at] < 0), "what is missing is far");
      }
    }
  };
  check();
  if constexpr (std::is_same_v<T, float>) {
    std::fill(indices.begin(), indices.end(), -2);
    require(search_rounded(points, nearest, threads).empty(),
            "rows have at most as many distances as there are points");
    check();
  }
  cloud.x[choices.below(cloud.x.size())] =
      choices.of({std::numeric_limits<T>::quiet_NaN(), std::numeric_limits<T>::infinity()});
  require(cloud.center(threads) >= 0, "NaN and infinity are found");
}

}  // namespace
}  // namespace graphcut::test

int main(int count, char** arguments) {
  const std::uint64_t clouds = count > 1 ? std::stoull(arguments[1]) : 300;
  for (std::uint64_t seed = 0; seed < clouds; ++seed) {
    graphcut::test::check_seed<float>(seed);
    graphcut::test::check_seed<double>(seed);
    graphcut::test::check_tree<float>(seed);
    graphcut::test::check_tree<double>(seed);
  }
  std::printf("%llu clouds of each dtype: the neighbours are the nearest\n",
              static_cast<unsigned long long>(clouds));
}
