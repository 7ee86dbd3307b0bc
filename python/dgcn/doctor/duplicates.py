"""Images that are nearly the same: copies, other sizes, other compression, mirrored."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from dgcn.data.images import read_image

_BITS = 128
_NEAR = 12  # differing bits
_SAME = 9.0  # mean difference of the thumbnails in grey levels
_CHUNK = 1024


@dataclass(frozen=True)
class Fingerprint:
    """What is kept of an image to find its like.

    Attributes
    ----------
    bits : numpy.ndarray, shape (128,), bool
        Whether a cell of the 9 x 9 grey thumbnail is brighter than its right and its lower
        neighbour (a "difference hash" both ways).
    thumbnail : numpy.ndarray, shape (9, 9, 3), uint8
        The same in colour, which decides where plain images have equal bits.
    """

    bits: NDArray[np.bool_]
    thumbnail: NDArray[np.uint8]


def fingerprint(path: Path) -> Fingerprint:
    """Of an image as it is displayed, whatever its size."""
    with Image.open(path) as opened:
        if opened.format == "JPEG":
            opened.draft("RGB", (72, 72))  # decodes at a fraction of the size
            picture = opened.convert("RGB")
        else:
            picture = Image.fromarray(read_image(path))
    return fingerprint_of(np.asarray(picture.resize((9, 9), Image.Resampling.BOX)))


def fingerprint_of(thumbnail: NDArray[np.uint8]) -> Fingerprint:
    """Of a thumbnail (9, 9, 3)."""
    grey = thumbnail.astype(np.int64) @ np.array([299, 587, 114])
    right = grey[:8, 1:] > grey[:8, :-1]
    down = grey[1:, :8] > grey[:-1, :8]
    return Fingerprint(np.concatenate([right.ravel(), down.ravel()]), thumbnail)


def near_duplicates(
    first: Sequence[Fingerprint], second: Sequence[Fingerprint]
) -> list[tuple[int, int]]:
    """Pairs (i, j) of one of `first` and one of `second` that show nearly the same, or mirrored.

    Time is that of a product of matrices (len(first), 128) and (128, len(second)).
    """
    if not first or not second:
        return []
    pairs = set()
    theirs = _signs(second)
    for mirrored in (False, True):
        ours = [fingerprint_of(f.thumbnail[:, ::-1]) for f in first] if mirrored else list(first)
        for start in range(0, len(ours), _CHUNK):
            agreement = _signs(ours[start : start + _CHUNK]) @ theirs.T
            for row, j in np.argwhere((_BITS - agreement) / 2 <= _NEAR).tolist():
                difference = ours[start + row].thumbnail.astype(float) - second[j].thumbnail
                if np.abs(difference).mean() <= _SAME:
                    pairs.add((start + row, j))
    return sorted(pairs)


def _signs(prints: Sequence[Fingerprint]) -> NDArray[np.float32]:
    return np.stack([each.bits for each in prints]).astype(np.float32) * 2 - 1
