// The CUDA kernels of neighbours, run by threads of the system: against a brute force, and against
// their emulation.
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <string>
#include <utility>
#include <vector>

#include "clouds.hpp"
#include "knn/select.hpp"
#include "oracle.hpp"

namespace graphcut::test {
namespace {

template <class T>
struct Results {
  std::vector<T> distances;
  std::vector<std::int64_t> indices, measured;
  std::int64_t k;

  Results(std::int64_t rows, std::int64_t places)
      : distances(static_cast<std::size_t>(rows * places), T{-7}),
        indices(distances.size(), -7),
        measured(static_cast<std::size_t>(rows), -7),
        k(places) {}
  knn::Nearest<T> nearest() { return {distances.data(), indices.data(), measured.data(), k}; }
  bool operator==(const Results&) const = default;
};

// A cloud with queries or without, of lengths that nobody has looked at.
template <class T>
struct Search {
  Cloud<T> cloud;
  std::int64_t searched, first = 0, results = 0;
  std::vector<std::int64_t> lengths;
  bool shorter;

  Search(Choices& choices, std::int64_t most_points, std::int64_t most_channels)
      : cloud(choices, most_points, most_channels),
        searched(choices.one_in(2) ? cloud.points : choices.between(1, cloud.points - 1)),
        shorter(choices.one_in(2)) {
    prepare(choices);
  }
  // The last points of a cloud are queries.
  Search(Choices& choices, Cloud<T> points, std::int64_t queries)
      : cloud(std::move(points)), searched(cloud.points - queries), shorter(false) {
    prepare(choices);
  }

  void prepare(Choices& choices) {
    first = searched < cloud.points ? searched : 0;
    results = cloud.points - first;
    require(cloud.center(1) == -1, "finite clouds are centred");
    cloud.multiply();
    for (std::int64_t item = 0; item < cloud.items; ++item) {
      lengths.push_back(choices.of({choices.between(0, searched), choices.between(0, searched),
                                    searched + 200, std::int64_t{-1} << 62}));
    }
  }
  std::int64_t length(std::int64_t item) const {
    if (!shorter) return searched;
    return std::clamp<std::int64_t>(lengths[static_cast<std::size_t>(item)], 0, searched);
  }
  knn::Points<T> points() const {
    return {cloud.x.data(),
            cloud.norm.data(),
            cloud.rescale.data(),
            cloud.items,
            cloud.points,
            cloud.channels,
            searched,
            shorter ? lengths.data() : nullptr};
  }

  void check(const Results<T>& found) const {
    for (std::int64_t row = 0; row < cloud.items * results; ++row) {
      const std::int64_t item = row / results, point = first + row % results;
      const bool padding = first == 0 && point >= length(item);
      const auto expected = cloud.nearest(item, point, padding ? 0 : length(item), found.k);
      require(std::equal(expected.begin(), expected.end(), found.indices.begin() + row * found.k),
              "the neighbours are the nearest");
      for (std::int64_t t = row * found.k; t < (row + 1) * found.k; ++t) {
        const auto at = static_cast<std::size_t>(t);
        require(std::isinf(found.distances[at]) == (found.indices[at] < 0),
                "what is missing is far");
      }
    }
  }
};

template <class T>
void check_products(const Search<T>& search, std::int64_t k) {
  const Cloud<T>& cloud = search.cloud;
  const std::int64_t rows = cloud.items * search.results;
  std::vector<T> products;
  for (std::int64_t row = 0; row < rows; ++row) {
    const std::int64_t point =
        row / search.results * cloud.points + search.first + row % search.results;
    const auto begin = cloud.products.begin() + point * cloud.points;
    products.insert(products.end(), begin, begin + search.searched);
  }
  const knn::Rows<T> all{products.data(), search.first, search.results, 0.0, 0};
  Results<T> found(rows, k), modelled(rows, k);
  std::vector<double> workspace(static_cast<std::size_t>(rows * k));
  knn::select_cuda(search.points(), all, found.nearest(), workspace.data(), 0, nullptr);
  search.check(found);
  knn::select_emulated(search.points(), all, modelled.nearest(), true);
  require(found == modelled, "the device does as its emulation");
}

template <class T>
void check_tiles(const Search<T>& search, std::int64_t k) {
  const std::int64_t rows = search.cloud.items * search.results;
  Results<T> found(rows, k), modelled(rows, k);
  const T* const y = search.cloud.centred.data();
  knn::search_tiles_cuda(search.points(), y, found.nearest(), 0, nullptr);
  search.check(found);
  knn::search_tiles_emulated(search.points(), y, modelled.nearest(), true);
  require(found == modelled, "the device does as its emulation");
}

template <class T>
void check_seed(std::uint64_t seed) {
  context() = "seed " + std::to_string(seed);
  Choices choices(seed);
  const Search<T> search(choices, choices.of({6, 16, 40}), 64);
  const std::int64_t k = choices.of({1, 5, 9, 32, 64});
  check_products(search, k);
  if (k <= knn::kMaxTileNeighbours) check_tiles(search, k);
}

// From 512 points on their bounds are looked at in groups; see kth_upper().
template <class T>
void check_many(std::uint64_t seed) {
  context() = "many points, seed " + std::to_string(seed);
  Choices choices(seed);
  const Search<T> search(choices, Cloud<T>(choices, 1, 600, 3), 9);
  check_products(search, 9);
  check_tiles(search, 9);
}

}  // namespace
}  // namespace graphcut::test

// cuda_neighbours_test [CLOUDS [SEED]]: so many clouds per dtype, numbered from SEED.
int main(int count, char** arguments) {
  using namespace graphcut::test;
  const std::uint64_t clouds = count > 1 ? std::stoull(arguments[1]) : 12;
  const std::uint64_t first = count > 2 ? std::stoull(arguments[2]) : 0;
  for (std::uint64_t seed = first; seed < first + clouds; ++seed) {
    check_seed<float>(seed);
    check_seed<double>(seed);
  }
  check_many<float>(first);
  check_many<double>(first);
  std::printf("%llu clouds of each dtype: the kernels agree with brute force\n",
              static_cast<unsigned long long>(clouds));
}
