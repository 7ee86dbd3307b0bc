// The neighbour search for Python: checks of arrays and the interpreter's lock; no algorithm lives
// here.
#pragma once

#include <pybind11/pybind11.h>
#include <pybind11/stl.h>

#include <algorithm>
#include <cstdint>
#include <limits>
#include <stdexcept>
#include <vector>

#include "bindings/arrays.hpp"
#include "bindings/interruptible.hpp"
#include "knn/center.hpp"
#include "knn/direct_search.hpp"
#include "knn/gradient.hpp"
#include "knn/panels.hpp"
#include "knn/rounded_search.hpp"
#include "knn/select.hpp"
#include "knn/tree_search.hpp"

namespace graphcut::bindings {

namespace py = pybind11;

// The sizes of points (items, points, channels).
struct Cloud {
  explicit Cloud(const py::array& x)
      : items(sizes<3>(x, "x")[0]), points(x.shape(1)), channels(x.shape(2)) {}

  py::ssize_t items, points, channels;
};

inline std::int64_t center(const py::array& x, const py::array& centred, const py::array& norm,
                           const py::array& rescale, int threads) {
  const Cloud cloud(x);
  std::int64_t bad = -1;
  with_dtype<float, double>(x, "x", [&](auto zero) {
    using T = decltype(zero);
    Arrays arrays;
    const T* in = arrays.in<T>(x, "x", x.size());
    T* out = arrays.out<T>(centred, "centred", {cloud.items, cloud.points, cloud.channels});
    T* norms = arrays.out<T>(norm, "norm", {cloud.items, cloud.points});
    double* rescales = arrays.out<double>(rescale, "rescale", {cloud.items});
    bad = interruptible([&] {
      return knn::center(in, cloud.items, cloud.points, cloud.channels, out, norms, rescales,
                         threads);
    });
  });
  return bad;
}

// The places of points rounded to 16-bit integers.
inline knn::Panels panels(const py::array& pairs, std::int64_t points, std::int64_t searched,
                          std::int64_t channels) {
  if (searched < 0 || searched > points || channels < 1) {
    throw std::invalid_argument("searched or channels out of range");
  }
  const knn::Panels places{sizes<4>(pairs, "pairs")[0], points, searched, channels};
  Arrays::expect(pairs, "pairs", {places.items, places.count(), places.pairs(), knn::kPanel});
  return places;
}

// The memory of such points.
inline knn::Rounded rounded_points(Arrays& arrays, const Cloud& cloud, const py::array& pairs,
                                   const py::array& norm, const py::array& error,
                                   const py::array& largest_error) {
  if (pairs.shape(0) != cloud.items) throw std::invalid_argument("pairs: unexpected shape");
  return {reinterpret_cast<std::uint32_t*>(arrays.out<std::int32_t>(pairs, "pairs", pairs.size())),
          arrays.out<float>(norm, "norm", {cloud.items, cloud.points}),
          arrays.out<float>(error, "error", {cloud.items, cloud.points}),
          arrays.out<float>(largest_error, "largest_error", {cloud.items})};
}

inline std::int64_t center_rounded(const py::array& x, const py::array& pairs,
                                   const py::array& norm, const py::array& error,
                                   const py::array& largest_error, const py::array& rescale,
                                   std::int64_t searched, int threads) {
  const Cloud cloud(x);
  Arrays arrays;
  const auto* in = arrays.in<float>(x, "x", x.size());
  const knn::Panels places = panels(pairs, cloud.points, searched, cloud.channels);
  const knn::Rounded rounded = rounded_points(arrays, cloud, pairs, norm, error, largest_error);
  auto* rescales = arrays.out<double>(rescale, "rescale", {cloud.items});
  return interruptible([&] { return knn::center_rounded(in, places, rounded, rescales, threads); });
}

inline void multiply_rounded_half(const py::array& pairs, std::int64_t channels,
                                  const py::array& products, int threads) {
  const std::int64_t points = sizes<3>(products, "products")[1];
  const knn::Panels places = panels(pairs, points, points, channels);
  Arrays arrays;
  const auto* in =
      reinterpret_cast<const std::uint32_t*>(arrays.in<std::int32_t>(pairs, "pairs", pairs.size()));
  auto* out = arrays.out<float>(products, "products", {places.items, points, points});
  interruptible([&] { knn::multiply_rounded_half(places, in, out, threads); });
}

// What a search takes besides products; sizes are checked when it is made.
template <class T>
struct Search {
  Arrays arrays;
  knn::Points<T> points;
  knn::Nearest<T> nearest;

  // Without what is prepared for products.
  Search(const py::array& x, py::ssize_t searched, const py::array& distances,
         const py::array& indices, const py::array& measured) {
    const Cloud cloud(x);
    const py::ssize_t results = cloud.points - (cloud.points > searched ? searched : 0);
    const py::ssize_t k = sizes<3>(indices, "indices")[2];
    if (searched < 0 || searched > cloud.points || k < 1) {
      throw std::invalid_argument("searched or k out of range");
    }
    points = {arrays.in<T>(x, "x", x.size()),
              nullptr,
              nullptr,
              cloud.items,
              cloud.points,
              cloud.channels,
              searched,
              nullptr};
    nearest = {arrays.out<T>(distances, "distances", {cloud.items, results, k}),
               arrays.out<std::int64_t>(indices, "indices", {cloud.items, results, k}),
               arrays.out<std::int64_t>(measured, "measured", {cloud.items, results}), k};
  }

  Search(const py::array& x, const py::array& norm, const py::array& rescale, const Maybe& lengths,
         py::ssize_t searched, const py::array& distances, const py::array& indices,
         const py::array& measured)
      : Search(x, searched, distances, indices, measured) {
    points.norm = arrays.in<T>(norm, "norm", {points.items, points.points});
    points.rescale = arrays.in<double>(rescale, "rescale", {points.items});
    set_lengths(lengths);
  }

  void set_lengths(const Maybe& lengths) {
    points.lengths = arrays.in<std::int64_t>(lengths, "lengths", {points.items});
    for (std::int64_t item = 0; points.lengths != nullptr && item < points.items; ++item) {
      if (points.lengths[item] < 0 || points.lengths[item] > points.searched) {
        throw std::invalid_argument("lengths out of range");
      }
    }
  }

  knn::Rows<T> rows(const py::array& products, std::int64_t first_row, std::int64_t block,
                    double operand_error) {
    const std::int64_t count = sizes<3>(products, "products")[1];
    if (first_row < points.first_result() || first_row + count > points.points) {
      throw std::invalid_argument("first_row or rows out of range");
    }
    if (block < 0 || block % knn::kChunkRows != 0 ||
        (block > 0 && (count != points.points || points.searched < points.points))) {
      throw std::invalid_argument("block must be 0, or a multiple of 16 with all rows");
    }
    return {arrays.in<T>(products, "products", {points.items, count, points.searched}), first_row,
            count, operand_error, block};
  }
};

// Few points: it keeps the interpreter's lock.
inline std::int64_t search_directly(const py::array& x, py::ssize_t searched,
                                    const py::array& distances, const py::array& indices,
                                    const py::array& measured) {
  std::int64_t bad = -1;
  with_dtype<float, double>(x, "x", [&](auto zero) {
    const Search<decltype(zero)> search(x, searched, distances, indices, measured);
    bad = knn::search_directly(search.points, search.nearest);
  });
  return bad;
}

// Few channels.
inline std::int64_t search_tree(const py::array& x, py::ssize_t searched, const Maybe& lengths,
                                const py::array& distances, const py::array& indices,
                                const py::array& measured, int threads) {
  std::int64_t bad = -1;
  with_dtype<float, double>(x, "x", [&](auto zero) {
    Search<decltype(zero)> search(x, searched, distances, indices, measured);
    search.set_lengths(lengths);
    if (search.points.channels < 1 || search.points.channels > knn::kMaxTreeChannels ||
        search.points.points > std::numeric_limits<std::int32_t>::max()) {
      throw std::invalid_argument("x: too many channels or points");
    }
    bad = interruptible([&] { return knn::search_tree(search.points, search.nearest, threads); });
  });
  return bad;
}

// Returns the items that were given up.
inline std::vector<std::int64_t> select(const py::array& x, const py::array& norm,
                                        const py::array& rescale, const Maybe& lengths,
                                        const py::array& products, std::int64_t first_row,
                                        std::int64_t block, double operand_error,
                                        const py::array& distances, const py::array& indices,
                                        const py::array& measured, int threads, const Maybe& error,
                                        const Maybe& largest_error, std::int64_t most) {
  const py::ssize_t searched = sizes<3>(products, "products")[2];
  if (error.has_value() != largest_error.has_value()) {
    throw std::invalid_argument("error and largest_error belong together");
  }
  std::vector<std::int64_t> given_up;
  with_dtype<float, double>(x, "x", [&](auto zero) {
    using T = decltype(zero);
    Search<T> search(x, norm, rescale, lengths, searched, distances, indices, measured);
    const knn::Points<T>& points = search.points;
    knn::Rows<T> rows = search.rows(products, first_row, block, operand_error);
    rows.error = search.arrays.template in<T>(error, "error", {points.items, points.points});
    rows.largest_error =
        search.arrays.template in<T>(largest_error, "largest_error", {points.items});
    given_up =
        interruptible([&] { return knn::select(points, rows, search.nearest, most, threads); });
  });
  return given_up;
}

// Returns the items that were given up.
inline std::vector<std::int64_t> search_rounded(const py::array& x, const py::array& pairs,
                                                const py::array& norm, const py::array& error,
                                                const py::array& largest_error,
                                                const py::array& rescale, const Maybe& lengths,
                                                std::int64_t searched, const py::array& distances,
                                                const py::array& indices, const py::array& measured,
                                                std::int64_t most, int threads) {
  Search<float> search(x, norm, rescale, lengths, searched, distances, indices, measured);
  const Cloud cloud(x);
  const knn::Panels places = panels(pairs, cloud.points, searched, cloud.channels);
  const knn::Rounded rounded =
      rounded_points(search.arrays, cloud, pairs, norm, error, largest_error);
  if (searched > knn::kSegment && search.nearest.k > knn::kMaxNeighbours) {
    throw std::invalid_argument("too many neighbours of so many points");
  }
  return interruptible([&] {
    return knn::search_rounded(search.points, places, rounded, search.nearest, most, threads);
  });
}

// What is not wanted is None; without queries of_x takes in both.
inline void add_gradient(const py::array& x, const Maybe& query, const py::array& indices,
                         const py::array& gradient, const Maybe& of_x, const Maybe& of_query,
                         int threads) {
  const Cloud cloud(x);
  const py::ssize_t results = sizes<3>(indices, "indices")[1];
  const py::ssize_t k = indices.shape(2);
  if (!query && results != cloud.points) throw std::invalid_argument("indices: unexpected shape");
  with_dtype<float, double>(x, "x", [&](auto zero) {
    using T = decltype(zero);
    Arrays arrays;
    const T* at = arrays.in<T>(x, "x", x.size());
    const T* rows = arrays.in<T>(query, "query", {cloud.items, results, cloud.channels});
    const auto* listed = arrays.in<std::int64_t>(indices, "indices", {cloud.items, results, k});
    const T* pull = arrays.in<T>(gradient, "gradient", {cloud.items, results, k});
    T* at_x = arrays.out<T>(of_x, "of_x", {cloud.items, cloud.points, cloud.channels});
    T* at_query = arrays.out<T>(of_query, "of_query", {cloud.items, results, cloud.channels});
    if (std::any_of(listed, listed + indices.size(),
                    [&](std::int64_t j) { return j >= cloud.points; })) {
      throw std::invalid_argument("indices out of range");
    }
    if (!query) {
      rows = at;
      at_query = at_x;
    }
    const knn::Pulls<T> pulls{at,           rows,    listed,         pull, cloud.items,
                              cloud.points, results, cloud.channels, k};
    interruptible([&] { knn::add_gradient(pulls, at_x, at_query, threads); });
  });
}

// Models of what a device does: see knn/select.hpp.
inline void select_emulated(const py::array& x, const py::array& norm, const py::array& rescale,
                            const Maybe& lengths, const py::array& products, std::int64_t first_row,
                            double operand_error, const py::array& distances,
                            const py::array& indices, const py::array& measured, bool descending) {
  const py::ssize_t searched = sizes<3>(products, "products")[2];
  with_dtype<float, double>(x, "x", [&](auto zero) {
    Search<decltype(zero)> search(x, norm, rescale, lengths, searched, distances, indices,
                                  measured);
    const auto rows = search.rows(products, first_row, 0, operand_error);
    const py::gil_scoped_release release;
    knn::select_emulated(search.points, rows, search.nearest, descending);
  });
}

inline void search_tiles_emulated(const py::array& x, const py::array& centred,
                                  const py::array& norm, const py::array& rescale,
                                  const Maybe& lengths, std::int64_t searched,
                                  const py::array& distances, const py::array& indices,
                                  const py::array& measured, bool descending) {
  const Cloud cloud(x);
  with_dtype<float, double>(x, "x", [&](auto zero) {
    using T = decltype(zero);
    Search<T> search(x, norm, rescale, lengths, searched, distances, indices, measured);
    const T* y = search.arrays.template in<T>(centred, "centred",
                                              {cloud.items, cloud.points, cloud.channels});
    const py::gil_scoped_release release;
    knn::search_tiles_emulated(search.points, y, search.nearest, descending);
  });
}

#ifdef GRAPHCUT_WITH_CUDA
// Addresses are device pointers of dense arrays with the shapes in knn/select.hpp.
template <class T>
void select_cuda(std::uintptr_t x, std::uintptr_t norm, std::uintptr_t rescale,
                 std::uintptr_t lengths, std::uintptr_t products, std::int64_t items,
                 std::int64_t points, std::int64_t channels, std::int64_t searched,
                 std::int64_t first_row, std::int64_t rows, double operand_error, std::int64_t k,
                 std::uintptr_t distances, std::uintptr_t indices, std::uintptr_t measured,
                 std::uintptr_t workspace, int device, std::uintptr_t stream) {
  const knn::Points<T> cloud{pointer<const T>(x),
                             pointer<const T>(norm),
                             pointer<const double>(rescale),
                             items,
                             points,
                             channels,
                             searched,
                             pointer<const std::int64_t>(lengths)};
  const knn::Rows<T> block{pointer<const T>(products), first_row, rows, operand_error, 0};
  const knn::Nearest<T> nearest{pointer<T>(distances), pointer<std::int64_t>(indices),
                                pointer<std::int64_t>(measured), k};
  py::gil_scoped_release release;
  knn::select_cuda(cloud, block, nearest, pointer<double>(workspace), device,
                   pointer<void>(stream));
}

template <class T>
void search_tiles_cuda(std::uintptr_t x, std::uintptr_t centred, std::uintptr_t norm,
                       std::uintptr_t rescale, std::uintptr_t lengths, std::int64_t items,
                       std::int64_t points, std::int64_t channels, std::int64_t searched,
                       std::int64_t k, std::uintptr_t distances, std::uintptr_t indices,
                       std::uintptr_t measured, int device, std::uintptr_t stream) {
  const knn::Points<T> cloud{pointer<const T>(x),
                             pointer<const T>(norm),
                             pointer<const double>(rescale),
                             items,
                             points,
                             channels,
                             searched,
                             pointer<const std::int64_t>(lengths)};
  const knn::Nearest<T> nearest{pointer<T>(distances), pointer<std::int64_t>(indices),
                                pointer<std::int64_t>(measured), k};
  py::gil_scoped_release release;
  knn::search_tiles_cuda(cloud, pointer<const T>(centred), nearest, device, pointer<void>(stream));
}
#endif

inline void bind_knn(py::module_& module) {
  module.def("knn_center", &center, py::arg("x"), py::arg("centred"), py::arg("norm"),
             py::arg("rescale"), py::arg("threads"));
  module.def("knn_search_directly", &search_directly, py::arg("x"), py::arg("searched"),
             py::arg("distances"), py::arg("indices"), py::arg("measured"));
  module.def("knn_search_tree", &search_tree, py::arg("x"), py::arg("searched"), py::arg("lengths"),
             py::arg("distances"), py::arg("indices"), py::arg("measured"), py::arg("threads"));
  module.def("knn_add_gradient", &add_gradient, py::arg("x"), py::arg("query"), py::arg("indices"),
             py::arg("gradient"), py::arg("of_x"), py::arg("of_query"), py::arg("threads"));
  module.def("knn_select", &select, py::arg("x"), py::arg("norm"), py::arg("rescale"),
             py::arg("lengths"), py::arg("products"), py::arg("first_row"), py::arg("block"),
             py::arg("operand_error"), py::arg("distances"), py::arg("indices"),
             py::arg("measured"), py::arg("threads"), py::arg("error") = py::none(),
             py::arg("largest_error") = py::none(),
             py::arg("most") = std::numeric_limits<std::int32_t>::max());
  module.def("knn_select_emulated", &select_emulated, py::arg("x"), py::arg("norm"),
             py::arg("rescale"), py::arg("lengths"), py::arg("products"), py::arg("first_row"),
             py::arg("operand_error"), py::arg("distances"), py::arg("indices"),
             py::arg("measured"), py::arg("descending"));
  module.def("knn_search_tiles_emulated", &search_tiles_emulated, py::arg("x"), py::arg("centred"),
             py::arg("norm"), py::arg("rescale"), py::arg("lengths"), py::arg("searched"),
             py::arg("distances"), py::arg("indices"), py::arg("measured"), py::arg("descending"));
  module.def("knn_center_rounded", &center_rounded, py::arg("x"), py::arg("pairs"), py::arg("norm"),
             py::arg("error"), py::arg("largest_error"), py::arg("rescale"), py::arg("searched"),
             py::arg("threads"));
  module.def("knn_multiply_rounded_half", &multiply_rounded_half, py::arg("pairs"),
             py::arg("channels"), py::arg("products"), py::arg("threads"));
  module.def("knn_search_rounded", &search_rounded, py::arg("x"), py::arg("pairs"), py::arg("norm"),
             py::arg("error"), py::arg("largest_error"), py::arg("rescale"), py::arg("lengths"),
             py::arg("searched"), py::arg("distances"), py::arg("indices"), py::arg("measured"),
             py::arg("most"), py::arg("threads"));
  module.attr("KNN_CHUNK_ROWS") = knn::kChunkRows;
  module.attr("KNN_MULTIPLIES_PAIRS") = knn::multiplies_pairs();
  module.attr("KNN_PANEL") = knn::kPanel;
  module.attr("KNN_SEGMENT") = knn::kSegment;
  module.attr("KNN_MAX_ROUNDED_NEIGHBOURS") = knn::kMaxNeighbours;
  module.attr("KNN_MAX_TILE_CHANNELS") = knn::kMaxTileChannels;
  module.attr("KNN_MAX_TILE_NEIGHBOURS") = knn::kMaxTileNeighbours;
#ifdef GRAPHCUT_WITH_CUDA
  module.def("knn_select_cuda_float32", &select_cuda<float>);
  module.def("knn_select_cuda_float64", &select_cuda<double>);
  module.def("knn_search_tiles_cuda_float32", &search_tiles_cuda<float>);
  module.def("knn_search_tiles_cuda_float64", &search_tiles_cuda<double>);
#endif
}

}  // namespace graphcut::bindings
