"""Pictures that lie in the folder of a data set, and that the data set does not know of."""

from __future__ import annotations

import os
from pathlib import Path

from dgcn.class_folders import survey
from dgcn.data.folder import FolderDataset

__all__ = ["new_pictures"]


def new_pictures(dataset: FolderDataset) -> list[Path]:
    """Pictures below the root that are neither in ``images/`` nor linked or copied from there.

    They have been added since ``dgcn init``, which would take them. Files are told by their inodes,
    or by name and size; none is opened but for masks beside pictures.
    """
    known: set[tuple[int, int]] = set()
    sizes: set[tuple[str, int]] = set()
    images = dataset.root / "images"
    for entry in os.scandir(images):
        if entry.is_file():
            found = entry.stat()
            known.add((found.st_dev, found.st_ino))
            sizes.add((Path(entry.name).stem, found.st_size))
    try:
        sources = survey(dataset.root).sources
    except ValueError:  # a folder that is no class
        return []
    beside = [source for source in sources if source.path.parent != images]
    # Where init has taken pictures of images/ alone, others beside it are not meant.
    taken = [source for source in beside if _is_known(source.path, known, sizes)]
    if not taken:
        return []
    return sorted(each.path for each in beside if not _is_known(each.path, known, sizes))


def _is_known(path: Path, known: set[tuple[int, int]], sizes: set[tuple[str, int]]) -> bool:
    found = path.stat()
    return (found.st_dev, found.st_ino) in known or (path.stem, found.st_size) in sizes
