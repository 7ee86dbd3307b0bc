"""The archive that PASCAL VOC's evaluation server takes."""

from __future__ import annotations

import gzip
import io
import os
import tarfile
from collections.abc import Iterable
from pathlib import Path

import numpy as np

from dgcn.atomic import atomic_file
from dgcn.data.errors import DataError
from dgcn.data.masks import read_mask
from dgcn.data.voc import VOC_CLASSES

__all__ = ["FOLDER", "write_voc_archive"]

FOLDER = "results/VOC2012/Segmentation/comp6_test_cls"
"""Where the server looks for the masks; competition 6 admits any training data."""


def write_voc_archive(path: str | os.PathLike[str], masks: Iterable[Path]) -> int:
    """Pack predicted masks for PASCAL VOC's evaluation server.

    Parameters
    ----------
    path : path
        ``.tgz`` or ``.tar.gz`` file to write; the same masks give the same bytes.
    masks : iterable of Path
        Indexed PNG files ``<id>.png`` of class ids 0..20.

    Returns
    -------
    int
        Number of masks.

    Raises
    ------
    ValueError
        Another suffix.
    FileNotFoundError
        A mask is not there.
    DataError
        There is no mask, or one with another value; the message names it.
    """
    path = Path(path)
    if not path.name.lower().endswith((".tgz", ".tar.gz")):
        raise ValueError(f"archive must end in .tgz or .tar.gz, got {path.name!r}")
    files = sorted(masks)
    if not files:
        raise DataError(f"masks: there is none to be packed into {path}")
    # No times, owners or names of this machine: the same masks give the same bytes.
    with (
        atomic_file(path) as raw,
        gzip.GzipFile("", "wb", fileobj=raw, mtime=0) as packed,
        tarfile.open(fileobj=packed, mode="w", format=tarfile.USTAR_FORMAT) as archive,
    ):
        for file in files:
            if (worst := int(np.max(read_mask(file)))) >= len(VOC_CLASSES):
                raise DataError(f"{file}: holds value {worst}, VOC's class ids are 0..20")
            content = file.read_bytes()
            entry = tarfile.TarInfo(f"{FOLDER}/{file.name}")
            entry.size = len(content)
            archive.addfile(entry, io.BytesIO(content))
    return len(files)
