"""gx.Graph follows any sequence of changes: each solve equals one from scratch, by two others."""

from __future__ import annotations

import pickle

import numpy as np
import pytest
import torch
from hypothesis import example, given, settings
from hypothesis import strategies as st
from oracles import Problem, scipy_mincut

import graphcut_ext as gx

DTYPES = st.sampled_from([np.float32, np.float64, np.int32, np.int64])
HUGE = 10**6  # beyond every finite cut of these graphs
CHANGES = ["capacities", "terminals", "more terminals", "nodes", "edges", "copy", "pickle"]


class Model:
    """The same graph as plain lists, with HUGE for inf."""

    def __init__(self) -> None:
        self.edges: list[list[int]] = []  # tail, head, capacity, reverse capacity
        self.nodes: list[list[int]] = []  # source, sink

    def problem(self) -> Problem:
        edges = np.array(self.edges, dtype=np.int64).reshape(-1, 4)
        nodes = np.array(self.nodes, dtype=np.int64).reshape(-1, 2)
        return Problem(edges[:, :2].T, edges[:, 2], edges[:, 3], nodes[:, 0], nodes[:, 1])


def values(dtype: type, infinite: bool) -> st.SearchStrategy[int]:
    some = st.integers(0, 12) | st.just(0)
    return some | st.just(HUGE) if infinite and np.dtype(dtype).kind == "f" else some


def given_as(dtype: type, numbers: list[int]) -> np.ndarray:
    array = np.array(numbers, dtype=dtype)
    return (
        np.where(array == HUGE, np.inf, array).astype(dtype) if array.dtype.kind == "f" else array
    )


def change(
    data: st.DataObject, graph: gx.Graph, model: Model, kind: str, infinite: bool
) -> gx.Graph:
    """Change both alike; returns the graph to go on with."""
    dtype = graph.dtype.type

    def draw(size: int) -> list[int]:
        return data.draw(st.lists(values(dtype, infinite), min_size=size, max_size=size))

    def pick(count: int, least: int = 0) -> list[int]:
        most = 6 if count else 0
        return data.draw(st.lists(st.integers(0, max(count - 1, 0)), min_size=least, max_size=most))

    if kind == "capacities":
        edges = pick(len(model.edges))
        forward, backward = draw(len(edges)), draw(len(edges))
        graph.set_capacities(edges, given_as(dtype, forward), given_as(dtype, backward))
        for e, c, r in zip(edges, forward, backward, strict=True):
            model.edges[e][2:] = c, r
    elif kind == "terminals":
        nodes = pick(len(model.nodes))
        source, sink = draw(len(nodes)), draw(len(nodes))
        graph.set_terminals(nodes, given_as(dtype, source), given_as(dtype, sink))
        for i, s, t in zip(nodes, source, sink, strict=True):
            model.nodes[i] = [s, t]
    elif kind == "more terminals":
        nodes = pick(len(model.nodes))
        source, sink = draw(len(nodes)), draw(len(nodes))
        graph.add_terminals(nodes, given_as(dtype, source), given_as(dtype, sink))
        for i, s, t in zip(nodes, source, sink, strict=True):
            before = model.nodes[i]
            model.nodes[i] = [min(before[0] + s, HUGE), min(before[1] + t, HUGE)]
    elif kind == "nodes":
        count = data.draw(st.integers(0, 4))
        assert graph.add_nodes(count).tolist() == [len(model.nodes) + k for k in range(count)]
        model.nodes += [[0, 0] for _ in range(count)]
    elif kind == "edges":
        tail = pick(len(model.nodes))
        head = data.draw(st.permutations(tail)) if tail else []
        head = [(h + data.draw(st.integers(0, 3))) % len(model.nodes) for h in head]
        forward, backward = draw(len(tail)), draw(len(tail))
        ids = graph.add_edges(tail, head, given_as(dtype, forward), given_as(dtype, backward))
        assert ids.tolist() == [len(model.edges) + k for k in range(len(tail))]
        model.edges += [list(edge) for edge in zip(tail, head, forward, backward, strict=True)]
    elif kind == "copy":
        return graph.copy()
    else:
        return pickle.loads(pickle.dumps(graph))
    return graph


def check(graph: gx.Graph, model: Model, reuse: bool) -> bool:
    """Solve and compare; returns False where no finite cut exists, and that was said."""
    problem = model.problem()
    expected, side = scipy_mincut(problem)
    _, reaches_sink = scipy_mincut(problem.reversed())
    if expected >= HUGE:
        with pytest.raises(ValueError, match="path of infinite capacity joins source and sink"):
            graph.solve(reuse=reuse)
        return False
    assert graph.solve(reuse=reuse) == graph.value == expected
    assert graph.source_side.tolist() == side.tolist()
    assert graph.sink_side.tolist() == reaches_sink.tolist()
    columns = graph.edge_index, graph.capacity, graph.source, graph.sink, graph.reverse_capacity
    edge_index, capacity, source, sink, reverse = map(torch.from_numpy, columns)
    cut = gx.maxflow(edge_index, capacity, source, sink, reverse_capacity=reverse)
    assert cut.value.item() == graph.value
    assert cut.source_side.tolist() == side.tolist()
    check_flow(graph)
    check_cut_edges(graph)
    return True


def check_flow(graph: gx.Graph) -> None:
    """The flow keeps to all capacities and is worth the value; residuals are what it leaves."""
    tail, head = graph.edge_index
    flow, capacity, reverse = graph.flow, graph.capacity, graph.reverse_capacity
    assert flow.dtype == graph.dtype
    assert (flow <= capacity).all()
    assert (-reverse <= flow).all()
    out = np.zeros(graph.num_nodes, dtype=flow.dtype)
    np.add.at(out, tail, flow)
    np.subtract.at(out, head, flow)
    assert (out <= graph.source).all()
    assert (-out <= graph.sink).all()
    assert np.minimum(graph.source, graph.sink + out).sum() == graph.value
    forward, backward = graph.residual
    assert forward.tolist() == (capacity - flow).tolist()
    assert backward.tolist() == (reverse + flow).tolist()


def check_cut_edges(graph: gx.Graph) -> None:
    """With the terminals that are cut they cost the value; each leads out of the source side."""
    side, edges = graph.source_side.ravel(), graph.cut_edges
    tail, head = graph.edge_index[:, edges]
    assert (np.diff(edges) > 0).all()
    assert (side[tail] != side[head]).all()
    paid = np.where(side[tail], graph.capacity[edges], graph.reverse_capacity[edges])
    assert (paid > 0).all()
    assert paid.sum() + graph.source[~side].sum() + graph.sink[side].sum() == graph.value


@given(st.data(), DTYPES, st.booleans())
@settings(max_examples=250, deadline=None)
def test_any_sequence_of_changes(data, dtype, infinite):
    graph, model = gx.Graph(dtype), Model()
    for kind in ["nodes", "edges", "terminals"]:
        graph = change(data, graph, model, kind, infinite)
    check(graph, model, True)
    for _ in range(data.draw(st.integers(1, 6))):
        for kind in data.draw(st.lists(st.sampled_from(CHANGES), max_size=3)):
            graph = change(data, graph, model, kind, infinite)
        check(graph, model, data.draw(st.booleans()))


@given(st.integers(0, 2**32 - 1), DTYPES, st.sampled_from([0, 0.05]))
@example(10319, np.float32, 0.05)
@settings(max_examples=60, deadline=None)
def test_capacities_that_keep_changing(seed, dtype, infinite):
    """Longer runs on larger graphs, all but the first of them reused."""
    rng = np.random.default_rng(seed)
    n, m = int(rng.integers(2, 60)), int(rng.integers(1, 200))
    top = int(rng.choice([2, 9, 40]))

    def numbers(size: int, often: float) -> list[int]:
        drawn = rng.integers(0, top, size) * (rng.random(size) < often)
        if np.dtype(dtype).kind == "f":
            drawn[rng.random(size) < infinite * (often < 1)] = HUGE
        return drawn.tolist()

    graph, model = gx.Graph(dtype), Model()
    graph.add_nodes(n)
    model.nodes = [[0, 0] for _ in range(n)]
    tail, head = rng.integers(0, n, (2, m)).tolist()
    forward, backward = numbers(m, 1), numbers(m, 0.5)
    graph.add_edges(tail, head, given_as(dtype, forward), given_as(dtype, backward))
    model.edges = [list(edge) for edge in zip(tail, head, forward, backward, strict=True)]
    solved = False
    for _ in range(12):
        nodes = rng.integers(0, n, rng.integers(0, n)).tolist()
        source, sink = numbers(len(nodes), 0.4), numbers(len(nodes), 0.4)
        graph.set_terminals(nodes, given_as(dtype, source), given_as(dtype, sink))
        for i, s, t in zip(nodes, source, sink, strict=True):
            model.nodes[i] = [s, t]
        edges = rng.integers(0, m, rng.integers(0, m)).tolist()
        forward, backward = numbers(len(edges), 0.9), numbers(len(edges), 0.5)
        graph.set_capacities(edges, given_as(dtype, forward), given_as(dtype, backward))
        for e, c, r in zip(edges, forward, backward, strict=True):
            model.edges[e][2:] = c, r
        if check(graph, model, True):
            assert graph.reused == solved
            solved = True
