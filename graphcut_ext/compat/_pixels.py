"""Two-label segmentation of images and volumes by one minimum cut, as medical tools call it.

With the labels x, 0 or 1, of the pixels, the energy is ::

    sum_p  -log prob[x_p, p]
  + sum_pq  lamda exp(-|image_p - image_q|^2 / (2 sigma^2)) [x_p != x_q]

Images are (C, *S), S being (H, W) or (D, H, W). All is float32, as in the tools.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

import graphcut_ext as gx
from graphcut_ext._graph.arrays import read_array
from graphcut_ext.compat._values import refuse

Floats = NDArray[np.float32]
Offset = tuple[int, ...]
LEAST = np.finfo(np.float32).eps
"""Probabilities below it count as this."""
CONNECTIVITY = {2: (4, 8), 3: (6, 18, 26)}


def floats(name: str, value: ArrayLike) -> Floats:
    """Return finite numbers as float32."""
    array = read_array(name, value)
    if array.dtype.kind not in "biuf":
        raise TypeError(f"{name} must hold numbers, not {array.dtype}")
    found = array.astype(np.float32, copy=False)
    refuse(name, array, ~np.isfinite(found), "not finite")
    return found


def probabilities(name: str, value: ArrayLike) -> Floats:
    """Return numbers from 0 to 1 as float32."""
    found = floats(name, value)
    refuse(name, found, (found < 0) | (found > 1), "no probability")
    return found


def parameter(name: str, value: Any, least: float, *, above: bool = False) -> float:
    """Return a finite number of at least ``least``, or above it."""
    try:
        number = float(value)
    except (TypeError, ValueError):
        raise TypeError(f"{name} must be a number, not {type(value).__name__}") from None
    if not (least < number if above else least <= number) or number == np.inf:
        raise ValueError(f"{name} must be {'above' if above else 'at least'} {least}, not {number}")
    return number


def directions(dimensions: int, connectivity: int) -> list[Offset]:
    """Return the steps to the neighbours that have not been met before, in these tools.

    Of the diagonals they know those of equal signs alone: "8" is 6 neighbours, "18" is 12 and "26"
    is 14.
    """
    allowed = CONNECTIVITY[dimensions]
    if connectivity not in allowed:
        one_of = ", ".join(map(str, allowed))
        raise ValueError(
            f"connectivity must be one of {one_of} for {dimensions} dimensions, not {connectivity}"
        )
    reach = 1 + allowed.index(connectivity)
    steps = np.ndindex((2,) * dimensions)
    return [offset for offset in steps if 0 < sum(offset) <= reach]


def links(
    image: Floats, offsets: Sequence[Offset], lamda: float, sigma: float, *, by_length: bool
) -> Iterator[tuple[Offset, Floats]]:
    """Yield, for every direction, the weights of the links from the pixels that have one.

    ``by_length`` divides the difference of two pixels by their distance.
    """
    for offset in offsets:
        here, there = ((slice(None), *end) for end in ahead(offset))
        difference = image[there] - image[here]
        squares = np.einsum("c...,c...->...", difference, difference)
        if by_length:
            squares /= np.float32(sum(offset))
        squares *= np.float32(-1 / (2 * sigma * sigma))
        yield offset, np.float32(lamda) * np.exp(squares, out=squares)


def ahead(offset: Offset) -> tuple[tuple[slice, ...], tuple[slice, ...]]:
    """Return the pixels that have a neighbour at an offset of no negative step, and those."""
    return (
        tuple(slice(None, -step or None) for step in offset),
        tuple(slice(step, None) for step in offset),
    )


def segment(
    weights: Iterator[tuple[Offset, Floats]], source: Floats, sink: Floats
) -> NDArray[np.bool_]:
    """Return where a pixel is 1, which costs ``sink``; 0 costs ``source``. Of ties it is 1."""
    shape = source.shape
    known = dict(weights)
    connectivity = CONNECTIVITY[len(shape)][max(map(sum, known)) - 1]
    one = gx.Graph.grid((1,) * len(shape), 0, connectivity=connectivity)
    capacity = np.zeros((len(one.grid_offsets), *shape), np.float32)
    for place, offset in zip(capacity, map(tuple, one.grid_offsets.tolist()), strict=True):
        if offset in known:
            place[ahead(offset)[0]] = known[offset]
    graph = gx.Graph.grid(shape, capacity, connectivity=connectivity, dtype=np.float32)
    excess = sink - source  # ends swapped: the minimal source set is then that of 0
    graph.set_terminals(graph.nodes, np.maximum(excess, 0), np.maximum(-excess, 0))
    graph.solve()
    return ~graph.source_side


def costs(prob: Floats, seed: Floats | None) -> tuple[Floats, Floats]:
    """Return -log of the probabilities (2, *S) of 0 and 1, with strokes in them."""
    if seed is not None:
        zero = seed[0] > 0
        one = (seed[1] > 0) & ~zero
        prob = np.where(zero | one, np.stack([zero, one]), prob).astype(np.float32)
    source, sink = -np.log(np.maximum(prob, LEAST))
    return source, sink


def check_shapes(
    image: Floats,
    prob: Floats,
    seed: Floats | None,
    channels: int,
) -> None:
    """Refuse shapes that do not belong together; ``channels`` is the axis of the two labels."""
    if prob.ndim not in (3, 4):
        raise ValueError(f"prob must have 2 or 3 axes beside the labels, not shape {prob.shape}")
    for name, array in (("prob", prob), ("seed", seed)):
        if array is not None and array.shape[channels] != 2:
            raise ValueError(f"{name} must have 2 labels, not shape {array.shape}")
    space = _without(prob.shape, channels)
    for name, array in (("image", image), ("seed", seed)):
        if array is not None and (
            array.ndim != prob.ndim or _without(array.shape, channels) != space
        ):
            raise ValueError(f"{name} of shape {array.shape} does not fit prob of {prob.shape}")


def _without(shape: tuple[int, ...], axis: int) -> tuple[int, ...]:
    kept = list(shape)
    del kept[axis]
    return tuple(kept)
