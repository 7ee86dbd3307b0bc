#include "knn/gradient.hpp"

#include <algorithm>

#include "knn/clones.hpp"
#include "parallel/parallel_for.hpp"

namespace graphcut::knn {
namespace {

constexpr std::int64_t kStripe = 256;             // channels of a task, at most
constexpr std::int64_t kLeastStripe = 16;         // and at least, where there are more
constexpr std::int64_t kLeastParallel = 1 << 18;  // below so many differences one thread is faster

// Channels [first, first + count) of an item.
template <class T>
GRAPHCUT_INLINE void add_rows_of(const Pulls<T>& pulls, std::int64_t item, std::int64_t first,
                                 std::int64_t count, T* of_x, T* of_query) {
  T own[kStripe];
  T unwanted[kStripe] = {};  // takes what is not wanted of x
  const std::int64_t channels = pulls.channels;
  const std::int64_t start = item * pulls.points * channels + first;
  for (std::int64_t row = item * pulls.results; row < (item + 1) * pulls.results; ++row) {
    const T* const q = pulls.query + row * channels + first;
    std::fill_n(own, count, T{0});
    for (std::int64_t t = row * pulls.k; t < (row + 1) * pulls.k; ++t) {
      const std::int64_t j = pulls.indices[t];
      if (j < 0) continue;
      const T weight = 2 * pulls.gradient[t];
      const T* const x = pulls.x + start + j * channels;
      T* GRAPHCUT_RESTRICT const other = of_x == nullptr ? unwanted : of_x + start + j * channels;
      for (std::int64_t c = 0; c < count; ++c) {
        const T pull = weight * (q[c] - x[c]);
        own[c] += pull;
        other[c] -= pull;
      }
    }
    if (of_query == nullptr) continue;
    T* const at = of_query + row * channels + first;
    for (std::int64_t c = 0; c < count; ++c) at[c] += own[c];
  }
}

#define GRAPHCUT_ADD_ROWS(T)                                                                  \
  GRAPHCUT_CLONES void add_rows(const Pulls<T>& pulls, std::int64_t item, std::int64_t first, \
                                std::int64_t count, T* of_x, T* of_query) {                   \
    add_rows_of(pulls, item, first, count, of_x, of_query);                                   \
  }

GRAPHCUT_ADD_ROWS(float)
GRAPHCUT_ADD_ROWS(double)
#undef GRAPHCUT_ADD_ROWS

}  // namespace

template <class T>
void add_gradient(const Pulls<T>& pulls, T* of_x, T* of_query, int threads) {
  const std::int64_t differences = pulls.items * pulls.results * pulls.k * pulls.channels;
  const std::int64_t wanted = differences < kLeastParallel ? 1 : std::max(threads, 1);
  const std::int64_t share = pulls.channels * pulls.items / wanted;
  const std::int64_t stripe = std::clamp(share, kLeastStripe, kStripe);
  const std::int64_t stripes = (pulls.channels + stripe - 1) / stripe;
  parallel_for(pulls.items * stripes, static_cast<int>(wanted), [&](int, std::int64_t task) {
    const std::int64_t first = task % stripes * stripe;
    add_rows(pulls, task / stripes, first, std::min(stripe, pulls.channels - first), of_x,
             of_query);
  });
}

template void add_gradient(const Pulls<float>&, float*, float*, int);
template void add_gradient(const Pulls<double>&, double*, double*, int);

}  // namespace graphcut::knn
