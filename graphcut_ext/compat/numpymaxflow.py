"""numpymaxflow's calls: ``import graphcut_ext.compat.numpymaxflow as numpymaxflow``.

MONAI Label refines segmentations by :func:`maxflow` and takes strokes by
:func:`maxflow_interactive`.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from graphcut_ext.compat import _pixels

__version__ = "0.0.7"
"""The version of numpymaxflow whose calls these are."""

__all__ = ["__version__", "maxflow", "maxflow_interactive"]


def maxflow(
    image: ArrayLike, prob: ArrayLike, lamda: float, sigma: float, connectivity: int = 0
) -> NDArray[np.float32]:
    """Label the pixels of an image or a volume 0 or 1 by a minimum cut.

    The labels x minimise ::

        sum_p  -log prob[x_p, p]
      + sum_pq  lamda exp(-|image_p - image_q|^2 / (2 sigma^2)) [x_p != x_q]

    Parameters
    ----------
    image : array-like, shape (C, H, W) or (C, D, H, W)
        Values of C channels, finite.
    prob : array-like, shape (2, H, W) or (2, D, H, W)
        Probabilities of 0 and of 1, from 0 to 1; below 2^-23 they count as 2^-23.
    lamda : float
        Weight of the links between neighbours, at least 0.
    sigma : float
        Standard deviation of the values of neighbours, above 0.
    connectivity : {0, 4, 8} or {0, 6, 18, 26}, default 0
        4 and 6 are the neighbours that share a side, which 0 stands for. Of diagonal neighbours the
        larger ones have, as in numpymaxflow, those alone whose steps have equal signs: 8 has two
        of the four.

    Returns
    -------
    array, shape (1, H, W) or (1, D, H, W), float32
        0 or 1. Of several minimum cuts it is the one with the most pixels of 1.

    Raises
    ------
    TypeError, ValueError
        A wrong type or shape; a value out of range. The message names the argument.
    """
    return _cut(image, prob, None, lamda, sigma, connectivity)[None]


def maxflow_interactive(
    image: ArrayLike,
    prob: ArrayLike,
    seed: ArrayLike,
    lamda: float,
    sigma: float,
    connectivity: int = 0,
) -> NDArray[np.float32]:
    """Label pixels as :func:`maxflow`, where strokes tell some of them.

    Parameters
    ----------
    image, prob, lamda, sigma, connectivity
        As in :func:`maxflow`. ``prob`` is left as it is; numpymaxflow writes strokes into it.
    seed : array-like, shape (2, H, W) or (2, D, H, W)
        Above 0 where a stroke says 0, or 1. Probabilities there are 1 and 0, or 0 and 1; where both
        are above 0, the stroke of 0 counts.

    Returns
    -------
    array, shape (H, W) or (D, H, W), float32
        0 or 1, without the axis of channels that :func:`maxflow` returns.
    """
    return _cut(image, prob, seed, lamda, sigma, connectivity)


def _cut(
    image: ArrayLike,
    prob: ArrayLike,
    seed: ArrayLike | None,
    lamda: float,
    sigma: float,
    connectivity: int,
) -> NDArray[np.float32]:
    pixels, p = _pixels.floats("image", image), _pixels.probabilities("prob", prob)
    strokes = None if seed is None else _pixels.floats("seed", seed)
    _pixels.check_shapes(pixels, p, strokes, channels=0)
    offsets = _pixels.directions(p.ndim - 1, connectivity or 2 * (p.ndim - 1))
    lamda = _pixels.parameter("lamda", lamda, 0)
    sigma = _pixels.parameter("sigma", sigma, 0, above=True)
    weights = _pixels.links(pixels, offsets, lamda, sigma, by_length=False)
    source, sink = _pixels.costs(p, strokes)
    return _pixels.segment(weights, source, sink).astype(np.float32)
