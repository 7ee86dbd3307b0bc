"""Labels of a folder's pictures from their masks, where nothing else says what they show."""

from __future__ import annotations

import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from dgcn.class_folders import Survey
from dgcn.data.errors import DataError
from dgcn.data.masks import VOID
from dgcn.placing import RARE, Placed, mask_in_any_file

__all__ = ["MaskLabels", "mask_labels"]

_OBJECT = "object"
_MANY = 12  # grey values of masks with smoothed outlines


@dataclass(frozen=True)
class MaskLabels:
    """What the masks of a folder show.

    Attributes
    ----------
    labels : dict
        Classes of every picture that has a mask, by its file name in ``images/``.
    classes : tuple of str
        Foreground classes; the first has the id 1.
    remarks : tuple of str
    """

    labels: dict[str, tuple[str, ...]]
    classes: tuple[str, ...]
    remarks: tuple[str, ...]


def mask_labels(found: Survey, placed: Placed, names: Sequence[str]) -> MaskLabels | None:
    """The classes in each picture's mask; None where there are no masks, or nobody can tell.

    Without names, masks of one value beside 0 show ``object``, and others ``class1``, ``class2``
    and so on. Numbers with large gaps are no class ids. Masks that cannot be read are passed over.

    Parameters
    ----------
    found : Survey
    placed : Placed
    names : sequence of str
        Foreground classes by id, where a list has them; else empty.
    """
    paths = {}
    for name in placed.labels:
        own = found.root / "masks" / f"{Path(name).stem}.png"
        path = own if own.is_file() else placed.masks.get(name)
        if path is not None:
            paths[name] = path

    def counts(path: Path) -> NDArray[np.int64] | None:
        try:
            mask = mask_in_any_file(path, found.colours)
        except DataError:
            return None  # left aside, or named by the doctor
        return np.bincount(mask.ravel(), minlength=256)

    with ThreadPoolExecutor(max_workers=min(8, os.cpu_count() or 1)) as pool:
        counted = dict(zip(paths, pool.map(counts, paths.values()), strict=True))
    shown = {name: each for name, each in counted.items() if each is not None}
    total = sum(shown.values(), np.zeros(256, np.int64))
    total[0] = 0
    if not total.any():
        return None
    by_value = _named(total, names)
    if by_value is None:
        values = ", ".join(map(str, np.flatnonzero(total)[:5]))
        found.remarks.append(
            f"masks hold {values} and the like, which are no class ids: labels stay open (list the "
            f"classes in classes.txt in the order of the values, and dgcn init --force)"
        )
        return None
    labels = {
        name: tuple(label for value, label in by_value.items() if each[value])
        for name, each in shown.items()
    }
    remarks = [
        f"labels of {len(labels)} pictures are the classes of their masks, which training uses for "
        f"nothing else"
    ]
    if bare := len(placed.labels) - len(labels):
        remarks.append(
            f"{bare} pictures without a readable mask are not in labels.csv and not used: add a "
            f"line for each, with its labels, or with none where it shows only background"
        )
    return MaskLabels(labels, tuple(by_value.values()), tuple(remarks))


def _named(total: NDArray[np.int64], names: Sequence[str]) -> dict[int, str] | None:
    """The class of each value that occurs in masks."""
    if names:
        return dict(enumerate(names, start=1))
    values = np.flatnonzero(total)
    smoothed = len(values) > _MANY and RARE * np.delete(total, VOID).max() <= total[VOID]
    if len(values) == 1 or smoothed:
        return {int(total.argmax()): _OBJECT}
    ids = values[values < VOID]
    largest = int(ids.max(initial=0))
    if len(ids) * 2 < largest:
        return None
    width = len(str(largest))
    return {value: f"class{value:0{width}}" for value in range(1, largest + 1)}
