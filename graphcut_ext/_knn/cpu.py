"""The search behind :func:`graphcut_ext.knn` on the CPU.

Products of points discard those that are no neighbours, and the core measures the rest. Where the
processor multiplies 16-bit integers fast, points are rounded to such first. Items whose points lie
too close together for that are searched again with torch's products.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from graphcut_ext import _core
from graphcut_ext._knn.clouds import (
    Budget,
    Clouds,
    Found,
    blocks,
    operand_error,
    output_dtype,
    work_dtype,
)

Array = NDArray[Any]
# A block stays in the cache.
BUDGET = Budget(whole=32 << 20, block=4 << 20, centred=24 << 20)
SYMMETRY_POINTS = 512
"""From so many points on, only one half of the symmetric product of an item is computed."""
SYMMETRY_BLOCKS = 7
"""Into so many blocks of rows that half is divided, each a multiple of CHUNK_ROWS."""
CHUNK_ROWS: int = _core.KNN_CHUNK_ROWS
PANEL: int = _core.KNN_PANEL
"""Points that the core multiplies together."""
SEGMENT: int = _core.KNN_SEGMENT
MAX_ROUNDED_NEIGHBOURS: int = _core.KNN_MAX_ROUNDED_NEIGHBOURS
"""The core searches items of more than SEGMENT rounded points for at most so many neighbours."""
HALF_CHANNELS = 256
"""From so many channels on, half a product of rounded points, kept in memory, beats a whole one."""
ROUNDS: bool = _core.KNN_MULTIPLIES_PAIRS
"""Whether points are rounded first."""


def max_measured(k: int) -> int:
    """Return how many distances a row may need on average before its item is given up."""
    return 3 * k + 16


def search_cpu(clouds: Clouds, k: int) -> Found:
    """Neighbours on the CPU."""
    clouds.check_lengths()
    work = work_dtype(clouds.x)
    found = Found.empty(clouds, k, work)
    group, rows = blocks(clouds, work, BUDGET)
    batch = len(clouds.x)
    threads = torch.get_num_threads()
    given_up: list[int] = []
    first = 0
    if suits_rounding(clouds, k):
        rounded = RoundedSearch(clouds, found, min(group, batch), rows, threads)
        # Rounding is given up once half of the items had to be searched again.
        while first < batch and 2 * len(given_up) <= first:
            given_up += rounded.search(first, min(first + group, batch))
            first += group
        del rounded  # its memory
    spans = [(item, item + 1) for item in given_up]
    spans += [(start, min(start + group, batch)) for start in range(first, batch, group)]
    if spans:
        items = max(last - start for start, last in spans)
        search = Search(clouds, found, items, rows, threads)
        with torch.autocast("cpu", enabled=False):
            for start, last in spans:
                search.search(start, last)
    return found._replace(distances=found.distances.to(output_dtype(clouds.x.dtype)))


def suits_rounding(clouds: Clouds, k: int) -> bool:
    """Whether rounded points are searched first."""
    most = MAX_ROUNDED_NEIGHBOURS if clouds.x.shape[1] > SEGMENT else clouds.x.shape[1]
    return (
        ROUNDS
        and work_dtype(clouds.x) == torch.float32
        and k <= most
        and clouds.results.shape[1] > 0
    )


class Search:
    """The search by torch's products, of some items and ``rows`` of their rows at a time."""

    def __init__(self, clouds: Clouds, found: Found, items: int, rows: int, threads: int) -> None:
        self.clouds, self.rows, self.threads = clouds, rows, threads
        self.searched, self.results = clouds.x.shape[1], clouds.results.shape[1]
        self.points = self.searched + (0 if clouds.query is None else self.results)
        self.work = work_dtype(clouds.x)
        self.wide = self.work == torch.float64
        self.norms: Array = np.empty((items, self.points), np.float64 if self.wide else np.float32)
        self.rescales = np.empty(items)
        self.products = torch.empty(
            items * min(rows, self.results) * self.searched, dtype=self.work
        )
        self.centred = self.memory(items)
        self.centred_array = self.centred.numpy()
        self.distances, self.indices, self.measured = (output.numpy() for output in found)

    def memory(self, items: int) -> Tensor:
        """Return memory for the centred points."""
        return torch.empty((items, self.points, self.clouds.x.shape[2]), dtype=self.work)

    def search(self, first: int, last: int) -> list[int]:
        """Search items [first, last); return those that were given up."""
        some = slice(first, last)
        cloud = self.clouds.group(some, self.work)
        if self.center(cloud.numpy()) >= 0:
            raise self.clouds.not_finite()
        return [first + item for item in self.select(cloud.numpy(), some)]

    def center(self, cloud: Array) -> int:
        """Centre some items; return the first that is not finite, else -1."""
        items = len(cloud)
        return _core.knn_center(
            cloud,
            self.centred_array[:items],
            self.norms[:items],
            self.rescales[:items],
            self.threads,
        )

    def lengths(self, some: slice) -> Array | None:
        """Return how many points there are in some items, None where all are."""
        lengths = self.clouds.lengths
        return None if lengths is None else lengths[some].contiguous().numpy()

    def multiply(self, start: int, product: Tensor) -> int:
        """Write rows of y y^T, y (G, P, C), from row `start` on to product (G, R, N), N <= P.

        A whole product is symmetric: then only the part right of diagonal blocks is written.
        Returns the size of these blocks, else 0.
        """
        items, rows, searched = product.shape
        y = self.centred[:items]
        if rows < self.points or rows < SYMMETRY_POINTS:
            torch.bmm(y[:, start : start + rows], y[:, :searched].mT, out=product)
            return 0
        block = CHUNK_ROWS * -(-rows // (SYMMETRY_BLOCKS * CHUNK_ROWS))
        for top in range(0, rows, block):
            bottom = min(top + block, rows)
            torch.bmm(y[:, top:bottom], y[:, top:].mT, out=product[:, top:bottom, top:])
        return block

    def select(self, cloud: Array, some: slice) -> list[int]:
        """Write the neighbours of centred items; return those that were given up: none here."""
        items = len(cloud)
        for start in range(self.points - self.results, self.points, self.rows):
            count = min(self.rows, self.points - start)
            product = self.products[: items * count * self.searched]
            product = product.view(items, count, self.searched)
            block = self.multiply(start, product)
            _core.knn_select(
                cloud,
                self.norms[:items],
                self.rescales[:items],
                self.lengths(some),
                product.numpy(),
                start,
                block,
                operand_error("cpu", self.work),
                self.distances[some],
                self.indices[some],
                self.measured[some],
                self.threads,
            )
        return []


class RoundedSearch(Search):
    """The search by the core's products of rounded points."""

    def __init__(self, clouds: Clouds, found: Found, items: int, rows: int, threads: int) -> None:
        points, channels = clouds.x.shape[1:]
        self.half = (
            clouds.query is None and rows >= points >= SYMMETRY_POINTS and channels >= HALF_CHANNELS
        )
        super().__init__(clouds, found, items, rows if self.half else 0, threads)
        self.errors = np.empty_like(self.norms)
        self.largest_errors = np.empty(items, np.float32)

    def memory(self, items: int) -> Tensor:
        """Return memory for the rounded points, in panels."""
        panels = -(-self.searched // PANEL) + -(-(self.points - self.searched) // PANEL)
        pairs = (self.clouds.x.shape[2] + 1) // 2
        return torch.empty((items, panels, pairs, PANEL), dtype=torch.int32)

    def center(self, cloud: Array) -> int:
        """Centre and round some items; return the first that is not finite, else -1."""
        items = len(cloud)
        return _core.knn_center_rounded(
            cloud,
            self.centred_array[:items],
            self.norms[:items],
            self.errors[:items],
            self.largest_errors[:items],
            self.rescales[:items],
            self.searched,
            self.threads,
        )

    def select(self, cloud: Array, some: slice) -> list[int]:
        """Write the neighbours of centred items; return those that were given up."""
        items = len(cloud)
        rounded: dict[str, Any] = {
            "x": cloud,
            "norm": self.norms[:items],
            "error": self.errors[:items],
            "largest_error": self.largest_errors[:items],
            "rescale": self.rescales[:items],
            "lengths": self.lengths(some),
            "distances": self.distances[some],
            "indices": self.indices[some],
            "measured": self.measured[some],
            "most": max_measured(self.indices.shape[2]),
            "threads": self.threads,
        }
        pairs = self.centred_array[:items]
        if not self.half:
            return _core.knn_search_rounded(pairs=pairs, searched=self.searched, **rounded)
        products = self.products[: items * self.points**2].view(items, self.points, self.points)
        _core.knn_multiply_rounded_half(
            pairs, self.clouds.x.shape[2], products.numpy(), self.threads
        )
        return _core.knn_select(
            products=products.numpy(), first_row=0, block=PANEL, operand_error=0.0, **rounded
        )
