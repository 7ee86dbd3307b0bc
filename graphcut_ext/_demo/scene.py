"""A photograph, or a drawing where it cannot be read, with strokes of a hand."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

Image = NDArray[np.uint8]
Stroke = list[tuple[float, float]]  # a polyline of (x, y), in shares of the width and the height

PLANE: list[Stroke] = [
    [(0.17, 0.75), (0.28, 0.75), (0.42, 0.68), (0.53, 0.69), (0.64, 0.66), (0.72, 0.67)],
    [(0.06, 0.69), (0.23, 0.655), (0.45, 0.643)],
    [(0.48, 0.575), (0.60, 0.575)],
]
TAILS: list[Stroke] = [
    [(0.132, 0.53), (0.165, 0.64)],
    [(0.226, 0.55), (0.25, 0.62)],
    [(0.402, 0.80), (0.405, 0.83)],
    [(0.545, 0.77), (0.545, 0.83)],
]
AROUND: list[Stroke] = [
    [(0.03, 0.15), (0.50, 0.20), (0.97, 0.15)],
    [(0.03, 0.52), (0.09, 0.58)],
    [(0.01, 0.79), (0.045, 0.79), (0.08, 0.82)],
    [(0.30, 0.56), (0.40, 0.54), (0.55, 0.49), (0.70, 0.52), (0.88, 0.53)],
    [(0.77, 0.71), (0.97, 0.79)],
    [(0.03, 0.88), (0.36, 0.88), (0.48, 0.86), (0.97, 0.88)],
    [(0.03, 0.95), (0.97, 0.96)],
]


@dataclass(frozen=True)
class Scene:
    """An image, seeds to begin with, and the same with some more."""

    title: str
    image: Image
    first: NDArray[np.uint8]
    more: NDArray[np.uint8]


def scene() -> Scene:
    """Return the photograph if Pillow is there to read it, else a drawing."""
    try:
        from PIL import Image as reader
    except ImportError:
        return drawing()
    with reader.open(Path(__file__).parent / "photograph.jpg") as file:
        image = np.asarray(file.convert("RGB"))
    first = np.zeros(image.shape[:2], dtype=np.uint8)
    draw(first, AROUND, 2)
    draw(first, PLANE, 1)
    more = first.copy()
    draw(more, TAILS, 1)
    return Scene("photograph of an aeroplane", image, first, more)


def drawing() -> Scene:
    """Return a noisy disc with a tail, in colours that also lie elsewhere."""
    height, width = 200, 300
    rows, columns = np.indices((height, width))
    disc = np.hypot(rows - 100, columns - 140) < 60
    tail = (abs(rows - 100) < 6) & (columns > 190) & (columns < 270)
    elsewhere = (rows > 165) & (columns > 30)
    noise = np.random.default_rng(0).normal(0, 35, (height, width, 3))
    ground = np.where((disc | tail | elsewhere)[..., None], (170, 90, 70), (80, 110, 150))
    first = np.zeros((height, width), dtype=np.uint8)
    draw(first, [[(0.35, 0.4), (0.55, 0.6)]], 1)
    draw(first, [[(0.03, 0.05), (0.97, 0.05)], [(0.15, 0.93), (0.97, 0.93)]], 2)
    more = first.copy()
    draw(more, [[(0.62, 0.5), (0.87, 0.5)]], 1)
    return Scene("drawing (with Pillow: a photograph)", to_bytes(ground + noise), first, more)


def draw(seeds: NDArray[np.uint8], strokes: list[Stroke], mark: int) -> None:
    """Draw polylines, three pixels wide."""
    height, width = seeds.shape
    for stroke in strokes:
        for start, end in itertools.pairwise(stroke):
            steps = np.linspace(0, 1, 2 * (height + width))[:, None]
            points = np.array(start) + steps * (np.array(end) - np.array(start))
            columns, rows = (points * (width - 1, height - 1)).round().astype(int).T
            for down, right in itertools.product((-1, 0, 1), repeat=2):
                seeds[(rows + down).clip(0, height - 1), (columns + right).clip(0, width - 1)] = (
                    mark
                )


def to_bytes(image: NDArray[Any]) -> Image:
    """Return colours 0 to 255, rounded."""
    rounded: Image = np.asarray(image).round().clip(0, 255).astype(np.uint8)
    return rounded
