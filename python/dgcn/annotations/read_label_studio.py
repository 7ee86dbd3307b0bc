"""Label Studio's JSON export: one file for many pictures: choices, shapes and brush masks."""

from __future__ import annotations

import json
import math
import re
from pathlib import Path, PurePosixPath
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

import numpy as np
from numpy.typing import NDArray

from dgcn.annotations.drawing import Drawing, Shape, ellipse, pairs
from dgcn.data.errors import DataError

__all__ = ["is_label_studio", "read_label_studio"]

_PICTURE = re.compile(r"\.(jpe?g|png|webp|bmp|tiff?)$", re.IGNORECASE)
_UPLOAD = re.compile(r"(?<=/upload/)(?:\d+/)?[0-9a-f]{8}-")  # put before the names of uploads
_MOST_PIXELS = 1 << 28


def is_label_studio(content: Any) -> bool:
    """Whether what a JSON file holds is a list of Label Studio's tasks, in full or short form."""
    if not isinstance(content, list) or not content or not isinstance(content[0], dict):
        return False
    first = content[0]
    return ("data" in first and "annotations" in first) or {"image", "annotation_id"} <= set(first)


def read_label_studio(path: Path) -> dict[str, Drawing]:
    """The shapes of every picture of a file, and its choices as tags.

    Rectangles (turned ones as the upright one around them), ellipses, polygons, key points and
    brush masks are read; results of other kinds that have labels are kept as "other". Of a
    picture that several people have annotated, the first annotation that was not cancelled counts.
    Pictures that nobody has annotated are left out.

    Returns
    -------
    dict
        By the picture's file name without folders and ending, and without the eight characters that
        Label Studio puts before the names of uploads.

    Raises
    ------
    DataError
        The file is damaged or is the short form JSON-MIN, or two pictures have one name; the
        message names the task.
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise DataError(f"{path}: cannot be read as JSON ({error})") from error
    if not is_label_studio(content):
        raise DataError(f"{path}: is no list of tasks as Label Studio exports them")
    found: dict[str, Drawing] = {}
    for number, task in enumerate(content):
        where = f"{path}: task {number}"
        if not isinstance(task, dict) or "annotations" not in task:
            raise DataError(f"{where}: has no annotations: export as 'JSON', not 'JSON-MIN'")
        stem = _stem(task.get("data"), where)
        entries = task["annotations"]
        if not isinstance(entries, list) or not all(isinstance(each, dict) for each in entries):
            raise DataError(f"{where}: annotations must be a list of objects")
        done = [each for each in entries if not each.get("was_cancelled")]
        if not done:
            continue
        if stem in found:
            raise DataError(f"{where}: another picture has the name {stem!r} without its ending")
        shapes: list[Shape] = []
        tags: list[str] = []
        size = None
        for index, result in enumerate(done[0].get("result", [])):
            try:
                value = result.get("value", {})  # relations have none
                tags += value.get("choices", [])
                named = value.get(result["type"], []) if result["type"].endswith("labels") else []
                if named:
                    size = (int(result["original_height"]), int(result["original_width"]))
                    shapes += [_shape(result["type"], value, str(label), size) for label in named]
            except (LookupError, TypeError, ValueError, AttributeError, OverflowError) as error:
                raise DataError(f"{where}: result {index} cannot be read ({error!r})") from error
        found[stem] = Drawing(f"{where}, {stem!r}", tuple(shapes), tuple(map(str, tags)), size)
    return found


def _stem(data: Any, where: str) -> str:
    """Name of the picture: of a path, an address, or an address with the path in its query."""
    values = data.values() if isinstance(data, dict) else ()
    for value in values:
        if not isinstance(value, str):
            continue
        address = urlsplit(value)
        path = unquote(parse_qs(address.query).get("d", [address.path])[0])
        if _PICTURE.search(path):
            return PurePosixPath(_UPLOAD.sub("", path)).stem
    raise DataError(f"{where}: its data name no picture")


def _shape(kind: str, value: dict[str, Any], label: str, size: tuple[int, int]) -> Shape:
    """One shape. Label Studio counts in percent of the picture."""
    height, width = size
    unit = np.array([width, height], dtype=np.float64) / 100
    if kind == "brushlabels":
        pixels = _unpacked(value["rle"], height * width * 4).reshape(height, width, 4)[..., 3] > 0
        return Shape(label, "mask", ((0.0, 0.0),), pixels)
    if kind == "polygonlabels":
        corners = np.asarray(value["points"], dtype=np.float64) * unit
        if len(corners) < 3:
            raise ValueError(f"a polygon has only {len(corners)} points")
        return Shape(label, "polygon", pairs(_finite(corners)))
    if kind not in ("rectanglelabels", "ellipselabels", "keypointlabels"):
        return Shape(label, "other", ())
    start = _finite(np.array([value["x"], value["y"]], dtype=np.float64) * unit)
    turn = math.radians(float(value.get("rotation", 0)))
    if kind == "keypointlabels":
        return Shape(label, "points", ((float(start[0]), float(start[1])),))
    if kind == "ellipselabels":
        axes = _finite(np.array([value["radiusX"], value["radiusY"]], dtype=np.float64) * unit)
        return Shape(label, "polygon", ellipse(start[0], start[1], axes[0], axes[1], turn))
    across, down = _finite(np.array([value["width"], value["height"]], dtype=np.float64) * unit)
    corners = np.array([(0, 0), (across, 0), (across, down), (0, down)])
    rotation = np.array([[math.cos(turn), math.sin(turn)], [-math.sin(turn), math.cos(turn)]])
    turned = corners @ rotation + start  # about the upper left corner
    return Shape(label, "box", pairs([turned.min(0), turned.max(0)]))


def _finite(values: NDArray[np.float64]) -> NDArray[np.float64]:
    if not np.isfinite(values).all():
        raise ValueError("coordinates that are not finite")
    return values


def _unpacked(packed: list[int], expected: int) -> NDArray[np.uint8]:
    """Values of a brush mask, four a pixel.

    A stream of bits: how many values (32 bits), bits of a value less one (5), four lengths less one
    (4 each). Then runs: whether all values are equal (1), which of the lengths (2), that many bits
    for the number of values less one, and the one value, or all of them.
    """
    bits = np.unpackbits(np.asarray(packed, dtype=np.uint8))
    place = 0

    def take(count: int) -> int:
        nonlocal place
        place += count
        if place > len(bits):
            raise ValueError("the brush mask ends too early")
        return int("".join(map(str, bits[place - count : place])), 2)

    total = take(32)
    if total != expected or total > _MOST_PIXELS:
        raise ValueError(f"the brush mask has {total} values, the picture {expected}")
    word = take(5) + 1
    if word > 8:
        raise ValueError(f"the brush mask has {word} bits a value")
    lengths = [take(4) + 1 for _ in range(4)]
    values = np.zeros(total, dtype=np.uint8)
    done = 0
    while done < total:
        equal, which = take(1), take(2)
        end = done + 1 + take(lengths[which])
        if end > total:
            raise ValueError("the brush mask has more values than the picture")
        if equal:
            values[done:end] = take(word)
        else:
            start, place = place, place + (end - done) * word
            if place > len(bits):
                raise ValueError("the brush mask ends too early")
            each = bits[start:place].reshape(-1, word)
            values[done:end] = each @ (1 << np.arange(word)[::-1])
        done = end
    return values
