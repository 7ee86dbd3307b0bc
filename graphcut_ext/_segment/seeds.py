"""Marks of object and background, and boxes, as users give them."""

from __future__ import annotations

import operator
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from graphcut_ext._segment.image import as_array, refuse_first

Seeds = NDArray[np.int8]
UNKNOWN, OBJECT, BACKGROUND = 0, 1, 2


def read_seeds(seeds: Any) -> Seeds:
    """Return marks 0, 1, 2 from an array of them, or from a pair of masks."""
    if isinstance(seeds, tuple):
        return _from_masks(seeds)
    array = as_array("seeds", seeds)
    if array.dtype.kind == "b":
        raise TypeError(
            "seeds is one bool array; give two, (object, background), or integers: "
            "0 unknown, 1 object, 2 background"
        )
    if array.dtype.kind not in "iu":
        raise TypeError(f"seeds must hold integers, not {array.dtype}")
    wrong = (array < UNKNOWN) | (array > BACKGROUND)
    refuse_first("seeds", array, wrong, "but must be 0 unknown, 1 object or 2 background")
    return array.astype(np.int8)


def _from_masks(pair: tuple[Any, ...]) -> Seeds:
    if len(pair) != 2:
        raise ValueError(f"seeds must be a pair of masks, (object, background), not {len(pair)}")
    masks = [as_array(f"seeds[{k}]", mask) for k, mask in enumerate(pair)]
    for k, mask in enumerate(masks):
        if mask.dtype.kind != "b":
            raise TypeError(f"seeds[{k}] must be a bool mask, not {mask.dtype}")
    inside, outside = masks
    if inside.shape != outside.shape:
        raise ValueError(
            f"seeds must be two masks of one shape, not {inside.shape} and {outside.shape}"
        )
    refuse_first("seeds[0]", inside, inside & outside, "and so is seeds[1]: object and background")
    seeds: Seeds = (OBJECT * inside + BACKGROUND * outside).astype(np.int8)
    return seeds


def read_box(box: Any) -> tuple[int, ...]:
    """Return the corners of a box: the first of every axis, then the one after the last."""
    array = as_array("box", box)
    if array.dtype.kind not in "iu" or array.ndim != 1:
        raise TypeError("box must be a sequence of 4 integers, or 6 for a volume")
    if array.size not in (4, 6):
        raise ValueError(f"box must have 4 integers, or 6 for a volume, not {array.size}")
    return tuple(map(operator.index, array))


def outside_box(corners: Sequence[int], shape: tuple[int, ...]) -> NDArray[np.bool_]:
    """Return a mask of the pixels outside a box, which may not be empty, nor the box."""
    axes = len(shape)
    if len(corners) != 2 * axes:
        raise ValueError(f"box must have {2 * axes} integers for {axes} axes, not {len(corners)}")
    outside = np.ones(shape, dtype=np.bool_)
    inner = []
    for axis, size in enumerate(shape):
        first, end = corners[axis], corners[axis + axes]
        if not 0 <= first < end <= size:
            raise ValueError(
                f"box goes from {first} to {end} along axis {axis}, but must be a range within "
                f"0 to {size}"
            )
        inner.append(slice(first, end))
    outside[tuple(inner)] = False
    if not outside.any():
        raise ValueError("box covers the whole image; background is what lies outside it")
    return outside
