"""Pixel counts of a segmentation against the ground truth, and the scores made of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from dgcn.data.masks import VOID, mask_to_grid

__all__ = ["Confusion", "plain_score", "score"]


class Confusion:
    """Confusion matrix over class ids, with one more column for pixels left unlabelled.

    A target of 255 (void) takes no part. A prediction of 255 means "no label": it is a miss of the
    target's class and nobody's false alarm, so that partial labellings (cues, supervision) are
    scored by the same numbers as full ones.

    Parameters
    ----------
    classes : int
        Number of classes L with the background, 1..255.

    Raises
    ------
    ValueError
        ``classes`` is out of range.

    Examples
    --------
    >>> confusion = Confusion(2)
    >>> confusion.add([0, 0, 1, 1], [0, 1, 1, 255])
    >>> confusion.iou().round(3).tolist()
    [0.5, 0.333]
    >>> confusion.coverage()
    0.75
    """

    def __init__(self, classes: int) -> None:
        if not 1 <= classes <= VOID:
            raise ValueError(f"classes must be in 1..{VOID}, got {classes}")
        self.classes = classes
        self._counts = np.zeros((classes, classes + 1), dtype=np.int64)

    @property
    def counts(self) -> NDArray[np.int64]:
        """Pixels by target (row) and prediction (column): shape (L, L + 1), a copy.

        The last column counts pixels without a predicted label.
        """
        return np.array(self._counts)

    def add(self, target: ArrayLike, prediction: ArrayLike) -> None:
        """Count one image, or any number of pixels.

        Parameters
        ----------
        target : array of int
            Class ids ``0..L-1``, or 255 where void.
        prediction : array of int, same shape
            Class ids ``0..L-1``, or 255 where no label is given. Checked where the target is void
            as well.

        Raises
        ------
        TypeError
            An array is not of integers.
        ValueError
            The shapes differ, or a value is neither a class id nor 255; nothing is counted then.
        """
        truth = self._checked(target, "target")
        guess = self._checked(prediction, "prediction")
        if truth.shape != guess.shape:
            raise ValueError(
                f"prediction must have the target's shape {truth.shape}, got {guess.shape}"
            )
        known = truth != VOID
        truth, guess = truth[known], guess[known]
        columns = self.classes + 1
        cells = truth * columns + np.where(guess == VOID, self.classes, guess)
        counted = np.bincount(cells, minlength=self._counts.size)
        self._counts += counted.reshape(self._counts.shape)

    def add_grid(self, mask: NDArray[np.uint8], labels: NDArray[np.bool_]) -> None:
        """Count one image's labels on a grid.

        Parameters
        ----------
        mask : numpy.ndarray, shape (H, W), uint8
            Class ids, or 255 where void, at the image's size.
        labels : numpy.ndarray, shape (L, h, w), bool
            At most one class a cell; none counts as a miss.
        """
        guess = np.where(labels.any(0), labels.argmax(0), VOID)
        self.add(mask_to_grid(mask, *labels.shape[1:]), guess)

    def add_counts(self, counts: ArrayLike) -> None:
        """Add counts made elsewhere, for instance in another process.

        Parameters
        ----------
        counts : array of int, shape (L, L + 1)
            See `counts`.

        Raises
        ------
        TypeError
            ``counts`` is not of integers.
        ValueError
            Another shape, or a negative count.
        """
        other = np.asarray(counts)
        if not np.issubdtype(other.dtype, np.integer):
            raise TypeError(f"counts must be integers, got {other.dtype}")
        if other.shape != self._counts.shape:
            raise ValueError(f"counts must have shape {self._counts.shape}, got {other.shape}")
        if (other < 0).any():
            raise ValueError(f"counts must not be negative, got {other[other < 0][0]}")
        self._counts += other

    def filled(self) -> Confusion:
        """The same pixels where every one without a label is predicted as the background."""
        counts = self.counts
        counts[:, 0] += counts[:, -1]
        counts[:, -1] = 0
        result = Confusion(self.classes)
        result.add_counts(counts)
        return result

    def iou(self) -> NDArray[np.float64]:
        """Intersection over union of each class.

        Returns
        -------
        numpy.ndarray, shape (L,), float64
            NaN for a class that is in neither the targets nor the predictions; 0 for one that is,
            without a single hit.
        """
        hits = self._hits()
        return _ratio(hits, self._counts.sum(axis=1) + self._predicted() - hits)

    def miou(self) -> float:
        """Mean of `iou` over the classes where it is defined; NaN if there is none."""
        return _mean(self.iou())

    def precision(self) -> NDArray[np.float64]:
        """Share of the pixels predicted as a class that are of it.

        Returns
        -------
        numpy.ndarray, shape (L,), float64
            NaN for a class that is never predicted.
        """
        return _ratio(self._hits(), self._predicted())

    def recall(self) -> NDArray[np.float64]:
        """Share of the pixels of a class that are predicted as it.

        Returns
        -------
        numpy.ndarray, shape (L,), float64
            NaN for a class that is not in the targets.
        """
        return _ratio(self._hits(), self._counts.sum(axis=1))

    def pixel_accuracy(self) -> float:
        """Share of the counted pixels whose prediction is right; NaN if there is no pixel."""
        return _share(int(self._hits().sum()), int(self._counts.sum()))

    def coverage(self) -> float:
        """Share of the counted pixels that have a predicted label; NaN if there is no pixel."""
        return _share(int(self._predicted().sum()), int(self._counts.sum()))

    def _hits(self) -> NDArray[np.int64]:
        return np.array(np.diagonal(self._counts))

    def _predicted(self) -> NDArray[np.int64]:
        predicted: NDArray[np.int64] = self._counts[:, :-1].sum(axis=0)
        return predicted

    def _checked(self, values: ArrayLike, name: str) -> NDArray[np.int64]:
        array = np.asarray(values)
        if not np.issubdtype(array.dtype, np.integer):
            raise TypeError(f"{name} must be an array of integers, got {array.dtype}")
        wrong = ((array < 0) | (array >= self.classes)) & (array != VOID)
        if wrong.any():
            position = tuple(int(axis[0]) for axis in np.nonzero(wrong))
            raise ValueError(
                f"{name} must hold class ids 0..{self.classes - 1} or {VOID}, "
                f"got {int(array[position])} at {position}"
            )
        return array.astype(np.int64)


def _ratio(part: NDArray[np.int64], whole: NDArray[np.int64]) -> NDArray[np.float64]:
    result = np.full(part.shape, np.nan)
    np.divide(part, whole, out=result, where=whole > 0)
    return result


def _share(part: int, whole: int) -> float:
    return part / whole if whole else float("nan")


def _mean(values: NDArray[np.float64]) -> float:
    defined = values[~np.isnan(values)]
    return float(defined.mean()) if defined.size else float("nan")


def score(confusion: Confusion, classes: Sequence[str]) -> dict[str, Any]:
    """Scores of a labelling in plain types; undefined ones are None.

    Returns
    -------
    dict
        "miou", "pixel_accuracy", "coverage" and the means "precision" and "recall" over the
        classes, all in [0, 1]; "foreground": precision, recall over the foreground classes only;
        "classes": each name's "iou", "precision", "recall" and "coverage" (the share of the class's
        cells or pixels that have a label, right or wrong).
    """
    counts = confusion.counts
    iou, precision, recall = confusion.iou(), confusion.precision(), confusion.recall()
    coverage = _ratio(counts[:, :-1].sum(axis=1), counts.sum(axis=1))
    return {
        "miou": plain_score(confusion.miou()),
        "pixel_accuracy": plain_score(confusion.pixel_accuracy()),
        "coverage": plain_score(confusion.coverage()),
        "precision": _defined_mean(precision),
        "recall": _defined_mean(recall),
        "foreground": {
            "precision": _defined_mean(precision[1:]),
            "recall": _defined_mean(recall[1:]),
        },
        "classes": {
            name: {
                "iou": plain_score(iou[index]),
                "precision": plain_score(precision[index]),
                "recall": plain_score(recall[index]),
                "coverage": plain_score(coverage[index]),
            }
            for index, name in enumerate(classes)
        },
    }


def plain_score(value: float) -> float | None:
    """A score in plain types; None where it is not defined."""
    return None if np.isnan(value) else float(value)


def _defined_mean(values: NDArray[np.float64]) -> float | None:
    return plain_score(_mean(values))
