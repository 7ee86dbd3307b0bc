"""Signed distances to the outlines of the synthetic objects, in the object's own frame.

The frame is centred on the object; one unit is its radius. Distances are negative inside.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

__all__ = ["SHAPES", "Field"]

Field = NDArray[np.float64]
"""A value at every pixel, shape (H, W)."""

_RING_MIDDLE, _RING_HALF_WIDTH = 0.7, 0.3


def _disc(x: Field, y: Field) -> Field:
    return np.hypot(x, y) - 0.9


def _ring(x: Field, y: Field) -> Field:
    return np.abs(np.hypot(x, y) - _RING_MIDDLE) - _RING_HALF_WIDTH


def _square(x: Field, y: Field) -> Field:
    return _polygon(x, y, _star_points(4, 1.08, None))


def _triangle(x: Field, y: Field) -> Field:
    return _polygon(x, y, _star_points(3, 1.15, None))


def _star(x: Field, y: Field) -> Field:
    return _polygon(x, y, _star_points(5, 1.15, 0.58))


def _star_points(tips: int, outer: float, inner: float | None) -> Field:
    """Corners of a regular polygon, or of a star where ``inner`` is given: shape (n, 2)."""
    if inner is None:
        angles = 2 * np.pi * np.arange(tips) / tips
        radii = np.full(tips, outer)
    else:
        angles = np.pi * np.arange(2 * tips) / tips
        radii = np.where(np.arange(2 * tips) % 2 == 0, outer, inner)
    return np.stack([radii * np.cos(angles), radii * np.sin(angles)], axis=1)


def _polygon(x: Field, y: Field, corners: Field) -> Field:
    """Distance to the nearest edge, its sign by the parity of the edges crossed to the right."""
    nearest = np.full(x.shape, np.inf)
    inside = np.zeros(x.shape, dtype=bool)
    for (ax, ay), (bx, by) in zip(corners, np.roll(corners, -1, axis=0), strict=True):
        ex, ey = bx - ax, by - ay
        along = np.clip(((x - ax) * ex + (y - ay) * ey) / (ex * ex + ey * ey), 0, 1)
        nearest = np.minimum(nearest, np.hypot(x - ax - along * ex, y - ay - along * ey))
        if ay != by:
            inside ^= ((ay > y) != (by > y)) & (x < ax + (y - ay) * ex / ey)
    return np.where(inside, -nearest, nearest)


SHAPES: dict[str, Callable[[Field, Field], Field]] = {
    "disc": _disc,
    "square": _square,
    "triangle": _triangle,
    "star": _star,
    "ring": _ring,
}
"""Signed distance ``f(x, y)`` of each shape by name."""
