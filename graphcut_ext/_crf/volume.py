"""Images and volumes as points: their kernels' features."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch

from graphcut_ext._crf.kernels import Kernels
from graphcut_ext._crf.points import PointKernel


def volume_kernels(
    xp: Any, image: Any, kernels: Kernels, spacing: Sequence[float], matrix: Any | None
) -> list[PointKernel]:
    """The two kernels of images (B, C, ..., H, W), whose dtype is floating; ``xp`` is their module.

    Positions stand in the order x, y, z, as on the lattice of images, which depends on it.
    """
    shape = image.shape[2:]
    where = {"device": image.device} if xp is torch else {}
    axes = [
        xp.arange(n, dtype=image.dtype, **where) * s for n, s in zip(shape, spacing, strict=True)
    ]
    grids = xp.meshgrid(*axes, indexing="ij")
    place = xp.stack([grid.reshape(-1) for grid in reversed(grids)], -1)
    found = []
    if kernels.smoothness_xy > 0:
        features = place / kernels.smoothness_xy
        found.append(PointKernel(features, kernels.smoothness_weight, matrix, "symmetric"))
    if kernels.appearance_xy > 0:
        colours = image.reshape(*image.shape[:2], place.shape[0]).swapaxes(1, 2)
        every = xp.broadcast_to(place / kernels.appearance_xy, (len(image), *place.shape))
        features = xp.concatenate([every, colours / kernels.appearance_rgb], -1)
        found.append(PointKernel(features, kernels.appearance_weight, matrix, "symmetric"))
    return found
