"""Cues that were made elsewhere, for the images of a data set."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from dgcn.cues.cue_files import load_cues
from dgcn.cues.cue_images import read_cue_images
from dgcn.data.dataset import Record
from dgcn.data.errors import DataError

__all__ = ["LISTING", "external_cues"]

LISTING = "input_list.txt"
"""Name of the list that goes with a pickle of cues, in the same folder."""


def external_cues(
    path: str | os.PathLike[str], records: Sequence[Record], classes: int, grid: int
) -> dict[str, NDArray[np.bool_]]:
    """Cues of every image from a file of the field, or a folder of images.

    Parameters
    ----------
    path : path
        A cue file of SEC or DSRG (``.pickle``, ``.pickle.gz``) beside its ``input_list.txt``; an
        ``.npz`` file of `dgcn.cues.save_cues`; or a folder of `dgcn.cues.write_cue_images`.
    records : sequence of Record
        Cues of other images are left out.
    classes : int
        Number of classes L with the background.
    grid : int
        Cells a side.

    Returns
    -------
    dict
        From name to numpy.ndarray, shape (L, grid, grid), bool, at most one class a cell.

    Raises
    ------
    FileNotFoundError
        There is no such file or folder, or no list beside a pickle.
    DataError
        An image has no cues, or cues of another grid, of an unknown class, or of a class that it is
        not labelled with; or a file is damaged.
    """
    path = Path(path)
    names = [record.name for record in records]
    if path.is_dir():
        found = read_cue_images(path, names, classes, grid)
    else:
        found = _file(path, classes, grid)
    if missing := [name for name in names if name not in found]:
        raise DataError(
            f"{path}: no cues for image {missing[0]!r} ({len(missing)} of {len(names)} have none)"
        )
    for record in records:
        cues = found[record.name]
        if cues.shape != (classes, grid, grid):
            raise DataError(
                f"{path}: cues of {record.name!r} have shape {cues.shape} instead of "
                f"{(classes, grid, grid)}"
            )
        strangers = set(np.flatnonzero(cues.any((1, 2))).tolist()) - {0, *record.labels}
        if strangers:
            raise DataError(
                f"{path}: image {record.name!r} has cues of class {min(strangers)}, with which it "
                f"is not labelled"
            )
    return {name: found[name] for name in names}


def _file(path: Path, classes: int, grid: int) -> dict[str, NDArray[np.bool_]]:
    if not path.is_file():
        raise FileNotFoundError(f"no such file or folder of cues: {path}")
    if path.name.lower().endswith(".npz"):
        return load_cues(path)
    listing = path.with_name(LISTING)
    if not listing.is_file():
        raise FileNotFoundError(
            f"list of images not found: {listing} ('<file name> <i>' a line, as in {path.name})"
        )
    return load_cues(path, listing=listing, classes=classes, grid=(grid, grid))
