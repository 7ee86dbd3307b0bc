"""Graphs with PyMaxflow's methods."""

from __future__ import annotations

import operator
import struct
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

import graphcut_ext as gx
from graphcut_ext.compat._values import INTEGER_LIMIT, capacities, largest, node_ids, numbers
from graphcut_ext.compat.maxflow._grid_edges import Ends, GridEdges, neighbours
from graphcut_ext.compat.maxflow._terminals import Terminals

if TYPE_CHECKING:
    import networkx

Self = TypeVar("Self", bound="_Graph")


class _Graph:
    """A graph whose changes wait for the next ``maxflow``; until then the last results stand.

    The graph that is solved has source and sink, and the ends of all arcs, swapped: its minimal
    source set, which comes with a solution, is the minimal sink set that PyMaxflow returns.
    """

    _dtype: ClassVar[np.dtype[Any]]
    _plain: ClassVar[type]
    _single: ClassVar[struct.Struct]

    def __init__(
        self: Self, est_node_num: int = 0, est_edge_num: int = 0, copy_rhs: Self | None = None
    ) -> None:
        for name, size in (("est_node_num", est_node_num), ("est_edge_num", est_edge_num)):
            _size(name, size)
        self.reset()
        if copy_rhs is not None:
            if type(copy_rhs) is not type(self):
                raise TypeError(
                    f"copy_rhs must be a {type(self).__name__}, not {type(copy_rhs).__name__}"
                )
            self._copy_from(copy_rhs)

    def reset(self) -> None:
        """Remove all nodes and edges."""
        self._nodes = 0
        self._arcs = 0
        self._terminals = Terminals(self._dtype)
        self._solved: gx.Graph | None = None
        self._side: NDArray[np.bool_] = np.zeros(0, dtype=bool)
        self._grid: GridEdges | None = None  # edges among the first nodes, in C order
        self._packed = bytearray()  # edges that were added one by one
        self._many: list[Ends] = []

    def copy(self: Self) -> Self:
        """Return an independent graph in the same state, results included."""
        return type(self)(copy_rhs=self)

    def _copy_from(self: Self, other: Self) -> None:
        self.__dict__.update(other.__dict__)
        self._terminals = other._terminals.copy()
        self._solved = other._solved and other._solved.copy()
        self._packed, self._many = other._packed.copy(), other._many.copy()
        if other._grid is not None:
            self._grid = GridEdges(other._grid.shape, other._grid.periodic)
            self._grid.directions = other._grid.directions.copy()

    def add_nodes(self, num_nodes: int) -> NDArray[np.int64]:
        """Add nodes; returns their numbers, (num_nodes,) int64."""
        size = _size("num_nodes", num_nodes)
        first = self._nodes
        self._nodes += size
        self._terminals.grow(self._nodes)
        return np.arange(first, self._nodes, dtype=np.int64)

    def add_grid_nodes(self, shape: int | tuple[int, ...]) -> NDArray[np.int64]:
        """Add a grid of nodes; returns their numbers in its shape, in C order."""
        sizes = (shape,) if isinstance(shape, int | np.integer) else tuple(shape)
        sizes = tuple(_size(f"shape[{axis}]", size) for axis, size in enumerate(sizes))
        nodes = 1
        for size in sizes:
            nodes *= size
        return self.add_nodes(nodes).reshape(sizes)

    def add_edge(self, i: int, j: int, capacity: float, rcapacity: float) -> None:
        """Add an edge from node ``i`` to node ``j``, and its capacity back.

        -1 is no node; an edge there is left out, as self-loops are.
        """
        nodes = self._nodes
        if 0 <= i < nodes and 0 <= j < nodes and i != j and capacity >= 0 and rcapacity >= 0:
            try:
                self._packed += self._single.pack(i, j, capacity, rcapacity)
            except (struct.error, OverflowError):  # other types than expected
                pass
            else:
                self._arcs += 2
                return
        tail, head = operator.index(i), operator.index(j)
        for name, node in (("i", tail), ("j", head)):
            if not -1 <= node < nodes:
                raise IndexError(f"{name} is {node}, but the graph has {nodes} nodes")
        self.add_edges([tail], [head], capacity, rcapacity)

    def add_edges(
        self, i: ArrayLike, j: ArrayLike, capacity: ArrayLike, rev_capacity: ArrayLike
    ) -> None:
        """Add edges: four arrays of one size; capacities may be numbers. -1 is no node."""
        tails, heads = (node_ids(n, x, self._nodes, -1).ravel() for n, x in (("i", i), ("j", j)))
        columns = [
            capacities(name, value, self._dtype)
            for name, value in (("capacity", capacity), ("rev_capacity", rev_capacity))
        ]
        sizes = {"i": tails.size, "j": heads.size}
        sizes |= {
            n: c.size for n, c in zip(("capacity", "rev_capacity"), columns, strict=True) if c.ndim
        }
        if len(set(sizes.values())) > 1:
            shown = ", ".join(f"{name} {size}" for name, size in sizes.items())
            raise ValueError(f"all arrays must have the same size, not {shown}")
        forward, back = (np.broadcast_to(c.ravel(), tails.shape) for c in columns)
        self._arcs += 2 * self._append(tails, heads, forward, back)

    def _append(
        self,
        tails: NDArray[np.int64],
        heads: NDArray[np.int64],
        forward: NDArray[Any],
        back: NDArray[Any],
    ) -> int:
        """Keep copies of edges without those at node -1 and self-loops; returns how many."""
        chosen = _real(tails, heads)
        if chosen.all():
            kept = tails.copy(), heads.copy(), forward.copy(), back.copy()
        else:
            kept = tails[chosen], heads[chosen], forward[chosen], back[chosen]
        if kept[0].size:
            self._many.append(kept)
        return len(kept[0])

    def add_tedge(self, i: int, cap_source: float, cap_sink: float) -> None:
        """Add to the capacities from the source to node ``i`` and from it to the sink.

        They may be negative. -1 is no node.
        """
        node = operator.index(i)
        if not -1 <= node < self._nodes:
            raise IndexError(f"i is {node}, but the graph has {self._nodes} nodes")
        source, sink = cap_source, cap_sink
        known = type(source) is type(sink) is self._plain and source == source and sink == sink
        if not known:  # of another type, or NaN
            source, sink = (
                numbers(name, value, self._dtype).item()
                for name, value in (("cap_source", cap_source), ("cap_sink", cap_sink))
            )
        if node >= 0:
            self._terminals.add_one(node, source, sink)

    def add_grid_tedges(
        self, nodeids: ArrayLike, sourcecaps: ArrayLike, sinkcaps: ArrayLike
    ) -> None:
        """Add to the terminal capacities of many nodes; capacities broadcast to ``nodeids``."""
        ids = node_ids("nodeids", nodeids, self._nodes, -1)
        source, sink = (
            _broadcast(name, numbers(name, value, self._dtype), ids.shape).ravel()
            for name, value in (("sourcecaps", sourcecaps), ("sinkcaps", sinkcaps))
        )
        ids = ids.ravel()
        if ids.size and ids.min() < 0:
            source, sink, ids = source[ids >= 0], sink[ids >= 0], ids[ids >= 0]
        self._terminals.add(ids, source, sink)

    def add_grid_edges(
        self,
        nodeids: ArrayLike,
        weights: ArrayLike = 1,
        structure: ArrayLike | None = None,
        symmetric: int = 0,
        periodic: bool | ArrayLike = False,
    ) -> None:
        """Add edges from every node of a grid to its neighbours.

        Parameters
        ----------
        nodeids : integer array-like
            The nodes, in the shape of the grid. -1 is no node.
        weights : array-like that broadcasts to the node numbers, default 1
            Capacity of the edges that start at a node, to be multiplied by ``structure``.
        structure : array-like of odd sizes, optional
            The neighbourhood of the centre: a factor for every neighbour, 0 for none. Fewer axes
            than ``nodeids`` has are its last. Default: ``vonNeumann_structure``, directed where
            ``symmetric``.
        symmetric : bool, default False
            Whether every edge has the same capacity back, instead of none.
        periodic : bool, or one per axis, default False
            Whether the last nodes of an axis neighbour the first.
        """
        ids = node_ids("nodeids", nodeids, self._nodes, -1)
        if structure is None:
            structure = vonNeumann_structure(ids.ndim, bool(symmetric))
        factors = capacities("structure", structure, self._dtype)
        weight = capacities("weights", weights, self._dtype)
        for name, array in (("structure", factors), ("weights", weight)):
            if array.ndim > ids.ndim:
                raise ValueError(f"{name} has {array.ndim} axes, but nodeids has {ids.ndim}")
        if self._dtype.kind == "i" and largest(weight) * largest(factors) >= INTEGER_LIMIT:
            raise ValueError("weights times structure is out of range")
        if weight.ndim:
            weight = _broadcast("weights", weight, ids.shape)
        edges = GridEdges(ids.shape, _periodic(periodic, ids.ndim))
        nothing = np.zeros((), self._dtype)
        for offset, factor in neighbours(factors, ids.ndim):
            forward = np.asarray(weight * factor)
            edges.add(offset, forward, forward if symmetric else nothing)
            tails, heads = edges.ends(ids, offset)
            self._arcs += 2 * int(np.count_nonzero(_real(tails, heads)))
        self._add_directions(ids, edges)

    def _add_directions(self, ids: NDArray[np.int64], edges: GridEdges) -> None:
        """Keep the edges of a grid as such where they are all on the first nodes."""
        known = self._grid is None or self._grid.shape == edges.shape
        first = ids.size and ids.flat[0] == 0 and ids.flat[-1] == ids.size - 1
        if (
            self._solved is None
            and known
            and first
            and edges.fits()
            and np.array_equal(ids.ravel(), np.arange(ids.size))
        ):
            if self._grid is None:
                self._grid = GridEdges(edges.shape, edges.periodic)
            for offset, (forward, back) in edges.directions.items():
                self._grid.add(offset, forward, back)
            return
        for ends in edges.edges(ids):
            self._append(*ends)

    def get_node_count(self) -> int:
        """Return the number of nodes."""
        return self._nodes

    def get_edge_count(self) -> int:
        """Return the number of edges, counted in each of their two directions."""
        return self._arcs

    get_node_num = get_node_count
    get_edge_num = get_edge_count

    def maxflow(self, reuse_trees: bool = False) -> Any:
        """Find the minimum cut; returns its value, an int of ``GraphInt``.

        A later call goes on from the flow and the trees of the one before, whatever
        ``reuse_trees`` says; changed nodes are known without marks.
        """
        graph = self._sent()
        value = graph.solve() + self._terminals.constant
        self._side = graph.source_side.ravel()
        return value

    def _sent(self) -> gx.Graph:
        """Return the graph that is solved, with everything added that waited."""
        if self._solved is None:
            grid = self._grid
            self._solved = grid.reversed_graph(self._dtype) if grid else gx.Graph(self._dtype)
            self._grid = None
        missing = self._nodes - self._solved.num_nodes
        if missing:
            self._solved.add_nodes(missing)
        for tails, heads, forward, back in self._waiting():
            self._solved.add_edges(tails, heads, back, forward)
        self._packed, self._many = bytearray(), []
        changed, source, sink = self._terminals.changed()
        if changed.size:
            self._solved.set_terminals(changed, source=sink, sink=source)
        return self._solved

    def _waiting(self) -> list[Ends]:
        """Edges that the solver has not got yet, but for those of the grid."""
        found = list(self._many)
        if self._packed:
            fields = [
                ("tail", "i8"),
                ("head", "i8"),
                ("forward", self._dtype),
                ("back", self._dtype),
            ]
            table = np.frombuffer(bytes(self._packed), fields)
            tails, heads, forward, back = (table[name].copy() for name, _ in fields)
            found.append((tails, heads, forward, back))
        return found

    def mark_node(self, i: int) -> None:
        """Check the number of a node; changed nodes are known without marks."""
        node_ids("i", i, self._nodes)

    def mark_grid_nodes(self, nodeids: ArrayLike) -> None:
        """Check numbers of nodes; changed nodes are known without marks."""
        node_ids("nodeids", nodeids, self._nodes)

    def get_segment(self, i: int) -> int:
        """Return 1 where node ``i`` is on the sink side of the last cut, else 0."""
        node = operator.index(i)
        if not 0 <= node < self._nodes:
            raise IndexError(f"i is {node}, but the graph has {self._nodes} nodes")
        return int(node < self._side.size and self._side[node])

    def get_grid_segments(self, nodeids: ArrayLike) -> NDArray[np.bool_]:
        """Return whether nodes are on the sink side of the last cut, in the shape of ``nodeids``.

        True where residual capacities lead from the node to the sink; all other nodes are on the
        source side, those that neither terminal reaches included.
        """
        ids = node_ids("nodeids", nodeids, self._nodes)
        side = np.zeros(self._nodes, dtype=bool)
        side[: self._side.size] = self._side
        return side[ids]

    def get_nx_graph(self) -> networkx.DiGraph:
        """Return residual capacities as a NetworkX graph: ``weight`` of edges that have any.

        The terminals are the nodes ``"s"`` and ``"t"``; the others have a ``segment``. Needs
        NetworkX.
        """
        from graphcut_ext.compat.maxflow._networkx import residual_graph

        edges = self._waiting()
        if self._grid is not None:
            nodes = int(np.prod(self._grid.shape))
            edges += self._grid.edges(np.arange(nodes).reshape(self._grid.shape))
        segments = self.get_grid_segments(np.arange(self._nodes))
        return residual_graph(self._solved, edges, self._terminals.excess, segments)


class GraphInt(_Graph):
    """A graph of integer capacities, int64."""

    _dtype = np.dtype(np.int64)
    _plain = int
    _single = struct.Struct("=qqqq")


class GraphFloat(_Graph):
    """A graph of real capacities, float64; ``inf`` is never cut."""

    _dtype = np.dtype(np.float64)
    _plain = float
    _single = struct.Struct("=qqdd")


def vonNeumann_structure(ndim: int = 2, directed: bool = False) -> NDArray[np.float64]:
    """Return the neighbours that share a side, (3,) * ndim: all of them, or one of each pair."""
    size = _size("ndim", ndim)
    structure = np.zeros((3,) * size)
    for axis in range(size):
        line = tuple(slice(None) if a == axis else 1 for a in range(size))
        structure[line] = [0 if directed else 1, 0, 1]
    return structure


def moore_structure(ndim: int = 2, directed: bool = False) -> NDArray[np.float64]:
    """Return the neighbours that share a corner, (3,) * ndim; of both signs, or of one."""
    structure = np.ones((3,) * _size("ndim", ndim))
    if directed:
        structure.reshape(-1)[: structure.size // 2 + 1] = 0
    return structure


def _size(name: str, value: object) -> int:
    if isinstance(value, bool):
        raise TypeError(f"{name} must be an integer, not bool")
    try:
        size = operator.index(value)  # type: ignore[arg-type]
    except TypeError:
        raise TypeError(f"{name} must be an integer, not {type(value).__name__}") from None
    if size < 0:
        raise ValueError(f"{name} is {size}, negative")
    return size


def _real(tails: NDArray[np.int64], heads: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Whether edges join two nodes."""
    real: NDArray[np.bool_] = (tails >= 0) & (heads >= 0) & (tails != heads)
    return real


def _broadcast(name: str, array: NDArray[Any], shape: tuple[int, ...]) -> NDArray[Any]:
    try:
        return np.broadcast_to(array, shape)
    except ValueError:
        raise ValueError(f"{name} of shape {array.shape} does not broadcast to {shape}") from None


def _periodic(value: bool | ArrayLike, dimensions: int) -> tuple[bool, ...]:
    array = np.asarray(value)
    if array.dtype.kind not in "biu":
        raise TypeError(f"periodic must be a bool or one per axis, not {array.dtype}")
    if array.ndim == 0:
        return (bool(array),) * dimensions
    if array.shape != (dimensions,):
        raise ValueError(f"periodic must have shape ({dimensions},), not {array.shape}")
    return tuple(map(bool, array))
