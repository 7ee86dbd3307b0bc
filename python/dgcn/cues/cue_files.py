"""The cues of a data set in one file."""

from __future__ import annotations

import io
import lzma
import os
import zipfile
import zlib
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from dgcn.atomic import write_bytes
from dgcn.cues.field_pickle import FieldCues, read_field_cues, read_list, write_field_cues
from dgcn.cues.make import resolve_conflicts
from dgcn.data.array_unpickler import DAMAGE
from dgcn.data.errors import DataError

__all__ = ["load_cues", "save_cues"]

PICKLES = (".pickle", ".pkl", ".pickle.gz", ".pkl.gz")


def save_cues(
    path: str | os.PathLike[str],
    cues: Mapping[str, NDArray[np.bool_]],
    *,
    listing: str | os.PathLike[str] | None = None,
    labels: Mapping[str, Sequence[int]] | None = None,
) -> None:
    """Write the cues of many images; files appear under their names only when complete.

    Parameters
    ----------
    path : path
        ``.npz``: names and packed bits. ``.pickle`` or ``.pkl``, with ``.gz`` or without: the
        format of SEC and DSRG, which needs `listing`.
    cues : mapping from name to numpy.ndarray, shape (L, h, w), bool
        All of one shape.
    listing : path, optional
        List file to be written beside a pickle, ``<name>.jpg <i>`` a line.
    labels : mapping from name to sequence of int, optional
        Foreground classes of every image, for a pickle; by default those that have a cue.

    Raises
    ------
    ValueError
        No cues, arrays of different shapes, an unknown suffix, or `listing` where there is none.
    TypeError
        An array is not bool.
    """
    path = Path(path)
    shape = _common_shape(cues)
    if _is_pickle(path):
        if listing is None:
            raise ValueError(f"listing must name the list file that goes with {path.name}")
        field = {
            index: FieldCues(_labels(name, array, labels), np.stack(array.nonzero()))
            for index, (name, array) in enumerate(cues.items())
        }
        write_field_cues(path, field)
        lines = "".join(f"{name}.jpg {index}\n" for index, name in enumerate(cues))
        write_bytes(Path(listing), lines.encode())
        return
    if listing is not None or labels is not None:
        raise ValueError("listing and labels belong to pickles, not to .npz files")
    packed = np.stack([np.packbits(array) for array in cues.values()])
    content = io.BytesIO()
    np.savez_compressed(
        content, names=np.array(list(cues)), shape=np.array(shape, dtype=np.int64), cues=packed
    )
    write_bytes(path, content.getvalue())


def load_cues(
    path: str | os.PathLike[str],
    *,
    listing: str | os.PathLike[str] | None = None,
    classes: int | None = None,
    grid: tuple[int, int] = (41, 41),
) -> dict[str, NDArray[np.bool_]]:
    """Read the cues of many images.

    Parameters
    ----------
    path : path
        Written by `save_cues`, or a cue file of SEC or DSRG.
    listing : path, optional
        List file of a pickle, ``<file name> <i>`` a line; without it names are the numbers.
    classes : int, optional
        Number of classes L with the background; a pickle does not say it.
    grid : tuple of int, default (41, 41)
        Rows and columns of the grid; a pickle does not say them.

    Returns
    -------
    dict
        From name (without suffix) to numpy.ndarray, shape (L, h, w), bool, at most one class a
        cell: where the file has several, the one with the smallest area.

    Raises
    ------
    FileNotFoundError
        No such file.
    DataError
        The file is damaged, holds a class or cell outside the grid, or an image that is not in the
        list. The message names the file.
    ValueError
        An unknown suffix, or `classes` is missing for a pickle.
    """
    path = Path(path)
    if _is_pickle(path):
        if classes is None:
            raise ValueError(f"classes must be given, {path.name} does not hold their number")
        names = None if listing is None else read_list(listing)
        return {
            _name(path, index, names): one_hot(path, index, entry.cues, (classes, *grid))
            for index, entry in read_field_cues(path).items()
        }
    if not path.is_file():
        raise FileNotFoundError(f"no such cue file: {path}")
    try:
        with np.load(path, allow_pickle=False) as content:
            names_, shape, packed = content["names"], content["shape"], content["cues"]
        classes_, height, width = (int(side) for side in shape)
        size = classes_ * height * width
        if min(classes_, height, width) < 1 or packed.shape[1:] != (-(-size // 8),):
            raise ValueError(f"{packed.shape} packed bytes for cues of shape {tuple(shape)}")
        bits = np.unpackbits(packed, axis=1, count=size).astype(np.bool_)
        arrays = bits.reshape(-1, classes_, height, width)
        return {str(name): array for name, array in zip(names_, arrays, strict=True)}
    # RuntimeError: an archive that is encrypted, or compressed in a way that Python does not know.
    except (*DAMAGE, OSError, RuntimeError, zipfile.BadZipFile, zlib.error, lzma.LZMAError) as e:
        raise DataError(f"{path} cannot be read as cues: {e}") from e


def _is_pickle(path: Path) -> bool:
    name = path.name.lower()
    if name.endswith(PICKLES):
        return True
    if name.endswith(".npz"):
        return False
    raise ValueError(f"path must end in .npz or one of {', '.join(PICKLES)}, got {path.name!r}")


def _common_shape(cues: Mapping[str, NDArray[np.bool_]]) -> tuple[int, ...]:
    if not cues:
        raise ValueError("cues must hold at least one image")
    shape = next(iter(cues.values())).shape
    for name, array in cues.items():
        if array.dtype != np.bool_:
            raise TypeError(f"cues of {name!r} must be bool, got {array.dtype}")
        if array.ndim != 3 or array.shape != shape:
            raise ValueError(f"cues of {name!r} must have shape {shape}, got {array.shape}")
    return shape


def _labels(
    name: str, array: NDArray[np.bool_], labels: Mapping[str, Sequence[int]] | None
) -> NDArray[np.int64]:
    if labels is None:
        return np.flatnonzero(array[1:].any((1, 2))).astype(np.int64) + 1
    if name not in labels:
        raise ValueError(f"labels: none for {name!r}")
    return np.asarray(sorted(labels[name]), dtype=np.int64)


def _name(path: Path, index: int, names: Mapping[int, str] | None) -> str:
    if names is None:
        return str(index)
    if index not in names:
        raise DataError(f"{path}: image {index} is not in the list")
    return names[index]


def one_hot(
    path: Path, index: int, cells: NDArray[np.int64], shape: tuple[int, int, int]
) -> NDArray[np.bool_]:
    """Cues (L, h, w) of one image of a pickle from its list (3, n) of class, row, column.

    Raises
    ------
    DataError
        A cue lies outside the shape; the message names `path` and `index`.
    """
    for what, row, limit in zip(("class", "row", "column"), cells, shape, strict=True):
        if row.size and not (row.min() >= 0 and row.max() < limit):
            wrong = row[(row < 0) | (row >= limit)][0]
            raise DataError(f"{path}: {what} {wrong} of image {index} is not in 0..{limit - 1}")
    claims = np.zeros(shape, dtype=np.bool_)
    claims[tuple(cells)] = True
    return claims if claims.sum() == claims.any(0).sum() else resolve_conflicts(claims)
