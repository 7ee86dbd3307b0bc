"""Strokes such as people draw, simulated from masks, for ``dgcn --cues.drawn``.

For every mask a label image: pieces of the skeleton of each class and of the background carry its
id, all else 255. Classes without room for a stroke get none.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from PIL import Image
from scipy.ndimage import distance_transform_edt

from benchmarks.segment import VOID, strokes

_PIECES = {0: 4}  # of the background; of an object 2


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of this tool."""
    parser.add_argument("--masks", type=Path, required=True, help="folder of masks, NAME.png")
    parser.add_argument("--out", type=Path, required=True, help="folder for the label images")
    parser.add_argument(
        "--nearest", action="store_true", help="every pixel gets its nearest stroke's id: a control"
    )


def run(arguments: argparse.Namespace) -> None:
    """Write the label images, and say how much they cover and how right they are."""
    arguments.out.mkdir(parents=True, exist_ok=True)
    drawn = pixels = 0
    for path in sorted(arguments.masks.glob("*.png")):
        with Image.open(path) as image:
            mask = np.asarray(image)
        labels = np.full(mask.shape, VOID, dtype=np.uint8)
        for value in np.unique(mask[mask != VOID]):
            labels[strokes(mask == value, _PIECES.get(int(value), 2))] = value
        drawn += int((labels != VOID).sum())
        pixels += labels.size
        if arguments.nearest and (labels != VOID).any():
            nearest = distance_transform_edt(
                labels == VOID, return_distances=False, return_indices=True
            )
            labels = labels[tuple(nearest)]
        Image.fromarray(labels).save(arguments.out / path.name)
    if not pixels:
        raise SystemExit(f"{arguments.masks}: no masks NAME.png")
    print(f"strokes cover {100 * drawn / pixels:.1f} % of the pixels")
