"""Graphs of gx.Graph, and their cuts by SciPy."""

from __future__ import annotations

import numpy as np
from oracles import Problem, scipy_mincut

import graphcut_ext as gx

DTYPES = [np.float32, np.float64, np.int32, np.int64]


def chain(dtype: type = np.float64) -> gx.Graph:
    """Source -5-> 0 -3-> 1 -1-> 2 -4-> sink, edges both ways."""
    graph = gx.Graph(dtype)
    nodes = graph.add_nodes(3)
    graph.add_edges(nodes[:-1], nodes[1:], [3, 1])
    graph.set_terminals(nodes, source=[5, 0, 0], sink=[0, 0, 4])
    return graph


def problem_of(graph: gx.Graph, dtype: type = np.int64) -> Problem:
    parts = graph.capacity, graph.reverse_capacity, graph.source, graph.sink
    return Problem(graph.edge_index, *(part.astype(dtype) for part in parts))


def assert_solved_as_scipy(graph: gx.Graph) -> None:
    value, side = scipy_mincut(problem_of(graph))
    assert graph.solve() == value == graph.value
    assert graph.source_side.ravel().tolist() == side.tolist()


def random_graph(rng: np.random.Generator, nodes: int, edges: int, dtype: type) -> gx.Graph:
    graph = gx.Graph(dtype)
    graph.add_nodes(nodes)
    graph.add_edges(*rng.integers(0, nodes, (2, edges)), *rng.integers(0, 9, (2, edges)))
    terminals = rng.integers(0, 18, (2, nodes)) * (rng.random((2, nodes)) < 0.5)
    graph.set_terminals(graph.nodes, *terminals)
    return graph
