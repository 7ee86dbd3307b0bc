"""Sparse matrices and NetworkX graphs as flow problems, against those packages' own solvers."""

from __future__ import annotations

import re

import networkx
import numpy as np
import pytest
from scipy import sparse
from scipy.sparse.csgraph import maximum_flow

import graphcut_ext as gx


def capacities(seed: int, nodes: int = 30) -> sparse.coo_array:
    rng = np.random.default_rng(seed)
    tail, head = rng.integers(0, nodes, (2, 5 * nodes))  # loops and repeated arcs among them
    values = rng.integers(0, 20, 5 * nodes).astype(np.int32)
    return sparse.coo_array((values, (tail, head)), shape=(nodes, nodes))


def cost(matrix: np.ndarray, problem: gx.FlowProblem, cut: gx.MinCut, source: int) -> float:
    """Capacity that leaves the source side, in the numbers of the matrix."""
    side = np.zeros(len(matrix), dtype=bool)
    side[problem.numbers().numpy() - 1] = cut.source_side.numpy()
    side[source] = True
    return matrix[side][:, ~side].sum()


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize("kind", ["csr_array", "csc_matrix", "coo_matrix", "lil_array"])
def test_matrix(seed, kind):
    matrix = getattr(sparse, kind)(capacities(seed))
    source, sink = (3, 17) if seed % 2 else (29, 0)
    problem = gx.FlowProblem.from_scipy(matrix, source, sink)
    cut = problem.cut()
    value = maximum_flow(sparse.csr_array(matrix), source, sink).flow_value
    assert cut.value.item() == value
    assert cost(matrix.toarray(), problem, cut, source) == value
    assert str(problem.capacity.dtype) == "torch.int64"
    decimals = gx.FlowProblem.from_scipy(matrix * 0.25, source, sink)
    assert decimals.cut().value.item() == value / 4


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize("kind", [networkx.DiGraph, networkx.Graph])
def test_graph(seed, kind):
    names = [f"n{k}" for k in range(30)]
    graph = kind()
    graph.add_nodes_from(names)
    for tail, head, value in zip(*sparse.find(capacities(seed)), strict=True):
        graph.add_edge(names[tail], names[head], weight=int(value))
    expected, _ = networkx.minimum_cut(graph, "n3", "n17", capacity="weight")
    problem = gx.FlowProblem.from_networkx(graph, "n3", "n17", capacity="weight")
    cut = problem.cut()
    assert cut.value.item() == expected
    matrix = networkx.to_numpy_array(graph, nodelist=list(graph), weight="weight")
    assert cost(matrix, problem, cut, list(graph).index("n3")) == expected


def test_parallel_edges_add_up_and_missing_capacities_are_infinite():
    graph = networkx.MultiDiGraph()
    graph.add_edges_from([("s", "a", {"capacity": 2}), ("s", "a", {"capacity": 3}), ("a", "t")])
    problem = gx.FlowProblem.from_networkx(graph, "s", "t")
    assert problem.cut().value.item() == 5
    assert problem.sink.tolist() == [float("inf")]


MATRIX = sparse.csr_array(np.array([[0, 3, 0], [0, 0, 2], [0, 0, 0]]))
ERRORS = {
    "dense": (np.eye(3), 0, 2, TypeError, "matrix must be a SciPy sparse matrix, not ndarray"),
    "not square": (MATRIX[:2], 0, 2, ValueError, "matrix must be square, not of shape (2, 3)"),
    "negative": (-1 * MATRIX, 0, 2, ValueError, "matrix[0, 1] is -3; it must be >= 0"),
    "NaN": (np.nan * MATRIX, 0, 2, ValueError, "matrix[0, 1] is nan; it must be >= 0"),
    "complex": (1j * MATRIX, 0, 2, TypeError, "matrix must hold integers or floats"),
    "source": (MATRIX, 3, 2, IndexError, "source is 3, out of range for 3 nodes"),
    "sink": (MATRIX, 0, -1, ValueError, "sink must be at least 0, not -1"),
    "type": (MATRIX, 0, 1.5, TypeError, "sink must be an int, not float"),
    "same": (MATRIX, 1, 1, ValueError, "source and sink are both 1"),
    "huge": (
        MATRIX.astype(np.uint64) * np.uint64(2**63),
        0,
        2,
        ValueError,
        "matrix[0, 1] is 9223372036854775808, out of range for int64",
    ),
    "overflow": (
        sparse.coo_array(([2**62, 2**62], ([0, 0], [1, 1])), shape=(3, 3)),
        0,
        2,
        ValueError,
        "matrix: the capacities of parallel arcs add up beyond int64",
    ),
}


@pytest.mark.parametrize("case", ERRORS)
def test_refused_matrices(case):
    matrix, source, sink, error, message = ERRORS[case]
    with pytest.raises(error, match=re.escape(message)):
        gx.FlowProblem.from_scipy(matrix, source, sink)


@pytest.mark.parametrize(
    ("value", "error", "message"),
    [
        (-1, ValueError, "the capacity of edge ('a', 'b') is -1; it must be >= 0"),
        (float("nan"), ValueError, "the capacity of edge ('a', 'b') is nan"),
        ("3", TypeError, "the capacity of edge ('a', 'b') must be a number, not str"),
        (True, TypeError, "the capacity of edge ('a', 'b') must be a number, not bool"),
        (2**63, ValueError, "is 9223372036854775808, out of range for int64"),
    ],
)
def test_refused_graphs(value, error, message):
    graph = networkx.DiGraph()
    graph.add_edge("a", "b", capacity=value)
    with pytest.raises(error, match=re.escape(message)):
        gx.FlowProblem.from_networkx(graph, "a", "b")
    with pytest.raises(ValueError, match="source 'c' is no node of graph"):
        gx.FlowProblem.from_networkx(graph, "c", "b")
    with pytest.raises(ValueError, match="source and sink are both 'a'"):
        gx.FlowProblem.from_networkx(graph, "a", "a")
    with pytest.raises(TypeError, match="graph must be a NetworkX graph, not list"):
        gx.FlowProblem.from_networkx([], "a", "b")
