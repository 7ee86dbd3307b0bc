"""Large images in tiles that overlap: what is computed at a time is bounded, whatever the image."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

LEAST_TILE = 64
"""Pixels that a tile has at least a side."""
_OVERLAP = 4  # a tile shares one part of this many with the next

Probabilities = NDArray[np.float32]


class Band(NamedTuple):
    """Some rows of an image, and their probabilities (L, rows, W)."""

    rows: slice
    probabilities: Probabilities


def tiled(
    probabilities_of: Callable[[NDArray[np.uint8]], Probabilities],
    image: NDArray[np.uint8],
    tile: int | None,
) -> Iterator[Band]:
    """Probabilities of an image from those of its tiles, some rows at a time, top down.

    Every tile is predicted as an image of its own. Neighbours share at least a quarter of a tile,
    where their probabilities are averaged with weights that fall linearly towards the edge.

    Parameters
    ----------
    probabilities_of : callable
        From an image (h, w, 3) to probabilities (L, h, w).
    image : numpy.ndarray, shape (H, W, 3), uint8
    tile : int or None
        Side of a tile in pixels. None, or an image that is no larger: it is predicted whole.

    Raises
    ------
    ValueError
        ``tile`` is below 64.
    """
    require_tile(tile)
    height, width = image.shape[:2]
    if tile is None or (height <= tile and width <= tile):
        yield Band(slice(0, height), probabilities_of(image))
        return
    rows, columns = _windows(height, tile), _windows(width, tile)
    open_rows: Probabilities | None = None  # sums whose later tiles are still to come
    for index, (top, down) in enumerate(rows):
        sums: Probabilities | None = None
        for left, across in columns:
            part = image[top : top + len(down), left : left + len(across)]
            found = probabilities_of(np.ascontiguousarray(part))
            if sums is None:
                sums = np.zeros((len(found), len(down), width), dtype=np.float32)
            sums[:, :, left : left + len(across)] += found * (down[:, None] * across)
        assert sums is not None
        if open_rows is not None:
            sums[:, : open_rows.shape[1]] += open_rows
        last = index + 1 == len(rows)
        end = len(down) if last else rows[index + 1][0] - top
        open_rows = sums[:, end:].copy()
        yield Band(slice(top, top + end), sums[:, :end])


def require_tile(tile: int | None) -> None:
    """Raise `ValueError` unless a tile is None or large enough."""
    if tile is not None and tile < LEAST_TILE:
        raise ValueError(f"tile must be at least {LEAST_TILE} pixels, got {tile}")


def _windows(length: int, tile: int) -> list[tuple[int, NDArray[np.float32]]]:
    """Starts of the tiles along a side, and their weights, which sum to 1 at every pixel."""
    if length <= tile:
        return [(0, np.ones(length, dtype=np.float32))]
    overlap = tile // _OVERLAP
    count = math.ceil((length - overlap) / (tile - overlap))
    starts = [index * (length - tile) // (count - 1) for index in range(count)]
    place = np.arange(tile)
    hat = np.minimum(np.minimum(place, tile - 1 - place) + 1, overlap) / overlap
    total = np.zeros(length)
    for start in starts:
        total[start : start + tile] += hat
    return [(start, (hat / total[start : start + tile]).astype(np.float32)) for start in starts]
