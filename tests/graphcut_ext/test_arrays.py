"""NumPy arrays in place of tensors: the same numbers, as arrays."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from scipy.sparse import csr_array
from scipy.sparse.csgraph import maximum_flow
from scipy.spatial import cKDTree
from torch import Tensor

import graphcut_ext as gx

Array = NDArray[Any]
RNG = np.random.default_rng(0)
POINTS = RNG.standard_normal((2, 30, 3))
ENDS = np.stack([np.arange(19), np.arange(1, 20)])
CAPACITY = RNG.integers(0, 9, 19).astype(np.float64)
SOURCE, SINK = RNG.integers(0, 9, (2, 20)).astype(np.float64)


def tensors(*arrays: Array) -> list[Tensor]:
    return [torch.from_numpy(array.copy()) for array in arrays]


def assert_equal(found: Any, expected: Any) -> None:
    """Arrays, or tuples of them, hold what tensors do."""
    if isinstance(expected, Tensor):
        assert isinstance(found, np.ndarray if expected.dim() else np.generic)
        assert found.dtype == expected.numpy().dtype
        assert np.array_equal(found, expected.numpy())
        return
    assert type(found) is type(expected)
    for one, other in zip(found, expected, strict=True):
        assert_equal(one, other)


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_knn(dtype: type):
    x, query = POINTS.astype(dtype), POINTS[:, :4].astype(dtype)
    expected = gx.knn(*tensors(x), 5)
    assert_equal(gx.knn(x, 5), expected)
    assert_equal(gx.knn(x=x, k=5, query=None), expected)
    assert_equal(gx.knn(x[0], 5), gx.knn(*tensors(x[0]), 5))
    assert_equal(gx.knn(x, 5, query=query), gx.knn(*tensors(x), 5, query=tensors(query)[0]))
    lengths = np.array([30, 7], np.int32)
    expected_lengths = torch.tensor([30, 7])
    assert_equal(
        gx.knn(x, 5, lengths=lengths, return_measured=True, squared=False),
        gx.knn(*tensors(x), 5, lengths=expected_lengths, return_measured=True, squared=False),
    )


def test_knn_is_that_of_scipy():
    distances, indices = gx.knn(POINTS[0], 4, squared=False)
    expected = cKDTree(POINTS[0]).query(POINTS[0], 5)
    assert np.array_equal(indices, expected[1][:, 1:])
    np.testing.assert_allclose(distances, expected[0][:, 1:])


def test_graphs_of_neighbours():
    found = gx.knn(POINTS, 3)
    of_tensors = gx.knn(*tensors(POINTS), 3)
    weights = gx.knn_weights(found.indices.astype(np.int32), found.distances, weighting="gaussian")
    expected = gx.knn_weights(of_tensors.indices, of_tensors.distances, weighting="gaussian")
    assert_equal(weights, expected)
    source, sink = RNG.random((2, 2, 4, 30))
    assert_equal(
        gx.knn_maxflow(found.indices, weights, source, sink),
        gx.knn_maxflow(of_tensors.indices, expected, *tensors(source, sink)),
    )
    batch = np.repeat(np.arange(3), 10)
    assert_equal(
        gx.knn_edges(POINTS[0], 3, batch=batch),
        gx.knn_edges(*tensors(POINTS[0]), 3, batch=torch.from_numpy(batch)),
    )


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.int32, np.int64])
@pytest.mark.parametrize("index", [np.int64, np.int32, np.uint8])
def test_maxflow(dtype: type, index: type):
    ends = ENDS.astype(index)
    arrays = [array.astype(dtype) for array in (CAPACITY, SOURCE, SINK)]
    assert_equal(gx.maxflow(ends, *arrays), gx.maxflow(torch.from_numpy(ENDS), *tensors(*arrays)))


def test_maxflow_with_everything():
    rows = np.stack([SOURCE, SINK])
    ptr, reverse = np.array([0, 10, 20], np.int32), CAPACITY[::-1]
    inside = ENDS[:, np.arange(19) != 9]
    capacity, reverse = np.delete(CAPACITY, 9), np.delete(reverse, 9)
    found = gx.maxflow(
        inside, capacity, rows, SINK, reverse_capacity=reverse, ptr=ptr, return_flow=True
    )
    ends, forward, source, sink, backward = tensors(inside, capacity, rows, SINK, reverse)
    expected = gx.maxflow(
        ends,
        forward,
        source,
        sink,
        reverse_capacity=backward,
        ptr=torch.from_numpy(ptr).long(),
        return_flow=True,
    )
    assert_equal(found, expected)


def test_dense_crf():
    image = RNG.integers(0, 256, (3, 6, 7)).astype(np.uint8)
    probabilities = RNG.random((2, 6, 7)).astype(np.float32)
    matrix = np.array([[0.0, 1.0], [1.0, 0.5]])
    assert_equal(gx.dense_crf(probabilities, image), gx.dense_crf(*tensors(probabilities, image)))
    found = gx.dense_crf(None, image, unary=-np.log(probabilities), compatibility=matrix)
    unary, of_labels = tensors(-np.log(probabilities), matrix)
    assert_equal(found, gx.dense_crf(None, *tensors(image), unary=unary, compatibility=of_labels))
    with pytest.raises(TypeError, match=r"image is a torch\.Tensor but probabilities is a NumPy"):
        gx.dense_crf(probabilities, *tensors(image))  # type: ignore[call-overload]


def test_maxflow_is_that_of_scipy():
    whole = [array.astype(np.int32) for array in (CAPACITY, SOURCE, SINK)]
    value = gx.maxflow(ENDS, *whole, reverse_capacity=np.zeros(19, np.int32)).value
    nodes = np.arange(20)
    graph = csr_array(
        (
            np.concatenate(whole),
            (
                np.concatenate([ENDS[0], np.full(20, 20), nodes]),
                np.concatenate([ENDS[1], nodes, np.full(20, 21)]),
            ),
        ),
        shape=(22, 22),
    )
    assert value == maximum_flow(graph, 20, 21).flow_value
    assert isinstance(value, np.int64)


def read_only(array: Array) -> Array:
    array = array.copy()
    array.flags.writeable = False
    return array


LAYOUTS = {
    "column by column": np.asfortranarray,
    "backwards": lambda x: x[::-1].copy()[::-1],
    "every other": lambda x: np.repeat(x, 2, axis=-1)[..., ::2],
    "read only": read_only,
    "big-endian": lambda x: x.astype(x.dtype.newbyteorder(">")),
    "a field": lambda x: field(x),
    "not masked": np.ma.masked_array,
    "a subclass": lambda x: x.view(np.recarray),
}


def field(array: Array) -> Array:
    """An array whose steps are no multiple of its values' size."""
    records = np.zeros(array.shape, [("value", array.dtype), ("flag", np.uint8)])
    records["value"] = array
    return records["value"]


@pytest.mark.parametrize("layout", LAYOUTS)
def test_layouts(layout: str, recwarn: pytest.WarningsRecorder):
    change = LAYOUTS[layout]
    assert_equal(gx.knn(change(POINTS), 4), gx.knn(*tensors(POINTS), 4))
    given = [change(array) for array in (ENDS, CAPACITY, SOURCE, SINK)]
    kept = [array.copy() for array in given]
    assert_equal(gx.maxflow(*given), gx.maxflow(*tensors(ENDS, CAPACITY, SOURCE, SINK)))
    assert all(np.array_equal(one, other) for one, other in zip(given, kept, strict=True))
    assert not recwarn.list


def test_results_share_no_memory_with_arguments():
    found = gx.knn(POINTS, 4)
    assert not np.shares_memory(found.distances, POINTS)
    found.distances[:] = 0
    found.indices[:] = 0


def test_all_are_arrays_or_none():
    ends, capacity, source, sink = tensors(ENDS, CAPACITY, SOURCE, SINK)
    with pytest.raises(TypeError, match=r"capacity is a torch\.Tensor but edge_index is a NumPy"):
        gx.maxflow(ENDS, capacity, source, sink)  # type: ignore[call-overload]
    with pytest.raises(TypeError, match=r"edge_index is a torch\.Tensor but sink is a NumPy"):
        gx.maxflow(ends, capacity, source, sink=SINK)  # type: ignore[call-overload]
    with pytest.raises(TypeError, match=r"x is a torch\.Tensor but query is a NumPy array"):
        gx.knn(*tensors(POINTS), 3, query=POINTS)  # type: ignore[call-overload]


def test_lists_are_refused():
    with pytest.raises(TypeError, match=r"source must be a torch\.Tensor, not list"):
        gx.maxflow(ENDS, CAPACITY, SOURCE.tolist(), SINK)  # type: ignore[call-overload]


@pytest.mark.parametrize(
    ("dtype", "message"),
    [
        (object, "x must be an array of numbers, not of dtype object"),
        (np.complex128, "x must be an array of numbers, not of dtype complex128"),
        ("U3", "x must be an array of numbers, not of dtype <U3"),
        (np.int64, "x must be float16, bfloat16, float32 or float64, not int64"),
        (bool, "x must be float16, bfloat16, float32 or float64, not bool"),
    ],
)
def test_dtypes_that_are_no_points(dtype: Any, message: str):
    with pytest.raises(TypeError, match=message):
        gx.knn(POINTS.astype(dtype), 3)


def test_wide_floats_are_refused():
    if np.dtype(np.longdouble) == np.float64:
        pytest.skip("long double is float64 here")
    with pytest.raises(TypeError, match="x must be of a dtype that torch has, not"):
        gx.knn(POINTS.astype(np.longdouble), 3)


def test_node_numbers_that_do_not_fit():
    with pytest.raises(TypeError, match="edge_index must be int64, not uint64"):
        gx.maxflow(ENDS.astype(np.uint64), CAPACITY, SOURCE, SINK)
    with pytest.raises(TypeError, match="edge_index must be int64, not float64"):
        gx.maxflow(ENDS.astype(float), CAPACITY, SOURCE, SINK)


def test_masked_entries_are_named():
    masked = np.ma.masked_array(POINTS, mask=np.zeros_like(POINTS, bool))
    masked[1, 2, 0] = np.ma.masked
    with pytest.raises(TypeError, match=r"x\[1, 2, 0\] is masked; fill it first"):
        gx.knn(masked, 3)


def test_errors_are_those_of_tensors():
    with pytest.raises(ValueError, match=r"k must be at most N - 1 = 29"):
        gx.knn(POINTS, 30)
    with pytest.raises(ValueError, match="source is nan at node 3"):
        gx.maxflow(ENDS, CAPACITY, np.where(np.arange(20) == 3, np.nan, SOURCE), SINK)
    with pytest.raises(TypeError, match="missing 1 required positional argument"):
        gx.maxflow(ENDS, CAPACITY, SOURCE)  # type: ignore[call-overload]
    with pytest.raises(TypeError, match="positional arguments"):
        gx.knn(POINTS, 3, POINTS)  # type: ignore[call-overload]
    with pytest.raises(TypeError, match="multiple values for argument 'x'"):
        gx.knn(POINTS, 3, x=POINTS)  # type: ignore[call-overload]
