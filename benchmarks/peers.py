"""Other solvers of minimum cuts: each builds, solves and labels one problem from NumPy arrays.

``arrays`` lays the problem out as the peer likes it best and is not timed; ``solve`` is. Packages
are imported on first use, so that those that are missing can be left out.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from importlib import metadata
from typing import Any

import numpy as np

from benchmarks.problem import Array, Problem

Answer = tuple[float, Array]  # value, (N,) bool: source side


@dataclass(frozen=True)
class Peer:
    """A solver from elsewhere."""

    distribution: str
    arrays: Callable[[Problem], tuple[Any, ...]]
    solve: Callable[..., Answer]
    integers_only: bool = False

    @property
    def version(self) -> str | None:
        """The installed version, None if it is not installed."""
        try:
            return metadata.version(self.distribution)
        except metadata.PackageNotFoundError:
            return None


def pymaxflow_arrays(problem: Problem) -> tuple[Any, ...]:
    """PyMaxflow computes in int64 or float64."""
    dtype = np.int64 if problem.capacity.dtype.kind == "i" else np.float64
    wide = (a.astype(dtype) for a in (problem.capacity, problem.backward))
    terminals = (a.astype(dtype) for a in (problem.source, problem.sink))
    return dtype is np.int64, problem.tail, problem.head, *wide, *terminals


def solve_pymaxflow(
    integral: bool, tail: Array, head: Array, there: Array, back: Array, source: Array, sink: Array
) -> Answer:
    """Boykov-Kolmogorov, by the vectorised calls."""
    import maxflow

    graph = (maxflow.GraphInt if integral else maxflow.GraphFloat)(len(source), len(tail))
    nodes = graph.add_nodes(len(source))
    graph.add_edges(tail, head, there, back)
    graph.add_grid_tedges(nodes, source, sink)
    value = graph.maxflow()
    return value, ~graph.get_grid_segments(nodes)


def arcs(problem: Problem) -> tuple[Array, Array, Array]:
    """Tails, heads and capacities of all arcs > 0; the source is node N, the sink N + 1."""
    node = np.arange(problem.nodes)
    source, sink = np.full_like(node, problem.nodes), np.full_like(node, problem.nodes + 1)
    tail = np.concatenate([problem.tail, problem.head, source, node])
    head = np.concatenate([problem.head, problem.tail, node, sink])
    capacity = np.concatenate([problem.capacity, problem.backward, problem.source, problem.sink])
    kept = capacity > 0
    return tail[kept], head[kept], capacity[kept]


def scipy_arrays(problem: Problem) -> tuple[Any, ...]:
    """int32 throughout."""
    return problem.nodes, *(a.astype(np.int32) for a in arcs(problem))


def solve_scipy(nodes: int, tail: Array, head: Array, capacity: Array) -> Answer:
    """Dinic, labels by a search of the residual graph."""
    from scipy.sparse import csr_array
    from scipy.sparse.csgraph import breadth_first_order, maximum_flow

    graph = csr_array((capacity, (tail, head)), shape=(nodes + 2, nodes + 2))
    result = maximum_flow(graph, nodes, nodes + 1)
    residual = graph - result.flow
    residual.eliminate_zeros()
    side = np.zeros(nodes + 2, dtype=bool)
    side[breadth_first_order(residual, nodes, return_predecessors=False)] = True
    return int(result.flow_value), side[:nodes]


def ortools_arrays(problem: Problem) -> tuple[Any, ...]:
    """int32 nodes, int64 capacities."""
    tail, head, capacity = arcs(problem)
    narrow = (tail.astype(np.int32), head.astype(np.int32))
    return problem.nodes, *narrow, capacity.astype(np.int64)


def solve_ortools(nodes: int, tail: Array, head: Array, capacity: Array) -> Answer:
    """Push-relabel."""
    from ortools.graph.python.max_flow import SimpleMaxFlow

    graph = SimpleMaxFlow()
    graph.add_arcs_with_capacity(tail, head, capacity)
    status = graph.solve(nodes, nodes + 1)
    if status != graph.OPTIMAL:
        raise RuntimeError(f"OR-tools ended with {status}")
    side = np.zeros(nodes + 2, dtype=bool)
    side[graph.get_source_side_min_cut()] = True
    return graph.optimal_flow(), side[:nodes]


def igraph_arrays(problem: Problem) -> tuple[Any, ...]:
    """Edges as rows; igraph reads capacities from a list."""
    tail, head, capacity = arcs(problem)
    return problem.nodes, np.stack([tail, head], axis=1), capacity.astype(np.float64).tolist()


def solve_igraph(nodes: int, ends: Array, capacity: list[float]) -> Answer:
    """Push-relabel."""
    import igraph

    graph = igraph.Graph(n=nodes + 2, edges=ends, directed=True)
    flow = graph.maxflow(nodes, nodes + 1, capacity=capacity)
    side = np.zeros(nodes + 2, dtype=bool)
    side[flow.partition[0]] = True
    return flow.value, side[:nodes]


PEERS = {
    "PyMaxflow": Peer("PyMaxflow", pymaxflow_arrays, solve_pymaxflow),
    "OR-tools": Peer("ortools", ortools_arrays, solve_ortools, integers_only=True),
    "SciPy": Peer("scipy", scipy_arrays, solve_scipy, integers_only=True),
    "igraph": Peer("igraph", igraph_arrays, solve_igraph),
}
REFERENCE = "PyMaxflow"  # never left out where installed; its merged edges are the ratio 1
