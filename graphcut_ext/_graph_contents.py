"""What a graph holds, and how it is copied and stored."""

from __future__ import annotations

from typing import Any, TypeVar

import numpy as np
from numpy.typing import DTypeLike, NDArray

from graphcut_ext import _core
from graphcut_ext._graph_arguments import CAPACITY_DTYPES, capacity_dtype
from graphcut_ext._grid import Grid

CORES: dict[np.dtype[Any], type[_core._Graph]] = dict(
    zip(
        CAPACITY_DTYPES,
        (_core.GraphFloat32, _core.GraphFloat64, _core.GraphInt32, _core.GraphInt64),
        strict=True,
    )
)
Self = TypeVar("Self", bound="GraphContents")


class GraphContents:
    """Nodes, edges and capacities of a :class:`graphcut_ext.Graph`, all as copies."""

    def __init__(self, dtype: DTypeLike = np.float64) -> None:
        self._dtype = capacity_dtype(dtype)
        self._core = CORES[self._dtype]()
        self._grid: Grid | None = None

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

    def __copy__(self: Self) -> Self:
        return self.copy()

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
        }

    def __setstate__(self, state: dict[str, Any]) -> None:
        GraphContents.__init__(self, state["dtype"])
        tail, head = state["edge_index"].astype(np.int64)
        source, sink = state["source"], state["sink"]
        self._core.add_nodes(len(source))
        self._core.add_edges(tail, head, state["capacity"], state["reverse_capacity"])
        self._core.set_terminals(np.arange(len(source)), source, sink)
        self._grid = state["grid"] and Grid(*state["grid"])

    def __repr__(self) -> str:
        parts = [self._dtype.name, f"{self.num_nodes} nodes", f"{self.num_edges} edges"]
        if self._grid is not None:
            parts.append("grid of " + " x ".join(map(str, self._grid.shape)))
        try:
            parts.append(f"value {self._core.value():g}")
        except RuntimeError:
            parts.append("not solved")
        return f"{type(self).__name__}({', '.join(parts)})"
