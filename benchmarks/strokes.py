"""Strokes or boxes such as people draw, simulated from masks, for ``dgcn --cues.drawn``.

For every mask a label image: pieces of the skeleton of each class and of the background carry its
id, all else 255. Classes without room for a stroke get none. Or a file in COCO's form, with a box
around each connected part of a class that takes at least 0.5 % of the image.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from scipy.ndimage import distance_transform_edt, find_objects, label

from benchmarks.segment import VOID, strokes

_PIECES = {0: 4}  # of the background; of an object 2
_LEAST = 0.005  # of the image, of what gets a box


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of this tool."""
    parser.add_argument("--masks", type=Path, required=True, help="folder of masks, NAME.png")
    parser.add_argument("--out", type=Path, required=True, help="folder for the label images")
    parser.add_argument(
        "--nearest", action="store_true", help="every pixel gets its nearest stroke's id: a control"
    )
    parser.add_argument(
        "--boxes",
        type=Path,
        metavar="CLASSES",
        help="boxes instead, --out is the file; CLASSES names the classes by id, one a line",
    )


def run(arguments: argparse.Namespace) -> None:
    """Write what is drawn, and say how much it is."""
    masks = list(_masks(arguments.masks))
    if not masks:
        raise SystemExit(f"{arguments.masks}: no masks NAME.png")
    if arguments.boxes:
        found = boxes(masks, arguments.boxes.read_text(encoding="utf-8").split("\n"))
        arguments.out.write_text(json.dumps(found) + "\n", encoding="utf-8")
        print(f"{len(found['annotations'])} boxes in {len(masks)} images")
        return
    arguments.out.mkdir(parents=True, exist_ok=True)
    drawn = 0
    for name, mask in masks:
        labels = np.full(mask.shape, VOID, dtype=np.uint8)
        for value in np.unique(mask[mask != VOID]):
            labels[strokes(mask == value, _PIECES.get(int(value), 2))] = value
        drawn += int((labels != VOID).sum())
        if arguments.nearest and (labels != VOID).any():
            nearest = distance_transform_edt(
                labels == VOID, return_distances=False, return_indices=True
            )
            labels = labels[tuple(nearest)]
        Image.fromarray(labels).save(arguments.out / f"{name}.png")
    pixels = sum(mask.size for _, mask in masks)
    print(f"strokes cover {100 * drawn / pixels:.1f} % of the pixels")


def _masks(folder: Path) -> Iterator[tuple[str, NDArray[np.uint8]]]:
    for path in sorted(folder.glob("*.png")):
        with Image.open(path) as image:
            yield path.stem, np.asarray(image)


def boxes(masks: list[tuple[str, NDArray[np.uint8]]], names: list[str]) -> dict[str, Any]:
    """Boxes around the connected parts of masks, in COCO's form.

    Parameters
    ----------
    masks : list of (name, numpy.ndarray of shape (H, W))
        Class ids; 0 is the background, 255 void.
    names : list of str
        Classes by id.
    """
    images, annotations = [], []
    for index, (name, mask) in enumerate(masks):
        height, width = mask.shape
        images.append({"id": index, "file_name": f"{name}.png", "height": height, "width": width})
        for value in np.unique(mask[(mask != 0) & (mask != VOID)]).tolist():
            parts, _ = label(mask == value)
            areas = np.bincount(parts.ravel())[1:]
            for area, (rows, columns) in zip(areas.tolist(), find_objects(parts), strict=True):
                if area < _LEAST * mask.size:
                    continue
                left, top = columns.start, rows.start
                box = [left, top, columns.stop - left, rows.stop - top]
                of = {"id": len(annotations) + 1, "image_id": index, "category_id": value}
                annotations.append({**of, "bbox": box, "area": area, "iscrowd": 0})
    categories = [{"id": i, "name": name} for i, name in enumerate(names) if i and name]
    return {"images": images, "annotations": annotations, "categories": categories}
