"""Convolutions of one filter a channel, with holes."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

_FAR = 16  # cells between the outer taps from which torch's own pass forward is slow


class DepthwiseConv2d(nn.Conv2d):
    """`torch.nn.Conv2d` of one filter a channel; with holes it is computed otherwise on a CPU.

    Cells that are `dilation` apart make a picture of their own, on which the filter has no holes.
    oneDNN has fast code for such convolutions, and for many with holes none. Results are the same
    but for rounding.

    Parameters
    ----------
    channels : int
    kernel : int
        Side of the filters, odd.
    stride, dilation : int
        In cells. The padding keeps the size where the stride is 1. There is no bias.
    """

    def __init__(self, channels: int, kernel: int, stride: int, dilation: int) -> None:
        padding = dilation * (kernel // 2)
        super().__init__(
            channels, channels, kernel, stride, padding, dilation, groups=channels, bias=False
        )

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, C, H, W) to (B, C, H / stride, W / stride)."""
        return self._by_pictures(x) if self._goes_by_pictures(x) else super().forward(x)

    def _goes_by_pictures(self, x: Tensor) -> bool:
        dilation, kernel = self.dilation[0], self.kernel_size[0]
        if dilation == 1 or self.stride[0] > 1 or x.device.type != "cpu":
            return False
        if torch.compiler.is_compiling():  # a program that is exported is for any device
            return False
        gradients = torch.is_grad_enabled() and (x.requires_grad or self.weight.requires_grad)
        return gradients or dilation * (kernel - 1) >= _FAR

    def _by_pictures(self, x: Tensor) -> Tensor:
        batch, channels, height, width = x.shape
        apart, half = self.dilation[0], self.kernel_size[0] // 2
        rows, columns = -(-height // apart), -(-width // apart)
        whole = functional.pad(x, (0, columns * apart - width, 0, rows * apart - height))
        # Channels come last all the way, as the backbones have them.
        cells = whole.permute(0, 2, 3, 1).reshape(batch, rows, apart, columns, apart, channels)
        pictures = cells.permute(2, 4, 0, 1, 3, 5).reshape(
            apart * apart * batch, rows, columns, channels
        )
        found = functional.conv2d(
            pictures.permute(0, 3, 1, 2), self.weight, padding=half, groups=channels
        )
        parts = found.permute(0, 2, 3, 1).reshape(apart, apart, batch, rows, columns, channels)
        joined = parts.permute(2, 3, 0, 4, 1, 5).reshape(
            batch, rows * apart, columns * apart, channels
        )
        result = joined[:, :height, :width].permute(0, 3, 1, 2)
        return result.contiguous(memory_format=torch.channels_last)
