"""Files of annotations: COCO, LabelMe, GeoJSON, and which others there are."""

from __future__ import annotations

import base64
import io
import json
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from dgcn.annotations.instances import Instance
from dgcn.annotations.outlines import inset, polygons_of
from dgcn.atomic import write_text
from dgcn.report.colours import class_colours

__all__ = ["FORMATS", "Format", "Sheet", "coco", "geojson", "labelme", "writer_of"]

Format: TypeAlias = Literal["png", "coco", "labelme", "cvat", "geojson"]
FORMATS: tuple[Format, ...] = ("png", "coco", "labelme", "cvat", "geojson")
"""What masks are written as."""

_INSET = 0.25
"""LabelMe cuts coordinates to whole numbers and fills the outline too: moved inwards by less than a
pixel, the corners name the outermost pixels, and what is filled is the mask."""


@dataclass(frozen=True)
class Sheet:
    """The annotations of one image.

    Attributes
    ----------
    name : str
        Of the result: the path below the folder that all images share, without the ending.
    image : Path
    size : (int, int)
        Height and width in pixels.
    instances : list of Instance
    """

    name: str
    image: Path
    size: tuple[int, int]
    instances: list[Instance]


def writer_of(kind: Format, folder: Path, classes: Sequence[str]) -> Callable[[Sheet], Path] | None:
    """Writes the annotations of one image into a file of its own; None: the format has no such.

    Parameters
    ----------
    kind : {"png", "coco", "labelme", "cvat", "geojson"}
    folder : Path
    classes : sequence of str
        By id, the background first.
    """
    if kind == "labelme":

        def write_labelme(sheet: Sheet) -> Path:
            path = folder / f"{sheet.name}.json"
            _write(path, labelme(sheet, classes, path.parent))
            return path

        return write_labelme
    if kind == "geojson":

        def write_geojson(sheet: Sheet) -> Path:
            path = folder / f"{sheet.name}.geojson"
            _write(path, geojson(sheet, classes))
            return path

        return write_geojson
    return None


def coco(sheets: Sequence[Sheet], classes: Sequence[str]) -> dict[str, Any]:
    """Annotations of several images as COCO's instances.

    Instances without holes have polygons along the pixels' edges, those with holes compressed run
    lengths: both hold exactly the mask's pixels. Category ids are the class ids.
    """
    images: list[dict[str, Any]] = []
    annotations: list[dict[str, Any]] = []
    for number, sheet in enumerate(sheets, start=1):
        images.append(
            {
                "id": number,
                "file_name": sheet.name + sheet.image.suffix,
                "height": sheet.size[0],
                "width": sheet.size[1],
            }
        )
        for instance in sheet.instances:
            height, width = instance.pixels.shape
            annotations.append(
                {
                    "id": len(annotations) + 1,
                    "image_id": number,
                    "category_id": instance.label,
                    "segmentation": _segmentation(instance, sheet),
                    "area": instance.area,
                    "bbox": [instance.left, instance.top, width, height],
                    "iscrowd": 0,
                    "score": round(instance.score, 6),
                }
            )
    return {
        "info": {"description": "Masks predicted by dgcn"},
        "licenses": [],
        "images": images,
        "annotations": annotations,
        "categories": [
            {"id": label, "name": name, "supercategory": ""}
            for label, name in enumerate(classes)
            if label
        ],
    }


def _segmentation(instance: Instance, sheet: Sheet) -> list[list[int]] | dict[str, Any]:
    (polygon,) = polygons_of(instance.pixels, top=instance.top, left=instance.left)
    if not polygon.holes:
        return [[value for corner in polygon.outline for value in corner]]
    from pycocotools import mask as coco_mask

    whole = np.zeros(sheet.size, dtype=np.uint8, order="F")
    whole[_place(instance)] = instance.pixels
    runs = coco_mask.encode(whole)
    return {"size": [*sheet.size], "counts": runs["counts"].decode("ascii")}


def labelme(sheet: Sheet, classes: Sequence[str], folder: Path) -> dict[str, Any]:
    """Annotations of one image as LabelMe keeps them beside it.

    Instances without holes are polygons, those with holes LabelMe's ``mask`` shapes; LabelMe fills
    exactly the mask's pixels.

    Parameters
    ----------
    sheet : Sheet
    classes : sequence of str
        By id, the background first.
    folder : Path
        Where the file will be: ``imagePath`` leads from there to the image.
    """
    shapes = []
    for instance in sheet.instances:
        (polygon,) = polygons_of(instance.pixels, top=instance.top, left=instance.left)
        shape: dict[str, Any] = {
            "label": classes[instance.label],
            "points": [list(corner) for corner in inset(polygon.outline, _INSET)],
            "group_id": None,
            "description": f"score {instance.score:.3f}",
            "shape_type": "polygon",
            "flags": {},
            "mask": None,
        }
        if polygon.holes:
            height, width = instance.pixels.shape
            corner = [instance.left + width - 1, instance.top + height - 1]
            shape |= {
                "points": [[instance.left, instance.top], corner],
                "shape_type": "mask",
                "mask": _png(instance.pixels),
            }
        shapes.append(shape)
    return {
        "version": "5.5.0",
        "flags": {},
        "shapes": shapes,
        "imagePath": Path(os.path.relpath(sheet.image, folder)).as_posix(),
        "imageData": None,
        "imageHeight": sheet.size[0],
        "imageWidth": sheet.size[1],
    }


def geojson(sheet: Sheet, classes: Sequence[str]) -> dict[str, Any]:
    """Annotations of one image as a FeatureCollection, holes included; x to the right, y down.

    ``classification`` in the properties is what QuPath reads.
    """
    colours = class_colours(len(classes)).tolist()
    features = []
    for instance in sheet.instances:
        (polygon,) = polygons_of(instance.pixels, top=instance.top, left=instance.left)
        name = classes[instance.label]
        rings = [
            [[x, y] for x, y in [*ring, ring[0]]] for ring in (polygon.outline, *polygon.holes)
        ]
        features.append(
            {
                "type": "Feature",
                "geometry": {"type": "Polygon", "coordinates": rings},
                "properties": {
                    "objectType": "annotation",
                    "classification": {"name": name, "color": colours[instance.label]},
                    "class_id": instance.label,
                    "score": round(instance.score, 6),
                },
            }
        )
    return {"type": "FeatureCollection", "features": features}


def _place(instance: Instance) -> tuple[slice, slice]:
    height, width = instance.pixels.shape
    return (
        slice(instance.top, instance.top + height),
        slice(instance.left, instance.left + width),
    )


def _png(pixels: NDArray[np.bool_]) -> str:
    stream = io.BytesIO()
    Image.fromarray(pixels.astype(np.uint8)).save(stream, format="PNG")
    return base64.b64encode(stream.getvalue()).decode("ascii")


def _write(path: Path, content: Mapping[str, Any]) -> None:
    write_text(path, json.dumps(content, ensure_ascii=False) + "\n")
