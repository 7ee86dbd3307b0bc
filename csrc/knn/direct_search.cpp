#include "knn/direct_search.hpp"

#include <limits>
#include <vector>

#include "knn/candidates.hpp"
#include "knn/center.hpp"

namespace graphcut::knn {

template <class T>
std::int64_t search_directly(const Points<T>& points, const Nearest<T>& nearest) {
  std::vector<double> rescale(static_cast<std::size_t>(points.items));
  const std::int64_t bad =
      find_rescale(points.x, points.items, points.points, points.channels, rescale.data());
  if (bad >= 0) return bad;
  Points<T> cloud = points;
  cloud.rescale = rescale.data();
  Allowance allowance(points.items, std::numeric_limits<std::int64_t>::max());
  std::vector<std::int64_t> found;
  Workspace work;
  for (std::int64_t item = 0; item < points.items; ++item) {
    for (std::int64_t row = points.first_result(); row < points.points; ++row) {
      const std::int64_t k = begin_row(cloud, item, row, nearest);
      if (k == 0) continue;
      found.clear();
      for (std::int64_t j = 0; j < points.length(item); ++j) {
        if (j != row) found.push_back(j);
      }
      measure(cloud, item, row, found.data(), static_cast<std::int64_t>(found.size()), k, nearest,
              allowance, work);
    }
  }
  return -1;
}

template std::int64_t search_directly(const Points<float>&, const Nearest<float>&);
template std::int64_t search_directly(const Points<double>&, const Nearest<double>&);

}  // namespace graphcut::knn
