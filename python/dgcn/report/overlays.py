"""A mask over its image, for people to look at."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from dgcn.report.legend import with_legend
from dgcn.report.panels import overlay

__all__ = ["drawn_over"]

_WIDEST = 1600  # pixels of the longer side


def drawn_over(
    image: NDArray[np.uint8], mask: NDArray[np.uint8], classes: Sequence[str]
) -> NDArray[np.uint8]:
    """The mask over its image, with a legend of the classes that occur in it."""
    only = [int(label) for label in np.unique(mask)]
    factor = _WIDEST / max(image.shape[:2])
    if factor < 1:
        side = (max(1, round(image.shape[1] * factor)), max(1, round(image.shape[0] * factor)))
        image = np.asarray(Image.fromarray(image).resize(side, Image.Resampling.LANCZOS))
    return with_legend(overlay(image, mask, classes), classes, only)
