"""Cues of one image from activation and saliency."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dgcn.cues.cam import active_cells, foreground_cues
from dgcn.cues.evidence import doubtful_cells, object_maps
from dgcn.cues.saliency import saliency_to_grid

__all__ = ["background_cues", "make_cues", "resolve_conflicts"]


def make_cues(
    cam: NDArray[np.floating[Any]],
    saliency: NDArray[np.floating[Any]],
    present: NDArray[np.bool_],
    *,
    foreground: float | Sequence[float] = 0.2,
    saliency_weight: float = 0.0,
    background: float = 0.07,
    background_fraction: float | None = None,
    background_activation: float = 1.0,
) -> NDArray[np.bool_]:
    """Cues on the grid: at most one class a cell, none where nothing is certain.

    Foreground where the activation is high, background where the saliency is low; of several
    classes that claim a cell the one with the smaller claim has it (Kolesnikov and Lampert 2016,
    section 4.1). With a weight of the saliency, objects share their cells by the higher map, and
    `dgcn.cues.evidence.doubtful_cells` are no background.

    Parameters
    ----------
    cam : numpy.ndarray, shape (L - 1, h, w)
        Activation of the foreground classes, normalised or not; row c - 1 belongs to class id c.
    saliency : numpy.ndarray, shape (H, W)
        In [0, 1]; brought to the grid by `saliency_to_grid`, or taken as it is if (h, w).
    present : numpy.ndarray, shape (L,), bool
        Classes of the image. Without entry 0 there is no background cue.
    foreground : float or sequence of float, default 0.2
        A cell is claimed by class c where its map exceeds this fraction of the maximum; one for
        all classes, or entry c - 1 for class id c.
    saliency_weight : float, default 0
        Weight of the saliency beside the activation in that map, see `dgcn.cues.object_maps`. 0:
        the activation alone, as Kolesnikov and Lampert.
    background : float, default 0.07
        A cell is claimed by the background where its saliency is below this.
    background_fraction : float or None, default None
        Claim this fraction of the cells, the least salient ones, instead; cells as salient as the
        last one included. In (0, 1].
    background_activation : float, default 1
        No cell is claimed by the background where the activation of a class of the image exceeds
        this fraction of its maximum. 1: saliency alone decides. In [0, 1].

    Returns
    -------
    numpy.ndarray, shape (L, h, w), bool
        One-hot or empty at every cell.

    Raises
    ------
    TypeError
        `present` is not bool.
    ValueError
        Shapes do not fit, a threshold is out of range, or a map is not finite.
    """
    grid = saliency_to_grid(saliency, *cam.shape[1:])
    claims = np.empty((len(cam) + 1, *cam.shape[1:]), dtype=np.bool_)
    if background_fraction is None and not 0 <= background <= 1:
        raise ValueError(f"background must be in [0, 1], got {background}")
    if not 0 <= background_activation <= 1:
        raise ValueError(f"background_activation must be in [0, 1], got {background_activation}")
    quiet = background_cues(grid, background, background_fraction)
    maps = object_maps(cam, grid, present, saliency_weight, quiet) if saliency_weight else cam
    claims[1:] = foreground_cues(maps, present, foreground)
    if saliency_weight and len(cam):
        claims[1:] &= np.where(claims[1:], maps, -1).argmax(0) == np.arange(len(cam))[:, None, None]
    claims[0] = quiet & present[0]
    if saliency_weight:
        claims[0] &= ~doubtful_cells(cam, present, quiet)
    if len(cam):
        claims[0] &= active_cells(cam, present) <= np.float32(background_activation)
    return resolve_conflicts(claims)


def background_cues(
    saliency: NDArray[np.floating[Any]], threshold: float, fraction: float | None = None
) -> NDArray[np.bool_]:
    """Cells of low saliency: below a threshold, or the least salient fraction of the cells.

    Parameters
    ----------
    saliency : numpy.ndarray, shape (h, w)
    threshold : float
    fraction : float or None, default None
        In (0, 1]; replaces the threshold.

    Raises
    ------
    ValueError
        `fraction` is out of range.
    """
    if fraction is None:
        return np.asarray(saliency < threshold)
    if not 0 < fraction <= 1:
        raise ValueError(f"background_fraction must be in (0, 1], got {fraction}")
    count = max(1, round(fraction * saliency.size))
    return np.asarray(saliency <= np.partition(saliency, count - 1, axis=None)[count - 1])


def resolve_conflicts(claims: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Give every cell to the claiming class with the smallest claimed area.

    Parameters
    ----------
    claims : numpy.ndarray, shape (L, h, w), bool

    Returns
    -------
    numpy.ndarray, shape (L, h, w), bool
        At most one class a cell. Of equal areas the higher class id wins, so that the background
        yields.
    """
    areas = claims.sum((1, 2))
    cues = np.zeros_like(claims)
    # Larger areas first: smaller ones overwrite them.
    for c in sorted(range(len(claims)), key=lambda c: (-areas[c], c)):
        cues[:, claims[c]] = False
        cues[c] = claims[c]
    return cues
