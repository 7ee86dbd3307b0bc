"""What the segmentation network puts on its backbone."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor, nn

from dgcn.models.backbone import HeadKind, initialise

HIDDEN = 1024
"""Channels of the hidden layers, DeepLab's fc6 and fc7."""


def make_head(
    kind: HeadKind, channels: int, classes: int, *, dropout: float, dilation: int, hidden: bool
) -> nn.Module:
    """Layers from the last stage to the classes.

    ============  ==================================================================
    kind          layers
    ============  ==================================================================
    ``conv``      3x3 to the classes
    ``largefov``  3x3 to 1024, ReLU, dropout, 1x1 to 1024, ReLU, dropout, 1x1 to the
                  classes (Chen et al. 2015, "large field of view")
    ``aspp``      the sum of four branches side by side, dilated by 1/2, 1, 3/2 and
                  2 times `dilation` (Chen et al. 2018, "atrous spatial pyramid
                  pooling"). With `hidden` they are those of ``largefov``, as DeepLab
                  has them on VGG16, otherwise those of ``conv``, as on ResNet-101.
    ============  ==================================================================

    Layers to the classes start with weights from a normal distribution of deviation 0.01, hidden
    ones by He's method, biases with 0.

    Parameters
    ----------
    kind : {"conv", "largefov", "aspp"}
    channels : int
        Of the last stage.
    classes : int
    dropout : float
        Probability of dropping an activation of a hidden layer.
    dilation : int
        Of the 3x3 convolutions in cells; even for "aspp".
    hidden : bool
        Whether the branches of "aspp" have hidden layers.

    Raises
    ------
    ValueError
        Unknown kind, or an odd dilation for "aspp".
    """
    if kind == "conv":
        return _to_classes(channels, classes, dilation)
    if kind == "largefov":
        return _large_fov(channels, classes, dropout, dilation)
    if kind != "aspp":
        raise ValueError(f"head must be 'conv', 'largefov' or 'aspp', got {kind!r}")
    if dilation % 2:
        raise ValueError(f"dilation must be even for the head 'aspp', got {dilation}")
    dilations = [times * dilation // 2 for times in (1, 2, 3, 4)]
    if hidden:
        return BranchSum([_large_fov(channels, classes, dropout, d) for d in dilations])
    return BranchSum([_to_classes(channels, classes, d) for d in dilations])


class BranchSum(nn.Module):
    """The sum of what several branches make of the same input."""

    def __init__(self, branches: Sequence[nn.Module]) -> None:
        super().__init__()
        self.branches = nn.ModuleList(branches)

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, channels, h, w) to (B, classes, h, w)."""
        first, *others = self.branches
        total: Tensor = first(x)
        for branch in others:
            total = total + branch(x)
        return total


def _to_classes(channels: int, classes: int, dilation: int | None) -> nn.Conv2d:
    """The last convolution: 3x3 with a dilation, 1x1 without."""
    if dilation is None:
        layer = nn.Conv2d(channels, classes, 1)
    else:
        layer = nn.Conv2d(channels, classes, 3, padding=dilation, dilation=dilation)
    nn.init.normal_(layer.weight, std=0.01)
    assert layer.bias is not None
    nn.init.zeros_(layer.bias)
    return layer


def _large_fov(channels: int, classes: int, dropout: float, dilation: int) -> nn.Sequential:
    head = nn.Sequential(
        nn.Conv2d(channels, HIDDEN, 3, padding=dilation, dilation=dilation),
        nn.ReLU(),
        nn.Dropout(dropout),
        nn.Conv2d(HIDDEN, HIDDEN, 1),
        nn.ReLU(),
        nn.Dropout(dropout),
    )
    initialise(head)
    return head.append(_to_classes(HIDDEN, classes, None))
