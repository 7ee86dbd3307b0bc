"""Settings of the dense CRF's two kernels, and what all its inference methods share."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor


class Kernels(NamedTuple):
    """Standard deviations and weights; a kernel of weight 0 is left out."""

    smoothness_xy: float
    smoothness_weight: float
    appearance_xy: float
    appearance_rgb: float
    appearance_weight: float


def mean_field(
    energy: Tensor,
    compatibility: Tensor | None,
    iterations: int,
    filters: list[Callable[[Tensor], Tensor]],
) -> Tensor:
    """Iterate Q = softmax(-energy - compatibility sum of the filters' Q).

    ``energy`` and the result have shape (B, L, N), as what a filter takes and returns; filters
    include their weights.
    """
    q = torch.softmax(-energy, 1)
    for _ in range(iterations if filters else 0):
        field = filters[0](q)
        for apply in filters[1:]:
            field = field + apply(q)
        # Potts is -1 on the diagonal, up to a constant that the softmax removes.
        message = -field if compatibility is None else compatibility @ field
        q = torch.softmax(-energy - message, 1)
    return q


def factors(sums: Tensor, normalization: str) -> tuple[Tensor, Tensor]:
    """Factors before and after a kernel matrix with these row sums."""
    if normalization == "symmetric":
        root = sums.rsqrt()
        return root, root
    one = torch.ones_like(sums)
    if normalization == "before":
        return sums.reciprocal(), one
    if normalization == "after":
        return one, sums.reciprocal()
    return one, one


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
