"""Images small enough to be carried in a page: an image, and layers that lie over it.

An image is sent once, as JPEG; labels and activations are transparent PNG of few colours, which
take one to four KB each and are laid over it by the browser.
"""

from __future__ import annotations

import base64
import io

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from dgcn.data.masks import VOID
from dgcn.report.colours import class_colours
from dgcn.report.panels import (
    EDGE_ALPHA,
    FADE,
    FADE_TO,
    HEAT,
    enlarge,
    interpolate,
    outline_of,
)

__all__ = ["fitted", "heat_layer", "image_uri", "label_layer"]

TINT = 0.6
"""Strength of a class's colour over the image."""

_HEAT_LEVELS = 48


def fitted(height: int, width: int, side: int) -> tuple[int, int]:
    """Height and width, scaled down so that the longer is at most `side`; never below 1."""
    factor = min(1.0, side / max(height, width))
    return max(1, round(height * factor)), max(1, round(width * factor))


def image_uri(image: NDArray[np.uint8], size: tuple[int, int]) -> str:
    """Data URI of an image (H, W, 3) as JPEG of `size` (height, width)."""
    small = Image.fromarray(image).resize(size[::-1], Image.Resampling.LANCZOS)
    return _uri(small, "jpeg", quality=78, optimize=True)


def label_layer(label_map: NDArray[np.integer], size: tuple[int, int], classes: int) -> str:
    """Data URI of a label map as transparent PNG: what `overlay` draws, without the image.

    Parameters
    ----------
    label_map : numpy.ndarray of int, shape (h, w)
        Class ids, 255 = no label. A grid's corners lie on the image's corners.
    size : tuple of int
        Height and width of the image that it is laid over.
    classes : int
        Number of classes with the background.
    """
    labels = enlarge(label_map, *size)
    edge = outline_of(labels) & (labels != 0) & (labels != VOID)
    used, flat = np.unique(labels * 2 + edge, return_inverse=True)
    colours = np.zeros((256, 3))
    colours[:classes] = class_colours(classes)
    colours[VOID] = FADE_TO
    strength = np.full(256, TINT)
    strength[0], strength[VOID] = 1.2 * TINT, FADE
    alpha = np.where(used % 2 == 1, EDGE_ALPHA, strength[used // 2])
    return _indexed(flat.reshape(size), colours[used // 2], alpha)


def heat_layer(cam: NDArray[np.floating], size: tuple[int, int]) -> str:
    """Data URI of an activation map (h, w), not negative, as transparent PNG.

    It has half the image's resolution; the colours are those of `heat`.
    """
    half = (max(1, size[0] // 2), max(1, size[1] // 2))
    peak = float(cam.max())
    level = interpolate(np.asarray(cam, dtype=np.float64) / (peak or 1.0), *half)
    index = np.clip(np.round(level * (_HEAT_LEVELS - 1)), 0, _HEAT_LEVELS - 1).astype(np.int64)
    at, stops = np.linspace(0, 1, _HEAT_LEVELS), np.linspace(0, 1, len(HEAT))
    colours = np.stack([np.interp(at, stops, HEAT[:, k]) for k in range(3)], axis=-1)
    return _indexed(index, colours, 0.75 * (0.6 + 0.4 * at))


def _indexed(
    index: NDArray[np.int64], colours: NDArray[np.float64], alpha: NDArray[np.float64]
) -> str:
    """PNG of palette entries; over 256 of them (hundreds of classes in one image) as RGBA."""
    rgba = np.round(np.concatenate([colours, 255 * alpha[:, None]], axis=1)).astype(np.uint8)
    if len(rgba) > 256:
        return _uri(Image.fromarray(rgba[index]), "png", optimize=True)
    picture = Image.fromarray(index.astype(np.uint8))
    picture.putpalette(rgba[:, :3].tobytes())
    return _uri(picture, "png", optimize=True, transparency=rgba[:, 3].tobytes())


def _uri(picture: Image.Image, kind: str, **options: object) -> str:
    stream = io.BytesIO()
    picture.save(stream, format=kind.upper(), **options)
    return f"data:image/{kind};base64,{base64.b64encode(stream.getvalue()).decode('ascii')}"
