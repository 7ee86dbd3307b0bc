"""ResNet-18, -50 and -101 at stride 8 (He et al. 2016, arXiv:1512.03385)."""

from __future__ import annotations

from typing import ClassVar

from torch import Tensor, nn

from dgcn.models.backbone import (
    Backbone,
    Holes,
    checked_images,
    checked_output_stride,
    initialise,
    on_grid,
)


class BasicBlock(nn.Module):
    """Two 3x3 convolutions beside a shortcut.

    Parameters
    ----------
    channels : int
        Input channels.
    width : int
        Output channels.
    stride : int
        Stride of the first convolution and of the shortcut.
    dilations : tuple of int
        Dilation of the strided convolution, and of what follows it.
    """

    expansion = 1

    def __init__(self, channels: int, width: int, stride: int, dilations: tuple[int, int]) -> None:
        super().__init__()
        first, second = dilations
        self.conv1 = _conv(channels, width, 3, stride, first)
        self.bn1 = nn.BatchNorm2d(width)
        self.relu = nn.ReLU()
        self.conv2 = _conv(width, width, 3, 1, second)
        self.bn2 = nn.BatchNorm2d(width)
        self.downsample = _shortcut(channels, width, stride)

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, channels, h, w) to (B, width, h / stride, w / stride)."""
        y = self.relu(self.bn1(self.conv1(x)))
        y = self.bn2(self.conv2(y))
        result: Tensor = self.relu(y + self.downsample(x))
        return result


class Bottleneck(nn.Module):
    """1x1 to `width` channels, 3x3, 1x1 to four times as many, beside a shortcut.

    The stride is that of the 3x3 convolution ("v1.5", as in torchvision).

    Parameters
    ----------
    channels, width, stride, dilations
        As `BasicBlock`; there is one dilated convolution, the strided one.
    """

    expansion = 4

    def __init__(self, channels: int, width: int, stride: int, dilations: tuple[int, int]) -> None:
        super().__init__()
        wide = width * self.expansion
        self.conv1 = _conv(channels, width, 1, 1, 1)
        self.bn1 = nn.BatchNorm2d(width)
        self.conv2 = _conv(width, width, 3, stride, dilations[0])
        self.bn2 = nn.BatchNorm2d(width)
        self.conv3 = _conv(width, wide, 1, 1, 1)
        self.bn3 = nn.BatchNorm2d(wide)
        self.relu = nn.ReLU()
        self.downsample = _shortcut(channels, wide, stride)

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, channels, h, w) to (B, 4 width, h / stride, w / stride)."""
        y = self.relu(self.bn1(self.conv1(x)))
        y = self.relu(self.bn2(self.conv2(y)))
        y = self.bn3(self.conv3(y))
        result: Tensor = self.relu(y + self.downsample(x))
        return result


class ResNet(Backbone):
    """A residual network whose last two groups of blocks keep the resolution.

    Parameters have torchvision's names (``conv1.weight``, ``layer1.0.conv1.weight`` ...); the
    classifier ``fc.*`` of published files is left out. ``layer3`` and ``layer4`` have stride 1 and
    "holes" in place of it (Chen et al. 2018, DeepLab): what follows a removed stride is dilated by
    2, respectively 4, so that every second, respectively fourth cell has exactly the value that
    the classification network computes there.

    =====  =======  ====================  ======
    stage  after    channels (18; others)  stride
    =====  =======  ====================  ======
    0      conv1    64                    2
    1      layer1   64; 256               4
    2      layer2   128; 512              8
    3      layer3   256; 1024             8
    4      layer4   512; 2048             8
    =====  =======  ====================  ======

    The graph's features are layer1 and layer3, as in the authors' script for ResNet-101 (1280
    channels). Without weights the convolutions are initialised by He's method.

    Parameters
    ----------
    output_stride : {8, 16}, default 8
        16: `layer3` keeps its stride; stages 3 and 4 are computed at stride 16 and resized.
    """

    strides = (2, 4, 8, 8, 8)
    taps = (1, 3)
    normalised = True
    left_out = ("fc.",)
    output_strides = (8, 16)

    block: ClassVar[type[BasicBlock] | type[Bottleneck]]
    depths: ClassVar[tuple[int, int, int, int]]

    def __init__(self, output_stride: int = 8) -> None:
        super().__init__()
        holes = Holes(4, checked_output_stride(type(self), output_stride))
        self.conv1 = nn.Conv2d(3, 64, 7, stride=2, padding=3, bias=False)
        self.bn1 = nn.BatchNorm2d(64)
        self.relu = nn.ReLU()
        self.maxpool = nn.MaxPool2d(3, 2, padding=1)
        self.layer1 = self._layer(64, 64, 0, *holes.step(1))
        wide = self.block.expansion
        self.layer2 = self._layer(64 * wide, 128, 1, *holes.step(2))
        self.layer3 = self._layer(128 * wide, 256, 2, *holes.step(2))
        self.layer4 = self._layer(256 * wide, 512, 3, *holes.step(2))
        initialise(self)

    def _layer(
        self, channels: int, width: int, index: int, stride: int, dilations: tuple[int, int]
    ) -> nn.Sequential:
        """Blocks of one width; `dilations` are those before and after the stride."""
        blocks = [self.block(channels, width, stride, dilations)]
        channels = width * self.block.expansion
        after = dilations[1]
        blocks += [
            self.block(channels, width, 1, (after, after)) for _ in range(1, self.depths[index])
        ]
        return nn.Sequential(*blocks)

    def forward(self, x: Tensor) -> list[Tensor]:
        """Compute the five stages; see `Backbone.forward`."""
        x = checked_images(x)
        stages = [self.relu(self.bn1(self.conv1(x)))]
        x = self.maxpool(stages[0])
        for layer in (self.layer1, self.layer2, self.layer3, self.layer4):
            x = layer(x)
            stages.append(x)
        return on_grid(stages, 2)


class ResNet18(ResNet):
    """ResNet-18: 11,176,512 parameters; see `ResNet`."""

    channels = (64, 64, 128, 256, 512)
    block = BasicBlock
    depths = (2, 2, 2, 2)


class ResNet50(ResNet):
    """ResNet-50: 23,508,032 parameters; see `ResNet`."""

    channels = (64, 256, 512, 1024, 2048)
    block = Bottleneck
    depths = (3, 4, 6, 3)


class ResNet101(ResNet):
    """ResNet-101: 42,500,160 parameters; see `ResNet`."""

    channels = (64, 256, 512, 1024, 2048)
    block = Bottleneck
    depths = (3, 4, 23, 3)


def _conv(channels: int, width: int, kernel: int, stride: int, dilation: int) -> nn.Conv2d:
    padding = dilation * (kernel // 2)
    return nn.Conv2d(channels, width, kernel, stride, padding, dilation, bias=False)


def _shortcut(channels: int, width: int, stride: int) -> nn.Sequential:
    """The identity where shapes allow it, as an empty sequence: it adds no names."""
    if stride == 1 and channels == width:
        return nn.Sequential()
    return nn.Sequential(_conv(channels, width, 1, stride, 1), nn.BatchNorm2d(width))
