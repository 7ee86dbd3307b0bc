"""A network whose logits are known."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from dgcn.models import SegmenterOutput


class Even(nn.Module):
    """The same logits everywhere."""

    def __init__(self, *logits: float) -> None:
        super().__init__()
        self.logits = nn.Parameter(torch.tensor(logits))

    def forward(self, images: Tensor) -> SegmenterOutput:
        cells = (images.shape[2] - 1) // 8 + 1
        logits = self.logits[None, :, None, None].expand(len(images), -1, cells, cells)
        return SegmenterOutput(logits, ())  # type: ignore[arg-type]
