"""Whether pictures are textures with objects on them, such as defects of steel, or scenes."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from dgcn.contrast import colour_spread
from dgcn.data.errors import DataError
from dgcn.data.images import read_image

__all__ = ["TEXTURE_SETTINGS", "TEXTURE_SPREAD", "spread_of"]

TEXTURE_SPREAD = 4.0
"""Pictures whose colours spread less, in CIE Lab, are textures (docs/results.md)."""

TEXTURE_SETTINGS: dict[str, object] = {
    "cues.saliency": "local_contrast",
    "cues.saliency_weight": 3,
    "evaluate.contrast": True,
    "evaluate.scales": [1.0],
}
"""Settings of `dgcn init` for such pictures."""

_LOOKED_AT = 40
_FLAT = 0.25  # drawings of plain areas spread less: they have no grain


def spread_of(pictures: Sequence[Path]) -> float | None:
    """The middle spread of the colours of some pictures, see `dgcn.cues.colour_spread`.

    Parameters
    ----------
    pictures : sequence of Path
        At most 40 of them, evenly spread, are looked at.

    Returns
    -------
    float or None
        None where no picture can be read, or all are flat: of one colour but for some objects,
        without grain, as drawings are.
    """
    step = -(-len(pictures) // _LOOKED_AT) or 1
    found = []
    for path in pictures[::step]:
        try:
            image = read_image(path)
        except (DataError, OSError):
            continue  # the doctor names it
        found.append(colour_spread(image))
    grainy = [spread for spread in found if spread >= _FLAT]
    return float(np.median(grainy)) if grainy else None
