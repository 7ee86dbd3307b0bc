"""The graph of an image, kept so that further seeds cost little."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from graphcut_ext._graph.graph import Graph
from graphcut_ext._graph.grid import Grid
from graphcut_ext._segment.image import Floats
from graphcut_ext._segment.seeds import BACKGROUND, OBJECT, UNKNOWN, Seeds

UNITS = 1 << 20  # of the energy, in whole numbers, that make 1
FLOOR = 1e-4  # least probability of either side, which bounds the costs


class KeptCut:
    """Minimum cuts of one grid, whose costs and seeds may change.

    Capacities are whole numbers. So a cut is exact to the bit, and the same whether it was found
    from scratch or from the one before.
    """

    def __init__(self, layout: Grid, weights: Floats, smoothness: float, threads: int | None):
        # What a seed is tied with is more than all its edges: no cut can spare it.
        strongest = weights.reshape(len(weights), -1).max(axis=1)
        bound = 2.0 * smoothness * float(strongest.sum()) - np.log(FLOOR) + 1
        self._dtype = np.dtype(np.int32 if bound * UNITS < 2**30 else np.int64)
        self._tie = int(np.ceil(bound * UNITS))
        self._threads = threads
        self._seeds: Seeds = np.zeros(layout.shape, dtype=np.int8)
        self._probabilities: Floats | None = None
        capacity = np.empty(weights.shape, dtype=self._dtype)
        for whole, direction in zip(capacity, weights, strict=True):
            whole[:] = self._whole(smoothness * direction.astype(np.float64))
        self._graph = Graph.grid(
            layout.shape,
            capacity,
            connectivity=layout.connectivity,
            dtype=self._dtype,
        )

    def solve(self, probabilities: Floats, seeds: Seeds) -> tuple[NDArray[np.bool_], float]:
        """Return the object's pixels and the energy, for probabilities of the object and seeds."""
        if probabilities is self._probabilities:
            changed = seeds != self._seeds
        else:
            changed = np.ones(seeds.shape, dtype=np.bool_)
        self._set_costs(changed, probabilities[changed], seeds[changed])
        self._probabilities, self._seeds = probabilities, seeds
        value = self._graph.solve(num_threads=self._threads)
        return self._graph.source_side, value / UNITS

    def _set_costs(self, where: NDArray[np.bool_], probabilities: Floats, seeds: Seeds) -> None:
        likely = np.clip(probabilities.astype(np.float64), FLOOR, 1 - FLOOR)
        unknown = seeds == UNKNOWN
        as_background = np.where(unknown, self._whole(-np.log1p(-likely)), 0)
        as_object = np.where(unknown, self._whole(-np.log(likely)), 0)
        as_background[seeds == OBJECT] = self._tie
        as_object[seeds == BACKGROUND] = self._tie
        self._graph.set_terminals(where, source=as_background, sink=as_object)

    def _whole(self, costs: NDArray[np.float64]) -> NDArray[Any]:
        return np.rint(costs * UNITS).astype(self._dtype)
