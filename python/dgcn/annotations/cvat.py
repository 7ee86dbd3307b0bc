"""CVAT's XML, "CVAT for images 1.1": one file for many pictures, read and written."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree

import numpy as np
from numpy.typing import NDArray

from dgcn.annotations.drawing import Drawing, Kind, Points, Shape, ellipse, pairs
from dgcn.annotations.outlines import polygons_of
from dgcn.data.errors import DataError
from dgcn.report.colours import class_colours

if TYPE_CHECKING:
    from dgcn.annotations.formats import Sheet

__all__ = ["cvat", "is_cvat", "read_cvat"]

_VERSION = "1.1"
_AUTOMATIC = {"source": "auto", "occluded": 0, "z_order": 0}
_KINDS: dict[str, tuple[Kind, int]] = {
    "points": ("points", 1),
    "polyline": ("line", 2),
    "polygon": ("polygon", 3),
}


def is_cvat(path: Path) -> bool:
    """Whether an XML file begins as CVAT's do."""
    try:
        for _, element in ElementTree.iterparse(path, events=("start",)):
            return bool(element.tag == "annotations")
    except (OSError, ElementTree.ParseError, ValueError):
        pass
    return False


def read_cvat(path: Path) -> dict[str, Drawing]:
    """The shapes and tags of every picture of a file.

    Tags, points, polylines, boxes, polygons, ellipses (as polygons) and masks are read. A box
    that is turned is read as the upright one around it. Cuboids and skeletons are kept as "other".

    Returns
    -------
    dict
        By the picture's file name without folders and ending.

    Raises
    ------
    FileNotFoundError
        No such file.
    DataError
        The file is damaged, is another format (CVAT's for videos, too) or has two pictures of one
        name; the message names the picture.
    """
    if not path.is_file():
        raise FileNotFoundError(f"no such file: {path}")
    try:
        root = ElementTree.parse(path).getroot()
    except (ElementTree.ParseError, UnicodeDecodeError, ValueError) as error:
        raise DataError(f"{path}: malformed XML ({error})") from error
    if root.tag != "annotations":
        raise DataError(f"{path}: begins with <{root.tag}>, CVAT's files with <annotations>")
    if root.find("track") is not None:
        raise DataError(f"{path}: is CVAT's format for videos: export as 'CVAT for images 1.1'")
    found: dict[str, Drawing] = {}
    for image in root.findall("image"):
        name = image.get("name") or ""
        stem = PurePosixPath(name).stem
        where = f"{path}: image {name!r}"
        if not stem:
            raise DataError(f"{path}: an image has no name")
        if stem in found:
            raise DataError(f"{where}: another image has the same name without its ending")
        try:
            size = (int(image.attrib["height"]), int(image.attrib["width"]))
        except (KeyError, ValueError) as error:
            raise DataError(f"{where}: has no width and height") from error
        tags, shapes = [], []
        for element in image:
            label = element.get("label")
            if label is None:
                raise DataError(f"{where}: <{element.tag}> has no label")
            if element.tag == "tag":
                tags.append(label)
            else:
                try:
                    shapes.append(_shape(element, label))
                except (KeyError, ValueError) as error:
                    raise DataError(f"{where}: <{element.tag}> cannot be read ({error})") from error
        found[stem] = Drawing(where, tuple(shapes), tuple(tags), size)
    return found


def _shape(element: ElementTree.Element, label: str) -> Shape:
    value = element.attrib
    if element.tag in _KINDS:
        kind, least = _KINDS[element.tag]
        points = pairs(part.split(",") for part in value["points"].split(";"))
        if len(points) < least:
            raise ValueError(f"it has {len(points)} points")
        return Shape(label, kind, _finite(points))
    if element.tag == "box":
        left, top, right, bottom = (float(value[name]) for name in ("xtl", "ytl", "xbr", "ybr"))
        corners = np.array([(left, top), (right, top), (right, bottom), (left, bottom)])
        turn = math.radians(float(value.get("rotation", 0)))
        centre = corners.mean(0)
        rotation = np.array([[math.cos(turn), math.sin(turn)], [-math.sin(turn), math.cos(turn)]])
        turned = (corners - centre) @ rotation + centre
        return Shape(label, "box", _finite(pairs([turned.min(0), turned.max(0)])))
    if element.tag == "ellipse":
        turn = math.radians(float(value.get("rotation", 0)))
        x, y, across, down = (float(value[name]) for name in ("cx", "cy", "rx", "ry"))
        return Shape(label, "polygon", _finite(ellipse(x, y, across, down, turn)))
    if element.tag == "mask":
        left, top, width, height = (int(value[k]) for k in ("left", "top", "width", "height"))
        counts = [int(part) for part in value["rle"].split(",")]
        if min(counts) < 0 or sum(counts) > width * height or min(width, height) < 1:
            raise ValueError("its run lengths do not fit its size")
        pixels = np.zeros(width * height, dtype=np.bool_)
        ends = np.cumsum(counts).tolist()
        for start, end in zip(ends[0::2], ends[1::2], strict=False):
            pixels[start:end] = True
        return Shape(label, "mask", ((left, top),), pixels.reshape(height, width))
    return Shape(label, "other", ())


def _finite(points: Points) -> Points:
    if not all(math.isfinite(value) for point in points for value in point):
        raise ValueError("points that are not finite")
    return points


def cvat(sheets: Sequence[Sheet], classes: Sequence[str]) -> str:
    """Annotations of several images as CVAT's XML.

    Instances without holes are polygons along the pixels' edges, those with holes masks: both hold
    exactly the mask's pixels. In CVAT a task needs labels of these names, then "Upload annotations"
    takes the file.
    """
    root = ElementTree.Element("annotations")
    ElementTree.SubElement(root, "version").text = _VERSION
    labels = ElementTree.SubElement(_within(root, "meta", "task"), "labels")
    for name, colour in list(zip(classes, class_colours(len(classes)).tolist(), strict=True))[1:]:
        label = ElementTree.SubElement(labels, "label")
        ElementTree.SubElement(label, "name").text = name
        ElementTree.SubElement(label, "color").text = "#{:02x}{:02x}{:02x}".format(*colour)
    for number, sheet in enumerate(sheets):
        image = ElementTree.SubElement(root, "image", _attributes(
            id=number,
            name=sheet.name + sheet.image.suffix,
            width=sheet.size[1],
            height=sheet.size[0],
        ))  # fmt: skip
        for instance in sheet.instances:
            shared = {"label": classes[instance.label], **_AUTOMATIC}
            (polygon,) = polygons_of(instance.pixels, top=instance.top, left=instance.left)
            if polygon.holes:
                height, width = instance.pixels.shape
                form = {
                    "rle": ", ".join(map(str, _runs(instance.pixels))),
                    "left": instance.left,
                    "top": instance.top,
                    "width": width,
                    "height": height,
                }
                ElementTree.SubElement(image, "mask", _attributes(**shared, **form))
            else:
                points = ";".join(f"{x:.2f},{y:.2f}" for x, y in polygon.outline)
                ElementTree.SubElement(image, "polygon", _attributes(**shared, points=points))
    ElementTree.indent(root)
    return ElementTree.tostring(root, encoding="unicode", xml_declaration=False) + "\n"


def _within(element: ElementTree.Element, *tags: str) -> ElementTree.Element:
    for tag in tags:
        element = ElementTree.SubElement(element, tag)
    return element


def _attributes(**values: Any) -> dict[str, str]:
    return {name: str(value) for name, value in values.items()}


def _runs(pixels: NDArray[np.bool_]) -> list[int]:
    """Lengths of runs by rows, the first of pixels that are not set: it may be 0."""
    flat = pixels.ravel()
    changes = np.flatnonzero(flat[1:] != flat[:-1]) + 1
    edges = [0, *([0] if flat[0] else []), *changes.tolist(), flat.size]
    return [after - before for before, after in pairwise(edges)]
