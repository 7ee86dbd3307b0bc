"""Convolutions of one filter a channel give what torch's own give."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from dgcn.models.depthwise import DepthwiseConv2d


def _pair(channels: int, kernel: int, stride: int, dilation: int) -> tuple[nn.Conv2d, nn.Conv2d]:
    torch.manual_seed(kernel + dilation)
    ours = DepthwiseConv2d(channels, kernel, stride, dilation).double()
    theirs = nn.Conv2d(
        channels,
        channels,
        kernel,
        stride,
        dilation * (kernel // 2),
        dilation,
        groups=channels,
        bias=False,
    ).double()
    theirs.load_state_dict(ours.state_dict())
    return ours, theirs


@pytest.mark.parametrize(("height", "width"), [(1, 1), (3, 8), (21, 21), (17, 40)])
@pytest.mark.parametrize("dilation", [1, 2, 3, 4])
@pytest.mark.parametrize("kernel", [3, 5])
@pytest.mark.parametrize("stride", [1, 2])
def test_values_and_gradients_are_those_of_torch(
    stride: int, kernel: int, dilation: int, height: int, width: int
) -> None:
    ours, theirs = _pair(3, kernel, stride, dilation)
    x = torch.randn(2, 3, height, width, dtype=torch.float64)
    with torch.no_grad():
        assert torch.allclose(ours(x), theirs(x), rtol=1e-12, atol=1e-12)
    outcomes = []
    for layer in (ours, theirs):
        given = x.clone().requires_grad_()
        y = layer(given)
        (y * torch.arange(y.numel(), dtype=y.dtype).view_as(y)).sum().backward()
        outcomes.append((y, given.grad, layer.weight.grad))
    for mine, other in zip(*outcomes, strict=True):
        assert mine is not None
        assert other is not None
        assert torch.allclose(mine, other, rtol=1e-10, atol=1e-8)


def test_the_way_that_is_taken() -> None:
    """By pictures where there is a gradient, or holes are wide; on a CPU alone."""
    near, wide, whole = (DepthwiseConv2d(2, 5, 1, dilation) for dilation in (2, 4, 1))
    x = torch.zeros(1, 2, 9, 9)
    assert near._goes_by_pictures(x)
    assert not whole._goes_by_pictures(x)
    assert not near.to("meta")._goes_by_pictures(x.to("meta"))
    with torch.no_grad():
        assert wide._goes_by_pictures(x)
        assert not DepthwiseConv2d(2, 5, 1, 2)._goes_by_pictures(x)


def test_an_empty_batch_stays_empty() -> None:
    assert DepthwiseConv2d(2, 5, 1, 4)(torch.zeros(0, 2, 9, 9)).shape == (0, 2, 9, 9)


def test_channels_stay_last() -> None:
    layer = DepthwiseConv2d(8, 5, 1, 2)
    x = torch.randn(2, 8, 9, 9).contiguous(memory_format=torch.channels_last)
    assert layer(x).is_contiguous(memory_format=torch.channels_last)


def test_export_keeps_the_sizes_free() -> None:
    layer = DepthwiseConv2d(2, 5, 1, 4).eval()
    sizes = {2: torch.export.Dim("height", min=8), 3: torch.export.Dim("width", min=8)}
    program = torch.export.export(layer, (torch.randn(1, 2, 17, 21),), dynamic_shapes=(sizes,))
    x = torch.randn(1, 2, 30, 19)
    with torch.no_grad():
        assert torch.allclose(program.module()(x), layer(x), atol=1e-5)
