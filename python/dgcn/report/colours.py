"""Colours of the classes in pictures meant for people."""

from __future__ import annotations

import colorsys

import numpy as np
from numpy.typing import NDArray

__all__ = ["BACKGROUND_COLOUR", "class_colours"]

BACKGROUND_COLOUR = (38, 44, 58)
"""Dark slate of class 0."""

# Neighbours differ in hue and lightness, none is near the slate of the background.
_FIRST = (
    (239, 83, 80),
    (66, 165, 245),
    (255, 202, 40),
    (102, 187, 106),
    (186, 104, 200),
    (255, 138, 60),
    (38, 198, 218),
    (240, 98, 146),
    (205, 220, 57),
    (121, 134, 235),
    (161, 120, 98),
    (0, 150, 136),
    (255, 171, 145),
    (174, 213, 255),
    (136, 14, 79),
    (130, 119, 23),
    (178, 235, 190),
    (94, 53, 177),
    (191, 54, 12),
    (236, 200, 250),
)
_GOLDEN = 0.6180339887498949


def class_colours(count: int) -> NDArray[np.uint8]:
    """Colours of the classes, the same for the same id whatever the number of classes.

    The first twenty foreground classes have hand-picked colours, later ones hues a golden section
    apart at three lightnesses. These are for display; the indexed masks on disk carry PASCAL VOC's.

    Parameters
    ----------
    count : int
        Number of classes with the background, 1..255.

    Returns
    -------
    numpy.ndarray, shape (count, 3), uint8
        RGB. Row 0 is the dark slate of the background.

    Raises
    ------
    ValueError
        ``count`` is out of range.
    """
    if not 1 <= count <= 255:
        raise ValueError(f"count must be in 1..255, got {count}")
    colours: list[tuple[int, int, int]] = [BACKGROUND_COLOUR, *_FIRST]
    for index in range(len(colours), count):
        hue = (index * _GOLDEN) % 1.0
        red, green, blue = colorsys.hls_to_rgb(hue, (0.45, 0.62, 0.76)[index % 3], 0.7)
        colours.append((round(255 * red), round(255 * green), round(255 * blue)))
    return np.asarray(colours[:count], dtype=np.uint8)
