"""Class masks from COCO's instance annotations: polygons and run lengths."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pycocotools import mask as coco

from dgcn.data.errors import DataError

__all__ = ["class_mask", "instance_mask"]


def class_mask(
    instances: Sequence[Mapping[str, Any]], ids: Mapping[int, int], height: int, width: int
) -> NDArray[np.uint8]:
    """Paint an image's instances with their classes.

    Crowds first, then the instances from the largest to the smallest, so that of overlapping ones
    the smallest is seen. Nothing is void.

    Parameters
    ----------
    instances : sequence of dict
        Annotations of one image, with "category_id", "segmentation" and, optionally, "iscrowd".
    ids : mapping
        From category to class id.
    height, width : int
        Of the image.

    Returns
    -------
    numpy.ndarray, shape (height, width), uint8

    Raises
    ------
    DataError
        A segmentation is malformed.
    """
    painted = [
        (not instance.get("iscrowd", 0), mask, ids[instance["category_id"]])
        for instance in instances
        for mask in [instance_mask(instance["segmentation"], height, width)]
    ]
    painted.sort(key=lambda item: (item[0], -int(item[1].sum())))
    result = np.zeros((height, width), dtype=np.uint8)
    for _, mask, label in painted:
        result[mask] = label
    return result


def instance_mask(segmentation: Any, height: int, width: int) -> NDArray[np.bool_]:
    """Pixels of one instance.

    Parameters
    ----------
    segmentation : list or dict
        Polygons, each ``[x0, y0, x1, y1, ...]`` in pixels, whose union is taken; or run lengths
        ``{"size": [height, width], "counts": ...}`` down the columns, alternately out and in, as
        numbers or compressed to a string.
    height, width : int
        Of the image.

    Returns
    -------
    numpy.ndarray, shape (height, width), bool

    Raises
    ------
    DataError
        The segmentation is malformed or does not fit the image.
    """
    if isinstance(segmentation, list):
        polygons = [_polygon(corners, height, width) for corners in segmentation]
        if not polygons:
            return np.zeros((height, width), dtype=np.bool_)
        union = coco.merge(coco.frPyObjects(polygons, height, width))
        segmentation = {"size": [height, width], "counts": union["counts"].decode()}
    if not isinstance(segmentation, dict) or "counts" not in segmentation:
        raise DataError("a segmentation is neither a list of polygons nor run lengths")
    if segmentation.get("size") != [height, width]:
        raise DataError(
            f"run lengths of size {segmentation.get('size')} in an image of {[height, width]}"
        )
    counts = segmentation["counts"]
    runs = _decompressed(counts) if isinstance(counts, str) else counts
    whole = isinstance(runs, list) and all(isinstance(run, int) and run >= 0 for run in runs)
    if not whole or sum(runs) != height * width:
        raise DataError(f"run lengths do not sum to {height} x {width} pixels")
    inside = np.arange(len(runs)) % 2 == 1
    columns: NDArray[np.bool_] = np.repeat(inside, runs).reshape(width, height)
    return np.ascontiguousarray(columns.T)


def _polygon(corners: Any, height: int, width: int) -> list[float]:
    """Corners that the rasteriser, which is compiled and checks nothing, can be given."""
    if not isinstance(corners, list) or len(corners) < 6 or len(corners) % 2:
        raise DataError("a polygon must be a list of at least 3 corners, x0, y0, x1, y1, ...")
    for index, value in enumerate(corners):
        side = height if index % 2 else width
        # Annotations reach a pixel or so beyond the image, never as far as its size.
        if not isinstance(value, (int, float)) or not -side <= value <= 2 * side:
            raise DataError(f"a polygon's coordinate {value!r} is not near the image's 0..{side}")
    return [float(value) for value in corners]


def _decompressed(text: str) -> list[int]:
    """Run lengths from COCO's characters: 5 bits each from the lowest, the sixth for "more".

    From the fourth on, a number is the difference to the one before the last.
    """
    runs: list[int] = []
    value = shift = 0
    for character in text:
        bits = ord(character) - 48
        if not 0 <= bits < 64 or shift > 60:
            raise DataError(f"compressed run lengths hold {character!r} where none can be")
        value |= (bits & 31) << shift
        shift += 5
        if not bits & 32:
            if bits & 16:
                value -= 1 << shift
            runs.append(value + runs[-2] if len(runs) > 2 else value)
            value = shift = 0
    if shift:
        raise DataError("compressed run lengths end in the middle of a number")
    return runs
