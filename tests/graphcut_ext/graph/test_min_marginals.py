"""gx.min_marginals against trying every labelling."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from oracles import Problem

import graphcut_ext as gx

INF = float("inf")


def brute(graph: gx.Graph) -> tuple[np.ndarray, np.ndarray]:
    problem = Problem(
        graph.edge_index,
        graph.capacity.astype(float),
        graph.reverse_capacity.astype(float),
        graph.source.astype(float),
        graph.sink.astype(float),
    )
    best = np.full((2, graph.num_nodes), INF)
    for labels in itertools.product((False, True), repeat=graph.num_nodes):
        side = np.array(labels)
        cost = problem.cost(side)
        best[0, side] = np.minimum(best[0, side], cost)
        best[1, ~side] = np.minimum(best[1, ~side], cost)
    return best[0], best[1]


def random_graph(seed: int, dtype: type, infinite: bool = False) -> gx.Graph:
    rng = np.random.default_rng(seed)
    graph = gx.Graph(dtype)
    nodes = graph.add_nodes(9)
    tail, head = rng.integers(0, 9, (2, 20))  # loops and repeated edges among them
    graph.add_edges(tail, head, rng.integers(0, 9, 20), rng.integers(0, 9, 20))
    source, sink = (rng.integers(0, 12, (2, 9)) * rng.integers(0, 2, (2, 9))).astype(dtype)
    if infinite:
        source[rng.integers(0, 4)] = sink[rng.integers(4, 9)] = INF
    graph.set_terminals(nodes, source, sink)
    return graph


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.int32, np.int64])
@pytest.mark.parametrize("seed", range(12))
def test_all_nodes(seed, dtype):
    graph = random_graph(seed, dtype)
    found = gx.min_marginals(graph)
    for values, expected in zip(found, brute(graph), strict=True):
        assert values.dtype == (np.int64 if np.dtype(dtype).kind == "i" else np.float64)
        np.testing.assert_array_equal(values, expected)
    value = graph.solve()
    assert (np.minimum(*found) == value).all()


@pytest.mark.parametrize("seed", range(12))
def test_infinite_capacities(seed):
    graph = random_graph(seed, np.float64, infinite=True)
    graph.add_edges(0, 1, INF, 0)
    try:
        expected = brute(graph)
        found = gx.min_marginals(graph)
    except ValueError:
        assert np.isinf(expected[0]).all()
        return
    assert np.isinf(found.source).any() or np.isinf(found.sink).any()
    for values, known in zip(found, expected, strict=True):
        np.testing.assert_array_equal(values, known)


def test_grid_and_chosen_nodes():
    rng = np.random.default_rng(0)
    graph = gx.Graph.grid((3, 4), 2.0, connectivity=8)
    graph.set_terminals(graph.nodes, *rng.integers(0, 30, (2, 3, 4)))
    graph.solve()
    before = graph.value, graph.source_side.tolist(), graph.source.tolist()
    found = gx.min_marginals(graph)
    assert found.source.shape == (3, 4)
    for values, expected in zip(found, brute(graph), strict=True):
        np.testing.assert_allclose(values.ravel(), expected)
    mask = rng.random((3, 4)) < 0.5
    for nodes, chosen in (
        (mask, lambda a: a[mask]),
        ([[7, 7], [2, 0]], lambda a: a.ravel()[[[7, 7], [2, 0]]]),
        (5, lambda a: a.ravel()[5]),
        ([], lambda a: a.ravel()[:0]),
    ):
        some = gx.min_marginals(graph, nodes, num_threads=2)
        for values, whole in zip(some, found, strict=True):
            np.testing.assert_allclose(values, chosen(whole))
    assert before == (graph.value, graph.source_side.tolist(), graph.source.tolist())


@pytest.mark.parametrize("build", ["grid", "edges"])
def test_large_int32_capacities(build):
    """What ties a node to a terminal is more than int32 holds."""
    huge = 2**30
    if build == "grid":
        graph = gx.Graph.grid((2, 3), huge - 1, dtype=np.int32)
    else:
        graph = gx.Graph(np.int32)
        graph.add_nodes(5)
        graph.add_edges([0, 0, 0, 0], [1, 2, 3, 4], huge - 1)
    graph.set_terminals([0, 1, 2], [huge, 0, 0], [0, huge, 5])
    for values, expected in zip(gx.min_marginals(graph), brute(graph), strict=True):
        np.testing.assert_array_equal(values.ravel(), expected)


def test_refused():
    graph = random_graph(0, np.float64)
    with pytest.raises(TypeError, match="graph must be a Graph, not int"):
        gx.min_marginals(3)
    for wrong in (9, -1):
        with pytest.raises(IndexError, match=f"nodes has {wrong}, out of range for 9 nodes"):
            gx.min_marginals(graph, [0, wrong])
    with pytest.raises(ValueError, match="nodes is a mask of shape"):
        gx.min_marginals(graph, np.ones(3, dtype=bool))
