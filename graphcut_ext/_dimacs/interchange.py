"""SciPy's sparse matrices and NetworkX's graphs as networks; neither package is needed here."""

from __future__ import annotations

from numbers import Integral, Real
from typing import Any, NoReturn

import numpy as np
from numpy.typing import NDArray

from graphcut_ext._arguments import check_integer
from graphcut_ext._dimacs.arcs import INT64_MAX, Arcs
from graphcut_ext._dimacs.text import Network


class _Given(Network):
    """A network of arcs that were given, whose "lines" are their numbers."""

    def fail(self, message: str, line: int) -> NoReturn:
        raise ValueError(f"{self.name}: {message} (entry {line})")


def network_of_matrix(matrix: Any, source: int, sink: int) -> Network:
    """Return the network of a sparse matrix of capacities, rows being tails."""
    if not hasattr(matrix, "tocoo") or not hasattr(matrix, "shape"):
        raise TypeError(f"matrix must be a SciPy sparse matrix, not {type(matrix).__name__}")
    shape = tuple(matrix.shape)
    if len(shape) != 2 or shape[0] != shape[1]:
        raise ValueError(f"matrix must be square, not of shape {shape}")
    nodes = shape[0]
    ends = {name: check_integer(name, end, 0) for name, end in (("source", source), ("sink", sink))}
    for name, end in ends.items():
        if end >= nodes:
            raise IndexError(f"{name} is {end}, out of range for {nodes} nodes")
    if ends["source"] == ends["sink"]:
        raise ValueError(f"source and sink are both {source}")
    entries = matrix.tocoo()
    capacity = np.asarray(entries.data)
    if capacity.dtype.kind not in "iuf":
        raise TypeError(f"matrix must hold integers or floats, not {capacity.dtype}")
    bad = np.flatnonzero(~(capacity >= 0))
    if bad.size:
        row, column = entries.row[bad[0]], entries.col[bad[0]]
        raise ValueError(f"matrix[{row}, {column}] is {capacity[bad[0]]}; it must be >= 0")
    if capacity.dtype == np.uint64 and (capacity > INT64_MAX).any():
        first = int(np.argmax(capacity > INT64_MAX))
        row, column = entries.row[first], entries.col[first]
        raise ValueError(f"matrix[{row}, {column}] is {capacity[first]}, out of range for int64")
    return _network("matrix", nodes, ends, entries.row, entries.col, capacity)


def network_of_graph(graph: Any, source: Any, sink: Any, capacity: str) -> Network:
    """Return the network of a NetworkX graph, whose nodes are numbered in its own order."""
    if not all(hasattr(graph, name) for name in ("nodes", "edges", "is_directed")):
        raise TypeError(f"graph must be a NetworkX graph, not {type(graph).__name__}")
    number = {node: k for k, node in enumerate(graph.nodes)}
    ends = {}
    for name, node in (("source", source), ("sink", sink)):
        if node not in number:
            raise ValueError(f"{name} {node!r} is no node of graph")
        ends[name] = number[node]
    if ends["source"] == ends["sink"]:
        raise ValueError(f"source and sink are both {source!r}")
    edges = list(graph.edges(data=capacity, default=float("inf")))
    values = [_number(*edge) for edge in edges]
    whole = all(isinstance(value, int) for value in values)
    amounts = np.array(values, dtype=np.int64 if whole else np.float64)
    tail = np.array([number[edge[0]] for edge in edges], dtype=np.int64)
    head = np.array([number[edge[1]] for edge in edges], dtype=np.int64)
    if not graph.is_directed():
        tail, head = np.concatenate([tail, head]), np.concatenate([head, tail])
        amounts = np.concatenate([amounts, amounts])
    return _network("graph", len(number), ends, tail, head, amounts)


def _number(tail: Any, head: Any, value: Any) -> int | float:
    edge = f"the capacity of edge ({tail!r}, {head!r})"
    if isinstance(value, (bool, np.bool_)) or not isinstance(value, Real):
        raise TypeError(f"{edge} must be a number, not {type(value).__name__}")
    number = int(value) if isinstance(value, Integral) else float(value)
    if not number >= 0:
        raise ValueError(f"{edge} is {value}; it must be >= 0")
    if isinstance(number, int) and number > INT64_MAX:
        raise ValueError(f"{edge} is {value}, out of range for int64")
    return number


def _network(
    name: str,
    nodes: int,
    ends: dict[str, int],
    tail: NDArray[Any],
    head: NDArray[Any],
    capacity: NDArray[Any],
) -> Network:
    dtype = np.float64 if capacity.dtype.kind == "f" else np.int64
    arcs = Arcs(
        tail.astype(np.int64) + 1,
        head.astype(np.int64) + 1,
        capacity.astype(dtype),
        np.arange(len(tail), dtype=np.int64),
    )
    return _Given(name, nodes, ends["source"] + 1, ends["sink"] + 1, arcs, 0)
