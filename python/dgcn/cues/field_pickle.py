"""The cue files of the field: the pickled dictionaries of SEC and DSRG.

A dictionary of ``"<i>_labels"``: ids of the foreground classes present, and ``"<i>_cues"``: an
integer array (3, n) of class, row and column; ``<i>`` numbers the images as a list file says, one
``<file name> <i>`` a line.
"""

from __future__ import annotations

import gzip
import io
import os
import pickle
import pickletools
import re
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from dgcn.atomic import write_bytes
from dgcn.data.array_unpickler import DAMAGE, load_arrays
from dgcn.data.errors import DataError

__all__ = ["FieldCues", "read_field_cues", "read_list", "write_field_cues"]


LARGEST = 1 << 30
"""Bytes of a packed cue file when it is unpacked; those of 10,582 images are a tenth of it."""
_NUMBER = "[0-9]{1,18}"  # of an image


class FieldCues(NamedTuple):
    """Labels and cues of one image."""

    labels: NDArray[np.int64]
    """(m,) foreground class ids."""
    cues: NDArray[np.int64]
    """(3, n) class, row, column of every cue; a cell may occur under several classes."""


def read_field_cues(path: str | os.PathLike[str]) -> dict[int, FieldCues]:
    """Read a cue file without trusting it.

    Pickles of Python 2 and 3, of NumPy 1 and 2, plain or compressed (``.gz``), are understood.
    Nothing is ever imported or called but the reconstruction of integer arrays.

    Parameters
    ----------
    path : path

    Returns
    -------
    dict
        From image number to its cues.

    Raises
    ------
    FileNotFoundError
        No such file.
    DataError
        The file is damaged, wants to load anything else, or is no dictionary of cues. The message
        names it.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"no such cue file: {path}")
    content = _unpickle(path)
    if not isinstance(content, dict):
        raise DataError(f"{path} holds a {type(content).__name__} instead of a dictionary of cues")
    parts: dict[int, dict[str, NDArray[np.int64]]] = {}
    for key, value in content.items():
        match = re.fullmatch(rf"({_NUMBER})_(labels|cues)", key) if isinstance(key, str) else None
        if match is None:
            raise DataError(f"{path}: unknown key {key!r}, expected '<i>_labels' or '<i>_cues'")
        parts.setdefault(int(match[1]), {})[match[2]] = _integers(path, key, value)
    for index, found in parts.items():
        if missing := {"labels", "cues"} - found.keys():
            raise DataError(f"{path}: no key '{index}_{missing.pop()}'")
        if found["labels"].ndim != 1:
            raise DataError(
                f"{path}: '{index}_labels' must have shape (m,), got {found['labels'].shape}"
            )
        if found["cues"].ndim != 2 or len(found["cues"]) != 3:
            raise DataError(
                f"{path}: '{index}_cues' must have shape (3, n), got {found['cues'].shape}"
            )
    return {index: FieldCues(found["labels"], found["cues"]) for index, found in parts.items()}


def write_field_cues(path: str | os.PathLike[str], cues: Mapping[int, FieldCues]) -> None:
    """Write a cue file that the field's Python 2 programs read, too; compressed if ``.gz``.

    The file appears under its name only when complete.

    Parameters
    ----------
    path : path
    cues : mapping from image number to FieldCues

    Raises
    ------
    ValueError
        An image number is negative, labels are not (m,) or cues not (3, n).
    TypeError
        They are not integers.
    """
    path = Path(path)
    content: dict[str, NDArray[np.int64]] = {}
    for index, (labels, cells) in cues.items():
        if index < 0:
            raise ValueError(f"cues: image number {index} is negative")
        for name, array, valid in (
            ("labels", np.asarray(labels), np.ndim(labels) == 1),
            ("cues", np.asarray(cells), np.ndim(cells) == 2 and len(cells) == 3),
        ):
            if not np.issubdtype(array.dtype, np.integer):
                raise TypeError(f"{name} of image {index} must be integers, got {array.dtype}")
            if not valid:
                raise ValueError(f"{name} of image {index} cannot have shape {array.shape}")
            content[f"{index}_{name}"] = np.ascontiguousarray(array, dtype=np.int64)
    stream = _with_numpy_1_names(pickle.dumps(content, protocol=2))
    write_bytes(path, gzip.compress(stream, 6) if path.suffix.lower() == ".gz" else stream)


def read_list(path: str | os.PathLike[str]) -> dict[int, str]:
    """Read a list file: from image number to name without folder and suffix.

    Raises
    ------
    FileNotFoundError
        No such file.
    DataError
        A line is not ``<file name> <i>``, or a name or number occurs twice; the message names the
        file and the line.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"no such list of images: {path}")
    try:
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise DataError(f"{path}: not UTF-8 text ({error})") from error
    names: dict[int, str] = {}
    seen: set[str] = set()
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip():
            continue
        name, _, index = line.strip().rpartition(" ")
        stem = Path(name.strip()).stem
        if not stem or not re.fullmatch(_NUMBER, index):
            raise DataError(f"{path}, line {number}: expected '<file name> <i>', got {line!r}")
        if int(index) in names or stem in seen:
            raise DataError(f"{path}, line {number}: {line!r} occurs twice")
        names[int(index)] = stem
        seen.add(stem)
    return names


def _integers(path: Path, key: str, value: Any) -> NDArray[np.int64]:
    if isinstance(value, list):
        try:
            value = np.array(value) if value else np.zeros(0, dtype=np.int64)
        except ValueError as error:
            raise DataError(f"{path}: {key!r} must be an integer array: {error}") from error
    if not isinstance(value, np.ndarray) or value.dtype.kind not in "iu":
        kind = getattr(value, "dtype", type(value).__name__)
        raise DataError(f"{path}: {key!r} must be an integer array, got {kind}")
    return value.astype(np.int64)


def _unpickle(path: Path) -> Any:
    try:
        stream = path.read_bytes()
        if stream[:2] == b"\x1f\x8b":
            stream = _inflated(stream)
        return load_arrays(stream)
    except (*DAMAGE, OSError, zlib.error) as error:
        raise DataError(f"{path} cannot be read as cues: {error!s:.200}") from error


def _inflated(stream: bytes) -> bytes:
    """The content of a gzip file, up to a limit."""
    with gzip.GzipFile(fileobj=io.BytesIO(stream)) as file:
        content = file.read(LARGEST + 1)
    if len(content) > LARGEST:
        raise ValueError(f"it is larger than {LARGEST >> 20} MB when it is unpacked")
    return content


def _with_numpy_1_names(stream: bytes) -> bytes:
    """Let a protocol 2 pickle name NumPy's core as NumPy 1 did; NumPy 2 knows both names."""
    for opcode, argument, position in pickletools.genops(stream):
        if opcode.name == "GLOBAL" and argument == "numpy._core.multiarray _reconstruct":
            old, new = (f"cnumpy.{core}.multiarray\n".encode() for core in ("_core", "core"))
            assert position is not None
            return stream[:position] + new + stream[position + len(old) :]
    return stream
