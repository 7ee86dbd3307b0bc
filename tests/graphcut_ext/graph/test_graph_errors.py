"""Every bad argument of gx.Graph is refused by name, and the graph stays as it was."""

from __future__ import annotations

import numpy as np
import pytest
import torch

import graphcut_ext as gx

INF, NAN = float("inf"), float("nan")
TOP = 2**63 - 1


def graph_of(dtype: type) -> gx.Graph:
    graph = gx.Graph(dtype)
    graph.add_nodes(3)
    graph.add_edges([0, 1], [1, 2], [3, 1])
    graph.set_terminals([0, 2], source=[5, 0], sink=[0, 4])
    graph.solve()
    return graph


def everything(graph: gx.Graph) -> list[object]:
    names = ("edge_index", "capacity", "reverse_capacity", "source", "sink", "flow", "source_side")
    return [getattr(graph, name).tolist() for name in names] + [graph.value, graph.reused]


# method, arguments, error, message; of a graph with 3 nodes and 2 edges
ERRORS = [
    ("add_nodes", (-1,), ValueError, "n is -1, out of range"),
    ("add_nodes", (2**31,), ValueError, r"n is 2147483648 after 3 nodes, too many.* 2\^30 - 1"),
    ("add_nodes", (2**70,), ValueError, "n is 1180591620717411303424, out of range"),
    ("add_nodes", (2.0,), TypeError, "n must be an integer, not float"),
    ("add_nodes", (True,), TypeError, "n must be an integer, not bool"),
    ("add_edges", ([0, 3], [1, 1], 1), IndexError, "tail is 3 at entry 1, .* for 3 nodes"),
    ("add_edges", (0, [[1, 2], [2, -1]], 1), IndexError, "head is -1 at entry 3, out of range"),
    ("add_edges", (0, 2**40, 1), IndexError, "head is 1099511627776 at entry 0, out of range"),
    ("add_edges", (0, np.array([0, 2**64 - 1], "u8"), 1), IndexError,
     "18446744073709551615 at entry 1"),
    ("add_edges", (2**80, 0, 1), IndexError, "tail is 1208925819614629174706176 at entry 0"),
    ("add_edges", (0.0, 1, 1), TypeError, "tail must hold integers, not float64"),
    ("add_edges", (0, 1, np.ma.array([1, 2], mask=[False, True])), ValueError,
     "capacity is 2 at entry 1, which is masked; fill it first"),
    ("set_terminals", (np.ma.array([0, 1], mask=[True, False]), 1), ValueError,
     "nodes is 0 at entry 0, which is masked"),
    ("set_terminals", ([True, False], 1), ValueError,
     r"nodes is a mask of shape \(2,\), but the nodes have shape \(3,\)"),
    ("add_terminals", (np.zeros((3, 1), dtype=bool), 1), ValueError, r"mask of shape \(3, 1\)"),
    ("set_terminals", ([True, False, True], [1, 2, 3]), ValueError, r"source .* \(2,\)"),
    ("add_edges", (0, [True, False], 1), TypeError, "head must hold integers, not bool"),
    ("add_edges", (0, "a", 1), TypeError, "head must hold integers, not <U1"),
    ("add_edges", (0, [[1], [1, 2]], 1), ValueError, "head is no array"),
    ("add_edges", (0, None, 1), TypeError, "head must hold integers, not object"),
    ("add_edges", ([0, 1], [0, 1, 2], 1), ValueError, r"broadcast.* not \(2,\) and \(3,\)"),
    ("add_edges", ([0, 1], [1, 2], [1, 2, 3]), ValueError, r"capacity .* \(2,\).* not \(3,\)"),
    ("add_edges", (0, 1, [1]), ValueError, r"capacity .* \(\).* not \(1,\)"),
    ("add_edges", ([0, 1], 2, [[1, 2], [3, 4]]), ValueError, r"capacity .* not \(2, 2\)"),
    ("add_edges", ([0, 1], 2, 1, [1] * 3), ValueError, r"reverse_capacity .* not \(3,\)"),
    ("add_edges", ([0, 1], 2, [1, -2]), ValueError, "capacity is -2 at entry 1; .* >= 0"),
    ("add_edges", ([0, 1], 2, 1, [-3, 1]), ValueError, "reverse_capacity is -3 at entry 0"),
    ("add_edges", (0, 1, "1"), TypeError, "capacity must hold (numbers|integers) .* not <U1"),
    ("add_edges", (0, 1, True), TypeError, "capacity must hold .* not bool"),
    ("add_edges", (0, 1, 1j), TypeError, "capacity must hold .* not complex128"),
    ("add_edges", (0, 1, None), TypeError, "capacity must hold .* not object"),
    ("add_edges", (0, 1, torch.ones(1, requires_grad=True)), TypeError, "capacity cannot be read"),
    ("add_terminals", (3, 1, 1), IndexError, "nodes is 3 at entry 0, out of range for 3 nodes"),
    ("add_terminals", ([0, -1], 1), IndexError, "nodes is -1 at entry 1"),
    ("add_terminals", ([0, 1], -1), ValueError, "source is -1 at entry 0"),
    ("add_terminals", ([0, 1], 1, [1, -1]), ValueError, "sink is -1 at entry 1"),
    ("add_terminals", (0, [1, 2]), ValueError, r"source .* not \(2,\)"),
    ("set_terminals", (7,), IndexError, "nodes is 7 at entry 0"),
    ("set_terminals", ([0, 1], [1, 2], [3]  * 3), ValueError, r"sink .* \(2,\).* not \(3,\)"),
    ("set_terminals", ([0, 1], None, [1, -1]), ValueError, "sink is -1 at entry 1"),
    ("set_terminals", ([0, 1], [-1, 1], 1), ValueError, "source is -1 at entry 0"),
    ("set_terminals", (0.5, 1), TypeError, "nodes must hold integers, not float64"),
    ("set_capacities", ([0, 2], 1), IndexError, "edges is 2 at entry 1, out of range for 2 edges"),
    ("set_capacities", (-1, 1), IndexError, "edges is -1 at entry 0"),
    ("set_capacities", ([0, 1], [1, -1]), ValueError, "capacity is -1 at entry 1"),
    ("set_capacities", ([0, 1], 1, [1, -1]), ValueError, "reverse_capacity is -1 at entry 1"),
    ("set_capacities", ([0, 1], [1, 2, 3]), ValueError, r"capacity .* not \(3,\)"),
    ("solve", (), TypeError, "reuse must be a bool, not int"),
]  # fmt: skip

REAL_ERRORS = [
    ("add_edges", ([0, 1], 2, [1, NAN]), ValueError, "capacity is nan at entry 1"),
    ("add_edges", (0, 2, -INF), ValueError, "capacity is -inf at entry 0"),
    ("set_capacities", ([0, 1], 1, [NAN, 0]), ValueError, "reverse_capacity is nan at entry 0"),
    ("set_terminals", ([1, 2], [1, NAN]), ValueError, "source is nan at entry 1"),
    ("add_terminals", ([1, 2], 0, [1, NAN]), ValueError, "sink is nan at entry 1"),
]

TYPED_ERRORS = [
    (np.int32, "add_edges", (0, 1, 0.7), TypeError, "capacity must hold integers .* int32, not fl"),
    (np.int64, "set_terminals", (0, [2.0]), TypeError, "source must hold integers .* not float64"),
    (np.int32, "add_terminals", (0, np.float32(1)), TypeError, "source .* not float32"),
    (np.int32, "set_capacities", ([0, 1], [1, 2**31]), ValueError, "capacity is 2147483648 at ent"),
    (np.int32, "set_capacities", (0, -(2**40)), ValueError, "capacity is -1099511627776 at"),
    (np.int64, "set_capacities", (0, 2**63), ValueError, "is 9223372036854775808 at entry 0"),
    (np.int64, "set_capacities", (0, 2**90), ValueError, "is 12379.* at entry 0, out of range"),
    (np.float32, "set_capacities", (0, 1e39), ValueError, r"is 1e\+39 at .* for float32"),
    (np.int64, "add_edges", ([0, 0], 1, [1, TOP], 1), ValueError, "capacity overflows at entry 1"),
    (np.float64, "add_edges", (0, 1, 1e308), ValueError, "capacity overflows at entry 0"),
    (np.float64, "set_capacities", (0, 1e308), ValueError, "capacity overflows at entry 0"),
    (np.int32, "add_terminals", ([1, 0, 0], [1, 2**30, 2**30]), ValueError,
     "source overflows at entry 2: node 0 has 1073741829 already, and 1073741824 more"),
    (np.int64, "add_terminals", ([2, 2], 1, [TOP - 4, 1]), ValueError, "sink overflows at entry 1"),
    (np.float32, "add_terminals", ([1, 1], 3e38), ValueError, "source overflows at entry 1"),
]  # fmt: skip


def refuse(graph: gx.Graph, method: str, arguments: tuple, error: type, message: str) -> None:
    before = everything(graph)
    with pytest.raises(error, match=message):
        getattr(graph, method)(*arguments, **({"reuse": 1} if method == "solve" else {}))
    assert everything(graph) == before
    graph.set_terminals(1, 0)  # invalidates the results; the state behind them is still whole
    assert graph.solve() == 1
    assert graph.reused
    assert graph.source_side.tolist() == [True, True, False]


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.int32, np.int64])
@pytest.mark.parametrize(("method", "arguments", "error", "message"), ERRORS)
def test_changes(dtype, method, arguments, error, message):
    refuse(graph_of(dtype), method, arguments, error, message)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize(("method", "arguments", "error", "message"), REAL_ERRORS)
def test_changes_of_real_capacities(dtype, method, arguments, error, message):
    refuse(graph_of(dtype), method, arguments, error, message)


@pytest.mark.parametrize(("dtype", "method", "arguments", "error", "message"), TYPED_ERRORS)
def test_dtypes_and_overflow(dtype, method, arguments, error, message):
    refuse(graph_of(dtype), method, arguments, error, message)


def test_integers_of_every_width_are_taken():
    for kind in ("int8", "uint16", "int64", "uint64"):
        for dtype in (np.float32, np.float64, np.int32, np.int64):
            graph = graph_of(dtype)
            graph.set_capacities(np.array([1], kind), np.array([2], kind))
            assert graph.solve() == 2
    graph = graph_of(np.float32)
    graph.set_capacities(1, np.float16(2.5))
    assert graph.solve() == 2.5


def test_arrays_of_any_layout_are_taken():
    graph = gx.Graph(np.float32)
    nodes = graph.add_nodes(8)
    wide = np.arange(32, dtype=">f8").reshape(8, 4)
    graph.set_terminals(nodes[::-2], wide[::2, 1], np.broadcast_to(np.float32(3), (4,)))
    assert graph.source.tolist() == [0, 25, 0, 17, 0, 9, 0, 1]
    assert graph.sink.tolist() == [0, 3] * 4
    graph.add_terminals(torch.tensor([0, 2]), torch.tensor([1.5, 2.5]))
    assert graph.source[:3].tolist() == [1.5, 25, 2.5]


def test_sums_of_integer_terminals_beyond_int64():
    graph = graph_of(np.int64)
    graph.set_terminals([0, 1], TOP, TOP)
    with pytest.raises(ValueError, match="source and sink: both sums exceed"):
        graph.solve()
    with pytest.raises(RuntimeError, match="call solve"):
        _ = graph.flow
    graph.set_terminals([0, 1], [5, 0], 0)
    assert graph.solve() == 1


def test_a_value_beyond_float64():
    graph = graph_of(np.float64)
    graph.set_terminals([0, 1], 1.5e308, 1.5e308)
    with pytest.raises(ValueError, match="value of the minimum cut overflows float64"):
        graph.solve()
    graph.set_terminals([0, 1], [5, 0], 0)
    assert graph.solve() == 1


@pytest.mark.parametrize(
    "dtype", [np.float16, np.uint8, bool, complex, "U1", "no such type", ">f8"]
)
def test_dtypes_that_no_graph_has(dtype):
    with pytest.raises(TypeError, match="dtype must be one of float32, float64, int32, int64, not"):
        gx.Graph(dtype)


@pytest.mark.parametrize(
    ("changes", "error", "message"),
    [
        ({"shape": 5}, TypeError, "shape must be a sequence of integers, not int"),
        ({"shape": (5,)}, ValueError, "shape must have 2 or 3 axes, not 1"),
        ({"shape": (2, 2, 2, 2)}, ValueError, "shape must have 2 or 3 axes, not 4"),
        ({"shape": (2, -3)}, ValueError, r"shape\[1\] is -3, out of range"),
        ({"shape": (2.0, 3)}, TypeError, r"shape\[0\] must be an integer, not float"),
        ({"shape": (2**16, 2**16)}, ValueError, r"shape has 4294967296 nodes.* 2\^30 - 1"),
        ({"connectivity": 6}, ValueError, "one of 4, 8 in 2 dimensions, not 6"),
        ({"connectivity": "4"}, TypeError, "connectivity must be an integer, not str"),
        ({"shape": (2, 2, 2), "connectivity": 8}, ValueError, "one of 6, 18, 26 in 3 dim"),
        ({"periodic": 1}, TypeError, "periodic must be a bool, not int"),
        ({"periodic": (True,)}, ValueError, "periodic must be a bool or 2 of them.* not 1"),
        ({"periodic": (True, 0)}, TypeError, r"periodic\[1\] must be a bool, not int"),
        ({"capacity": [1, 2, 3]}, ValueError, r"capacity .* \(2,\) .* \(2, 2, 3\) .* not \(3,\)"),
        ({"capacity": np.ones((2, 3))}, ValueError, r"capacity .* not \(2, 3\)"),
        ({"reverse_capacity": [[1]]}, ValueError, r"reverse_capacity .* not \(1, 1\)"),
        ({"capacity": -1}, ValueError, "capacity is -1 at entry 0"),
        ({"reverse_capacity": [1, NAN]}, ValueError, "reverse_capacity is nan at entry 4"),
        ({"dtype": np.int32, "capacity": 0.7}, TypeError, "capacity must hold integers"),
        ({"dtype": np.float16}, TypeError, "dtype must be one of"),
    ],
)
def test_grids(changes, error, message):
    arguments = {"shape": (2, 3), "capacity": 1} | changes
    with pytest.raises(error, match=message):
        gx.Graph.grid(**arguments)


def test_what_only_grids_have():
    for name in ("grid_offsets", "grid_edges"):
        with pytest.raises(AttributeError, match=r"this graph is no grid; Graph\.grid makes one"):
            getattr(gx.Graph(), name)
