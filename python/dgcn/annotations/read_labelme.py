"""LabelMe's files: one JSON a picture, beside it."""

from __future__ import annotations

import base64
import io
import json
import math
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from dgcn.annotations.drawing import Drawing, Kind, Shape, ellipse, pairs
from dgcn.data.errors import DataError

__all__ = ["is_labelme", "read_labelme"]

_KINDS: dict[str, Kind] = {
    "point": "points",
    "points": "points",
    "line": "line",
    "linestrip": "line",
    "rectangle": "box",
    "polygon": "polygon",
    "circle": "polygon",
    "mask": "mask",
}
_LEAST = {"points": 1, "line": 2, "box": 2, "polygon": 3, "mask": 1}


def is_labelme(content: Any) -> bool:
    """Whether what a JSON file holds is LabelMe's."""
    return isinstance(content, dict) and isinstance(content.get("shapes"), list)


def read_labelme(path: Path) -> Drawing:
    """The shapes of a file, and its flags that are set as tags.

    Points, lines, line strips, rectangles, polygons, circles (as polygons) and masks are read.
    Shapes of other kinds are kept as "other".

    Raises
    ------
    DataError
        The file is damaged or not LabelMe's; the message names it and the shape.
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        shapes = content["shapes"]
        if not isinstance(shapes, list):
            raise TypeError("shapes is no list")
        flags = content.get("flags") or {}
        tags = tuple(str(name) for name, is_set in flags.items() if is_set)
        height, width = content.get("imageHeight"), content.get("imageWidth")
    except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
        raise DataError(f"{path}: cannot be read as LabelMe's annotations ({error!r})") from error
    found = tuple(_shape(entry, f"{path}: shape {number}") for number, entry in enumerate(shapes))
    size = (int(height), int(width)) if height and width else None
    return Drawing(str(path), found, tags, size)


def _shape(entry: Any, where: str) -> Shape:
    try:
        label = entry["label"]
        points = pairs(entry["points"])
        written = entry.get("shape_type") or "polygon"
    except (TypeError, KeyError, ValueError, AttributeError) as error:
        raise DataError(f"{where}: has no label, or no points ({error!r})") from error
    if not isinstance(label, str):
        raise DataError(f"{where}: label must be text, got {label!r}")
    if not all(math.isfinite(value) for point in points for value in point):
        raise DataError(f"{where}: has points that are not finite")
    kind = _KINDS.get(written, "other")
    if written == "circle":
        if len(points) != 2:
            raise DataError(f"{where}: a circle has a centre and a point, got {len(points)} points")
        centre, on = points
        points = ellipse(*centre, math.dist(centre, on), math.dist(centre, on))
    if kind != "other" and len(points) < _LEAST[kind]:
        raise DataError(f"{where}: a {written} has only {len(points)} points")
    pixels = _pixels(entry.get("mask"), where) if kind == "mask" else None
    return Shape(label, kind, points, pixels)


def _pixels(encoded: Any, where: str) -> NDArray[np.bool_]:
    try:
        with Image.open(io.BytesIO(base64.b64decode(encoded))) as opened:
            return np.asarray(opened.convert("L")) > 0
    except (OSError, SyntaxError, ValueError, TypeError) as error:
        raise DataError(f"{where}: its mask cannot be read ({error})") from error
