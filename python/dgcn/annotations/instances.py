"""Instances of a mask: the connected parts of each class."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from dgcn.data.masks import VOID

__all__ = ["Instance", "instances_of"]


@dataclass(frozen=True)
class Instance:
    """One connected part of one class.

    Attributes
    ----------
    label : int
        Class id.
    top, left : int
        Where `pixels` lies in the mask.
    pixels : numpy.ndarray, shape (h, w), bool
        Its pixels, in the smallest rectangle that holds them.
    score : float
        Mean probability of the class over its pixels.
    """

    label: int
    top: int
    left: int
    pixels: NDArray[np.bool_]
    score: float

    @property
    def area(self) -> int:
        """Pixels."""
        return int(self.pixels.sum())


def instances_of(mask: NDArray[np.uint8], confidence: NDArray[np.float32]) -> list[Instance]:
    """Connected parts of every foreground class; pixels that touch at corners alone are apart.

    Parameters
    ----------
    mask : numpy.ndarray, shape (H, W), uint8
        Class ids; 0 is the background, 255 void.
    confidence : numpy.ndarray, shape (H, W), float32
        Probability of the class that the mask has.

    Returns
    -------
    list of Instance
        By class, then from top to bottom.
    """
    found = []
    for label in np.unique(mask):
        if label in (0, VOID):
            continue
        parts, _ = ndimage.label(mask == label)
        for number, (rows, columns) in enumerate(ndimage.find_objects(parts), start=1):
            pixels = parts[rows, columns] == number
            score = float(confidence[rows, columns][pixels].mean(dtype=np.float64))
            found.append(Instance(int(label), rows.start, columns.start, pixels, min(score, 1.0)))
    return found
