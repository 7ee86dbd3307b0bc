"""Boundary IoU: intersection over union of the pixels near the outlines.

Cheng, Girshick, Dollár, Berg and Kirillov, "Boundary IoU: improving object-centric image
segmentation evaluation", CVPR 2021.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import ndimage

from dgcn.data.masks import VOID

__all__ = ["BoundaryScore", "boundary", "boundary_distance"]


def boundary_distance(height: int, width: int, fraction: float = 0.02) -> int:
    """Width of the band in pixels: a fraction of the image's diagonal, at least 1."""
    return max(1, round(fraction * math.hypot(height, width)))


def boundary(
    mask: NDArray[np.bool_], distance: int, void: NDArray[np.bool_] | None = None
) -> NDArray[np.bool_]:
    """Pixels of a mask that are within `distance` steps of a pixel outside it.

    A step goes to one of the eight neighbours. Beyond the image's border is outside, as in the
    authors' code, so that a mask that fills the image has its border as boundary.

    Parameters
    ----------
    mask : numpy.ndarray, shape (H, W), bool
    distance : int
        At least 1.
    void : numpy.ndarray, shape (H, W), bool, optional
        Pixels of which nobody knows: neither boundary nor outside.
    """
    inside = mask if void is None else mask | void
    depth = ndimage.distance_transform_cdt(np.pad(inside, 1), metric="chessboard")[1:-1, 1:-1]
    near: NDArray[np.bool_] = mask & (depth <= distance)
    return near if void is None else near & ~void


class BoundaryScore:
    """Boundary IoU of every class, from the counts of all images.

    For a class with the masks G and P of the ground truth and the prediction, and their boundaries
    G_d and P_d: sum of |G_d and P_d| over sum of |G_d or P_d|. Pixels void in the ground truth are
    left out of both, and bound neither, so that a ring of void around an object costs nothing.

    Parameters
    ----------
    classes : int
        Number of classes L with the background, 1..255.
    fraction : float, default 0.02
        The band's width as a fraction of each image's diagonal.

    Raises
    ------
    ValueError
        An argument is out of range.
    """

    def __init__(self, classes: int, fraction: float = 0.02) -> None:
        if not 1 <= classes <= VOID:
            raise ValueError(f"classes must be in 1..{VOID}, got {classes}")
        if not 0 < fraction < 1:
            raise ValueError(f"fraction must be in (0, 1), got {fraction}")
        self.classes, self.fraction = classes, fraction
        self._both = np.zeros(classes, dtype=np.int64)
        self._either = np.zeros(classes, dtype=np.int64)

    def add(self, target: ArrayLike, prediction: ArrayLike) -> None:
        """Count one image.

        Parameters
        ----------
        target : array of int, shape (H, W)
            Class ids, or 255 where void.
        prediction : array of int, shape (H, W)
            Class ids.

        Raises
        ------
        ValueError
            The arrays are not of one two-dimensional shape.
        """
        truth, guess = np.asarray(target), np.asarray(prediction)
        if truth.ndim != 2 or truth.size == 0:
            raise ValueError(f"target must have shape (H, W), got {truth.shape}")
        if guess.shape != truth.shape:
            raise ValueError(
                f"prediction must have the target's shape {truth.shape}, got {guess.shape}"
            )
        distance = boundary_distance(truth.shape[0], truth.shape[1], self.fraction)
        void = truth == VOID
        for label in np.union1d(truth, guess):
            if label < self.classes:
                of_truth = boundary(truth == label, distance, void)
                of_guess = boundary(guess == label, distance, void)
                self._both[label] += (of_truth & of_guess).sum()
                self._either[label] += (of_truth | of_guess).sum()

    def iou(self) -> NDArray[np.float64]:
        """Boundary IoU of each class, shape (L,); NaN for one that never occurs."""
        result = np.full(self.classes, np.nan)
        np.divide(self._both, self._either, out=result, where=self._either > 0)
        return result

    def miou(self) -> float:
        """Mean of `iou` over the classes where it is defined; NaN if there is none."""
        defined = self.iou()
        defined = defined[~np.isnan(defined)]
        return float(defined.mean()) if defined.size else math.nan
