"""ResNet-38, wide and shallow, at stride 8 (Wu, Shen and van den Hengel 2019, arXiv:1611.10080)."""

from __future__ import annotations

from torch import Tensor, nn

from dgcn.models.backbone import Backbone, checked_images, initialise


class WideBlock(nn.Module):
    """Pre-activation block of two 3x3 convolutions.

    Parameters
    ----------
    channels, middle, width : int
        Channels of the input, between the convolutions, and of the output.
    stride : int, default 1
        Stride of the first convolution and of the shortcut.
    dilations : tuple of int, default (1, 1)
        Dilation of the two convolutions.
    """

    def __init__(
        self,
        channels: int,
        middle: int,
        width: int,
        stride: int = 1,
        dilations: tuple[int, int] = (1, 1),
    ) -> None:
        super().__init__()
        first, second = dilations
        self.bn_branch2a = nn.BatchNorm2d(channels)
        self.conv_branch2a = nn.Conv2d(
            channels, middle, 3, stride, padding=first, dilation=first, bias=False
        )
        self.bn_branch2b1 = nn.BatchNorm2d(middle)
        self.conv_branch2b1 = nn.Conv2d(
            middle, width, 3, padding=second, dilation=second, bias=False
        )
        self.conv_branch1 = _projection(channels, width, stride)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """The block's output, and its input normalised and rectified."""
        active = self.bn_branch2a(x).relu()
        y = self.bn_branch2b1(self.conv_branch2a(active)).relu()
        shortcut = x if self.conv_branch1 is None else self.conv_branch1(active)
        return shortcut + self.conv_branch2b1(y), active


class WideBottleneck(nn.Module):
    """Pre-activation block 1x1, dilated 3x3, 1x1, to a quarter, half and all of `width`.

    Parameters
    ----------
    channels, width : int
        Channels of the input and of the output.
    dilation : int
        Dilation of the 3x3 convolution.
    dropout : float
        Probability of dropping an activation before the second and the third convolution.
    """

    def __init__(self, channels: int, width: int, dilation: int, dropout: float) -> None:
        super().__init__()
        quarter, half = width // 4, width // 2
        self.bn_branch2a = nn.BatchNorm2d(channels)
        self.conv_branch2a = nn.Conv2d(channels, quarter, 1, bias=False)
        self.bn_branch2b1 = nn.BatchNorm2d(quarter)
        self.dropout_2b1 = nn.Dropout2d(dropout)
        self.conv_branch2b1 = nn.Conv2d(
            quarter, half, 3, padding=dilation, dilation=dilation, bias=False
        )
        self.bn_branch2b2 = nn.BatchNorm2d(half)
        self.dropout_2b2 = nn.Dropout2d(dropout)
        self.conv_branch2b2 = nn.Conv2d(half, width, 1, bias=False)
        self.conv_branch1 = _projection(channels, width, 1)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """The block's output, and its input normalised and rectified."""
        active = self.bn_branch2a(x).relu()
        y = self.conv_branch2a(active)
        y = self.conv_branch2b1(self.dropout_2b1(self.bn_branch2b1(y).relu()))
        y = self.conv_branch2b2(self.dropout_2b2(self.bn_branch2b2(y).relu()))
        shortcut = x if self.conv_branch1 is None else self.conv_branch1(active)
        return shortcut + y, active


class ResNet38(Backbone):
    """ResNet-38 with the parameter names of the public port of AffinityNet.

    ``conv1a.weight``, ``b2.conv_branch2a.weight``, ``b2_1...``, ``bn7.weight``; the classifier of
    published files (``fc8.*``, ``linear1000.*``) is left out. No convolution has a bias. A stage is
    what the next group of blocks sees: normalised and rectified.

    =====  ==========================  ========  ======  ========
    stage  after blocks                channels  stride  dilation
    =====  ==========================  ========  ======  ========
    0      b2, b2_1, b2_2              128       2       1
    1      b3, b3_1, b3_2              256       4       1
    2      b4, b4_1 ... b4_5           512       8       1
    3      b5, b5_1, b5_2              1024      8       1, then 2
    4      b6, b7 (bottlenecks), bn7   4096      8       4
    =====  ==========================  ========  ======  ========

    The graph's features are the last three stages (5632 channels). Dropout of 0.3 in b6, 0.5 in
    b7, of whole channels. Without weights the convolutions are initialised by He's method.
    """

    channels = (128, 256, 512, 1024, 4096)
    strides = (2, 4, 8, 8, 8)
    taps = (2, 3, 4)
    normalised = True
    left_out = ("fc8.", "linear1000.")

    def __init__(self) -> None:
        super().__init__()
        self.conv1a = nn.Conv2d(3, 64, 3, padding=1, bias=False)
        before = 64
        groups: list[list[str]] = []
        for index, width, count in ((2, 128, 3), (3, 256, 3), (4, 512, 6)):
            blocks = [WideBlock(before, width, width, stride=2)]
            blocks += [WideBlock(width, width, width) for _ in range(1, count)]
            groups.append(self._add(index, blocks))
            before = width
        blocks = [WideBlock(512, 512, 1024, dilations=(1, 2))]
        blocks += [WideBlock(1024, 512, 1024, dilations=(2, 2)) for _ in range(2)]
        groups.append(self._add(5, blocks))
        self.b6 = WideBottleneck(1024, 2048, dilation=4, dropout=0.3)
        self.b7 = WideBottleneck(2048, 4096, dilation=4, dropout=0.5)
        self.bn7 = nn.BatchNorm2d(4096)
        self._groups = (*groups, ["b6", "b7"])
        initialise(self)

    def _add(self, index: int, blocks: list[WideBlock]) -> list[str]:
        """Register blocks as ``b2, b2_1, b2_2 ...`` and return the names."""
        names = [f"b{index}" if n == 0 else f"b{index}_{n}" for n in range(len(blocks))]
        for name, block in zip(names, blocks, strict=True):
            self.add_module(name, block)
        return names

    def forward(self, x: Tensor) -> list[Tensor]:
        """Compute the five stages; see `Backbone.forward`."""
        x = checked_images(x)
        x = self.conv1a(x)
        stages = []
        for group in self._groups:
            for name in group:
                x, active = self.get_submodule(name)(x)
                if name == group[0]:
                    stages.append(active)
        # The first group's input, conv1a, is no stage.
        return [*stages[1:], self.bn7(x).relu()]


def _projection(channels: int, width: int, stride: int) -> nn.Conv2d | None:
    if channels == width and stride == 1:
        return None
    return nn.Conv2d(channels, width, 1, stride, bias=False)
