// The NumPy arrays that a call is given, of any dtype until they are asked for.
#pragma once

#include <pybind11/numpy.h>
#include <pybind11/pybind11.h>
#include <pybind11/stl.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <new>
#include <optional>
#include <stdexcept>
#include <string>
#include <vector>

namespace graphcut::bindings {

using Maybe = std::optional<pybind11::array>;  // None: not given, or not wanted
using Shape = std::initializer_list<pybind11::ssize_t>;

// Callers hand over arrays in C order, of agreeing dtypes and shapes; this guards against memory
// errors only. Others raise TypeError (dtype, order) or ValueError (shape, no writing).
// `sizes` is a Shape, or the number of entries of an array of any shape.
class Arrays {
 public:
  // The memory stays while this and the arguments do; if `keep`, that of in() without these too.
  explicit Arrays(bool keep = false) : keep_(keep) {}

  // Values of an argument. Where they are not aligned this is a copy.
  template <class T, class Sizes = Shape>
  const T* in(const pybind11::array& array, const char* name, Sizes sizes) {
    expect(array, name, sizes);
    check(array, pybind11::dtype::num_of<T>(), name);
    return static_cast<const T*>(aligned(array));
  }

  // Memory of a result, which needs to be aligned.
  template <class T, class Sizes = Shape>
  T* out(const pybind11::array& array, const char* name, Sizes sizes) {
    expect(array, name, sizes);
    check(array, pybind11::dtype::num_of<T>(), name);
    if ((array.flags() & kAligned) == 0) fail(name, "not aligned");
    return static_cast<T*>(pybind11::array(array).mutable_data());
  }

  // The same; nullptr for None.
  template <class T, class Sizes = Shape>
  const T* in(const Maybe& array, const char* name, Sizes sizes) {
    return array ? in<T>(*array, name, sizes) : nullptr;
  }
  template <class T, class Sizes = Shape>
  T* out(const Maybe& array, const char* name, Sizes sizes) {
    return array ? out<T>(*array, name, sizes) : nullptr;
  }

  static void expect(const pybind11::array& array, const char* name, Shape shape) {
    bool same = array.ndim() == static_cast<pybind11::ssize_t>(shape.size());
    pybind11::ssize_t axis = 0;
    for (const pybind11::ssize_t size : shape) same = same && array.shape(axis++) == size;
    if (!same) fail(name, "unexpected shape");
  }
  static void expect(const pybind11::array& array, const char* name, pybind11::ssize_t size) {
    if (array.size() != size) fail(name, "unexpected size");
  }
  [[noreturn]] static void fail(const char* name, const char* why) {
    throw std::invalid_argument(std::string(name) + ": " + why);
  }

 private:
  static constexpr int kAligned = pybind11::detail::npy_api::NPY_ARRAY_ALIGNED_;

  static void check(const pybind11::array& array, int dtype, const char* name) {
    const auto& numpy = pybind11::detail::npy_api::get();
    if (!numpy.PyArray_EquivTypes_(array.dtype().ptr(), pybind11::dtype(dtype).ptr()) ||
        (array.flags() & pybind11::array::c_style) == 0) {
      throw pybind11::type_error(std::string(name) + ": unexpected dtype or order");
    }
  }

  const void* aligned(const pybind11::array& array) {
    const bool in_place = (array.flags() & kAligned) != 0;
    if (in_place && !keep_) return array.data();
    held_.push_back(in_place ? array
                             : pybind11::array::ensure(array, pybind11::array::c_style | kAligned));
    if (!held_.back()) throw std::bad_alloc();
    return held_.back().data();
  }

  bool keep_;
  std::vector<pybind11::array> held_;
};

// The sizes of an array of so many axes.
template <std::size_t axes>
std::array<pybind11::ssize_t, axes> sizes(const pybind11::array& array, const char* name) {
  if (array.ndim() != axes) Arrays::fail(name, "unexpected number of dimensions");
  std::array<pybind11::ssize_t, axes> found;
  for (std::size_t axis = 0; axis < axes; ++axis) found[axis] = array.shape()[axis];
  return found;
}

// Calls use(T{}) for the one of Ts that is the dtype of an array.
template <class... Ts, class Use>
void with_dtype(const pybind11::array& array, const char* name, Use&& use) {
  const int dtype = array.dtype().normalized_num();
  const bool found =
      ((dtype == pybind11::dtype::num_of<Ts>() && (static_cast<void>(use(Ts{})), true)) || ...);
  if (!found) throw pybind11::type_error(std::string(name) + ": unexpected dtype");
}

// A copy as a NumPy array.
template <class T>
pybind11::array to_array(const std::vector<T>& values) {
  return {pybind11::dtype(pybind11::dtype::num_of<T>()), {values.size()}, {}, values.data()};
}

#ifdef GRAPHCUT_WITH_CUDA
template <class T>
T* pointer(std::uintptr_t address) {
  return reinterpret_cast<T*>(address);  // NOLINT(performance-no-int-to-ptr): torch's data_ptr()
}
#endif

}  // namespace graphcut::bindings
