"""The colour palette that PASCAL VOC stores in its indexed label images."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["voc_palette"]


def voc_palette() -> NDArray[np.uint8]:
    """Colours of the 256 label values in PASCAL VOC's indexed PNG files.

    Bit ``b`` of channel ``c`` (from the top) is bit ``3 b + c`` of the label, so that labels that
    differ in their low bits differ strongly in colour.

    Returns
    -------
    numpy.ndarray, shape (256, 3), uint8
        RGB. Row 0 (background) is black, row 255 (void) is ``(224, 224, 192)``.

    References
    ----------
    Everingham et al., "The PASCAL Visual Object Classes Challenge", IJCV 2010; the development
    kit's ``VOClabelcolormap.m``.
    """
    labels = np.arange(256)
    palette = np.zeros((256, 3), dtype=np.uint8)
    for bit in range(8):
        for channel in range(3):
            level = ((labels >> (3 * bit + channel)) & 1) << (7 - bit)
            palette[:, channel] |= level.astype(np.uint8)
    return palette
