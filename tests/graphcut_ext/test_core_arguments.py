"""Arrays that the compiled core is given: it takes the right ones and refuses all others.

The operators hand over sound arrays alone. A wrong one must raise, and never be read as if it were
of another type or layout.
"""

import random

import numpy as np
import pytest
from odd_bindings import Sizes, cuts, fields, graphs, moves, searches
from odd_values import misaligned, read_only

from graphcut_ext import _core

KINDS = (cuts, graphs, moves, fields, searches)
ANY_SIZE = {"bounds"}  # nothing else is given that tells the size


def sound(kind):
    sizes = Sizes(random.Random(3))
    sizes.n, sizes.e, sizes.k, sizes.c, sizes.threads = 5, 7, 2, 3, 1
    return kind(sizes)


def places():
    """Every array among the arguments: its kind of binding, number of the binding, position."""
    return list(each_place())


def each_place():
    for kind in KINDS:
        for number, (binding, arguments) in enumerate(sound(kind)):
            for at, value in enumerate(arguments):
                if isinstance(value, np.ndarray):
                    name = f"{kind.__name__}-{number}-{binding.__name__}-{at}"
                    yield pytest.param(kind, number, at, id=name)


def call(kind, number, at=None, change=None):
    """Call a binding, with one array changed; returns what it returns, and its arrays after."""
    binding, arguments = sound(kind)[number]
    if change is not None:
        arguments[at] = change(arguments[at])
    returned = binding(*arguments)
    return returned, [value.copy() for value in arguments if isinstance(value, np.ndarray)]


def is_written(kind, number, at):
    try:
        call(kind, number, at, read_only)
    except ValueError as error:
        return "writeable" in str(error)
    return False


def other_dtypes(array):
    size = array.dtype.itemsize
    yield from (np.dtype(f"{c}{size}") for c in "fiu" if size > 1 or c != "f")
    yield from (np.dtype("f8"), np.dtype("i8"), np.dtype("c16"), array.dtype.newbyteorder("S"))


def same(first, second):
    return np.array_equal(np.asarray(first), np.asarray(second), equal_nan=True)


@pytest.mark.parametrize(("kind", "number", "at"), places())
def test_arrays_of_another_dtype_are_refused(kind, number, at):
    array = sound(kind)[number][1][at]
    for dtype in other_dtypes(array):
        if dtype == array.dtype or sound(kind)[number][0].__name__ in ANY_SIZE:
            continue
        with pytest.raises(TypeError):
            call(kind, number, at, lambda value, dtype=dtype: value.astype(dtype))


@pytest.mark.parametrize(("kind", "number", "at"), places())
def test_arrays_in_another_order_are_refused(kind, number, at):
    def spread(array):
        wide = np.repeat(array, 2, axis=-1)
        wide[..., 1::2] = 0
        return wide[..., ::2]

    array = sound(kind)[number][1][at]
    if array.size == 1:
        return  # in any order
    assert same(spread(array), array)
    with pytest.raises(TypeError):
        call(kind, number, at, spread)


@pytest.mark.parametrize(("kind", "number", "at"), places())
def test_arrays_of_another_size_are_refused(kind, number, at):
    if sound(kind)[number][0].__name__ in ANY_SIZE:
        return
    with pytest.raises(ValueError, match=r"unexpected|belong|range|shape|offsets|large"):
        call(kind, number, at, lambda value: value.ravel()[:-1])


@pytest.mark.parametrize(("kind", "number", "at"), places())
def test_misaligned_arrays_are_read_but_not_written(kind, number, at):
    if sound(kind)[number][1][at].dtype.itemsize == 1:
        return  # always aligned
    if is_written(kind, number, at):
        with pytest.raises(ValueError, match="not aligned"):
            call(kind, number, at, misaligned)
        return
    returned, arrays = call(kind, number)
    found, others = call(kind, number, at, misaligned)
    if returned is not None:
        assert same(found, returned)
    assert all(map(same, others, arrays))


@pytest.mark.parametrize("value", [None, 1.5, [1.0], "x", memoryview(b"12345678")])
def test_what_is_no_array_is_refused(value):
    with pytest.raises(TypeError):
        _core.bounds(value)


@pytest.mark.parametrize("dtype", ["float16", "double", "", "uint8"])
def test_graphs_of_other_dtypes_are_refused(dtype):
    with pytest.raises(ValueError, match="dtype"):
        _core.Graph(dtype)


@pytest.mark.parametrize("dtype", ["float32", "float64", "int32", "int64"])
def test_graphs_take_and_return_their_own_dtype(dtype):
    graph = _core.Graph(dtype)
    graph.add_nodes(2)
    ends = np.array([0]), np.array([1])
    capacity = np.array([3], dtype)
    for other in {"float32", "float64", "int32", "int64"} - {dtype}:
        with pytest.raises(TypeError):
            graph.add_edges(*ends, capacity, capacity.astype(other))
        with pytest.raises(TypeError):
            graph.add_terminals(np.arange(2), np.ones(2, other), np.ones(2, dtype))
    graph.add_edges(*ends, capacity, capacity)
    graph.set_terminals(np.arange(2), np.array([5, 0], dtype), np.array([0, 4], dtype))
    wide = "float64" if dtype.startswith("float") else "int64"
    assert type(graph.solve(True, 1)) is (float if wide == "float64" else int)
    assert graph.value() == 3
    assert graph.flow().dtype == graph.capacity().dtype == graph.source().dtype == dtype
    assert {array.dtype for array in graph.residual()} == {np.dtype(wide)}
    assert graph.tail().dtype == graph.head().dtype == np.int32
    assert graph.copy().sink().tolist() == [0, 4]


@pytest.mark.parametrize("dtype", ["float32", "float64", "int32", "int64"])
def test_batches_take_values_of_their_own_dtype(dtype):
    wide = "float64" if dtype.startswith("float") else "int64"
    ends, ones = np.array([[0], [1]]), np.ones((1, 2), dtype)
    side = np.zeros((1, 2), np.bool_)
    for other in ("float64", "int64"):
        value = np.zeros((1, 1), other)
        arguments = [ends, np.ones((1, 1), dtype), None, ones, ones, None, value, side, None]
        if other == wide:
            _core.solve_edge_list(*arguments, "auto", 1)
            assert value.tolist() == [[2]]
        else:
            with pytest.raises(TypeError):
                _core.solve_edge_list(*arguments, "auto", 1)
