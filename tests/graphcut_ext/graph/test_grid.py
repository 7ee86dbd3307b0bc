"""gx.Graph.grid against edge lists that plain loops over the pixels write."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from oracles import Problem, scipy_mincut

import graphcut_ext as gx

CASES = [
    (shape, connectivity, periodic)
    for dimensions, shapes in {
        2: [(3, 4), (1, 5), (2, 2), (4, 1), (0, 3)],
        3: [(2, 3, 4), (1, 3, 1), (3, 2, 2), (2, 0, 1)],
    }.items()
    for shape in shapes
    for connectivity in {2: (4, 8), 3: (6, 18, 26)}[dimensions]
    for periodic in itertools.product((False, True), repeat=dimensions)
]


def looped(shape, connectivity, periodic):
    """(direction, tail position, head position) of every edge, in the documented order."""
    reach = {4: 1, 8: 2, 6: 1, 18: 2, 26: 3}[connectivity]
    directions = []
    for offset in sorted(itertools.product((-1, 0, 1), repeat=len(shape))):
        moved = [step for step in offset if step != 0]
        if moved and moved[0] == 1 and len(moved) <= reach:
            directions.append(offset)
    assert len(directions) == connectivity // 2
    edges = []
    for d, offset in enumerate(directions):
        for tail in itertools.product(*(range(size) for size in shape)):
            head = []
            for place, step, size, wraps in zip(tail, offset, shape, periodic, strict=True):
                head.append((place + step) % size if wraps else place + step)
            if all(0 <= place < size for place, size in zip(head, shape, strict=True)):
                edges.append((d, tail, tuple(head)))
    return directions, edges


@pytest.mark.parametrize(("shape", "connectivity", "periodic"), CASES)
def test_edges_and_weights(shape, connectivity, periodic):
    rng = np.random.default_rng(0)
    directions, edges = looped(shape, connectivity, periodic)
    number = np.arange(np.prod(shape)).reshape(shape)
    ends = [[number[tail] for _, tail, _ in edges], [number[head] for _, _, head in edges]]
    whole, back = rng.integers(0, 9, (2, len(directions), *shape))
    every = rng.integers(0, 9, len(directions))
    for capacity, reverse, forward, backward in [
        (3, None, [3 for _ in edges], None),
        (every, 2, [every[d] for d, *_ in edges], [2 for _ in edges]),
        (whole, every, [whole[d][t] for d, t, _ in edges], [every[d] for d, *_ in edges]),
        (2, back, [2 for _ in edges], [back[d][t] for d, t, _ in edges]),
    ]:
        graph = gx.Graph.grid(
            shape,
            capacity,
            reverse,
            connectivity=connectivity,
            periodic=periodic,
            dtype=np.int32,
        )
        assert graph.nodes.tolist() == number.tolist()
        assert graph.edge_index.tolist() == ends
        assert graph.capacity.tolist() == forward
        assert graph.reverse_capacity.tolist() == (forward if reverse is None else backward)
        assert graph.grid_offsets.tolist() == [list(offset) for offset in directions]
        numbers = np.full((len(directions), *shape), -1)
        for e, (d, tail, _) in enumerate(edges):
            numbers[d][tail] = e
        assert graph.grid_edges.tolist() == numbers.tolist()


def test_defaults():
    assert gx.Graph.grid((2, 2), 1).num_edges == 4
    assert gx.Graph.grid((2, 2, 2), 1).num_edges == 12
    assert gx.Graph.grid([2, 2], 0.5).dtype == np.float64
    both = gx.Graph.grid((3, 3), 1, periodic=True)
    assert (
        both.edge_index.tolist()
        == gx.Graph.grid((3, 3), 1, periodic=[True] * 2).edge_index.tolist()
    )


def test_weights_of_neighbours_outside_are_not_looked_at():
    capacity = np.full((2, 2, 3), np.nan)
    capacity[0, :, :2] = capacity[1, :1] = 1
    graph = gx.Graph.grid((2, 3), capacity)
    assert graph.capacity.tolist() == [1] * 7


def test_results_have_the_shape_of_the_grid():
    graph = gx.Graph.grid((2, 3), [[[2, 1, 0], [2, 1, 0]], [[0, 0, 0], [0, 0, 0]]])
    graph.set_terminals(graph.nodes[:, 0], source=5)
    graph.set_terminals(graph.nodes[:, 2], sink=5)
    assert graph.solve() == 2
    assert graph.source_side.tolist() == [[True, True, False]] * 2
    assert graph.cut_edges.tolist() == graph.grid_edges[0, :, 1].tolist()
    graph.set_capacities(graph.grid_edges[0, 1, :2], [1, 3], 0)
    assert graph.solve() == 2
    assert graph.source_side.tolist() == [[True, True, False], [True, False, False]]
    assert graph.reused


def test_a_grid_with_more_nodes():
    graph = gx.Graph.grid((2, 2), 1)
    hub = graph.add_nodes(1)
    graph.add_edges(hub, graph.nodes, 3)
    graph.set_terminals(hub, source=10)
    graph.set_terminals(graph.nodes, sink=[[1, 4], [9, 1]])
    assert graph.nodes.tolist() == [[0, 1], [2, 3]]
    assert graph.solve() == 10
    assert graph.source_side.tolist() == [False] * 5


def test_a_picture():
    """A noisy disc, its labels by SciPy's maximum flow."""
    rng = np.random.default_rng(1)
    y, x = np.mgrid[:16, :16]
    bright = 60 * ((y - 8) ** 2 + (x - 8) ** 2 < 25) + rng.integers(0, 60, (16, 16))
    graph = gx.Graph.grid((16, 16), [20, 14, 20, 14], connectivity=8, dtype=np.int32)
    graph.set_terminals(graph.nodes, source=bright, sink=120 - bright)
    value, side = scipy_mincut(
        Problem(graph.edge_index, graph.capacity, graph.reverse_capacity, graph.source, graph.sink)
    )
    assert graph.solve() == value
    assert graph.source_side.tolist() == side.reshape(16, 16).tolist()
    assert 40 < graph.source_side.sum() < 120
