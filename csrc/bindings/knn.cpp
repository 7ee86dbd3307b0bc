// Array checks and GIL handling for the neighbour search; no algorithm lives here.
#include <pybind11/numpy.h>
#include <pybind11/pybind11.h>
#include <pybind11/stl.h>

#include <cstdint>
#include <initializer_list>
#include <optional>
#include <stdexcept>
#include <string>

#include "bindings/bindings.hpp"
#include "knn/select.hpp"

namespace py = pybind11;

namespace graphcut::bindings {
namespace {

template <class T>
using Dense = py::array_t<T, py::array::c_style>;

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
  py::gil_scoped_release release;
  return knn::center(in, x.shape(0), x.shape(1), x.shape(2), out, norms, rescales, threads);
}

template <class T>
void select(const Dense<T>& x, const Dense<T>& norm, const Dense<double>& rescale,
            const std::optional<Dense<std::int64_t>>& lengths, const Dense<T>& products,
            std::int64_t first_row, std::int64_t block, double operand_error, Dense<T>& distances,
            Dense<std::int64_t>& indices, int threads) {
  expect_three_dimensions(x, "x");
  expect_three_dimensions(products, "products");
  expect_three_dimensions(indices, "indices");
  const py::ssize_t items = x.shape(0);
  const py::ssize_t points = x.shape(1);
  const py::ssize_t rows = products.shape(1);
  const py::ssize_t searched = products.shape(2);
  const py::ssize_t skipped = points > searched ? searched : 0;
  const py::ssize_t k = indices.shape(2);
  expect(norm, "norm", {items, points});
  expect(rescale, "rescale", {items});
  expect(products, "products", {items, rows, searched});
  expect(indices, "indices", {items, points - skipped, k});
  expect(distances, "distances", {items, points - skipped, k});
  if (searched > points || first_row < skipped || first_row + rows > points || k < 1) {
    throw std::invalid_argument("searched, first_row, rows or k out of range");
  }
  if (lengths) {
    expect(*lengths, "lengths", {items});
    for (py::ssize_t item = 0; item < items; ++item) {
      if (lengths->at(item) < 0 || lengths->at(item) > searched) {
        throw std::invalid_argument("lengths out of range");
      }
    }
  }
  if (block < 0 || block % knn::kChunkRows != 0 || (block > 0 && (rows != points || skipped > 0))) {
    throw std::invalid_argument("block must be 0, or a multiple of 16 with all rows");
  }
  const knn::Points<T> cloud{
      x.data(), norm.data(), rescale.data(), items,
      points,   x.shape(2),  searched,       lengths ? lengths->data() : nullptr};
  const knn::Rows<T> product{products.data(), first_row, rows, operand_error, block};
  T* nearest = distances.mutable_data();
  std::int64_t* neighbours = indices.mutable_data();
  py::gil_scoped_release release;
  knn::select(cloud, product, k, nearest, neighbours, threads);
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
                 std::uintptr_t distances, std::uintptr_t indices, std::uintptr_t workspace,
                 int device, std::uintptr_t stream) {
  const knn::Points<T> cloud{pointer<const T>(x),
                             pointer<const T>(norm),
                             pointer<const double>(rescale),
                             items,
                             points,
                             channels,
                             searched,
                             pointer<const std::int64_t>(lengths)};
  const knn::Rows<T> block{pointer<const T>(products), first_row, rows, operand_error, 0};
  py::gil_scoped_release release;
  knn::select_cuda(cloud, block, k, pointer<T>(distances), pointer<std::int64_t>(indices),
                   pointer<double>(workspace), device, pointer<void>(stream));
}
#endif

template <class T>
void bind_type(py::module_& module) {
  module.def("knn_center", &center<T>, py::arg("x").noconvert(), py::arg("centred").noconvert(),
             py::arg("norm").noconvert(), py::arg("rescale").noconvert(), py::arg("threads"));
  module.def("knn_select", &select<T>, py::arg("x").noconvert(), py::arg("norm").noconvert(),
             py::arg("rescale").noconvert(), py::arg("lengths").noconvert(),
             py::arg("products").noconvert(), py::arg("first_row"), py::arg("block"),
             py::arg("operand_error"), py::arg("distances").noconvert(),
             py::arg("indices").noconvert(), py::arg("threads"));
}

}  // namespace

void bind_knn(py::module_& module) {
  bind_type<float>(module);
  bind_type<double>(module);
#ifdef GRAPHCUT_WITH_CUDA
  module.def("knn_select_cuda_float32", &select_cuda<float>);
  module.def("knn_select_cuda_float64", &select_cuda<double>);
#endif
}

}  // namespace graphcut::bindings
