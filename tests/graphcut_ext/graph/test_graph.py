"""gx.Graph: values, labels and flows against independent answers, before and after changes."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from graphs import DTYPES, assert_solved_as_scipy, chain, problem_of, random_graph
from oracles import brute_force

import graphcut_ext as gx


@pytest.mark.parametrize("dtype", DTYPES)
def test_a_chain_by_hand(dtype):
    graph = chain(dtype)
    value = graph.solve()
    assert value == 1
    assert type(value) is (float if np.dtype(dtype).kind == "f" else int)
    assert graph.source_side.tolist() == [True, True, False]
    assert graph.flow.tolist() == [1, 1]
    assert graph.flow.dtype == dtype
    forward, backward = graph.residual
    assert forward.tolist() == [2, 0]
    assert backward.tolist() == [4, 2]
    assert graph.cut_edges.tolist() == [1]
    assert not graph.reused
    assert (graph.num_nodes, graph.num_edges, graph.dtype) == (3, 2, dtype)


@pytest.mark.parametrize("dtype", DTYPES)
def test_against_brute_force(dtype):
    rng = np.random.default_rng(0)
    for _ in range(60):
        nodes = int(rng.integers(1, 9))
        graph = random_graph(rng, nodes, int(rng.integers(0, 20)), dtype)
        value, side = brute_force(problem_of(graph))
        assert graph.solve() == value
        assert graph.source_side.tolist() == side.tolist()


@pytest.mark.parametrize("dtype", DTYPES)
def test_every_kind_of_change_after_a_solve(dtype):
    graph = chain(dtype)
    graph.solve()
    changes = [
        (lambda: graph.set_capacities(1, 2), 2, [True, True, False]),
        (lambda: graph.set_capacities(1, 9), 3, [True, False, False]),
        (lambda: graph.set_terminals(0, source=2), 2, [False, False, False]),
        (lambda: graph.add_terminals([1, 1], source=[1, 2]), 4, [True, True, True]),
        (lambda: graph.set_capacities(1, 0, 7), 0, [True, True, False]),
        (lambda: graph.set_terminals(2, source=6), 4, [True, True, True]),
        (lambda: graph.set_terminals([0, 1, 2], 0, 0), 0, [False, False, False]),
        (lambda: graph.set_terminals([2, 0], [4, 0], [0, 9]), 3, [False, True, True]),
    ]
    for change, value, side in changes:
        change()
        assert graph.solve() == value
        assert graph.source_side.tolist() == side
        assert graph.reused


def test_repeated_numbers():
    """Added capacities add up; of capacities that are set the last one counts."""
    graph = chain()
    graph.add_terminals([0, 0, 2], source=1, sink=[1, 2, 3])
    assert graph.source.tolist() == [7, 0, 1]
    assert graph.sink.tolist() == [3, 0, 7]
    graph.set_terminals([0, 0], source=[8, 9])
    assert graph.source.tolist() == [9, 0, 1]
    assert graph.sink.tolist() == [3, 0, 7]
    graph.set_capacities([1, 1], [8, 6], [7, 5])
    assert graph.capacity.tolist() == [3, 6]
    assert graph.reverse_capacity.tolist() == [3, 5]
    assert_solved_as_scipy(graph)


def test_scalars_and_shapes_broadcast():
    graph = gx.Graph(np.int32)
    nodes = graph.add_nodes(6).reshape(2, 3)
    edges = graph.add_edges(nodes[:, :-1], nodes[:, 1:], [[1], [2]], 0)
    assert edges.tolist() == [[0, 1], [2, 3]]
    assert graph.edge_index.tolist() == [[0, 1, 3, 4], [1, 2, 4, 5]]
    assert graph.capacity.tolist() == [1, 1, 2, 2]
    assert graph.reverse_capacity.tolist() == [0] * 4
    star = graph.add_edges(0, nodes[1], 7)
    assert star.tolist() == [4, 5, 6]
    assert graph.edge_index[:, 4:].tolist() == [[0, 0, 0], [3, 4, 5]]
    assert graph.reverse_capacity[4:].tolist() == [7] * 3
    graph.add_terminals(nodes, source=[1, 2, 3])
    assert graph.source.tolist() == [1, 2, 3, 1, 2, 3]
    assert graph.sink.tolist() == [0] * 6
    assert graph.add_edges([], [], []).shape == (0,)
    assert graph.add_nodes(0).shape == (0,)


def test_nothing_to_cut():
    graph = gx.Graph()
    assert graph.solve() == 0
    assert graph.source_side.shape == graph.flow.shape == graph.cut_edges.shape == (0,)
    graph.add_nodes(2)
    graph.add_edges([0, 1], [0, 1], 5)  # self-loops
    graph.set_terminals(0, 3, 2)
    assert graph.solve() == 2
    assert graph.source_side.tolist() == [True, False]
    assert graph.flow.tolist() == [0, 0]
    assert [r.tolist() for r in graph.residual] == [[5, 5], [5, 5]]
    graph.set_capacities(0, 1, 2)
    assert graph.solve() == 2
    assert [r.tolist() for r in graph.residual] == [[1, 5], [2, 5]]


def test_edges_and_nodes_after_a_solve():
    graph = chain()
    graph.solve()
    new = graph.add_nodes(2)
    assert new.tolist() == [3, 4]
    assert graph.add_edges([0, 3], [3, 2], [9, 2]).tolist() == [2, 3]
    assert_solved_as_scipy(graph)
    assert graph.value == 3
    assert not graph.reused
    graph.set_capacities(3, 1)
    assert graph.solve() == 2
    assert graph.reused


def test_cut_edges_are_those_that_are_paid():
    """Edges 0 -> 1 and 3 -> 1 lead out of the source side, 1 -> 0 back into it."""
    graph = gx.Graph()
    graph.add_nodes(4)
    graph.add_edges([0, 1, 1, 0], [1, 0, 3, 3], [2, 5, 0, 9], [0, 0, 4, 9])
    graph.set_terminals([0, 1], [50, 0], [0, 50])
    assert graph.solve() == 6
    assert graph.source_side.tolist() == [True, False, False, True]
    assert graph.cut_edges.tolist() == [0, 2]


@pytest.mark.parametrize("dtype", DTYPES)
def test_no_reuse_on_request(dtype):
    graph = random_graph(np.random.default_rng(1), 40, 120, dtype)
    first = graph.solve()
    assert graph.solve() == first
    assert graph.reused
    assert graph.solve(reuse=False) == first
    assert not graph.reused


def test_results_are_not_known_before_a_solve_or_after_a_change():
    def refused(graph: gx.Graph) -> None:
        for name in ("value", "source_side", "flow", "residual", "cut_edges", "reused"):
            with pytest.raises(RuntimeError, match=rf"{name} is not known: call solve\(\)"):
                getattr(graph, name)

    graph = chain()
    refused(graph)
    for change in (
        lambda: graph.add_nodes(1),
        lambda: graph.add_edges(0, 2, 1),
        lambda: graph.add_terminals(0, 1),
        lambda: graph.set_terminals(0, 1),
        lambda: graph.set_capacities(0, 1),
    ):
        graph.solve()
        assert graph.flow is not None
        change()
        refused(graph)


def test_results_are_copies():
    graph = chain()
    graph.solve()
    for name in ("source_side", "flow", "cut_edges", "capacity", "source", "edge_index", "nodes"):
        before = getattr(graph, name).tolist()
        getattr(graph, name)[:] = 1
        assert getattr(graph, name).tolist() == before


@pytest.mark.parametrize("dtype", DTYPES)
def test_equals_maxflow_to_the_bit(dtype):
    rng = np.random.default_rng(2)
    graph = random_graph(rng, 300, 1500, dtype)
    if np.dtype(dtype).kind == "f":
        graph.set_capacities(np.arange(1500), rng.random(1500))
    graph.solve()
    cut = gx.maxflow(
        *map(torch.from_numpy, (graph.edge_index, graph.capacity, graph.source, graph.sink)),
        reverse_capacity=torch.from_numpy(graph.reverse_capacity),
    )
    assert graph.value == cut.value.item()
    assert graph.source_side.tolist() == cut.source_side.tolist()


def test_many_small_changes_of_real_capacities_do_not_add_up():
    rng = np.random.default_rng(3)
    graph = gx.Graph.grid((12, 12), rng.random((4, 12, 12)), connectivity=8, dtype=np.float32)
    reused = 0
    for _ in range(300):
        nodes = rng.integers(0, 144, 20)
        graph.set_terminals(nodes, 3 * rng.random(20), 3 * rng.random(20))
        edges = rng.integers(0, graph.num_edges, 20)
        graph.set_capacities(edges, rng.random(20), rng.random(20))
        graph.solve()
        reused += graph.reused
        afresh = graph.copy()
        afresh.solve(reuse=False)
        assert graph.value == pytest.approx(afresh.value, rel=1e-12)
        cost = problem_of(graph, np.float64).cost(graph.source_side.ravel())
        assert graph.value == pytest.approx(cost, rel=1e-12)
    assert reused == 299


def test_repr():
    graph = chain()
    assert repr(graph) == "Graph(float64, 3 nodes, 2 edges, not solved)"
    graph.solve()
    assert repr(graph) == "Graph(float64, 3 nodes, 2 edges, value 1)"
    grid = gx.Graph.grid((2, 3), 1, dtype=np.int32)
    assert repr(grid) == "Graph(int32, 6 nodes, 7 edges, grid of 2 x 3, not solved)"


def test_masks_of_nodes():
    graph = gx.Graph.grid((3, 4), 2)
    scribble = np.zeros((3, 4), dtype=bool)
    scribble[0, 1:3] = scribble[2, 0] = True
    graph.set_terminals(scribble, source=[3, 4, 5], sink=1)
    expected = np.zeros((3, 4))
    expected[0, 1], expected[0, 2], expected[2, 0] = 3, 4, 5
    assert graph.source.tolist() == expected.ravel().tolist()
    assert graph.sink.tolist() == scribble.ravel().tolist()
    graph.add_terminals(scribble, source=1)
    assert graph.source.sum() == 3 + 4 + 5 + 3
    graph.set_terminals(np.zeros((3, 4), dtype=bool), source=7)  # marks nothing
    assert graph.source.sum() == 3 + 4 + 5 + 3
    flat = gx.Graph()
    flat.add_nodes(3)
    flat.set_terminals([True, False, True], sink=[2, 3])
    assert flat.sink.tolist() == [2, 0, 3]


def test_largest_and_smallest_source_set():
    """Between them lie the nodes that no minimum cut decides."""
    graph = gx.Graph()
    nodes = graph.add_nodes(4)
    graph.add_edges(nodes[:-1], nodes[1:], [1, 5, 1])
    graph.set_terminals(nodes, source=[9, 0, 0, 0], sink=[0, 0, 0, 9])
    assert graph.solve() == 1
    assert graph.source_side.tolist() == [True, False, False, False]
    assert (~graph.sink_side).tolist() == [True, True, True, False]
    grid = gx.Graph.grid((2, 2), 1)
    grid.set_terminals(grid.nodes[0, 0], sink=1)
    grid.solve()
    assert grid.sink_side.tolist() == [[True, True], [True, True]]
