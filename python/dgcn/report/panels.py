"""Single pictures of a contact sheet: labels and class activations laid over the photograph."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from dgcn.data.masks import VOID
from dgcn.report.colours import class_colours

__all__ = ["heat", "overlay"]

EDGE_ALPHA = 0.95
FADE = 0.62
FADE_TO = np.array([236, 238, 242], dtype=np.float64)

# Dark violet over red to pale yellow, evenly rising in lightness.
HEAT = np.array(
    [
        (12, 8, 38),
        (66, 15, 110),
        (132, 32, 107),
        (195, 58, 80),
        (239, 107, 45),
        (251, 172, 30),
        (252, 250, 170),
    ],
    dtype=np.float64,
)


def overlay(
    image: NDArray[np.uint8],
    label_map: NDArray[np.integer],
    classes: int | Sequence[str],
    *,
    alpha: float = 0.6,
) -> NDArray[np.uint8]:
    """Lay a label map over its photograph.

    Foreground is tinted in its class's colour with a firm outline, background darkened to slate.
    Pixels without a label (255) are faded towards white, so that what a partial labelling leaves
    open is seen at once.

    Parameters
    ----------
    image : numpy.ndarray, shape (H, W, 3), uint8
    label_map : numpy.ndarray of int, shape (h, w)
        Class ids, 255 = no label. A smaller map is a grid whose corners lie on the picture's
        corners and is enlarged without mixing.
    classes : int or sequence of str
        The classes, or their number, with the background.
    alpha : float, default 0.6
        Strength of the tint, 0..1.

    Returns
    -------
    numpy.ndarray, shape (H, W, 3), uint8

    Raises
    ------
    TypeError
        ``image`` is not uint8, or ``label_map`` not of integers.
    ValueError
        A shape is wrong, a label is neither a class id nor 255, or ``alpha`` is out of range.
    """
    _check_image(image)
    labels = np.asarray(label_map)
    if not np.issubdtype(labels.dtype, np.integer):
        raise TypeError(f"label_map must hold integers, got {labels.dtype}")
    if labels.ndim != 2 or labels.size == 0:
        raise ValueError(f"label_map must have shape (h, w) with h, w >= 1, got {labels.shape}")
    if not 0 <= alpha <= 1:
        raise ValueError(f"alpha must be in 0..1, got {alpha}")
    count = classes if isinstance(classes, int) else len(classes)
    wrong = ((labels < 0) | (labels >= count)) & (labels != VOID)
    if wrong.any():
        raise ValueError(
            f"label_map must hold class ids 0..{count - 1} or {VOID}, got {labels[wrong][0]}"
        )
    height, width = image.shape[:2]
    full = enlarge(labels, height, width)
    photograph = image.astype(np.float64)
    colours = np.zeros((256, 3))
    colours[:count] = class_colours(count)
    colours[VOID] = FADE_TO
    strength = np.full(256, alpha)
    strength[0] = min(1.0, 1.2 * alpha)
    strength[VOID] = FADE
    weight = strength[full]
    outline = outline_of(full) & (full != 0) & (full != VOID)
    weight = np.where(outline, max(alpha, EDGE_ALPHA), weight)[..., None]
    return _to_bytes(photograph * (1 - weight) + colours[full] * weight)


def heat(
    image: NDArray[np.uint8], cam: NDArray[np.floating], *, alpha: float = 0.75
) -> NDArray[np.uint8]:
    """Lay a class activation map over its photograph as a heat map.

    Parameters
    ----------
    image : numpy.ndarray, shape (H, W, 3), uint8
    cam : numpy.ndarray of float, shape (h, w)
        Activation on a grid whose corners lie on the picture's corners. Negative values count as 0;
        the map is divided by its maximum.
    alpha : float, default 0.75
        Strength of the colours over the grey photograph at the peak, 0..1; at 0 activation it is
        60 % of this, so that the cold parts of the photograph stay visible.

    Returns
    -------
    numpy.ndarray, shape (H, W, 3), uint8

    Raises
    ------
    TypeError
        ``image`` is not uint8.
    ValueError
        A shape is wrong, ``cam`` holds NaN or infinity, or ``alpha`` is out of range.
    """
    _check_image(image)
    activation = np.asarray(cam, dtype=np.float64)
    if activation.ndim != 2 or activation.size == 0:
        raise ValueError(f"cam must have shape (h, w) with h, w >= 1, got {activation.shape}")
    if not np.isfinite(activation).all():
        position = tuple(int(axis[0]) for axis in np.nonzero(~np.isfinite(activation)))
        raise ValueError(f"cam must be finite, got {activation[position]} at {position}")
    if not 0 <= alpha <= 1:
        raise ValueError(f"alpha must be in 0..1, got {alpha}")
    activation = np.maximum(activation, 0)
    peak = activation.max()
    level = interpolate(activation / peak if peak > 0 else activation, *image.shape[:2])
    grey = np.asarray(Image.fromarray(image).convert("L"), dtype=np.float64)[..., None]
    stops = np.linspace(0, 1, len(HEAT))
    colour = np.stack([np.interp(level, stops, HEAT[:, k]) for k in range(3)], axis=-1)
    weight = (alpha * (0.6 + 0.4 * level))[..., None]
    return _to_bytes(grey * (1 - weight) + colour * weight)


def enlarge(labels: NDArray[np.integer], height: int, width: int) -> NDArray[np.int64]:
    rows = _nearest(labels.shape[0], height)
    columns = _nearest(labels.shape[1], width)
    return labels.astype(np.int64)[rows[:, None], columns[None, :]]


def _nearest(cells: int, length: int) -> NDArray[np.int64]:
    if length == 1:
        return np.zeros(1, dtype=np.int64)
    pixel = np.arange(length, dtype=np.int64)
    return (2 * pixel * (cells - 1) + (length - 1)) // (2 * (length - 1))


def interpolate(values: NDArray[np.float64], height: int, width: int) -> NDArray[np.float64]:
    for axis, length in ((0, height), (1, width)):
        cells = values.shape[axis]
        position = np.linspace(0, cells - 1, length)
        low = np.minimum(position.astype(np.int64), max(cells - 2, 0))
        high = np.minimum(low + 1, cells - 1)
        part = np.expand_dims(position - low, 1 - axis)
        values = values.take(low, axis) * (1 - part) + values.take(high, axis) * part
    return values


def outline_of(labels: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Pixels within one step of another label; two steps in pictures above 240 pixels."""
    edge = np.zeros(labels.shape, dtype=bool)
    for step in range(1, 3 if min(labels.shape) > 240 else 2):
        down = labels[step:] != labels[:-step]
        edge[step:] |= down
        edge[:-step] |= down
        right = labels[:, step:] != labels[:, :-step]
        edge[:, step:] |= right
        edge[:, :-step] |= right
    return edge


def _check_image(image: NDArray[np.uint8]) -> None:
    if image.dtype != np.uint8:
        raise TypeError(f"image must be uint8, got {image.dtype}")
    if image.ndim != 3 or image.shape[2] != 3 or image.size == 0:
        raise ValueError(f"image must have shape (H, W, 3) with H, W >= 1, got {image.shape}")


def _to_bytes(values: NDArray[np.float64]) -> NDArray[np.uint8]:
    return np.round(np.clip(values, 0, 255)).astype(np.uint8)
