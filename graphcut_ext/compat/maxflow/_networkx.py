"""What the flow leaves of the capacities, as a NetworkX graph."""

from __future__ import annotations

from typing import Any

import networkx
import numpy as np
from numpy.typing import NDArray

import graphcut_ext as gx
from graphcut_ext.compat.maxflow._grid_edges import Ends

ROUND_OFF = 1e-12
"""Residuals to the terminals that are this small beside what flows through the node are none."""


def residual_graph(
    solved: gx.Graph | None,
    waiting: list[Ends],
    excess: NDArray[Any],
    segments: NDArray[np.bool_],
) -> networkx.DiGraph:
    """Return the residual graph of the last solve, with what was added since at full capacity.

    ``solved`` has its arcs the other way round.
    """
    edges = list(waiting)
    out = np.zeros_like(excess)
    through = np.zeros_like(excess)
    if solved is not None:
        tail, head = solved.edge_index
        back, forward = (part.astype(excess.dtype) for part in solved.residual)
        edges.insert(0, (tail, head, forward, back))
        flow = -solved.flow
        np.add.at(out, tail, flow)
        np.subtract.at(out, head, flow)
        np.add.at(through, tail, np.abs(flow))
        np.add.at(through, head, np.abs(flow))
    left = excess - out
    if excess.dtype.kind == "f":
        left[np.abs(left) <= ROUND_OFF * (through + np.abs(excess))] = 0
    graph = networkx.DiGraph()
    graph.add_nodes_from((i, {"segment": int(s)}) for i, s in enumerate(segments))
    for tail, head, forward, back in edges:
        _add(graph, tail, head, forward)
        _add(graph, head, tail, back)
    graph.add_nodes_from(["s", "t"])
    for node in np.flatnonzero(left).tolist():
        weight = left[node].item()
        ends = ("s", node) if weight > 0 else (node, "t")
        graph.add_edge(*ends, weight=abs(weight))
    return graph


def _add(
    graph: networkx.DiGraph,
    tail: NDArray[np.int64],
    head: NDArray[np.int64],
    weight: NDArray[Any],
) -> None:
    """Add edges that have a weight; those of a repeated one add up."""
    some = np.flatnonzero(weight)
    for u, v, w in zip(
        tail[some].tolist(), head[some].tolist(), weight[some].tolist(), strict=True
    ):
        if graph.has_edge(u, v):
            graph[u][v]["weight"] += w
        else:
            graph.add_edge(u, v, weight=w)
