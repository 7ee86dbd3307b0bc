"""Outlines of pixels: polygons along their edges, which hold exactly the pixels they came from."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["Polygon", "inset", "polygons_of"]

Ring = list[tuple[int, int]]
"""Corners (x, y), the first not repeated."""


@dataclass(frozen=True)
class Polygon:
    """An outline and the outlines of its holes.

    Pixel (x, y) is the square from (x, y) to (x + 1, y + 1); y points down. As they are seen,
    outlines run clockwise and holes counter-clockwise; edges alternate between the two directions.

    Attributes
    ----------
    outline : list of (int, int)
    holes : list of list of (int, int)
    """

    outline: Ring
    holes: list[Ring]


def polygons_of(pixels: NDArray[np.bool_], *, top: int = 0, left: int = 0) -> list[Polygon]:
    """The polygons along the edges of some pixels.

    Parameters
    ----------
    pixels : numpy.ndarray, shape (h, w), bool
        Pixels that touch at corners alone belong to different outlines.
    top, left : int, default 0
        Added to y and x.

    Returns
    -------
    list of Polygon
        One for each part that is connected by edges.
    """
    from scipy import ndimage

    parts, _ = ndimage.label(pixels)
    found = []
    for number, (rows, columns) in enumerate(ndimage.find_objects(parts), start=1):
        rings = _rings(parts[rows, columns] == number)
        moved = [
            [(x + columns.start + left, y + rows.start + top) for x, y in ring] for ring in rings
        ]
        outer = max(range(len(moved)), key=lambda index: _area(moved[index]))
        found.append(Polygon(moved[outer], [r for k, r in enumerate(moved) if k != outer]))
    return found


def inset(ring: Ring, by: float) -> list[tuple[float, float]]:
    """The corners of a ring moved by `by` to the pixels' side in x and in y."""
    moved = []
    for index, (x, y) in enumerate(ring):
        before, after = ring[index - 1], ring[(index + 1) % len(ring)]
        dx = dy = 0.0
        for (x1, y1), (x2, y2) in ((before, (x, y)), ((x, y), after)):
            # The pixels lie to the right of the way: below a step to the right, and so on.
            dx += by * (-1 if y2 > y1 else 1 if y2 < y1 else 0)
            dy += by * (1 if x2 > x1 else -1 if x2 < x1 else 0)
        moved.append((round(x + dx, 6), round(y + dy, 6)))
    return moved


def _area(ring: Ring) -> int:
    """Twice the signed area: positive for outlines, negative for holes."""
    pairs = zip(ring, ring[1:] + ring[:1], strict=True)
    return sum(x1 * y2 - x2 * y1 for (x1, y1), (x2, y2) in pairs)


def _rings(pixels: NDArray[np.bool_]) -> list[Ring]:
    """Closed ways along the edges of one connected part, its pixels to their right."""
    padded = np.pad(pixels, 1)
    ways: dict[tuple[int, int], list[tuple[int, int]]] = {}  # from a corner, its directions

    def add(
        neighbour: NDArray[np.bool_], corner: tuple[int, int], direction: tuple[int, int]
    ) -> None:
        for y, x in np.argwhere(pixels & ~neighbour).tolist():
            ways.setdefault((x + corner[0], y + corner[1]), []).append(direction)

    add(padded[:-2, 1:-1], (0, 0), (1, 0))  # upper edges, to the right
    add(padded[1:-1, 2:], (1, 0), (0, 1))  # right edges, down
    add(padded[2:, 1:-1], (1, 1), (-1, 0))  # lower edges, to the left
    add(padded[1:-1, :-2], (0, 1), (0, -1))  # left edges, up
    rings = []
    while ways:
        corner = next(iter(ways))
        direction = ways[corner][0]
        edges = []
        while direction in ways.get(corner, ()):
            edges.append((corner, direction))
            ways[corner].remove(direction)
            if not ways[corner]:
                del ways[corner]
            corner = (corner[0] + direction[0], corner[1] + direction[1])
            # Where two pixels touch at a corner, turning right stays with the same one.
            right = (-direction[1], direction[0])
            onward = ways.get(corner, [])
            direction = right if right in onward or not onward else onward[0]
        turns = zip(edges, edges[-1:] + edges[:-1], strict=True)
        rings.append([corner for (corner, now), (_, before) in turns if now != before])
    return rings
