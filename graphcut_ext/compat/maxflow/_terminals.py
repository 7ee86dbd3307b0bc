"""Terminal capacities of nodes, of either sign, reduced to one number a node and a constant."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from graphcut_ext.compat._values import INTEGER_LIMIT, largest


class Terminals:
    """What is paid on either side of a cut: ``excess``, source less sink, and what always is.

    A node that pays ``a`` on the sink side and ``b`` on the source side pays ``min(a, b)`` on both,
    and the difference on one.
    """

    def __init__(self, dtype: np.dtype[Any]) -> None:
        self.constant: Any = dtype.type(0).item()
        self._excess: NDArray[Any] = np.zeros(0, dtype)
        self._limit = INTEGER_LIMIT if dtype.kind == "i" else np.inf
        self._nodes = 0
        self._touched: list[NDArray[np.int64]] = []
        self._touched_one: list[int] = []

    def copy(self) -> Terminals:
        twin = Terminals(self._excess.dtype)
        twin.constant, twin._excess, twin._nodes = self.constant, self._excess.copy(), self._nodes
        twin._touched, twin._touched_one = self._touched.copy(), self._touched_one.copy()
        return twin

    @property
    def excess(self) -> NDArray[Any]:
        """Capacity from the source where positive, to the sink where negative, (N,)."""
        return self._excess[: self._nodes]

    def grow(self, nodes: int) -> None:
        """Make room for nodes without terminals."""
        if nodes > self._excess.size:
            room = max(nodes, self._excess.size * 3 // 2)
            larger = np.zeros(room, self._excess.dtype)
            larger[: self._nodes] = self.excess
            self._excess = larger
        self._nodes = nodes

    def add_one(self, node: int, source: Any, sink: Any) -> None:
        """Add the capacities of one node."""
        before = self._excess.item(node)
        limit = self._limit
        if before == 0 and 0 <= source < limit and 0 <= sink < limit:
            self.constant += source if source < sink else sink
            self._excess[node] = source - sink
            self._touched_one.append(node)
            return
        source, sink = source + max(before, 0), sink + max(-before, 0)
        if abs(source) == abs(sink) == np.inf:
            raise ValueError(f"both terminal capacities of node {node} are infinite")
        if self._excess.dtype.kind == "i" and max(abs(source), abs(sink)) >= INTEGER_LIMIT:
            raise ValueError(f"the terminal capacities of node {node} are out of range")
        if min(source, sink) == -np.inf:
            raise ValueError(f"a terminal capacity of node {node} is -inf")
        self.constant += min(source, sink)
        self._excess[node] = source - sink
        self._touched_one.append(node)

    def add(self, ids: NDArray[np.int64], source: NDArray[Any], sink: NDArray[Any]) -> None:
        """Add the capacities of nodes, (M,) each; those of a repeated one add up."""
        if not ids.size:
            return
        integers = self._excess.dtype.kind == "i"
        sizes = map(largest, (source, sink, self._excess[ids]))
        if integers and max(sizes) * (ids.size + 1) >= INTEGER_LIMIT:  # even if all are one node's
            for node, a, b in zip(ids.tolist(), source.tolist(), sink.tolist(), strict=True):
                self.add_one(node, a, b)
            return
        if not (ids[1:] > ids[:-1]).all():
            ids, place = np.unique(ids, return_inverse=True)
            source, sink = _sums(place, source, ids.size), _sums(place, sink, ids.size)
        before = self._excess[ids]
        source, sink = source + np.maximum(before, 0), sink + np.maximum(-before, 0)
        if not integers:
            _check_infinite(ids, source, sink)
        self.constant += np.minimum(source, sink).sum().item()
        self._excess[ids] = source - sink
        self._touched.append(ids.copy())

    def changed(self) -> tuple[NDArray[np.int64], NDArray[Any], NDArray[Any]]:
        """Return the nodes changed since this was last asked, and their two capacities."""
        parts = [*self._touched, np.array(self._touched_one, dtype=np.int64)]
        ids = np.concatenate([part for part in parts if part.size] or parts)
        excess = self._excess[ids]
        self._touched, self._touched_one = [], []
        return ids, np.maximum(excess, 0), np.maximum(-excess, 0)


def _sums(place: NDArray[np.int64], values: NDArray[Any], size: int) -> NDArray[Any]:
    found = np.zeros(size, values.dtype)
    np.add.at(found, place, values)
    return found


def _check_infinite(ids: NDArray[np.int64], source: NDArray[Any], sink: NDArray[Any]) -> None:
    for bad, why in (
        (np.isinf(source) & np.isinf(sink), "both terminal capacities of node {} are infinite"),
        (np.isneginf(source) | np.isneginf(sink), "a terminal capacity of node {} is -inf"),
    ):
        if bad.any():
            raise ValueError(why.format(ids[int(np.argmax(bad))]))
