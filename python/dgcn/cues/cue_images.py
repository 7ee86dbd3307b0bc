"""Cues as pictures: one indexed PNG an image, class ids, 255 where there is no cue."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from dgcn.data.errors import DataError
from dgcn.data.masks import VOID, mask_to_grid, read_mask, write_mask

__all__ = ["read_cue_images", "write_cue_images"]


def write_cue_images(folder: str | os.PathLike[str], cues: Mapping[str, NDArray[np.bool_]]) -> None:
    """Write ``<name>.png`` for every image, in PASCAL VOC's colours.

    Parameters
    ----------
    folder : path
        Made if it is not there.
    cues : mapping from name to numpy.ndarray, shape (L, h, w), bool
        At most one class a cell, at most 255 classes.

    Raises
    ------
    ValueError
        An array is not three-dimensional, has more classes, or several at one cell.
    """
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    for name, array in cues.items():
        if array.ndim != 3 or len(array) > VOID:
            raise ValueError(f"cues of {name!r} must have shape (L <= 255, h, w): {array.shape}")
        if array.sum(0).max(initial=0) > 1:
            raise ValueError(f"cues of {name!r} have several classes at one cell")
        labels = np.where(array.any(0), array.argmax(0), VOID).astype(np.uint8)
        write_mask(folder / f"{name}.png", labels)


def read_cue_images(
    folder: str | os.PathLike[str], names: Iterable[str], classes: int, grid: int
) -> dict[str, NDArray[np.bool_]]:
    """Read the images of some images; those that are not there are left out.

    Parameters
    ----------
    folder : path
    names : iterable of str
    classes : int
        Number of classes L with the background.
    grid : int
        Cells a side; an image of any other size is sampled at the cells.

    Returns
    -------
    dict
        From name to numpy.ndarray, shape (L, grid, grid), bool.

    Raises
    ------
    DataError
        An image is damaged or holds a value that is neither a class id nor 255.
    """
    cues = {}
    for name in names:
        file = Path(folder) / f"{name}.png"
        if not file.is_file():
            continue
        labels = mask_to_grid(read_mask(file), grid, grid)
        wrong = labels[(labels >= classes) & (labels != VOID)]
        if wrong.size:
            raise DataError(f"{file}: holds value {wrong[0]}, class ids are 0..{classes - 1}")
        cues[name] = labels == np.arange(classes, dtype=np.uint8)[:, None, None]
    return cues
