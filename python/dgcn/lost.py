"""Where pixels are lost: by the wrong name, in the wrong place, at which borders."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from dgcn.boundary import boundary_distance
from dgcn.data.masks import VOID
from dgcn.metrics import Confusion, plain_score

__all__ = ["KINDS", "PLACES", "LostPixels"]

KINDS = {
    "strange": "a class that the image does not have",
    "missed": "background on an object",
    "spilled": "a class of the image on the background",
    "exchanged": "another class of the image on an object",
}
"""Kinds of wrong pixels; every wrong pixel is of exactly one."""

PLACES = {
    "between_objects": "near a border between two classes",
    "at_background": "near a border between a class and the background",
    "elsewhere": "elsewhere",
}
"""Where a pixel lies: within 2 % of the diagonal of such a border in the ground truth, the first
that applies."""


class LostPixels:
    """Wrong pixels of predicted masks by kind and place, and the mean IoU with the names corrected.

    With the names corrected: in every image each strange class is given the name that its pixels
    most often have in the ground truth, the background included. What is lost then is lost by
    placing; what this gains is lost by naming.

    Parameters
    ----------
    classes : int
        Number of classes L with the background.
    """

    def __init__(self, classes: int) -> None:
        self._named = Confusion(classes)
        self._wrong = np.zeros((len(KINDS), len(PLACES)), dtype=np.int64)
        self._pixels = np.zeros(len(PLACES), dtype=np.int64)

    def add(
        self, truth: NDArray[np.uint8], guess: NDArray[np.uint8], labels: Collection[int]
    ) -> None:
        """Count one image.

        Parameters
        ----------
        truth : numpy.ndarray, shape (H, W), uint8
            Class ids, or 255 where void.
        guess : numpy.ndarray, shape (H, W), uint8
            Class ids.
        labels : collection of int
            Foreground classes of the image.
        """
        known = truth != VOID
        own = np.isin(guess, [0, *labels])
        renamed = guess.copy()
        for strange in np.unique(guess[~own]):
            pixels = guess == strange
            counts = np.bincount(truth[pixels & known], minlength=1)
            renamed[pixels] = counts.argmax()
        self._named.add(truth, renamed)
        wrong = known & (truth != guess)
        kinds = np.select([~own, guess == 0, truth == 0], [0, 1, 2], 3)
        places = np.select(list(_near(truth)), [0, 1], 2)
        cells = kinds[wrong] * len(PLACES) + places[wrong]
        self._wrong += np.bincount(cells, minlength=self._wrong.size).reshape(self._wrong.shape)
        self._pixels += np.bincount(places[known], minlength=len(PLACES))

    def plain(self) -> dict[str, Any]:
        """All of it as JSON knows it; shares are of all pixels that are not void.

        "miou_renamed"; "wrong": the share of each kind; "places": for each the share of the pixels
        that lie there, "lost", the part of them that is wrong, and "wrong", that by kind.
        """
        total = max(int(self._pixels.sum()), 1)
        by_kind = self._wrong.sum(1) / total
        places = {}
        for index, name in enumerate(PLACES):
            here = int(self._pixels[index])
            places[name] = {
                "pixels": here / total,
                "lost": float(self._wrong[:, index].sum() / here) if here else None,
                "wrong": dict(zip(KINDS, (self._wrong[:, index] / total).tolist(), strict=True)),
            }
        return {
            "miou_renamed": plain_score(self._named.miou()),
            "wrong": dict(zip(KINDS, by_kind.tolist(), strict=True)),
            "places": places,
        }


def _near(truth: NDArray[np.uint8]) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Pixels near a border between two foreground classes, and near one with the background.

    A border is where the square of the band's width around a pixel holds both; void is neither, so
    that classes on both sides of a ring of void border on one another.
    """
    reach = boundary_distance(*truth.shape)
    size = 2 * reach + 1
    foreground = (truth > 0) & (truth != VOID)
    highest = ndimage.maximum_filter(np.where(foreground, truth, 0), size)
    lowest = ndimage.minimum_filter(np.where(foreground, truth, VOID), size)
    ground = ndimage.maximum_filter(truth == 0, size)
    two = (highest > 0) & (lowest != highest)
    return two, (highest > 0) & ground
