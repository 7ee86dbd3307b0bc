// Array checks and GIL handling for the neighbour search; no algorithm lives here.
#include <pybind11/numpy.h>
#include <pybind11/pybind11.h>
#include <pybind11/stl.h>

#include <algorithm>
#include <cstdint>
#include <initializer_list>
#include <limits>
#include <optional>
#include <stdexcept>
#include <string>
#include <vector>

#include "bindings/bindings.hpp"
#include "bindings/interruptible.hpp"
#include "knn/center.hpp"
#include "knn/direct_search.hpp"
#include "knn/gradient.hpp"
#include "knn/panels.hpp"
#include "knn/rounded_search.hpp"
#include "knn/select.hpp"
#include "knn/tree_search.hpp"

namespace py = pybind11;

namespace graphcut::bindings {
namespace {

template <class T>
using Dense = Aligned<T>;

// The operator checks what users pass; this guards against memory errors only.
template <class T>
void expect(const Dense<T>& array, const char* name, std::initializer_list<py::ssize_t> shape) {
  bool same = array.ndim() == static_cast<py::ssize_t>(shape.size());
  py::ssize_t axis = 0;
  for (const py::ssize_t size : shape) same = same && array.shape(axis++) == size;
  if (!same) throw std::invalid_argument(std::string(name) + ": unexpected shape");
}

// The three sizes of an array (items, points, channels) or (items, rows, searched).
template <class T>
void expect_three_dimensions(const Dense<T>& array, const char* name) {
  if (array.ndim() != 3) throw std::invalid_argument(std::string(name) + ": must be 3-D");
}

template <class T>
std::int64_t center(const Dense<T>& x, Dense<T>& centred, Dense<T>& norm, Dense<double>& rescale,
                    int threads) {
  expect_three_dimensions(x, "x");
  expect(centred, "centred", {x.shape(0), x.shape(1), x.shape(2)});
  expect(norm, "norm", {x.shape(0), x.shape(1)});
  expect(rescale, "rescale", {x.shape(0)});
  const T* in = x.data();
  T* out = centred.mutable_data();
  T* norms = norm.mutable_data();
  double* rescales = rescale.mutable_data();
  return interruptible([&] {
    return knn::center(in, x.shape(0), x.shape(1), x.shape(2), out, norms, rescales, threads);
  });
}

// The places of `pairs`, checked.
knn::Panels panels(const Dense<std::int32_t>& pairs, std::int64_t points, std::int64_t searched,
                   std::int64_t channels) {
  if (pairs.ndim() != 4 || searched < 0 || searched > points || channels < 1) {
    throw std::invalid_argument("pairs, searched or channels out of range");
  }
  const knn::Panels places{pairs.shape(0), points, searched, channels};
  expect(pairs, "pairs", {places.items, places.count(), places.pairs(), knn::kPanel});
  return places;
}

std::int64_t center_rounded(const Dense<float>& x, Dense<std::int32_t>& pairs, Dense<float>& norm,
                            Dense<float>& error, Dense<float>& largest_error,
                            Dense<double>& rescale, std::int64_t searched, int threads) {
  expect_three_dimensions(x, "x");
  const knn::Panels places = panels(pairs, x.shape(1), searched, x.shape(2));
  expect(norm, "norm", {x.shape(0), x.shape(1)});
  expect(error, "error", {x.shape(0), x.shape(1)});
  expect(largest_error, "largest_error", {x.shape(0)});
  expect(rescale, "rescale", {x.shape(0)});
  if (places.items != x.shape(0)) throw std::invalid_argument("pairs: unexpected shape");
  const knn::Rounded rounded{reinterpret_cast<std::uint32_t*>(pairs.mutable_data()),
                             norm.mutable_data(), error.mutable_data(),
                             largest_error.mutable_data()};
  const float* in = x.data();
  double* rescales = rescale.mutable_data();
  return interruptible([&] { return knn::center_rounded(in, places, rounded, rescales, threads); });
}

void multiply_rounded_half(const Dense<std::int32_t>& pairs, std::int64_t channels,
                           Dense<float>& products, int threads) {
  expect_three_dimensions(products, "products");
  const std::int64_t points = products.shape(1);
  const knn::Panels places = panels(pairs, points, points, channels);
  expect(products, "products", {places.items, points, points});
  const auto* in = reinterpret_cast<const std::uint32_t*>(pairs.data());
  float* out = products.mutable_data();
  interruptible([&] { knn::multiply_rounded_half(places, in, out, threads); });
}

// What a search takes besides products, as NumPy's arrays; sizes are checked when it is made.
template <class T>
struct Search {
  knn::Points<T> points;
  knn::Nearest<T> nearest;

  Search(const Dense<T>& x, const Dense<T>& norm, const Dense<double>& rescale,
         const std::optional<Dense<std::int64_t>>& lengths, py::ssize_t searched,
         Dense<T>& distances, Dense<std::int64_t>& indices, Dense<std::int64_t>& measured)
      : Search(x, searched, distances, indices, measured) {
    const py::ssize_t items = x.shape(0);
    expect(norm, "norm", {items, x.shape(1)});
    expect(rescale, "rescale", {items});
    set_lengths(lengths);
    points.norm = norm.data();
    points.rescale = rescale.data();
  }

  // Without what is prepared for products.
  Search(const Dense<T>& x, py::ssize_t searched, Dense<T>& distances, Dense<std::int64_t>& indices,
         Dense<std::int64_t>& measured) {
    expect_three_dimensions(x, "x");
    expect_three_dimensions(indices, "indices");
    const py::ssize_t items = x.shape(0);
    const py::ssize_t results = x.shape(1) - (x.shape(1) > searched ? searched : 0);
    const py::ssize_t k = indices.shape(2);
    expect(indices, "indices", {items, results, k});
    expect(distances, "distances", {items, results, k});
    expect(measured, "measured", {items, results});
    if (searched < 0 || searched > x.shape(1) || k < 1) {
      throw std::invalid_argument("searched or k out of range");
    }
    points = {x.data(), nullptr, nullptr, items, x.shape(1), x.shape(2), searched, nullptr};
    nearest = {distances.mutable_data(), indices.mutable_data(), measured.mutable_data(), k};
  }

  void set_lengths(const std::optional<Dense<std::int64_t>>& lengths) {
    if (!lengths) return;
    expect(*lengths, "lengths", {points.items});
    for (py::ssize_t item = 0; item < points.items; ++item) {
      if (lengths->at(item) < 0 || lengths->at(item) > points.searched) {
        throw std::invalid_argument("lengths out of range");
      }
    }
    points.lengths = lengths->data();
  }

  knn::Rows<T> rows(const Dense<T>& products, std::int64_t first_row, std::int64_t block,
                    double operand_error) const {
    const std::int64_t count = products.shape(1);
    expect(products, "products", {points.items, count, points.searched});
    if (first_row < points.first_result() || first_row + count > points.points) {
      throw std::invalid_argument("first_row or rows out of range");
    }
    if (block < 0 || block % knn::kChunkRows != 0 ||
        (block > 0 && (count != points.points || points.searched < points.points))) {
      throw std::invalid_argument("block must be 0, or a multiple of 16 with all rows");
    }
    return {products.data(), first_row, count, operand_error, block};
  }
};

// Few points: it keeps the interpreter's lock.
template <class T>
std::int64_t search_directly(const Dense<T>& x, py::ssize_t searched, Dense<T>& distances,
                             Dense<std::int64_t>& indices, Dense<std::int64_t>& measured) {
  const Search<T> search(x, searched, distances, indices, measured);
  return knn::search_directly(search.points, search.nearest);
}

// Few channels.
template <class T>
std::int64_t search_tree(const Dense<T>& x, py::ssize_t searched,
                         const std::optional<Dense<std::int64_t>>& lengths, Dense<T>& distances,
                         Dense<std::int64_t>& indices, Dense<std::int64_t>& measured, int threads) {
  Search<T> search(x, searched, distances, indices, measured);
  search.set_lengths(lengths);
  if (x.shape(2) < 1 || x.shape(2) > knn::kMaxTreeChannels ||
      x.shape(1) > std::numeric_limits<std::int32_t>::max()) {
    throw std::invalid_argument("x: too many channels or points");
  }
  return interruptible([&] { return knn::search_tree(search.points, search.nearest, threads); });
}

// Returns the items that were given up.
template <class T>
std::vector<std::int64_t> select(const Dense<T>& x, const Dense<T>& norm,
                                 const Dense<double>& rescale,
                                 const std::optional<Dense<std::int64_t>>& lengths,
                                 const Dense<T>& products, std::int64_t first_row,
                                 std::int64_t block, double operand_error, Dense<T>& distances,
                                 Dense<std::int64_t>& indices, Dense<std::int64_t>& measured,
                                 int threads, const std::optional<Dense<T>>& error,
                                 const std::optional<Dense<T>>& largest_error, std::int64_t most) {
  expect_three_dimensions(products, "products");
  const Search<T> search(x, norm, rescale, lengths, products.shape(2), distances, indices,
                         measured);
  auto rows = search.rows(products, first_row, block, operand_error);
  if (error.has_value() != largest_error.has_value()) {
    throw std::invalid_argument("error and largest_error belong together");
  }
  if (error) {
    expect(*error, "error", {x.shape(0), x.shape(1)});
    expect(*largest_error, "largest_error", {x.shape(0)});
    rows.error = error->data();
    rows.largest_error = largest_error->data();
  }
  return interruptible(
      [&] { return knn::select(search.points, rows, search.nearest, most, threads); });
}

// Returns the items that were given up.
std::vector<std::int64_t> search_rounded(const Dense<float>& x, Dense<std::int32_t>& pairs,
                                         Dense<float>& norm, Dense<float>& error,
                                         Dense<float>& largest_error, const Dense<double>& rescale,
                                         const std::optional<Dense<std::int64_t>>& lengths,
                                         std::int64_t searched, Dense<float>& distances,
                                         Dense<std::int64_t>& indices,
                                         Dense<std::int64_t>& measured, std::int64_t most,
                                         int threads) {
  const Search<float> search(x, norm, rescale, lengths, searched, distances, indices, measured);
  const knn::Panels places = panels(pairs, x.shape(1), searched, x.shape(2));
  expect(error, "error", {places.items, x.shape(1)});
  expect(largest_error, "largest_error", {places.items});
  if (places.items != x.shape(0)) throw std::invalid_argument("pairs: unexpected shape");
  if (searched > knn::kSegment && search.nearest.k > knn::kMaxNeighbours) {
    throw std::invalid_argument("too many neighbours of so many points");
  }
  const knn::Rounded rounded{reinterpret_cast<std::uint32_t*>(pairs.mutable_data()),
                             norm.mutable_data(), error.mutable_data(),
                             largest_error.mutable_data()};
  return interruptible([&] {
    return knn::search_rounded(search.points, places, rounded, search.nearest, most, threads);
  });
}

// What is not wanted is None; without queries of_x takes in both.
template <class T>
void add_gradient(const Dense<T>& x, const std::optional<Dense<T>>& query,
                  const Dense<std::int64_t>& indices, const Dense<T>& gradient,
                  std::optional<Dense<T>>& of_x, std::optional<Dense<T>>& of_query, int threads) {
  expect_three_dimensions(x, "x");
  expect_three_dimensions(indices, "indices");
  const py::ssize_t results = indices.shape(1);
  const Dense<T>& rows = query ? *query : x;
  expect(rows, "query", {x.shape(0), results, x.shape(2)});
  expect(indices, "indices", {x.shape(0), results, indices.shape(2)});
  expect(gradient, "gradient", {x.shape(0), results, indices.shape(2)});
  if (of_x) expect(*of_x, "of_x", {x.shape(0), x.shape(1), x.shape(2)});
  if (of_query) expect(*of_query, "of_query", {x.shape(0), results, x.shape(2)});
  const std::int64_t* const listed = indices.data();
  if (std::any_of(listed, listed + indices.size(), [&](auto j) { return j >= x.shape(1); })) {
    throw std::invalid_argument("indices out of range");
  }
  T* const at_x = of_x ? of_x->mutable_data() : nullptr;
  T* at_query = of_query ? of_query->mutable_data() : nullptr;
  if (!query) at_query = at_x;
  const knn::Pulls<T> pulls{x.data(),   rows.data(), listed,     gradient.data(), x.shape(0),
                            x.shape(1), results,     x.shape(2), indices.shape(2)};
  interruptible([&] { knn::add_gradient(pulls, at_x, at_query, threads); });
}

// Models of what a device does: see knn/select.hpp.
template <class T>
void select_emulated(const Dense<T>& x, const Dense<T>& norm, const Dense<double>& rescale,
                     const std::optional<Dense<std::int64_t>>& lengths, const Dense<T>& products,
                     std::int64_t first_row, double operand_error, Dense<T>& distances,
                     Dense<std::int64_t>& indices, Dense<std::int64_t>& measured, bool descending) {
  expect_three_dimensions(products, "products");
  const Search<T> search(x, norm, rescale, lengths, products.shape(2), distances, indices,
                         measured);
  const auto rows = search.rows(products, first_row, 0, operand_error);
  py::gil_scoped_release release;
  knn::select_emulated(search.points, rows, search.nearest, descending);
}

template <class T>
void search_tiles_emulated(const Dense<T>& x, const Dense<T>& centred, const Dense<T>& norm,
                           const Dense<double>& rescale,
                           const std::optional<Dense<std::int64_t>>& lengths, std::int64_t searched,
                           Dense<T>& distances, Dense<std::int64_t>& indices,
                           Dense<std::int64_t>& measured, bool descending) {
  const Search<T> search(x, norm, rescale, lengths, searched, distances, indices, measured);
  expect(centred, "centred", {x.shape(0), x.shape(1), x.shape(2)});
  const T* y = centred.data();
  py::gil_scoped_release release;
  knn::search_tiles_emulated(search.points, y, search.nearest, descending);
}

#ifdef GRAPHCUT_WITH_CUDA
template <class T>
T* pointer(std::uintptr_t address) {
  return reinterpret_cast<T*>(address);  // NOLINT(performance-no-int-to-ptr): torch's data_ptr()
}

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

template <class T>
void bind_type(py::module_& module) {
  module.def("knn_center", &center<T>, py::arg("x").noconvert(), py::arg("centred").noconvert(),
             py::arg("norm").noconvert(), py::arg("rescale").noconvert(), py::arg("threads"));
  module.def("knn_search_directly", &search_directly<T>, py::arg("x").noconvert(),
             py::arg("searched"), py::arg("distances").noconvert(), py::arg("indices").noconvert(),
             py::arg("measured").noconvert());
  module.def("knn_search_tree", &search_tree<T>, py::arg("x").noconvert(), py::arg("searched"),
             py::arg("lengths").noconvert(), py::arg("distances").noconvert(),
             py::arg("indices").noconvert(), py::arg("measured").noconvert(), py::arg("threads"));
  module.def("knn_add_gradient", &add_gradient<T>, py::arg("x").noconvert(),
             py::arg("query").noconvert(), py::arg("indices").noconvert(),
             py::arg("gradient").noconvert(), py::arg("of_x").noconvert(),
             py::arg("of_query").noconvert(), py::arg("threads"));
  module.def("knn_select", &select<T>, py::arg("x").noconvert(), py::arg("norm").noconvert(),
             py::arg("rescale").noconvert(), py::arg("lengths").noconvert(),
             py::arg("products").noconvert(), py::arg("first_row"), py::arg("block"),
             py::arg("operand_error"), py::arg("distances").noconvert(),
             py::arg("indices").noconvert(), py::arg("measured").noconvert(), py::arg("threads"),
             py::arg("error").noconvert() = py::none(),
             py::arg("largest_error").noconvert() = py::none(),
             py::arg("most") = std::numeric_limits<std::int32_t>::max());
  module.def("knn_select_emulated", &select_emulated<T>, py::arg("x").noconvert(),
             py::arg("norm").noconvert(), py::arg("rescale").noconvert(),
             py::arg("lengths").noconvert(), py::arg("products").noconvert(), py::arg("first_row"),
             py::arg("operand_error"), py::arg("distances").noconvert(),
             py::arg("indices").noconvert(), py::arg("measured").noconvert(),
             py::arg("descending"));
  module.def("knn_search_tiles_emulated", &search_tiles_emulated<T>, py::arg("x").noconvert(),
             py::arg("centred").noconvert(), py::arg("norm").noconvert(),
             py::arg("rescale").noconvert(), py::arg("lengths").noconvert(), py::arg("searched"),
             py::arg("distances").noconvert(), py::arg("indices").noconvert(),
             py::arg("measured").noconvert(), py::arg("descending"));
}

}  // namespace

void bind_knn(py::module_& module) {
  bind_type<float>(module);
  bind_type<double>(module);
  module.def("knn_center_rounded", &center_rounded, py::arg("x").noconvert(),
             py::arg("pairs").noconvert(), py::arg("norm").noconvert(),
             py::arg("error").noconvert(), py::arg("largest_error").noconvert(),
             py::arg("rescale").noconvert(), py::arg("searched"), py::arg("threads"));
  module.def("knn_multiply_rounded_half", &multiply_rounded_half, py::arg("pairs").noconvert(),
             py::arg("channels"), py::arg("products").noconvert(), py::arg("threads"));
  module.def("knn_search_rounded", &search_rounded, py::arg("x").noconvert(),
             py::arg("pairs").noconvert(), py::arg("norm").noconvert(),
             py::arg("error").noconvert(), py::arg("largest_error").noconvert(),
             py::arg("rescale").noconvert(), py::arg("lengths").noconvert(), py::arg("searched"),
             py::arg("distances").noconvert(), py::arg("indices").noconvert(),
             py::arg("measured").noconvert(), py::arg("most"), py::arg("threads"));
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
