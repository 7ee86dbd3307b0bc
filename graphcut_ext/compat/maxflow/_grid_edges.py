"""Edges between the nodes of a grid and their neighbours, collected by direction."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

import graphcut_ext as gx

Offset = tuple[int, ...]
Ends = tuple[NDArray[np.int64], NDArray[np.int64], NDArray[Any], NDArray[Any]]


class GridEdges:
    """Capacities of the edges of a grid, forward and back, one pair of arrays a direction.

    Two opposite neighbours are one direction, whose offset's first entry that is not 0 is
    positive. A capacity is a number where it is the same everywhere, else of the grid's shape; it
    stands at the tail of the edge.
    """

    def __init__(self, shape: tuple[int, ...], periodic: Sequence[bool]) -> None:
        self.shape = shape
        self.periodic = tuple(periodic)
        self.directions: dict[Offset, tuple[NDArray[Any], NDArray[Any]]] = {}

    def add(self, offset: Offset, forward: NDArray[Any], back: NDArray[Any]) -> None:
        """Add edges from each node to the one at ``offset``; both capacities stand at the node."""
        alike = forward is back
        if offset < (0,) * len(offset):
            forward, back = _moved(back, offset), forward if alike else _moved(forward, offset)
            offset = tuple(-step for step in offset)
        if offset in self.directions:
            before, before_back = self.directions[offset]
            alike = alike and before is before_back
            forward, back = before + forward, back if alike else before_back + back
        self.directions[offset] = forward, forward if alike else back

    def inside(self, offset: Offset) -> tuple[slice, ...]:
        """Return which nodes have a neighbour at an offset."""
        return tuple(
            slice(None) if wraps else slice(max(0, -step), max(0, size - max(0, step)))
            for step, size, wraps in zip(offset, self.shape, self.periodic, strict=True)
        )

    def ends(
        self, nodes: NDArray[np.int64], offset: Offset
    ) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Return the nodes that have a neighbour at an offset, and the neighbours."""
        inside = self.inside(offset)
        heads = np.roll(nodes, [-step for step in offset], tuple(range(nodes.ndim)))
        return nodes[inside].ravel(), heads[inside].ravel()

    def edges(self, nodes: NDArray[np.int64]) -> Iterator[Ends]:
        """Yield tails, heads, capacities and capacities back, a direction at a time."""
        for offset, both in self.directions.items():
            forward, back = (
                np.broadcast_to(x, self.shape)[self.inside(offset)].ravel() for x in both
            )
            yield *self.ends(nodes, offset), forward, back

    def fits(self) -> bool:
        """Whether ``gx.Graph.grid`` has all these neighbours."""
        near = all(abs(step) <= 1 for offset in self.directions for step in offset)
        return near and not any(self.periodic) and len(self.shape) in (1, 2, 3)

    def reversed_graph(self, dtype: np.dtype[Any]) -> gx.Graph:
        """Return the grid with all arcs the other way round; nodes are numbered in C order."""
        lead = (1,) * (len(self.shape) == 1)
        shape = lead + self.shape
        given = {(0,) * len(lead) + offset: both for offset, both in self.directions.items()}
        reach = max((sum(map(abs, offset)) for offset in given), default=1)
        connectivity = ((4, 8), (6, 18, 26))[len(shape) - 2][reach - 1]
        offsets = _offsets(shape, connectivity)
        nothing = np.zeros((), dtype)
        columns = [given.get(offset, (nothing, nothing)) for offset in offsets]
        forward, back = ([column[way] for column in columns] for way in (0, 1))
        same = all(a is b for a, b in columns)
        return gx.Graph.grid(
            shape,
            _stack(back, shape),
            None if same else _stack(forward, shape),
            connectivity=connectivity,
            dtype=dtype,
        )


def _moved(capacities: NDArray[Any], offset: Offset) -> NDArray[Any]:
    """Return capacities that stood at one end of edges at the other."""
    return np.roll(capacities, offset, tuple(range(len(offset)))) if capacities.ndim else capacities


def _stack(capacities: list[NDArray[Any]], shape: tuple[int, ...]) -> NDArray[Any]:
    """Return one number a direction, or, where any differ within a direction, (D, *shape)."""
    if all(x.ndim == 0 for x in capacities):
        return np.array(capacities)
    return np.stack([np.broadcast_to(x.reshape(shape) if x.ndim else x, shape) for x in capacities])


def _offsets(shape: tuple[int, ...], connectivity: int) -> list[Offset]:
    one = gx.Graph.grid((1,) * len(shape), 0, connectivity=connectivity)
    return [tuple(offset) for offset in one.grid_offsets.tolist()]


def neighbours(structure: NDArray[Any], dimensions: int) -> Iterator[tuple[Offset, Any]]:
    """Yield the offsets and the values of a structure's entries that are not 0, centre aside."""
    for axis, size in enumerate(structure.shape):
        if size % 2 == 0:
            raise ValueError(f"structure has {size} entries along axis {axis}, must be odd")
    lead = (0,) * (dimensions - structure.ndim)
    for place in np.argwhere(structure):
        steps = place - np.array(structure.shape, dtype=np.int64) // 2
        offset = lead + tuple(steps.tolist())
        if any(offset):
            yield offset, structure[tuple(place)]
