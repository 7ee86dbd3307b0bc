"""Settings of the two kernels of images, and their features."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor


class Kernels(NamedTuple):
    """Standard deviations and weights; a kernel whose ``xy`` is 0 is left out."""

    smoothness_xy: float
    smoothness_weight: float
    appearance_xy: float
    appearance_rgb: float
    appearance_weight: float

    @classmethod
    def weighted(cls, settings: Sequence[float], weights: Tensor | None) -> Kernels:
        """The settings, with the weights (2,) in place of their own, where given."""
        kernels = cls(*settings)
        if weights is None:
            return kernels
        smoothness, appearance = weights.tolist()
        return kernels._replace(smoothness_weight=smoothness, appearance_weight=appearance)

    def present(self) -> list[int]:
        """Which of the two are not left out: 0 is the smoothness kernel, 1 the appearance's."""
        return [i for i, xy in enumerate((self.smoothness_xy, self.appearance_xy)) if xy > 0]


def positions(height: int, width: int, like: Tensor) -> Tensor:
    """Coordinates (x, y) of the pixels, shape (N, 2), of the dtype and device of ``like``."""
    y = torch.arange(height, dtype=like.dtype, device=like.device)
    x = torch.arange(width, dtype=like.dtype, device=like.device)
    return torch.stack([x.repeat(height), y.repeat_interleave(width)], 1)


def appearance_features(image: Tensor, kernels: Kernels) -> Tensor:
    """Features (B, N, 2 + C), in standard deviations, of an image (B, C, H, W)."""
    height, width = image.shape[2:]
    place = positions(height, width, like=image) / kernels.appearance_xy
    colour = image.flatten(2).mT / kernels.appearance_rgb
    return torch.cat([place.expand(len(image), -1, -1), colour], 2)
