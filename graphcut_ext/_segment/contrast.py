"""Weights of the edges between neighbouring pixels, by contrast and distance."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from graphcut_ext._graph.grid import Grid
from graphcut_ext._segment.image import Floats

EIGHT = 4 + 4 / np.sqrt(2)


def edge_weights(
    colours: Floats, layout: Grid, spacing: NDArray[np.float64], sigma: float | None
) -> Floats:
    """Return exp(-d^2 / (2 sigma^2)) / distance for every edge of a grid, (D, *shape).

    ``d`` is the distance of two colours. By default sigma^2 is the mean of d^2 over all edges.
    The factor that is common to all makes the sum over a pixel's neighbours, where there is no
    contrast, that of 8 neighbours at distances 1 and sqrt(2). Entries whose edges would leave the
    grid are 0.
    """
    weights = np.zeros((len(layout.offsets), *layout.shape), dtype=np.float32)
    total = 0.0
    for squared, offset, tails in zip(weights, layout.offsets, layout.inside(), strict=True):
        heads = _moved(tails, offset.tolist())
        difference = colours[tails] - colours[heads]
        squared[tails] = np.einsum("...c,...c->...", difference, difference)
        total += squared[tails].sum(dtype=np.float64)
    variance = total / max(layout.size, 1) if sigma is None else sigma**2
    distances = np.sqrt(np.square(layout.offsets * spacing).sum(axis=1))
    shares = EIGHT / (2 * distances * (1 / distances).sum())
    for squared, share, tails in zip(weights, shares, layout.inside(), strict=True):
        exponent = squared[tails]
        if variance > 0:
            exponent *= -0.5 / variance
        else:  # between pixels of one colour 1, between others 0
            exponent = np.where(exponent > 0, -np.inf, 0)
        squared[tails] = share * np.exp(exponent)
    return weights


def _moved(tails: tuple[slice, ...], offset: list[int]) -> tuple[slice, ...]:
    """Return the heads of the edges whose tails are given."""
    return tuple(
        slice(part.start + step, part.stop + step) for part, step in zip(tails, offset, strict=True)
    )
