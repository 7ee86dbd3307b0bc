"""Grids that are solved in parts, by several threads, through both doors."""

from __future__ import annotations

import numpy as np
import pytest
import torch

import graphcut_ext as gx


def noisy(shape: tuple[int, ...], connectivity: int, dtype: str) -> gx.Graph:
    rng = np.random.default_rng(5)
    place = np.indices(shape).astype(np.float64)
    blobs = sum(np.sin((k + 3) * x / 20 + k) for k, x in enumerate(place))
    noise = rng.normal(0, 2, shape)
    capacity = rng.integers(1, 9, (connectivity // 2, *shape))
    graph = gx.Graph.grid(shape, capacity, connectivity=connectivity, dtype=dtype)
    wanted = np.rint(8 * (blobs + noise)).astype(np.int64)
    graph.set_terminals(graph.nodes, np.maximum(wanted, 0), np.maximum(-wanted, 0))
    return graph


@pytest.mark.parametrize(
    ("shape", "connectivity", "dtype"),
    [
        ((515, 513), 4, "float32"),
        ((515, 513), 8, "int32"),
        ((81, 81, 81), 6, "float64"),
        ((66, 65, 64), 26, "float32"),
    ],
)
def test_threads_and_doors_agree(shape, connectivity, dtype):
    """The same bits by one thread and by several, as a grid and as a list, and by hpf."""
    graph = noisy(shape, connectivity, dtype)
    value = graph.solve(num_threads=1)
    side = graph.source_side
    assert 0.1 < side.mean() < 0.9
    for threads in (2, 3):
        again = graph.copy()
        assert again.solve(reuse=False, num_threads=threads) == value
        assert again.source_side.tolist() == side.tolist()
    order = np.lexsort(graph.edge_index[::-1])
    for chosen in (slice(None), order, np.random.default_rng(0).permutation(order)):
        edges = torch.from_numpy(np.ascontiguousarray(graph.edge_index[:, chosen]))
        capacity = torch.from_numpy(graph.capacity[chosen])
        terminals = torch.from_numpy(graph.source), torch.from_numpy(graph.sink)
        for solver, threads in (("auto", 1), ("auto", 2), ("hpf", 1)):
            cut = gx.maxflow(edges, capacity, *terminals, solver=solver, num_threads=threads)
            assert cut.value.item() == value
            assert cut.source_side.numpy().tolist() == side.ravel().tolist()


def test_real_capacities_by_any_number_of_threads():
    """Floats that round: the same bits all the same."""
    rng = np.random.default_rng(6)
    shape = 600, 601
    graph = gx.Graph.grid(shape, rng.random((4, *shape)), connectivity=8, dtype=np.float32)
    graph.set_terminals(graph.nodes, 4 * rng.random(shape), 4 * rng.random(shape))
    value = graph.solve(num_threads=1)
    again = graph.copy()
    assert again.solve(reuse=False, num_threads=4) == value
    assert (again.source_side == graph.source_side).all()


def test_strong_smoothness_is_left_to_pseudoflow():
    """Which takes a fraction of the time; here only that the cut is the same."""
    rng = np.random.default_rng(7)
    shape = 200, 200
    graph = gx.Graph.grid(shape, rng.integers(1, 200, (4, *shape)), connectivity=8, dtype=np.int32)
    graph.set_terminals(graph.nodes, rng.integers(0, 300, shape), rng.integers(0, 300, shape))
    value = graph.solve()
    edges, capacity, source, sink = map(
        torch.from_numpy, (graph.edge_index, graph.capacity, graph.source, graph.sink)
    )
    cut = gx.maxflow(edges, capacity, source, sink, solver="push_relabel")
    assert cut.value.item() == value
    assert cut.source_side.tolist() == graph.source_side.ravel().tolist()


def test_a_star_is_no_trap():
    """Every leaf's flow goes through one node: solved, changed altogether and solved again."""
    leaves = 100_000
    rng = np.random.default_rng(8)
    ends = rng.integers(-9, 10, leaves)
    graph = gx.Graph(np.int64)
    graph.add_nodes(leaves + 1)
    graph.add_edges(0, np.arange(1, leaves + 1), rng.integers(0, 5, leaves))
    for sign in (1, -1):
        graph.set_terminals(
            np.arange(1, leaves + 1), np.maximum(sign * ends, 0), np.maximum(-sign * ends, 0)
        )
        capacity = graph.capacity
        supply = np.minimum(graph.source[1:], capacity)
        demand = np.minimum(graph.sink[1:], capacity)
        assert graph.solve() == min(supply.sum(), demand.sum())
