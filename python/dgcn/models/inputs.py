"""Images as a published network wants them, from images standardised as for most."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from dgcn.data.images import IMAGENET_MEAN, IMAGENET_STD


class Restandardise(nn.Module):
    """From ImageNet's mean and standard deviation to others.

    Without parameters; nothing of it is in files of weights.

    Parameters
    ----------
    mean, std : sequence of 3 float
        Of red, green and blue in [0, 1]; the result is (RGB - mean) / std.
    """

    scale: Tensor
    shift: Tensor

    def __init__(self, mean: Sequence[float], std: Sequence[float]) -> None:
        super().__init__()
        old_mean, old_std, new_mean, new_std = (
            torch.tensor(values, dtype=torch.float64).view(3, 1, 1)
            for values in (IMAGENET_MEAN, IMAGENET_STD, mean, std)
        )
        dtype = torch.get_default_dtype()
        scale, shift = old_std / new_std, (old_mean - new_mean) / new_std
        self.register_buffer("scale", scale.to(dtype), persistent=False)
        self.register_buffer("shift", shift.to(dtype), persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        """Map images (B, 3, H, W) standardised with ImageNet's values."""
        return x * self.scale + self.shift
