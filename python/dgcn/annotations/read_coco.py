"""COCO's JSON wherever it lies: one file for many pictures, with instances as polygons or boxes."""

from __future__ import annotations

import json
import math
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np

from dgcn.annotations.drawing import Drawing, Shape, pairs
from dgcn.data.errors import DataError

__all__ = ["is_coco", "read_coco"]

_MOST_PIXELS = 1 << 28
_PARTS = ("images", "annotations", "categories")


def is_coco(content: Any) -> bool:
    """Whether what a JSON file holds has COCO's three parts."""
    return isinstance(content, dict) and all(isinstance(content.get(p), list) for p in _PARTS)


def read_coco(path: Path) -> dict[str, Drawing]:
    """The instances of every picture of a file.

    Polygons, run lengths (as masks) and boxes are read; the box counts where there is no
    segmentation. An instance without either is kept as "other". The background is a category too,
    where somebody has made one of that name.

    Returns
    -------
    dict
        By the picture's file name without folders and ending.

    Raises
    ------
    DataError
        The file is damaged or is no COCO file, or two pictures have one name; the message names the
        picture or the annotation.
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise DataError(f"{path}: cannot be read as JSON ({error})") from error
    if not is_coco(content):
        raise DataError(f"{path}: has no lists of {', '.join(_PARTS)}, which COCO's files have")
    try:
        names = {entry["id"]: str(entry["name"]) for entry in content["categories"]}
    except (KeyError, TypeError) as error:
        raise DataError(f"{path}: a category has no id or no name ({error!r})") from error
    pictures: dict[Any, tuple[str, tuple[int, int]]] = {}
    shapes: dict[str, list[Shape]] = {}
    for number, entry in enumerate(content["images"]):
        try:
            stem = PurePosixPath(str(entry["file_name"]).replace("\\", "/")).stem
            size = (int(entry["height"]), int(entry["width"]))
            key = entry["id"]
            pictures[key] = (stem, size)
        except (KeyError, TypeError, ValueError, OverflowError) as error:
            raise DataError(
                f"{path}: image {number} has no id, file_name, height or width ({error!r})"
            ) from error
        if stem in shapes:
            raise DataError(f"{path}: two images have the name {stem!r} without its ending")
        shapes[stem] = []
    for number, entry in enumerate(content["annotations"]):
        where = f"{path}: annotation {number}"
        try:
            stem, size = pictures[entry["image_id"]]
            label = names[entry["category_id"]]
        except (KeyError, TypeError) as error:
            raise DataError(f"{where}: names no image or no category ({error!r})") from error
        shapes[stem] += _shapes(entry, label, size, where)
    sizes = dict(pictures.values())
    return {
        stem: Drawing(f"{path}: image {stem!r}", tuple(drawn), (), sizes[stem])
        for stem, drawn in shapes.items()
    }


def _shapes(entry: dict[str, Any], label: str, size: tuple[int, int], where: str) -> list[Shape]:
    outline, box = entry.get("segmentation"), entry.get("bbox")
    try:
        if isinstance(outline, dict):
            from dgcn.data.coco_masks import instance_mask  # compiled, and needed here alone

            if math.prod(size) > _MOST_PIXELS:
                raise ValueError(f"run lengths of {size[0]} x {size[1]} pixels are too many")
            pixels = instance_mask(outline, *size)
            return [Shape(label, "mask", ((0.0, 0.0),), pixels)]
        if outline:
            return [Shape(label, "polygon", _corners(each, 6)) for each in outline]
        if box:
            (left, top), (width, height) = _corners(box, 4)
            return [Shape(label, "box", ((left, top), (left + width, top + height)))]
    except (DataError, TypeError, ValueError) as error:
        raise DataError(f"{where}: {error}") from error
    return [Shape(label, "other", ())]


def _corners(values: Any, least: int) -> tuple[tuple[float, float], ...]:
    if not isinstance(values, list) or len(values) < least or len(values) % 2:
        raise ValueError(f"expected at least {least} numbers in pairs, got {values!r:.60}")
    numbers = np.asarray(values, dtype=np.float64)
    if not all(map(math.isfinite, numbers)):
        raise ValueError("has coordinates that are not finite")
    return pairs(numbers.reshape(-1, 2))
