"""What it costs to force a node to either side of the minimum cut."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from graphcut_ext._graph.graph import Graph


class MinMarginals(NamedTuple):
    """What :func:`min_marginals` returns.

    Attributes
    ----------
    source, sink : float64, or int64 for integer graphs, in the shape of the nodes
        Value of the minimum cut among those that have the node on the source side, and on the sink
        side. The smaller of the two is the value of the minimum cut.
    """

    source: NDArray[Any]
    sink: NDArray[Any]


def min_marginals(
    graph: Graph, nodes: ArrayLike | None = None, *, num_threads: int | None = None
) -> MinMarginals:
    """Values of the minimum cuts with every node forced to either side.

    Their difference says how sure the label of a node is: ``exp(-source)`` and ``exp(-sink)``,
    normalised, are Kohli and Torr's confidence, a probability for energies that are negative
    logarithms. The cut is solved once, and once more for every node from where it was.

    Parameters
    ----------
    graph : Graph
        It remains as it is.
    nodes : integer array-like, or bool array, optional
        Numbers of nodes, or a mask of the nodes' shape. Default: all.
    num_threads : int, optional
        As in :meth:`Graph.solve`.

    Returns
    -------
    MinMarginals
        ``source`` and ``sink``, in the shape of ``nodes``; of a mask, in one axis. ``inf`` where
        infinite capacities rule a side out.

    Raises
    ------
    TypeError
        ``graph`` is no graph.
    IndexError
        A number of ``nodes`` is out of range.
    ValueError
        A mask has another shape than the nodes; an infinite path joins the terminals.

    References
    ----------
    P. Kohli and P. Torr, "Measuring uncertainty in graph cut solutions", CVIU 2008.

    Examples
    --------
    >>> graph = Graph()
    >>> nodes = graph.add_nodes(2)
    >>> edge = graph.add_edges(0, 1, 2)
    >>> graph.set_terminals(nodes, source=[5, 0], sink=[0, 3])
    >>> found = min_marginals(graph)
    >>> found.source.tolist(), found.sink.tolist()
    ([2.0, 3.0], [5.0, 2.0])
    """
    if not isinstance(graph, Graph):
        raise TypeError(f"graph must be a Graph, not {type(graph).__name__}")
    numbers = graph.nodes if nodes is None else graph._numbers(nodes)
    outside = (numbers < 0) | (numbers >= graph.num_nodes)
    if outside.any():
        wrong = numbers[outside].flat[0]
        raise IndexError(f"nodes has {wrong}, out of range for {graph.num_nodes} nodes")
    forced = _Forced(graph, num_threads)
    results = np.int64 if graph.dtype.kind == "i" else np.float64
    source, sink = (np.full(numbers.shape, forced.value, dtype=results) for _ in range(2))
    for place, node in enumerate(numbers.flat):
        if forced.on_source[node]:
            sink.flat[place] = forced.to_sink(int(node))
        elif forced.on_sink[node]:
            source.flat[place] = forced.to_source(int(node))
    return MinMarginals(source, sink)


def _own(graph: Graph) -> Graph:
    """Return a copy in which what ties a node has room."""
    if graph.dtype != np.int32:
        return graph.copy()
    state = graph.__getstate__()
    for name in ("capacity", "reverse_capacity", "source", "sink"):
        state[name] = state[name].astype(np.int64)
    wide = Graph(np.int64)
    wide.__setstate__(state | {"dtype": "int64"})
    return wide


class _Forced:
    """A copy of a graph in which one node at a time is tied to a terminal."""

    def __init__(self, graph: Graph, threads: int | None) -> None:
        self._graph, self._threads = _own(graph), threads
        self.value = self._graph.solve(num_threads=threads)
        self.on_source = self._graph.source_side.reshape(-1)
        self.on_sink = self._graph.sink_side.reshape(-1)
        self._source, self._sink = graph.source, graph.sink
        self._out, self._into = self._sums()
        self._tied: int | None = None

    def _sums(self) -> tuple[NDArray[np.int64] | None, NDArray[np.int64] | None]:
        """Return what leaves and what enters the nodes by edges, for integers."""
        if self._graph.dtype.kind != "i":
            return None, None
        out, into = np.zeros((2, self._graph.num_nodes), dtype=np.int64)
        tail, head = self._graph.edge_index
        for start, end, capacity in (
            (tail, head, self._graph.capacity),
            (head, tail, self._graph.reverse_capacity),
        ):
            np.add.at(out, start, capacity)
            np.add.at(into, end, capacity)
        return out, into

    def to_source(self, node: int) -> float:
        if np.isinf(self._sink[node]):
            return np.inf
        # More than what the node then pays at most: no cut spares it.
        tie = np.inf if self._out is None else int(self._out[node]) + int(self._sink[node]) + 1
        return self._solved(node, tie, self._sink[node])

    def to_sink(self, node: int) -> float:
        if np.isinf(self._source[node]):
            return np.inf
        tie = np.inf if self._into is None else int(self._into[node]) + int(self._source[node]) + 1
        return self._solved(node, self._source[node], tie)

    def _solved(self, node: int, source: float, sink: float) -> float:
        if self._tied is not None:
            tied = self._tied
            self._graph.set_terminals(tied, self._source[tied], self._sink[tied])
        self._graph.set_terminals(node, source, sink)
        self._tied = node
        try:
            return self._graph.solve(num_threads=self._threads)
        except ValueError as error:
            if "infinite capacity joins" in str(error):
                return np.inf
            raise
