"""SimpleCRF's cuts: ``import graphcut_ext.compat.simplecrf as maxflow``.

SimpleCRF installs them as the module ``maxflow``. Channels are the last axis, neighbours are those
that share a side, and the labels x minimise ::

    sum_p  -log P[p, x_p]  +  sum_pq  lamda exp(-|I_p - I_q|^2 / (2 sigma^2)) [x_p != x_q]
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from graphcut_ext.compat import _pixels
from graphcut_ext.compat._values import refuse

__all__ = ["interactive_maxflow2d", "interactive_maxflow3d", "maxflow2d", "maxflow3d"]

SEED = 1e3
"""Cost of a label that a stroke forbids, in units of the heaviest link."""
AGREED = 1e-3
"""Cost of a label that a stroke gives."""


def maxflow2d(I: ArrayLike, P: ArrayLike, param: Sequence[float]) -> NDArray[np.int8]:  # noqa: E741
    """Label the pixels of an image 0 or 1 by a minimum cut.

    Parameters
    ----------
    I : array-like, shape (H, W) or (H, W, C)
        Values, finite.
    P : array-like, shape (H, W, 2)
        Probabilities of 0 and of 1, from 0 to 1, not both 0. A probability of 0 forbids the label.
    param : (lamda, sigma)
        Weight of the links, at least 0; standard deviation of neighbours' values, above 0.

    Returns
    -------
    array, shape (H, W), int8
        0 or 1. Of several minimum cuts it is the one with the most pixels of 1.

    Raises
    ------
    TypeError, ValueError
        A wrong type or shape; a value out of range. The message names the argument.
    """
    return _cut(I, P, None, param, 2)


def interactive_maxflow2d(
    I: ArrayLike,  # noqa: E741
    P: ArrayLike,
    S: ArrayLike,
    param: Sequence[float],
) -> NDArray[np.int8]:
    """Label pixels as :func:`maxflow2d`, where strokes tell some of them.

    ``S`` has the shape of ``P``: above 0 where a stroke says 0, or 1; where both are, 0. The other
    label costs a thousand times the heaviest link there, whatever ``P`` is.
    """
    return _cut(I, P, S, param, 2)


def maxflow3d(I: ArrayLike, P: ArrayLike, param: Sequence[float]) -> NDArray[np.int8]:  # noqa: E741
    """Label the voxels (D, H, W) of a volume, as :func:`maxflow2d`."""
    return _cut(I, P, None, param, 3)


def interactive_maxflow3d(
    I: ArrayLike,  # noqa: E741
    P: ArrayLike,
    S: ArrayLike,
    param: Sequence[float],
) -> NDArray[np.int8]:
    """Label the voxels (D, H, W) of a volume, as :func:`interactive_maxflow2d`."""
    return _cut(I, P, S, param, 3)


def _cut(
    image: ArrayLike,
    prob: ArrayLike,
    seed: ArrayLike | None,
    param: Sequence[float],
    dimensions: int,
) -> NDArray[np.int8]:
    pixels, p = _pixels.floats("I", image), _pixels.probabilities("P", prob)
    if pixels.ndim == dimensions:
        pixels = pixels[..., None]
    strokes = None if seed is None else _pixels.floats("S", seed)
    space = pixels.shape[:-1]
    if pixels.ndim != dimensions + 1:
        raise ValueError(f"I must have {dimensions} axes and channels, not shape {pixels.shape}")
    for name, array in (("P", p), ("S", strokes)):
        if array is not None and array.shape != (*space, 2):
            raise ValueError(f"{name} must have shape {(*space, 2)}, not {array.shape}")
    if len(param) != 2:
        raise ValueError(f"param must be (lamda, sigma), not {len(param)} numbers")
    lamda = _pixels.parameter("param[0]", param[0], 0)
    sigma = _pixels.parameter("param[1]", param[1], 0, above=True)
    offsets = _pixels.directions(dimensions, 2 * dimensions)
    planes = np.moveaxis(pixels, -1, 0)
    weights = list(_pixels.links(planes, offsets, lamda, sigma, by_length=False))
    refuse("P", p, np.broadcast_to((p == 0).all(-1, keepdims=True), p.shape), "as is the other")
    with np.errstate(divide="ignore"):
        source, sink = np.moveaxis(-np.log(p), -1, 0)
    if strokes is not None:
        hard = np.float32(SEED * max((w.max(initial=0) for _, w in weights), default=0))
        zero = strokes[..., 0] > 0
        one = (strokes[..., 1] > 0) & ~zero
        source = np.select([zero, one], [np.float32(AGREED), hard], source)
        sink = np.select([zero, one], [hard, np.float32(AGREED)], sink)
    return _pixels.segment(iter(weights), source, sink).astype(np.int8)
