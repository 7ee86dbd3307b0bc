"""Grids of any form, solved as grids, against SciPy and gx.maxflow, and again after changes."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from oracles import Problem, scipy_mincut

import graphcut_ext as gx

HUGE = 10**6  # beyond every finite cut of these grids; infinite where the dtype has that
SHAPES = st.one_of(
    st.tuples(st.integers(0, 9), st.integers(1, 9)),
    st.tuples(st.integers(1, 1), st.integers(1, 60)),
    st.tuples(st.integers(1, 5), st.integers(1, 5), st.integers(1, 5)),
)


def as_given(dtype: np.dtype, numbers: np.ndarray) -> np.ndarray:
    given = numbers.astype(dtype)
    return np.where(numbers == HUGE, np.inf, given).astype(dtype) if dtype.kind == "f" else given


class Drawn:
    """Capacities of a grid, drawn anew now and then."""

    def __init__(self, seed: int, dtype: np.dtype, infinite: bool) -> None:
        self.rng = np.random.default_rng(seed)
        self.dtype = dtype
        self.infinite = infinite and dtype.kind == "f"
        self.top = int(self.rng.choice([2, 6, 30]))

    def links(self, shape: tuple[int, ...]) -> np.ndarray:
        drawn = self.rng.integers(0, self.top, shape)
        if self.infinite:
            drawn[self.rng.random(shape) < 0.02] = HUGE
        return drawn

    def terminals(self, shape: tuple[int, ...]) -> np.ndarray:
        often = self.rng.choice([0.15, 0.5, 1])
        drawn = self.rng.integers(0, 4 * self.top, shape) * (self.rng.random(shape) < often)
        if self.infinite:
            drawn[self.rng.random(shape) < 0.02] = HUGE
        return drawn


def check(graph: gx.Graph) -> None:
    """Solve; compare value and sides with SciPy and gx.maxflow, then the flow with the cut."""
    columns = graph.capacity, graph.reverse_capacity, graph.source, graph.sink
    plain = [np.where(np.isinf(c), HUGE, c).astype(np.int64) for c in columns]
    value, side = scipy_mincut(Problem(graph.edge_index, *plain))
    if value >= HUGE:
        with pytest.raises(ValueError, match="path of infinite capacity joins source and sink"):
            graph.solve()
        return
    assert graph.solve(num_threads=2) == value
    assert graph.source_side.ravel().tolist() == side.tolist()
    edges, capacity, reverse, source, sink = map(torch.from_numpy, (graph.edge_index, *columns))
    cut = gx.maxflow(edges, capacity, source, sink, reverse_capacity=reverse)
    assert cut.value.item() == value
    assert cut.source_side.tolist() == side.tolist()


def check_flow(graph: gx.Graph) -> None:
    tail, head = graph.edge_index
    flow = graph.flow
    assert (flow <= graph.capacity).all()
    assert (-graph.reverse_capacity <= flow).all()
    out = np.zeros(graph.num_nodes, dtype=flow.dtype)
    np.add.at(out, tail, flow)
    np.subtract.at(out, head, flow)
    assert (out <= graph.source).all()
    assert (-out <= graph.sink).all()
    assert np.minimum(graph.source, graph.sink + out).sum() == graph.value
    assert graph.residual[0].tolist() == (graph.capacity - flow).tolist()


@given(
    SHAPES,
    st.integers(0, 2),
    st.sampled_from(["float32", "float64", "int32", "int64"]),
    st.booleans(),
    st.booleans(),
    st.integers(0, 2**32 - 1),
)
@settings(max_examples=250, deadline=None)
def test_grids(shape, neighbours, name, infinite, directed, seed):
    dtype = np.dtype(name)
    connectivity = ((4, 8, 8) if len(shape) == 2 else (6, 18, 26))[neighbours]
    drawn = Drawn(seed, dtype, infinite)
    whole = (connectivity // 2, *shape)
    capacity = as_given(dtype, drawn.links(whole))
    reverse = as_given(dtype, drawn.links(whole)) if directed else None
    graph = gx.Graph.grid(shape, capacity, reverse, connectivity=connectivity, dtype=dtype)
    graph.set_terminals(
        graph.nodes,
        as_given(dtype, drawn.terminals(shape)),
        as_given(dtype, drawn.terminals(shape)),
    )
    check(graph)
    for turn in range(3):
        some = drawn.rng.random(shape) < (0.1, 1, 0.3)[turn]
        graph.set_terminals(
            graph.nodes[some],
            as_given(dtype, drawn.terminals((some.sum(),))),
            as_given(dtype, drawn.terminals((some.sum(),))),
        )
        edges = np.flatnonzero(drawn.rng.random(graph.num_edges) < (0.1, 0.5, 0)[turn])
        links = (as_given(dtype, drawn.links(edges.shape)) for _ in range(2))
        graph.set_capacities(edges, *links)
        copied = graph.copy()
        check(graph)
        check(copied)
        try:
            value = graph.value
        except RuntimeError:  # refused
            continue
        if turn % 2 == 0 and np.isfinite(value):
            check_flow(graph)
