"""Minimum-cut problems as the benchmarks hand them to every contender; NumPy only."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]

INTEGER_SCALE = 10_000  # float capacities times this are rounded where integers are needed


@dataclass(frozen=True, eq=False)
class Problem:
    """One graph with implicit terminals; capacities float32 or int32.

    ``source[i]`` is paid when node i ends on the sink side, ``sink[i]`` when on the source side.
    """

    tail: Array  # (E,) int64
    head: Array  # (E,) int64
    capacity: Array  # (E,) from tail to head
    reverse: Array | None  # (E,) from head to tail; None: equal to capacity
    source: Array  # (N,)
    sink: Array  # (N,)

    @property
    def nodes(self) -> int:
        """Number of nodes, terminals not counted."""
        return len(self.source)

    @property
    def edges(self) -> int:
        """Number of edges between nodes."""
        return len(self.tail)

    @property
    def backward(self) -> Array:
        """(E,): capacities from head to tail."""
        return self.capacity if self.reverse is None else self.reverse

    def to_integers(self) -> Problem:
        """The same problem with int32 capacities, on which every solver is exact."""
        reverse = None if self.reverse is None else rounded(self.reverse)
        return replace(
            self,
            capacity=rounded(self.capacity),
            reverse=reverse,
            source=rounded(self.source),
            sink=rounded(self.sink),
        )

    def cut_value(self, side: Array) -> float:
        """Capacity of the cut that leaves ``side`` (N,) bool with the source."""
        tail, head = side[self.tail], side[self.head]
        parts = (
            self.source[~side],
            self.sink[side],
            self.capacity[tail & ~head],
            self.backward[head & ~tail],
        )
        wide = np.float64 if self.capacity.dtype.kind == "f" else np.int64
        total: float = sum(part.sum(dtype=wide).item() for part in parts)
        return total


@dataclass(frozen=True, eq=False)
class Links:
    """K-nearest-neighbour graphs with one cut each, as :func:`graphcut_ext.knn_maxflow` takes."""

    indices: Array  # (B, N, K) int64
    weights: Array  # (B, N, K)
    source: Array  # (B, 1, N)
    sink: Array  # (B, 1, N)

    def to_integers(self) -> Links:
        """Capacities as int32."""
        return Links(self.indices, *map(rounded, (self.weights, self.source, self.sink)))

    def problem(self, item: int, *, merged: bool) -> Problem:
        """One graph as an edge list; ``merged`` sums the two edges of a mutual pair."""
        nodes, k = self.indices.shape[1:]
        tail, head = np.repeat(np.arange(nodes), k), self.indices[item].ravel()
        weight = self.weights[item].ravel()
        if merged:
            pair = np.minimum(tail, head) * nodes + np.maximum(tail, head)
            pair, of_edge = np.unique(pair, return_inverse=True)
            weight = np.bincount(of_edge, weight).astype(weight.dtype)
            tail, head = pair // nodes, pair % nodes
        return Problem(tail, head, weight, None, self.source[item, 0], self.sink[item, 0])


@dataclass(frozen=True, eq=False)
class Batch:
    """Problems solved together; with ``links`` they are those graphs, mutual pairs merged."""

    problems: tuple[Problem, ...]
    links: Links | None = None

    @classmethod
    def of_links(cls, links: Links) -> Batch:
        """Batch of K-nearest-neighbour graphs."""
        items = range(len(links.indices))
        return cls(tuple(links.problem(i, merged=True) for i in items), links)

    @property
    def nodes(self) -> int:
        """Nodes of all problems."""
        return sum(p.nodes for p in self.problems)

    @property
    def edges(self) -> int:
        """Edges of all problems, mutual pairs merged."""
        return sum(p.edges for p in self.problems)

    @property
    def integral(self) -> bool:
        """Whether the capacities are integers."""
        return bool(self.problems[0].capacity.dtype.kind == "i")

    def listed(self, *, merged: bool) -> tuple[Problem, ...]:
        """The problems as edge lists, with or without the merging of mutual pairs."""
        if merged or self.links is None:
            return self.problems
        return tuple(self.links.problem(i, merged=False) for i in range(len(self.problems)))

    def first(self) -> Batch:
        """The first problem alone."""
        links = self.links
        if links is not None:
            links = Links(*(getattr(links, f.name)[:1] for f in fields(links)))
        return Batch(self.problems[:1], links)

    def to_integers(self) -> Batch:
        """The same problems with int32 capacities; sums of merged pairs are of rounded weights."""
        if self.integral:
            return self
        if self.links is not None:
            return Batch.of_links(self.links.to_integers())
        return Batch(tuple(p.to_integers() for p in self.problems))

    def save(self, path: Path) -> None:
        """Write as .npz."""
        arrays: dict[str, Any] = dict(_named_arrays("links", self.links)) if self.links else {}
        for i, problem in enumerate(self.problems):
            arrays |= dict(_named_arrays(str(i), problem))
        np.savez(path, **arrays)

    @classmethod
    def load(cls, path: Path) -> Batch:
        """Read what :meth:`save` wrote."""
        parts: dict[str, dict[str, Any]] = {}
        with np.load(path) as stored:
            for key in stored.files:
                part, name = key.split(".")
                parts.setdefault(part, {})[name] = stored[key]
        links = Links(**parts.pop("links")) if "links" in parts else None
        for part in parts.values():
            part.setdefault("reverse", None)
        return cls(tuple(Problem(**parts[key]) for key in sorted(parts, key=int)), links)


def _named_arrays(part: str, value: Problem | Links) -> Iterator[tuple[str, Array]]:
    for field in fields(value):
        array = getattr(value, field.name)
        if array is not None:
            yield f"{part}.{field.name}", array


def rounded(capacity: Array) -> Array:
    """Capacities as int32: integers as they are, floats scaled and rounded."""
    if capacity.dtype.kind == "i":
        return capacity
    scaled = np.rint(capacity.astype(np.float64) * INTEGER_SCALE)
    if scaled.max(initial=0) > np.iinfo(np.int32).max:
        raise OverflowError(f"capacity {capacity.max()} is too large for int32 once scaled")
    return scaled.astype(np.int32)
