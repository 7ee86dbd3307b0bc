// Gradient of the squared distances of neighbours.
#pragma once

#include <cstdint>

namespace graphcut::knn {

// Neighbours as they were found, and the gradient of a loss in their distances.
template <class T>
struct Pulls {
  const T* x;                   // (items, points, channels)
  const T* query;               // (items, results, channels); x where there are no queries
  const std::int64_t* indices;  // (items, results, k), below `points`; below 0: no neighbour
  const T* gradient;            // (items, results, k)
  std::int64_t items;
  std::int64_t points;
  std::int64_t results;
  std::int64_t channels;
  std::int64_t k;
};

// Adds 2 g (q - x_j) to of_query at q, and its negative to of_x at j, for every neighbour j of a
// row q with the gradient g: in ascending order of rows, then of neighbours, whatever the number of
// threads. of_x, of_query: of the shapes of x and query, one and the same where these are; nullptr
// where one is not wanted.
template <class T>
void add_gradient(const Pulls<T>& pulls, T* of_x, T* of_query, int threads);

}  // namespace graphcut::knn
