"""Training images at a random scale and place, and in random colours; cues go with them."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from dgcn.data.images import IMAGENET_MEAN, resize_image

__all__ = ["Window", "cut_cues", "cut_image", "draw_window", "recolour"]

_GREY = np.array([0.299, 0.587, 0.114], dtype=np.float32)  # ITU-R BT.601, as Pillow's "L"


class Window(NamedTuple):
    """The part of an image that a sample shows, in shares of the image's sides.

    It reaches beyond the image where that is shown smaller than the sample.
    """

    left: float
    top: float
    side: float
    """Width over the image's width, and height over its height."""


def draw_window(generator: np.random.Generator, scale: tuple[float, float], size: int) -> Window:
    """A window of random scale and place.

    Parameters
    ----------
    generator : numpy.random.Generator
    scale : (float, float)
        Least and largest factor on the image's side, positive. The logarithm is uniform between.
    size : int
        Side of the sample in pixels: an image shown smaller has a whole number of them.
    """
    low, high = scale
    factor = float(np.exp(generator.uniform(np.log(low), np.log(high))))
    across, down = generator.uniform(size=2)
    if factor >= 1:
        side = 1 / factor
        return Window(across * (1 - side), down * (1 - side), side)
    inner = max(1, round(size * factor))
    side = size / inner
    left, top = (round(float(u) * (size - inner)) for u in (across, down))
    return Window(-left / inner, -top / inner, side)


def cut_image(image: NDArray[np.uint8], window: Window, size: int) -> NDArray[np.uint8]:
    """The window of an image, warped to a square as `dgcn.data.resize_image` warps the whole.

    Parameters
    ----------
    image : numpy.ndarray, shape (H, W, 3), uint8
    window : Window
    size : int
        Side of the square in pixels.

    Returns
    -------
    numpy.ndarray, shape (size, size, 3), uint8
        ImageNet's mean colour beyond the image.
    """
    if window.side > 1:
        inner = round(size / window.side)
        left, top = (round(-start * inner) for start in (window.left, window.top))
        square = np.empty((size, size, 3), dtype=np.uint8)
        square[:] = np.round(255 * np.array(IMAGENET_MEAN)).astype(np.uint8)
        square[top : top + inner, left : left + inner] = resize_image(image, inner)
        return square
    height, width = image.shape[:2]
    box = (
        window.left * width,
        window.top * height,
        min((window.left + window.side) * width, width),
        min((window.top + window.side) * height, height),
    )
    picture = Image.fromarray(image)
    return np.asarray(picture.resize((size, size), Image.Resampling.BILINEAR, box=box))


def cut_cues(cues: NDArray[np.bool_], window: Window, size: int) -> NDArray[np.bool_]:
    """Cues of the window: each cell has those of the image's nearest cell.

    Cell i of n lies on pixel i (size - 1) / (n - 1) of the sample, as on the whole image.

    Parameters
    ----------
    cues : numpy.ndarray, shape (L, h, w), bool
    window : Window
    size : int
        Side of the sample in pixels.

    Returns
    -------
    numpy.ndarray, shape (L, h, w), bool
        None beyond the image.
    """
    rows, inside_rows = _cells(cues.shape[1], window.top, window.side, size)
    columns, inside_columns = _cells(cues.shape[2], window.left, window.side, size)
    return cues[:, rows[:, None], columns] & (inside_rows[:, None] & inside_columns)


def _cells(
    count: int, start: float, side: float, size: int
) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """For every cell along a side, the image's nearest one, and whether it is in the image."""
    pixels = np.linspace(0, size - 1, count)
    shares = start + (pixels + 0.5) / size * side
    places = (shares * size - 0.5) / (size - 1) * (count - 1)
    nearest = np.clip(np.rint(places), 0, count - 1).astype(np.int64)
    return nearest, (shares > 0) & (shares < 1)


def recolour(
    rgb: NDArray[np.uint8], generator: np.random.Generator, strength: float
) -> NDArray[np.uint8]:
    """Change brightness, contrast and saturation by factors from 1 - `strength` to 1 + `strength`.

    Parameters
    ----------
    rgb : numpy.ndarray, shape (H, W, 3), uint8
    generator : numpy.random.Generator
    strength : float
        In [0, 1].
    """
    brightness, contrast, saturation = generator.uniform(1 - strength, 1 + strength, 3)
    values = rgb.astype(np.float32) * np.float32(brightness)
    middle = (values @ _GREY).mean()
    values = middle + np.float32(contrast) * (values - middle)
    grey = (values @ _GREY)[..., None]
    values = grey + np.float32(saturation) * (values - grey)
    result: NDArray[np.uint8] = np.clip(np.rint(values), 0, 255).astype(np.uint8)
    return result
