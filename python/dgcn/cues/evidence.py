"""What object cues are taken from: class activation and saliency in one map, and its threshold."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from dgcn.cues.cam import normalised_cam

__all__ = ["CEILING", "FLOOR", "ClassThreshold", "object_maps", "thresholds"]

FLOOR = 0.3
"""Automatic thresholds are at least this: the one that suits maps with a silent background."""

CEILING = 0.8
"""Automatic thresholds are at most this, so that every image keeps cues."""

_QUIET = 0.98  # share of the background's cells that the threshold is above
_KEPT = 0.1  # share of the cells of a class's images that stay above it: SEC's cues cover as much


def object_maps(
    cam: NDArray[np.floating[Any]],
    saliency: NDArray[np.floating[Any]],
    present: NDArray[np.bool_],
    weight: float = 1.0,
) -> NDArray[np.float32]:
    """Class activation plus saliency, which counts for the most active class of the image.

    Activation marks the part that tells a class from the others, saliency the whole of what stands
    out, without a name. Chaudhry et al., "Discovering class-specific pixels for weakly-supervised
    semantic segmentation" (BMVC 2017), combine the two as well, by their harmonic mean.

    Parameters
    ----------
    cam : numpy.ndarray, shape (L - 1, h, w)
        Activation of the foreground classes; each map is divided by its maximum.
    saliency : numpy.ndarray, shape (h, w)
        Not negative; divided by its maximum.
    present : numpy.ndarray, shape (L,), bool
        Classes of the image; entry 0, the background, is not looked at.
    weight : float, default 1
        Of the saliency. 0: the activation alone.

    Returns
    -------
    numpy.ndarray, shape (L - 1, h, w), float32
        In [0, 1], the maximum of every map is 1; 0 for absent classes.

    Raises
    ------
    ValueError
        `weight` is negative, the shapes do not fit, or a map is not finite.
    """
    if not 0 <= weight < np.inf:
        raise ValueError(f"saliency_weight must not be negative, got {weight}")
    if saliency.shape != cam.shape[1:]:
        raise ValueError(f"saliency must have shape {cam.shape[1:]}, got {saliency.shape}")
    maps = normalised_cam(cam)
    maps[~present[1:]] = 0
    if not weight or not present[1:].any():
        return maps
    # Of equally active classes, and where none is active, the first of the image's has it.
    most = np.where(present[1:, None, None], maps, -1).argmax(0)
    owned = most == np.arange(len(maps))[:, None, None]
    return normalised_cam(maps + np.float32(weight) * normalised_cam(saliency) * owned)


class ClassThreshold(NamedTuple):
    """An automatic threshold of one class."""

    value: float
    """Cells above it are cues."""
    noise: float
    """What 98 % of the cells of certain background stay below; NaN where there are none."""


def thresholds(
    images: Iterable[tuple[NDArray[np.floating[Any]], NDArray[np.bool_], Sequence[int]]],
    classes: int,
) -> list[ClassThreshold]:
    """A threshold for every class, above what the certain background reaches.

    Where the maps of a class are as high on the background as on objects, no fixed fraction of the
    maximum tells them apart. The cells that the saliency prior takes for background say how high
    that is: the threshold is what 98 % of them stay below. Where the prior takes objects for
    background, that is too high: it is lowered until a tenth of all cells of the class's images
    exceed it. It stays within `FLOOR` and `CEILING`. Masks have no part in it.

    Parameters
    ----------
    images : iterable
        For each image its maps from `object_maps`, shape (L - 1, h, w), the cells (h, w) of certain
        background, and its foreground classes.
    classes : int
        Number of classes L with the background.

    Returns
    -------
    list of ClassThreshold
        Entry c - 1 belongs to class id c.
    """
    # Counts of the values: their number does not grow with the images.
    quiet = np.zeros((classes - 1, _BINS), dtype=np.int64)
    every = np.zeros_like(quiet)
    for maps, background, labels in images:
        for label in labels:
            bins = np.minimum((np.clip(maps[label - 1], 0, 1) * _BINS).astype(np.int64), _BINS - 1)
            quiet[label - 1] += np.bincount(bins[background], minlength=_BINS)
            every[label - 1] += np.bincount(bins.ravel(), minlength=_BINS)
    return [_threshold(*rows) for rows in zip(quiet, every, strict=True)]


_BINS = 1000


def _threshold(quiet: NDArray[np.int64], every: NDArray[np.int64]) -> ClassThreshold:
    if not quiet.any():
        return ClassThreshold(FLOOR, float("nan"))
    noise = _quantile(quiet, _QUIET)
    return ClassThreshold(min(max(min(noise, _quantile(every, 1 - _KEPT)), FLOOR), CEILING), noise)


def _quantile(counts: NDArray[np.int64], share: float) -> float:
    """The upper end of the bin in which a quantile of the values lies."""
    return (int(np.searchsorted(counts.cumsum(), share * counts.sum())) + 1) / _BINS
