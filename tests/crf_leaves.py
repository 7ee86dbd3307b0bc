"""Random tensors of which the dense CRF has gradients."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

METHODS = pytest.mark.parametrize("method", ["lattice", "exact"])


def random(*shape: int, seed: int = 0) -> Tensor:
    return torch.rand(shape, generator=torch.Generator().manual_seed(seed))


def leaf(tensor: Tensor) -> Tensor:
    return tensor.clone().requires_grad_()


def symmetric(tensor: Tensor) -> Tensor:
    return (tensor + tensor.T) / 2


def place_and_colour(image: Tensor) -> tuple[Tensor, Tensor]:
    height, width = image.shape[1:]
    y, x = torch.meshgrid(torch.arange(height), torch.arange(width), indexing="ij")
    return torch.stack([x, y], 2).flatten(0, 1).float(), image.flatten(1).T.float()
