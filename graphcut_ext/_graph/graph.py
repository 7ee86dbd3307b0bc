"""One graph in NumPy arrays, whose minimum cut follows changes of its capacities."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, TypeVar

import numpy as np
import torch
from numpy.typing import ArrayLike, DTypeLike, NDArray

from graphcut_ext import _core
from graphcut_ext._arguments import check_num_threads
from graphcut_ext._graph.arrays import (
    capacity_array,
    capacity_dtype,
    count,
    flag,
    index_array,
    read_array,
)
from graphcut_ext._graph.grid import Grid, grid

Self = TypeVar("Self", bound="Graph")
OWN = ("_dtype", "_core", "_grid")
"""Attributes of a graph that a subclass does not have of its own."""


class Graph:
    """A graph with a source and a sink: build it, solve it, change capacities, solve it again.

    The terminals are implicit, and the cut is that of :func:`graphcut_ext.maxflow`: with ``x[i]`` =
    "node i is on the source side" it minimises ::

        sum_i  source[i] (1 - x[i]) + sink[i] x[i]
      + sum_e  capacity[e] x[u] (1 - x[v]) + reverse_capacity[e] x[v] (1 - x[u]),   e = (u, v)

    A solve after changes of capacities goes on from the flow and the search trees of the one
    before, which takes the less time the less has changed.

    Parameters
    ----------
    dtype : {float64, float32, int32, int64}, default float64
        Type of all capacities.

    Notes
    -----
    **Capacities** are array-likes >= 0; ``inf`` means "never cut". Floating-point graphs take
    integers and floats of any width, rounded to their dtype; integer graphs take integers only.
    Bool is refused. **Numbers** of nodes and edges are integer array-likes; negative ones are
    refused.

    **Results** (``value``, ``source_side``, ``flow``, ``residual``, ``cut_edges``, ``reused``) are
    those of the last :meth:`solve`, as arrays of their own. Reading them before the first solve, or
    when anything was added or set since, is a ``RuntimeError``.

    **Errors** leave the graph as it was: ``TypeError`` for a wrong type, ``IndexError`` for a
    number out of range, ``ValueError`` for a wrong shape, a NaN or negative capacity or overflow.
    They name the argument and its first bad entry, counted in C order.

    **Threads** may share a graph; calls then wait for each other. ``solve`` releases the GIL, so
    different graphs are solved side by side.

    Pickles and copies: a pickle holds nodes, edges and capacities, and the graph that is loaded has
    to be solved; :meth:`copy` keeps the results and what the next solve goes on from.

    References
    ----------
    Y. Boykov and V. Kolmogorov, "An experimental comparison of min-cut/max-flow algorithms for
    energy minimization in vision", PAMI 2004. P. Kohli and P. Torr, "Dynamic graph cuts for
    efficient inference in Markov random fields", PAMI 2007.

    Examples
    --------
    >>> graph = Graph()
    >>> nodes = graph.add_nodes(3)
    >>> edges = graph.add_edges(nodes[:-1], nodes[1:], [3, 1])
    >>> graph.set_terminals(nodes, source=[5, 0, 0], sink=[0, 0, 4])
    >>> graph.solve(), graph.source_side.tolist(), graph.cut_edges.tolist()
    (1.0, [True, True, False], [1])
    >>> graph.set_capacities(edges[1], 2)
    >>> graph.solve(), graph.reused
    (2.0, True)
    """

    def __init__(self, dtype: DTypeLike = np.float64) -> None:
        self._dtype = capacity_dtype(dtype)
        self._core = _core.Graph(self._dtype.name)
        self._grid: Grid | None = None

    @classmethod
    def grid(
        cls,
        shape: Sequence[int],
        capacity: ArrayLike,
        reverse_capacity: ArrayLike | None = None,
        *,
        connectivity: int | None = None,
        periodic: bool | Sequence[bool] = False,
        dtype: DTypeLike = np.float64,
    ) -> Graph:
        """Return a graph of pixels or voxels that are joined to their neighbours.

        Parameters
        ----------
        shape : sequence of 2 or 3 ints
            Sizes of the axes. The nodes are numbered in C order.
        capacity : number, or array-like of shape (D,) or (D, *shape)
            Capacities from a node to its neighbours: the same for all, one for each of the ``D``
            directions in :attr:`grid_offsets`, or one for each edge. ``capacity[d, i, j]`` belongs
            to the edge from the node at ``(i, j)`` to that at ``(i, j) + grid_offsets[d]``; where
            that is outside the grid the entry is not looked at.
        reverse_capacity : same forms, optional
            Capacities of the same edges the other way round. Default: equal to ``capacity``.
        connectivity : {4, 8} in 2-D, {6, 18, 26} in 3-D, optional
            Neighbours of a node. Default: 4 or 6, those that share a side.
        periodic : bool or sequence of bools, one per axis, default False
            Whether the last nodes of an axis neighbour the first. Along a periodic axis of size 2
            there are two edges between neighbours, which add up; one of size 1 gives self-loops.
        dtype
            As in :class:`Graph`.
        """
        layout = grid(shape, connectivity, periodic)
        graph = cls(dtype)
        forward = layout.per_edge("capacity", capacity, graph._dtype)
        back = None
        if reverse_capacity is not None:
            back = layout.per_edge("reverse_capacity", reverse_capacity, graph._dtype)
        graph._add_grid(layout, forward, back)
        return graph

    def _add_grid(
        self, layout: Grid, capacity: NDArray[Any], reverse_capacity: NDArray[Any] | None
    ) -> None:
        """Add the nodes and edges of a grid; without wrapping axes the core lists no edges."""
        self._grid = layout
        if not any(layout.periodic):
            self._core.add_grid(*layout.three_axes(), capacity, reverse_capacity)
            return
        self._core.add_nodes(math.prod(layout.shape))
        back = capacity if reverse_capacity is None else reverse_capacity
        self._core.add_edges(*layout.ends(), capacity, back)

    def add_nodes(self, n: int) -> NDArray[np.int64]:
        """Add ``n`` nodes without terminals; returns their numbers, (n,) int64.

        The next solve starts from scratch.
        """
        first = self._core.add_nodes(count("n", n))
        return np.arange(first, first + n, dtype=np.int64)

    def add_edges(
        self,
        tail: ArrayLike,
        head: ArrayLike,
        capacity: ArrayLike,
        reverse_capacity: ArrayLike | None = None,
    ) -> NDArray[np.int64]:
        """Add edges; returns their numbers, int64, in the shape of the ends.

        The next solve starts from scratch.

        Parameters
        ----------
        tail, head : integer array-likes that broadcast with each other
            Ends of the edges. Repeated edges add up; self-loops never matter.
        capacity : array-like that broadcasts to the shape of the ends
            Capacity from tail to head.
        reverse_capacity : the same, optional
            Capacity from head to tail. Default: equal to ``capacity``, i.e. undirected edges. Zero
            makes directed edges.
        """
        tails, heads = index_array("tail", tail), index_array("head", head)
        if tails.shape != heads.shape:
            try:
                tails, heads = np.broadcast_arrays(tails, heads)
            except ValueError:
                raise ValueError(
                    "tail and head must broadcast with each other, "
                    f"not {tails.shape} and {heads.shape}"
                ) from None
        capacities = self._both_ways(capacity, reverse_capacity, tails.shape)
        first = self._core.add_edges(tails.ravel(), heads.ravel(), *capacities)
        return np.arange(first, first + tails.size, dtype=np.int64).reshape(tails.shape)

    def add_terminals(self, nodes: ArrayLike, source: ArrayLike = 0, sink: ArrayLike = 0) -> None:
        """Add to the terminal capacities of nodes.

        Parameters
        ----------
        nodes : integer array-like, or bool array
            Numbers of nodes; what is given for a repeated one adds up. Or a mask of the shape of
            :attr:`nodes`, which stands for the numbers of the nodes where it is True.
        source, sink : array-likes that broadcast to the shape of the nodes, default 0
            ``source`` is paid when the node ends on the sink side, ``sink`` when it ends on the
            source side. ``inf`` ties a node to its terminal.
        """
        ids = self._numbers(nodes)
        self._core.add_terminals(
            ids.reshape(-1),
            capacity_array("source", source, self._dtype, ids.shape),
            capacity_array("sink", sink, self._dtype, ids.shape),
        )

    def set_terminals(
        self, nodes: ArrayLike, source: ArrayLike | None = None, sink: ArrayLike | None = None
    ) -> None:
        """Replace the terminal capacities of nodes.

        Parameters
        ----------
        nodes : integer array-like, or bool array
            Numbers of nodes, or a mask, as in :meth:`add_terminals`. For a repeated number the last
            entry counts.
        source, sink : array-likes that broadcast to the shape of the nodes, optional
            As in :meth:`add_terminals`. Default: left as they are.
        """
        ids = self._numbers(nodes)
        from_source, to_sink = (
            None if value is None else capacity_array(name, value, self._dtype, ids.shape)
            for name, value in (("source", source), ("sink", sink))
        )
        self._core.set_terminals(ids.reshape(-1), from_source, to_sink)

    def set_capacities(
        self, edges: ArrayLike, capacity: ArrayLike, reverse_capacity: ArrayLike | None = None
    ) -> None:
        """Replace the capacities of edges, in both directions.

        Parameters
        ----------
        edges : integer array-like
            Numbers of edges. For a repeated one the last entry counts.
        capacity : array-like that broadcasts to the shape of the edges
            Capacity from tail to head.
        reverse_capacity : the same, optional
            Capacity from head to tail. Default: equal to ``capacity``, as in :meth:`add_edges`.
        """
        ids = index_array("edges", edges)
        capacities = self._both_ways(capacity, reverse_capacity, ids.shape)
        self._core.set_capacities(ids.reshape(-1), *capacities)

    @property
    def dtype(self) -> np.dtype[Any]:
        """Type of the capacities."""
        return self._dtype

    @property
    def num_nodes(self) -> int:
        """Number of nodes, N."""
        return self._core.nodes()

    @property
    def num_edges(self) -> int:
        """Number of edges, E."""
        return self._core.edges()

    @property
    def nodes(self) -> NDArray[np.int64]:
        """Numbers of the nodes, (N,) int64; of a grid, those of the grid in its shape."""
        return self._layout.nodes if self._grid else np.arange(self.num_nodes, dtype=np.int64)

    @property
    def edge_index(self) -> NDArray[np.int64]:
        """Tails and heads of the edges, (2, E) int64, as in :func:`graphcut_ext.maxflow`."""
        return np.stack([self._core.tail(), self._core.head()]).astype(np.int64)

    @property
    def capacity(self) -> NDArray[Any]:
        """Capacities of the edges from tail to head, (E,)."""
        return self._core.capacity()

    @property
    def reverse_capacity(self) -> NDArray[Any]:
        """Capacities of the edges from head to tail, (E,)."""
        return self._core.reverse_capacity()

    @property
    def source(self) -> NDArray[Any]:
        """Capacities from the source to the nodes, (N,)."""
        return self._core.source()

    @property
    def sink(self) -> NDArray[Any]:
        """Capacities from the nodes to the sink, (N,)."""
        return self._core.sink()

    @property
    def grid_offsets(self) -> NDArray[np.int64]:
        """Of a grid: the directions of its edges, from tail to head, (D, dimensions) int64.

        The first entry that is not 0 is 1; directions are in ascending order, which makes
        ``[[0, 1], [1, -1], [1, 0], [1, 1]]`` of 8 neighbours.
        """
        return self._layout.offsets

    @property
    def grid_edges(self) -> NDArray[np.int64]:
        """Of a grid: numbers of its edges, (D, *shape) int64, -1 where there is no neighbour.

        ``grid_edges[d, i, j]`` joins the node at ``(i, j)`` to that at
        ``(i, j) + grid_offsets[d]``. Without the -1 they are 0, 1, 2, ... in C order.
        """
        return self._layout.edges()

    def solve(self, *, reuse: bool = True, num_threads: int | None = None) -> float:
        """Find the minimum cut; returns its value, an int for integer graphs.

        The first solve is by the solver that suits the graph, as ``solver="auto"`` of
        :func:`graphcut_ext.maxflow`. Grids that :meth:`grid` made, without periodic axes and with
        finite capacities of edges, have a solver of their own, which is faster, takes less memory
        and works on several threads from 2^18 nodes on.

        Parameters
        ----------
        reuse : bool, default True
            Go on from the flow and the trees of the last solve where possible; :attr:`reused` tells
            whether it was. It is not after nodes or edges were added, nor where flows once were so
            much larger than now that their rounding errors could be seen, nor where more than 1024
            terminals, or edges, of a grid changed at a time, if that is more than one in 64.
            Neither the value nor the source side depend on it, up to the rounding of
            floating-point flows. Where most of the graph has changed, ``False`` can be faster.
        num_threads : int, optional
            Threads at most. Default: as many as torch uses. The results do not depend on it.

        Raises
        ------
        ValueError
            A path of infinite capacity from source to sink; a value out of range. Capacities can
            then be changed, and the graph be solved again.
        """
        threads = check_num_threads(num_threads) or torch.get_num_threads()
        return self._core.solve(flag("reuse", reuse), threads)

    @property
    def reused(self) -> bool:
        """Whether the last solve went on from the one before."""
        return self._core.reused()

    @property
    def value(self) -> float:
        """Capacity of the minimum cut, equal to the maximum flow; an int for integer graphs."""
        return self._core.value()

    @property
    def source_side(self) -> NDArray[np.bool_]:
        """Whether nodes are in the minimal source set, (N,) bool, or in the shape of the grid.

        True where residual capacities lead from the source to the node, as in
        :func:`graphcut_ext.maxflow`. A grid to which nodes were added has (N,) too.
        """
        return self._in_grid(self._core.source_side())

    @property
    def sink_side(self) -> NDArray[np.bool_]:
        """Whether nodes are in the minimal sink set, in the shape of :attr:`source_side`.

        True where residual capacities lead from the node to the sink. All other nodes,
        ``~sink_side``, are the maximal source set: it is that of a minimum cut too, and holds the
        source sets of all others.
        """
        return self._in_grid(self._core.sink_side())

    @property
    def flow(self) -> NDArray[Any]:
        """Net flow of the edges from tail to head, (E,) in the dtype of the graph.

        It lies between ``-reverse_capacity`` and ``capacity``. What enters a node and does not
        leave it by edges comes from, or goes to, the terminals.
        """
        return self._core.flow()

    @property
    def residual(self) -> tuple[NDArray[Any], NDArray[Any]]:
        """What the flow leaves of the capacities, from tail to head and back, (E,) each.

        In float64 or int64, as both directions together may have room in no smaller type.
        """
        return self._core.residual()

    @property
    def cut_edges(self) -> NDArray[np.int64]:
        """Numbers of the edges in the cut, ascending.

        Their ends are on different sides, and their capacity from the source side to the sink side
        is positive: with the terminals of the cut they add up to the value.
        """
        return self._core.cut_edges()

    def _numbers(self, nodes: ArrayLike) -> NDArray[np.int64]:
        array = read_array("nodes", nodes)
        if array.dtype != np.bool_:
            return index_array("nodes", array)
        known = self.nodes
        if array.shape != known.shape:
            raise ValueError(
                f"nodes is a mask of shape {array.shape}, but the nodes have shape {known.shape}"
            )
        chosen: NDArray[np.int64] = known[array]
        return chosen

    def _in_grid(self, side: NDArray[np.bool_]) -> NDArray[np.bool_]:
        whole = self._grid is not None and math.prod(self._grid.shape) == side.size
        return side.reshape(self._grid.shape) if self._grid and whole else side

    def _both_ways(
        self, capacity: ArrayLike, reverse_capacity: ArrayLike | None, shape: tuple[int, ...]
    ) -> tuple[NDArray[Any], NDArray[Any]]:
        forward = capacity_array("capacity", capacity, self._dtype, shape)
        if reverse_capacity is None:
            return forward, forward
        return forward, capacity_array("reverse_capacity", reverse_capacity, self._dtype, shape)

    @property
    def _layout(self) -> Grid:
        if self._grid is None:
            raise AttributeError("this graph is no grid; Graph.grid makes one")
        return self._grid

    def copy(self: Self) -> Self:
        """Return an independent graph, with the results and what the next solve goes on from."""
        twin = type(self).__new__(type(self))
        twin.__dict__.update(self.__dict__)
        twin._core = self._core.copy()
        return twin

    __copy__ = copy

    def __deepcopy__(self: Self, memo: dict[int, Any]) -> Self:
        return self.copy()

    def __getstate__(self) -> dict[str, Any]:
        tail, head, capacity, reverse_capacity, source, sink = self._core.columns()
        return {
            "dtype": self._dtype.name,
            "grid": self._grid and (self._grid.shape, self._grid.connectivity, self._grid.periodic),
            "edge_index": np.stack([tail, head]),
            "capacity": capacity,
            "reverse_capacity": reverse_capacity,
            "source": source,
            "sink": sink,
            "attributes": {k: v for k, v in self.__dict__.items() if k not in OWN},
        }

    def __setstate__(self, state: dict[str, Any]) -> None:
        Graph.__init__(self, state["dtype"])
        tail, head = state["edge_index"].astype(np.int64)
        source, sink = state["source"], state["sink"]
        links = state["capacity"], state["reverse_capacity"]
        self._grid = state["grid"] and Grid(*state["grid"])
        if self._grid is not None and len(source) == math.prod(self._grid.shape):
            self._add_grid(self._grid, *(link[: self._grid.size] for link in links))
        else:
            self._core.add_nodes(len(source))
        rest = slice(self.num_edges, None)
        self._core.add_edges(tail[rest], head[rest], *(link[rest] for link in links))
        self._core.set_terminals(np.arange(len(source)), source, sink)
        self.__dict__.update(state["attributes"])

    def __repr__(self) -> str:
        parts = [self._dtype.name, f"{self.num_nodes} nodes", f"{self.num_edges} edges"]
        if self._grid is not None:
            parts.append("grid of " + " x ".join(map(str, self._grid.shape)))
        try:
            parts.append(f"value {self._core.value():g}")
        except RuntimeError:
            parts.append("not solved")
        return f"{type(self).__name__}({', '.join(parts)})"
