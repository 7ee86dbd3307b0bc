"""Pictures and scores for the tests of the dense CRF."""

from __future__ import annotations

import torch
from skimage import data
from torch import Tensor
from torch.nn.functional import interpolate


def photograph(name: str, height: int, width: int) -> Tensor:
    """One of scikit-image's photographs, shape (3, height, width), uint8."""
    pixels = torch.from_numpy(getattr(data, name)()).permute(2, 0, 1)[None].float()
    small = interpolate(pixels, (height, width), mode="bilinear", antialias=True)
    return small[0].round().byte()


def scores(labels: int, height: int, width: int, seed: int = 0, *, smooth: bool = False) -> Tensor:
    """Logits (labels, height, width): noise of pixels, or blobs as a network gives them."""
    generator = torch.Generator().manual_seed(seed)
    if not smooth:
        return torch.randn(labels, height, width, generator=generator)
    blobs = torch.randn(1, labels, 5, 5, generator=generator)
    return 3 * interpolate(blobs, (height, width), mode="bicubic")[0]
