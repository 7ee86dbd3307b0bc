// Fuzz target of the neighbour search: bytes make up points of any finite size, which are searched
// in every way there is. All must find what brute force finds, in the order of sums that bounds.hpp
// promises, bit by bit.
#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <type_traits>
#include <utility>
#include <vector>

#include "choices.hpp"
#include "knn/center.hpp"
#include "knn/direct_search.hpp"
#include "knn/rounded_search.hpp"
#include "knn/select.hpp"
#include "knn/tree_search.hpp"
#include "oracle.hpp"

namespace graphcut::test {
namespace {

constexpr std::int64_t kMostPoints = 40, kManyPoints = 600;
constexpr std::int64_t kFewNeighbours = 9, kMostNeighbours = 70;

std::size_t size(std::int64_t a, std::int64_t b, std::int64_t c) {
  return static_cast<std::size_t>(a * b * c);
}

template <class T>
T any_finite(Choices& choices) {
  using Bits = std::conditional_t<sizeof(T) == sizeof(float), std::uint32_t, std::uint64_t>;
  const T value =
      std::bit_cast<T>(static_cast<Bits>(choices.below(std::numeric_limits<Bits>::max())));
  return std::isfinite(value) ? value : T{0};
}

template <class T>
class Search {
 public:
  explicit Search(Choices& choices)
      : items_(choices.between(1, 2)),
        points_(choices.one_in(250) ? choices.between(kMostPoints, kManyPoints)
                                    : choices.between(1, kMostPoints)),
        channels_(choices.one_in(8) ? choices.between(30, 70) : choices.between(1, 6)),
        searched_(choices.one_in(3) ? choices.between(1, points_) : points_),
        k_(choices.between(1, choices.one_in(8) ? kMostNeighbours : kFewNeighbours)) {
    make_points(choices);
    if (choices.one_in(3)) {
      // Whatever is there: values that nobody has looked at count as the nearest allowed ones.
      for (std::int64_t i = 0; i < items_; ++i) {
        lengths_.push_back(choices.between(-1, searched_ + 1));
      }
    }
    distances_.resize(size(items_, results(), k_));
    indices_.resize(distances_.size());
    measured_.resize(size(items_, results(), 1));
  }

  void check(Choices& choices) {
    std::vector<T> y(x_.size());
    norm_.resize(size(items_, points_, 1));
    rescale_.resize(size(items_, 1, 1));
    const int threads = choices.one_in(16) ? 3 : 1;
    require(knn::center(x_.data(), items_, points_, channels_, y.data(), norm_.data(),
                        rescale_.data(), threads) == -1,
            "finite points are centred");
    find_by_brute_force();
    multiply(y, choices);
    const knn::Nearest<T> nearest{distances_.data(), indices_.data(), measured_.data(), k_};
    const std::int64_t first = points_ > searched_ ? searched_ : 0;
    const std::int64_t step = choices.between(1, results());
    const double error = rounds_operands_ ? kOperandError : 0.0;
    const auto in_parts = [&](auto&& select) {
      forget();
      for (std::int64_t at = first; at < points_; at += step) {
        const std::int64_t count = std::min(step, points_ - at);
        std::vector<T> some;
        for (std::int64_t row = 0; row < items_ * count; ++row) {
          const auto begin =
              products_.begin() +
              static_cast<std::ptrdiff_t>((row / count * points_ + at + row % count) * points_);
          some.insert(some.end(), begin, begin + static_cast<std::ptrdiff_t>(searched_));
        }
        select(knn::Rows<T>{some.data(), at, count, error, 0});
      }
    };
    in_parts([&](const knn::Rows<T>& rows) {
      require(knn::select(points(), rows, nearest, points_, threads).empty(), "none is given up");
    });
    compare("by rows");
    const bool descending = choices.one_in(2);
    in_parts([&](const knn::Rows<T>& rows) {
      knn::select_emulated(points(), rows, nearest, descending);
    });
    compare("by warps");
    if (channels_ <= knn::kMaxTileChannels && k_ <= knn::kMaxTileNeighbours) {
      forget();
      knn::search_tiles_emulated(points(), y.data(), nearest, descending);
      compare("by tiles");
    }
    if constexpr (std::is_same_v<T, float>) search_rounded(nearest, threads);
    if (channels_ <= knn::kMaxTreeChannels) {
      forget();
      require(knn::search_tree(points(), nearest, threads) == -1, "finite points are searched");
      compare("by a tree");
    }
    search_directly(nearest, choices);
  }

 private:
  static constexpr double kOperandError = 0x1p-8;  // of bfloat16

  std::int64_t results() const { return points_ > searched_ ? points_ - searched_ : points_; }
  std::int64_t length(std::int64_t item) const {
    if (lengths_.empty()) return searched_;
    return std::clamp<std::int64_t>(lengths_[static_cast<std::size_t>(item)], 0, searched_);
  }
  const T* point(std::int64_t item, std::int64_t i) const {
    return x_.data() + (item * points_ + i) * channels_;
  }
  knn::Points<T> points() const {
    return {x_.data(), norm_.data(), rescale_.data(), items_,
            points_,   channels_,    searched_,       lengths_.empty() ? nullptr : lengths_.data()};
  }

  // Bytes are soon used up; what many points need is drawn from a seed.
  void make_points(Choices& bytes) {
    Choices drawn(bytes.below(1 << 16));
    Choices& choices = bytes.one_in(2) ? bytes : drawn;
    const std::uint64_t kind = bytes.below(4);
    const auto exponent = static_cast<int>(bytes.between(-60, 60));
    const T far = bytes.one_in(2) ? static_cast<T>(bytes.between(-1000000, 1000000)) : T{0};
    x_.resize(size(items_, points_, channels_));
    if (bytes.one_in(4)) return make_ties(choices, exponent);
    for (std::size_t at = 0; at < x_.size(); ++at) {
      T& value = x_[at];
      switch (kind) {
        case 0:
          value = static_cast<T>(std::ldexp(choices.between(-1, 1), exponent));
          break;
        case 1:
          value = any_finite<T>(choices);
          break;
        case 2:
          value = far + static_cast<T>(choices.between(-99, 99)) / 64;
          break;
        default:
          value = static_cast<T>(std::ldexp(choices.between(-9999, 9999), exponent));
      }
      const std::size_t channel = at % static_cast<std::size_t>(channels_);
      if (channel == 0) copied_ = at > 0 && choices.one_in(8) ? choices.below(at) : at;
      if (copied_ < at) value = x_[copied_ / channels_ * channels_ + channel];
    }
  }

  // Points of the same channels in other orders, and some far away where all channels are equal:
  // from there the others are as far but for what is rounded, and their norms are small beside it.
  void make_ties(Choices& choices, int exponent) {
    std::vector<T> channel;
    channel.reserve(static_cast<std::size_t>(channels_));
    for (std::int64_t c = 0; c < channels_; ++c) {
      channel.push_back(static_cast<T>(std::ldexp(choices.between(-9999, 9999), exponent)));
    }
    const T far = static_cast<T>(std::ldexp(choices.between(1, 1 << 20), exponent + 10));
    for (std::int64_t i = 0; i < items_ * points_; ++i) {
      const bool apart = choices.one_in(8);
      for (std::int64_t c = channels_ - 1; c > 0; --c) {
        std::swap(channel[c], channel[choices.below(static_cast<std::uint64_t>(c) + 1)]);
      }
      for (std::int64_t c = 0; c < channels_; ++c) x_[i * channels_ + c] = apart ? far : channel[c];
    }
  }

  // The promised order of sums, written out.
  double squared_distance(std::int64_t item, std::int64_t i, std::int64_t j) const {
    std::array<double, 32> lane{};
    const double rescale = rescale_[static_cast<std::size_t>(item)];
    for (std::int64_t c = 0; c < channels_; ++c) {
      const double a = static_cast<double>(point(item, i)[c]) * rescale;
      const double b = static_cast<double>(point(item, j)[c]) * rescale;
      lane[static_cast<std::size_t>(c % 32)] += (a - b) * (a - b);
    }
    for (std::size_t half = 16; half > 0; half /= 2) {
      for (std::size_t l = 0; l < half; ++l) lane[l] += lane[l + half];
    }
    return lane[0];
  }

  void find_by_brute_force() {
    const std::int64_t first = points_ > searched_ ? searched_ : 0;
    expected_.assign(distances_.size(), {std::numeric_limits<T>::infinity(), -1});
    for (std::int64_t row = 0; row < items_ * results(); ++row) {
      const std::int64_t item = row / results(), i = first + row % results();
      if (i < searched_ && i >= length(item)) continue;
      std::vector<std::pair<double, std::int64_t>> others;
      for (std::int64_t j = 0; j < length(item); ++j) {
        if (j != i) others.emplace_back(squared_distance(item, i, j), j);
      }
      std::sort(others.begin(), others.end());
      const double undo = 1 / rescale_[static_cast<std::size_t>(item)];
      for (std::size_t t = 0; t < std::min(others.size(), static_cast<std::size_t>(k_)); ++t) {
        const auto [distance, j] = others[t];
        expected_[static_cast<std::size_t>(row * k_) + t] = {static_cast<T>(distance * undo * undo),
                                                             j};
      }
    }
  }

  // Operands rounded as the hardware may, sums from either end.
  void multiply(std::vector<T> y, Choices& choices) {
    rounds_operands_ = choices.one_in(4);
    if (rounds_operands_) {
      for (T& value : y) {
        int exponent = 0;
        const double mantissa = std::frexp(static_cast<double>(value), &exponent);
        value = static_cast<T>(std::ldexp(std::nearbyint(std::ldexp(mantissa, 8)), exponent - 8));
      }
    }
    const bool backwards = choices.one_in(2);
    products_.resize(size(items_, points_, points_));
    for (std::int64_t at = 0; at < items_ * points_ * points_; ++at) {
      const T* a = y.data() + at / points_ * channels_;
      const T* b = y.data() + (at / points_ / points_ * points_ + at % points_) * channels_;
      T sum = 0;
      for (std::int64_t c = 0; c < channels_; ++c) {
        const std::int64_t channel = backwards ? channels_ - 1 - c : c;
        sum += a[channel] * b[channel];
      }
      products_[static_cast<std::size_t>(at)] = sum;
    }
  }

  void search_rounded(const knn::Nearest<float>& nearest, int threads) {
    const knn::Panels panels{items_, points_, searched_, channels_};
    std::vector<std::uint32_t> pairs(size(items_ * panels.count(), panels.pairs(), knn::kPanel));
    std::vector<float> norm(norm_.size()), error(norm_.size());
    std::vector<float> largest(static_cast<std::size_t>(items_));
    std::vector<double> rescale(largest.size());
    const knn::Rounded rounded{pairs.data(), norm.data(), error.data(), largest.data()};
    require(knn::center_rounded(x_.data(), panels, rounded, rescale.data(), threads) == -1,
            "finite points are rounded");
    knn::Points<float> cloud = points();
    cloud.norm = norm.data();
    cloud.rescale = rescale.data();
    forget();
    require(knn::search_rounded(cloud, panels, rounded, nearest, points_, threads).empty(),
            "none is given up");
    compare("by rounded points");
  }

  // Every pair is measured; what the other ways prepare is not there.
  void search_directly(const knn::Nearest<T>& nearest, Choices& choices) {
    knn::Points<T> cloud = points();
    cloud.norm = nullptr;
    cloud.rescale = nullptr;
    forget();
    require(knn::search_directly(cloud, nearest) == -1, "finite points are searched");
    compare("directly");
    const std::size_t at = choices.below(x_.size());
    x_[at] = choices.of({std::numeric_limits<T>::quiet_NaN(), std::numeric_limits<T>::infinity()});
    require(knn::search_directly(cloud, nearest) ==
                static_cast<std::int64_t>(at) / (points_ * channels_),
            "the first item that is not finite is told");
  }

  void forget() {
    std::fill(distances_.begin(), distances_.end(), T{-1});
    std::fill(indices_.begin(), indices_.end(), -2);
  }
  void compare(const char* way) const {
    for (std::size_t at = 0; at < expected_.size(); ++at) {
      require(indices_[at] == expected_[at].second && distances_[at] == expected_[at].first,
              std::string("the nearest are found ") + way);
    }
  }

  std::int64_t items_, points_, channels_, searched_, k_;
  std::vector<T> x_, norm_, products_, distances_;
  std::vector<double> rescale_;
  std::vector<std::int64_t> lengths_, indices_, measured_;
  std::vector<std::pair<T, std::int64_t>> expected_;
  std::size_t copied_ = 0;
  bool rounds_operands_ = false;
};

}  // namespace
}  // namespace graphcut::test

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  graphcut::test::Choices choices(data, size);
  if (choices.one_in(2)) {
    graphcut::test::Search<float>(choices).check(choices);
  } else {
    graphcut::test::Search<double>(choices).check(choices);
  }
  return 0;
}
