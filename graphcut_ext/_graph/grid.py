"""Regular neighbourhoods of pixels and voxels as edges."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from graphcut_ext import _core
from graphcut_ext._graph.arrays import cast, count, flag

# Neighbours differ in at most this many coordinates, by one each.
REACH = {(2, 4): 1, (2, 8): 2, (3, 6): 1, (3, 18): 2, (3, 26): 3}


@dataclass(frozen=True)
class Grid:
    """A grid of nodes that are numbered in C order, each joined to its neighbours.

    There is one direction for every two opposite neighbours. The edges of the first direction come
    first; within a direction they are in the C order of their tails.
    """

    shape: tuple[int, ...]
    connectivity: int
    periodic: tuple[bool, ...]  # per axis

    @property
    def offsets(self) -> NDArray[np.int64]:
        """Return the steps from tails to heads, (D, dimensions), in ascending order."""
        reach = REACH[len(self.shape), self.connectivity]
        around = itertools.product((-1, 0, 1), repeat=len(self.shape))
        zero = (0,) * len(self.shape)
        return np.array([o for o in around if o > zero and np.abs(o).sum() <= reach])

    @property
    def nodes(self) -> NDArray[np.int64]:
        return np.arange(math.prod(self.shape), dtype=np.int64).reshape(self.shape)

    @property
    def size(self) -> int:
        """Number of edges."""
        ranges = (
            [len(range(*part.indices(size))) for part, size in zip(inside, self.shape, strict=True)]
            for inside in self.inside()
        )
        return sum(map(math.prod, ranges))

    def three_axes(self) -> tuple[list[int], list[list[int]]]:
        """The shape and the offsets, with axes of size 1 in front of fewer than three."""
        missing = 3 - len(self.shape)
        offsets = np.pad(self.offsets, ((0, 0), (missing, 0)))
        return [1] * missing + list(self.shape), offsets.tolist()

    def inside(self) -> Iterator[tuple[slice, ...]]:
        """Yield, for every direction, the nodes that have a neighbour there."""
        for offset in self.offsets.tolist():
            yield tuple(
                slice(None) if wraps else slice(max(0, -step), max(0, size - max(0, step)))
                for step, size, wraps in zip(offset, self.shape, self.periodic, strict=True)
            )

    def ends(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Tails (E,) and heads (E,)."""
        nodes = self.nodes
        axes = tuple(range(nodes.ndim))
        tails, heads = [], []
        for offset, inside in zip(self.offsets, self.inside(), strict=True):
            tails.append(nodes[inside].ravel())
            heads.append(np.roll(nodes, tuple(-offset), axes)[inside].ravel())
        return np.concatenate(tails), np.concatenate(heads)

    def edges(self) -> NDArray[np.int64]:
        """Numbers of the edges, (D, *shape), -1 where there is no neighbour."""
        numbers = np.full((len(self.offsets), *self.shape), -1, dtype=np.int64)
        first = 0
        for direction, inside in zip(numbers, self.inside(), strict=True):
            chosen = direction[inside]
            chosen[...] = np.arange(first, first + chosen.size).reshape(chosen.shape)
            first += chosen.size
        return numbers

    def per_edge(self, name: str, value: ArrayLike, dtype: np.dtype[Any]) -> NDArray[Any]:
        """Return capacities per edge (E,), given as one, per direction or (D, *shape)."""
        whole = (len(self.offsets), *self.shape)
        capacities = cast(name, value, dtype)
        if capacities.ndim == 1 and capacities.shape == whole[:1]:
            capacities = capacities.reshape(-1, *(1,) * len(self.shape))
        elif capacities.shape not in ((), whole):
            raise ValueError(
                f"{name} must be a number, or have shape {whole[:1]} (per direction) or {whole} "
                f"(per edge), not {capacities.shape}"
            )
        capacities = np.broadcast_to(capacities, whole)
        found = np.empty(self.size, dtype=dtype)
        first = 0
        for direction, inside in zip(capacities, self.inside(), strict=True):
            chosen = direction[inside]
            found[first : first + chosen.size].reshape(chosen.shape)[...] = chosen
            first += chosen.size
        return found


def grid(
    shape: Sequence[int],
    connectivity: int | None,
    periodic: bool | Sequence[bool],
    name: str = "shape",
) -> Grid:
    """Check the arguments of ``Graph.grid``; errors call the shape by its name."""
    if isinstance(shape, str) or not isinstance(shape, Sequence | np.ndarray):
        raise TypeError(f"{name} must be a sequence of integers, not {type(shape).__name__}")
    sizes = tuple(count(f"{name}[{axis}]", size) for axis, size in enumerate(shape))
    if math.prod(sizes) > _core.MAX_NODES:
        raise ValueError(f"{name} has {math.prod(sizes)} nodes, too many: at most 2^30 - 1")
    allowed = [c for dimensions, c in REACH if dimensions == len(sizes)]
    if not allowed:
        raise ValueError(f"{name} must have 2 or 3 axes, not {len(sizes)}")
    if connectivity is None:
        connectivity = allowed[0]
    elif count("connectivity", connectivity) not in allowed:
        one_of = ", ".join(map(str, allowed))
        raise ValueError(
            f"connectivity must be one of {one_of} in {len(sizes)} dimensions, not {connectivity}"
        )
    if isinstance(periodic, Sequence | np.ndarray) and not isinstance(periodic, str):
        wraps = tuple(flag(f"periodic[{axis}]", wrap) for axis, wrap in enumerate(periodic))
        if len(wraps) != len(sizes):
            raise ValueError(
                f"periodic must be a bool or {len(sizes)} of them, one per axis, not {len(wraps)}"
            )
    else:
        wraps = (flag("periodic", periodic),) * len(sizes)
    return Grid(sizes, int(connectivity), wraps)
