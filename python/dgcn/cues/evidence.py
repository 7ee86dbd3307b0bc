"""What object cues are taken from: class activation and saliency in one map, and its threshold."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from dgcn.cues.cam import normalised_cam

__all__ = [
    "CEILING",
    "FLOOR",
    "NEW",
    "ClassThreshold",
    "certain_background",
    "doubtful_cells",
    "object_maps",
    "salient_shares",
    "thresholds",
]

FLOOR = 0.3
"""Automatic thresholds are at least this: the one that suits maps with a silent background."""

NEW = 0.5
"""The least automatic threshold of maps by novelty, whose background is not silent."""

CEILING = 0.8
"""Automatic thresholds are at most this, so that every image keeps cues."""

_QUIET = 0.98  # share of the background's cells that the threshold is above
_KEPT = 0.1  # share of the cells of a class's images that stay above it: SEC's cues cover as much
_PEAK = 0.8  # cells above this fraction of a map's maximum are its peak
_SALIENT = 0.5  # share of the peak that is salient where the class is
_DOUBT = 0.15  # of a map's maximum: a class whose peak is not salient may be in cells above it


def object_maps(
    cam: NDArray[np.floating[Any]],
    saliency: NDArray[np.floating[Any]],
    present: NDArray[np.bool_],
    weight: float = 1.0,
    quiet: NDArray[np.bool_] | None = None,
) -> NDArray[np.float32]:
    """Class activation plus saliency, which counts for the most active class of the image.

    Activation marks the part that tells a class from the others, saliency the whole of what stands
    out, without a name. Chaudhry et al., "Discovering class-specific pixels for weakly-supervised
    semantic segmentation" (BMVC 2017), combine the two as well, by their harmonic mean.

    In an image of several classes what stands out may belong to some of them alone: the person, not
    the sofa. There the weight of a class is multiplied by its entry of `salient_shares`.

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
    quiet : numpy.ndarray, shape (h, w), bool, or None, default None
        Cells that the saliency takes for background. None: all classes have the same weight.

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
    if quiet is not None and quiet.shape != saliency.shape:
        raise ValueError(f"quiet must have shape {saliency.shape}, got {quiet.shape}")
    maps = normalised_cam(cam)
    maps[~present[1:]] = 0
    if not weight or not present[1:].any():
        return maps
    owned = _most_active(cam, present) == np.arange(len(maps))[:, None, None]
    weights = np.full(len(maps), weight, dtype=np.float32)
    if quiet is not None:
        weights *= salient_shares(cam, present, quiet)
    return normalised_cam(maps + weights[:, None, None] * normalised_cam(saliency) * owned)


def salient_shares(
    cam: NDArray[np.floating[Any]], present: NDArray[np.bool_], quiet: NDArray[np.bool_]
) -> NDArray[np.float32]:
    """How much of every class's peak is salient, in an image of several classes.

    The peak of a class are the cells above 0.8 of its map's maximum, and of these the ones where
    no other class is more active, if there are any.

    Parameters
    ----------
    cam : numpy.ndarray, shape (L - 1, h, w)
        Activation of the foreground classes.
    present : numpy.ndarray, shape (L,), bool
        Classes of the image.
    quiet : numpy.ndarray, shape (h, w), bool
        Cells that the saliency takes for background.

    Returns
    -------
    numpy.ndarray, shape (L - 1,), float32
        In [0, 1]; 1 for the only class of an image, and for absent and inactive ones.

    Raises
    ------
    ValueError
        A map is not finite.
    """
    shares = np.ones(len(cam), dtype=np.float32)
    several = np.flatnonzero(present[1:])
    if len(several) < 2:
        return shares
    maps, most = normalised_cam(cam), _most_active(cam, present)
    for c in several:
        peak = maps[c] >= _PEAK
        if peak.any():
            own = peak & (most == c)
            shares[c] = 1 - quiet[own if own.any() else peak].mean()
    return shares


def _most_active(cam: NDArray[np.floating[Any]], present: NDArray[np.bool_]) -> NDArray[np.intp]:
    """Index (h, w) of the class of the image that is most active at a cell.

    Activation is divided by the root of its maximum: half way between the activation itself, which
    says how sure the classifier is of the class, and its share of the maximum.
    """
    positive = np.maximum(cam, 0, dtype=np.float32)
    peak = positive.max((1, 2), keepdims=True)
    scaled = positive / np.sqrt(np.where(peak > 0, peak, np.float32(1)))
    # Of equally active classes, and where none is active, the first of the image's has it.
    return np.asarray(np.where(present[1:, None, None], scaled, -1).argmax(0))


def certain_background(
    cam: NDArray[np.floating[Any]], present: NDArray[np.bool_], quiet: NDArray[np.bool_]
) -> NDArray[np.bool_]:
    """Cells that are background to a class for certain, by the saliency.

    None where less than half of the class's peak is salient: the object is among them.

    Parameters
    ----------
    cam, present, quiet
        As `salient_shares`.

    Returns
    -------
    numpy.ndarray, shape (L - 1, h, w), bool
    """
    salient = salient_shares(cam, present, quiet) >= _SALIENT
    return np.asarray(quiet & salient[:, None, None])


def doubtful_cells(
    cam: NDArray[np.floating[Any]], present: NDArray[np.bool_], quiet: NDArray[np.bool_]
) -> NDArray[np.bool_]:
    """Cells where a class may be although the saliency takes them for background.

    These are cells above 0.15 of the maximum of a class less than half of whose peak is salient.

    Parameters
    ----------
    cam, present, quiet
        As `salient_shares`.

    Returns
    -------
    numpy.ndarray, shape (h, w), bool
    """
    doubted = salient_shares(cam, present, quiet) < _SALIENT
    return np.asarray((normalised_cam(cam)[doubted] > _DOUBT).any(0))


class ClassThreshold(NamedTuple):
    """An automatic threshold of one class."""

    value: float
    """Cells above it are cues."""
    noise: float
    """What 98 % of the cells of certain background stay below; NaN where there are none."""


def thresholds(
    images: Iterable[tuple[NDArray[np.floating[Any]], NDArray[np.bool_], Sequence[int]]],
    classes: int,
    floor: float = FLOOR,
) -> list[ClassThreshold]:
    """A threshold for every class, above what the certain background reaches.

    Where the maps of a class are as high on the background as on objects, no fixed fraction of the
    maximum tells them apart. The cells that the saliency prior takes for background say how high
    that is: the threshold is what 98 % of them stay below. Where the prior takes objects for
    background, that is too high: it is lowered until a tenth of all cells of the class's images
    exceed it. It stays within `floor` and `CEILING`. Masks have no part in it.

    Parameters
    ----------
    images : iterable
        For each image its maps from `object_maps`, shape (L - 1, h, w), the cells (h, w) of certain
        background or those of every class as `certain_background`, and its foreground classes.
    classes : int
        Number of classes L with the background.
    floor : float, default 0.3
        The least threshold.

    Returns
    -------
    list of ClassThreshold
        Entry c - 1 belongs to class id c.
    """
    # Counts of the values: their number does not grow with the images.
    quiet = np.zeros((classes - 1, _BINS), dtype=np.int64)
    every = np.zeros_like(quiet)
    for maps, background, labels in images:
        certain = np.broadcast_to(background, maps.shape)
        for label in labels:
            bins = np.minimum((np.clip(maps[label - 1], 0, 1) * _BINS).astype(np.int64), _BINS - 1)
            quiet[label - 1] += np.bincount(bins[certain[label - 1]], minlength=_BINS)
            every[label - 1] += np.bincount(bins.ravel(), minlength=_BINS)
    return [_threshold(*rows, floor) for rows in zip(quiet, every, strict=True)]


_BINS = 1000


def _threshold(quiet: NDArray[np.int64], every: NDArray[np.int64], floor: float) -> ClassThreshold:
    if not quiet.any():
        return ClassThreshold(floor, float("nan"))
    noise = _quantile(quiet, _QUIET)
    return ClassThreshold(min(max(min(noise, _quantile(every, 1 - _KEPT)), floor), CEILING), noise)


def _quantile(counts: NDArray[np.int64], share: float) -> float:
    """The upper end of the bin in which a quantile of the values lies."""
    return (int(np.searchsorted(counts.cumsum(), share * counts.sum())) + 1) / _BINS
