"""Textures of the synthetic pictures: the marks of each class, and backgrounds."""

from __future__ import annotations

import colorsys

import numpy as np
from PIL import Image

from dgcn.data.shapes import Field

__all__ = ["MARKS", "background", "hsv", "smooth_noise"]


def hsv(hue: float, saturation: float, value: float) -> Field:
    """RGB in [0, 1] of a hue (any real, whole turns are dropped), saturation and value."""
    return np.asarray(colorsys.hsv_to_rgb(hue % 1.0, saturation, value))


def smooth_noise(rng: np.random.Generator, shape: tuple[int, int], cells: int) -> Field:
    """Random field in [0, 1] of a shape (H, W), made of ``cells`` waves or so along each side."""
    coarse = Image.fromarray(rng.random((cells + 1, cells + 1), dtype=np.float32))
    fine = coarse.resize((shape[1], shape[0]), Image.Resampling.BICUBIC)
    return np.clip(np.asarray(fine, dtype=np.float64), 0, 1)


def _targets(x: Field, y: Field) -> Field:
    return 0.5 + 0.5 * np.cos(2 * np.pi * np.hypot(x, y))


def _checks(x: Field, y: Field) -> Field:
    return (np.sin(np.pi * x) * np.sin(np.pi * y) > 0).astype(np.float64)


def _stripes(x: Field, y: Field) -> Field:
    return 0.5 + 0.5 * np.cos(2 * np.pi * x)


def _dots(x: Field, y: Field) -> Field:
    shifted = x + 0.5 * (np.floor(y) % 2)
    return (np.hypot(shifted % 1 - 0.5, y % 1 - 0.5) < 0.33).astype(np.float64)


def _lattice(x: Field, y: Field) -> Field:
    return (np.minimum(np.abs(x % 1 - 0.5), np.abs(y % 1 - 0.5)) < 0.14).astype(np.float64)


MARKS = {
    "disc": _targets,
    "square": _checks,
    "triangle": _stripes,
    "star": _dots,
    "ring": _lattice,
}
"""Pattern of each class: ``f(x, y)`` in [0, 1] with a period of 1 in x and y."""


def background(rng: np.random.Generator, size: int) -> Field:
    """A textured scene of two materials, with plain patches of faded colours.

    The patches share their hues with the objects, so that colour alone does not tell an object.

    Parameters
    ----------
    rng : numpy.random.Generator
    size : int
        Side in pixels.

    Returns
    -------
    numpy.ndarray, shape (size, size, 3), float64
        RGB in [0, 1].
    """
    square = (size, size)
    upper, lower = _material(rng, size), _material(rng, size)
    rows = np.linspace(0, 1, size)[:, None]
    horizon = rng.uniform(0.25, 0.75) + 0.25 * (smooth_noise(rng, square, 3) - 0.5)
    scene = np.where((rows < horizon)[..., None], upper, lower)
    for _ in range(int(rng.integers(2, 6))):
        _add_patch(rng, scene)
    scene += 0.03 * rng.standard_normal((size, size, 1))
    return np.clip(scene, 0, 1)


def _add_patch(rng: np.random.Generator, scene: Field) -> None:
    size = scene.shape[0]
    colour = hsv(rng.random(), rng.uniform(0.2, 0.5), rng.uniform(0.35, 0.85))
    centre = rng.uniform(0, size, 2)
    radii = size * rng.uniform(0.04, 0.14, 2)
    top, left = np.maximum(0, centre - 1.5 * radii).astype(int)
    bottom, right = np.minimum(size, centre + 1.5 * radii + 1).astype(int)
    rows, columns = np.ogrid[top:bottom, left:right]
    distance = np.hypot((rows - centre[0]) / radii[0], (columns - centre[1]) / radii[1])
    distance += 0.5 * (smooth_noise(rng, distance.shape, 3) - 0.5)
    cover = np.clip((1 - distance) * 4, 0, 1)[..., None]
    window = scene[top:bottom, left:right]
    window += cover * (colour - window)


def _material(rng: np.random.Generator, size: int) -> Field:
    """Grass, sand, water or cloth: two muted tones mixed by noise of several scales."""
    hue = rng.random()
    dark = hsv(hue + rng.uniform(-0.06, 0.06), rng.uniform(0.05, 0.28), rng.uniform(0.3, 0.55))
    light = hsv(hue + rng.uniform(-0.06, 0.06), rng.uniform(0.05, 0.28), rng.uniform(0.5, 0.8))
    square = (size, size)
    cells = max(2, size // 12)
    kind = int(rng.integers(4))
    if kind == 0:
        mix = 0.6 * smooth_noise(rng, square, cells) + 0.4 * rng.random(square)
    elif kind == 1:
        mix = 0.7 * smooth_noise(rng, square, 4) + 0.3 * smooth_noise(rng, square, 2 * cells)
    elif kind == 2:
        rows = np.arange(size)[:, None] * 60 / size
        mix = 0.5 + 0.35 * np.sin(rows + 7 * smooth_noise(rng, square, 4))
        mix = mix * smooth_noise(rng, square, 5) + 0.2
    else:
        warp, weft = rng.random((size, 1)), rng.random((1, size))
        mix = 0.35 * (warp + weft) + 0.3 * smooth_noise(rng, square, 3)
    return dark + np.clip(mix, 0, 1)[..., None] * (light - dark)
