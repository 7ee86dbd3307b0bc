"""What pictures of things are painted with: noise, masks of shapes, and colours through masks."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFilter

Field = NDArray[np.float64]
"""A mask (S, S) in [0, 1], or a picture (S, S, 3) in [0, 255]."""

Point = tuple[float, float]

SIDE = 256
_FINER = 2  # masks are drawn at this many times the side, and averaged


def noise(rng: np.random.Generator, cells: int, amplitude: float) -> Field:
    """A smooth random field of that many waves a side, from -amplitude / 2 to amplitude / 2."""
    coarse = Image.fromarray(rng.random((cells + 1, cells + 1), dtype=np.float32))
    fine = coarse.resize((SIDE, SIDE), Image.Resampling.BICUBIC)
    return np.asarray((np.asarray(fine) - 0.5) * amplitude)


def places() -> tuple[Field, Field]:
    """Columns x and rows y of every pixel."""
    y, x = np.mgrid[0:SIDE, 0:SIDE].astype(np.float64)
    return x, y


def polygon(points: Sequence[Point]) -> Field:
    """The mask of a polygon."""
    image, draw = _canvas()
    draw.polygon(_finer(points), fill=255)
    return _coarser(image)


def line(points: Sequence[Point], width: float) -> Field:
    """The mask of a broken line."""
    image, draw = _canvas()
    draw.line(_finer(points), fill=255, width=max(1, round(width * _FINER)), joint="curve")
    return _coarser(image)


def blob(rng: np.random.Generator, x: float, y: float, radius: float, uneven: float = 0.3) -> Field:
    """The mask of an uneven disc."""
    angles = np.linspace(0, 2 * np.pi, 40, endpoint=False)
    radii = radius * np.ones(40)
    for k in range(1, 5):
        wave = radius * uneven / k * rng.normal()
        radii += wave * np.cos(k * angles + rng.random() * 6.28) * 0.5
    radii = np.maximum(radii, 0.3 * radius)
    columns, rows = x + radii * np.cos(angles), y + radii * np.sin(angles)
    return polygon(list(zip(columns.tolist(), rows.tolist(), strict=True)))


def walk(
    rng: np.random.Generator, x: float, y: float, steps: int, length: float, turn: float
) -> list[Point]:
    """A random walk from a point, that turns a little at every step."""
    angle = rng.random() * 6.28
    points = [(x, y)]
    for _ in range(steps):
        angle += rng.normal() * turn
        x += length * math.cos(angle)
        y += length * math.sin(angle)
        points.append((x, y))
    return points


def place_in(rng: np.random.Generator, mask: Field, margin: int = 8) -> tuple[int, int]:
    """A random pixel (x, y) of a mask that is `margin` pixels from its edge."""
    inner = Image.fromarray((mask > 0.9).astype(np.uint8) * 255)
    inner = inner.filter(ImageFilter.MinFilter(2 * margin + 1))
    rows, columns = np.nonzero(np.asarray(inner) > 0)
    chosen = rng.integers(len(rows))
    return int(columns[chosen]), int(rows[chosen])


def paint(picture: Field, mask: Field, colour: Any) -> Field:
    """The picture with a colour where the mask is 1."""
    share = mask[..., None]
    return np.asarray(picture * (1 - share) + np.asarray(colour, dtype=np.float64) * share)


def finished(rng: np.random.Generator, picture: Field) -> NDArray[np.uint8]:
    """The picture with a camera's noise."""
    noisy = picture + rng.normal(0, 3, picture.shape)
    return np.clip(noisy, 0, 255).astype(np.uint8)


def _canvas() -> tuple[Image.Image, ImageDraw.ImageDraw]:
    image = Image.new("L", (SIDE * _FINER, SIDE * _FINER), 0)
    return image, ImageDraw.Draw(image)


def _finer(points: Sequence[Point]) -> list[Point]:
    return [(float(x) * _FINER, float(y) * _FINER) for x, y in points]


def _coarser(image: Image.Image) -> Field:
    small = image.resize((SIDE, SIDE), Image.Resampling.BOX)
    return np.asarray(np.asarray(small, dtype=np.float64) / 255)
