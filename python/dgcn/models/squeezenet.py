"""SqueezeNet 1.1 at stride 8 (Iandola et al. 2016, arXiv:1602.07360)."""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import Tensor, nn

from dgcn.models.backbone import Backbone, checked_images, initialise


class Fire(nn.Module):
    """Squeeze to a few channels by 1x1, expand by 1x1 and 3x3 side by side.

    Parameters
    ----------
    channels : int
        Input channels.
    squeeze : int
        Channels in between.
    expand : int
        Channels of each of the two expansions; the output has twice as many.
    dilation : int, default 1
        Dilation of the 3x3 convolution.
    """

    def __init__(self, channels: int, squeeze: int, expand: int, dilation: int = 1) -> None:
        super().__init__()
        self.squeeze = nn.Conv2d(channels, squeeze, 1)
        self.expand1x1 = nn.Conv2d(squeeze, expand, 1)
        self.expand3x3 = nn.Conv2d(squeeze, expand, 3, padding=dilation, dilation=dilation)

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, channels, h, w) to (B, 2 expand, h, w)."""
        x = self.squeeze(x).relu()
        return torch.cat([self.expand1x1(x), self.expand3x3(x)], 1).relu()


class SqueezeNet(Backbone):
    """SqueezeNet 1.1 whose last pooling keeps the resolution.

    Parameters have torchvision's names (``features.0.weight`` ... ``features.12.*``), so that its
    ImageNet weights load unchanged. Two things differ from the classification network: the third
    pooling has stride 1 and the 3x3 convolutions after it are dilated by 2 (Chen et al. 2015,
    DeepLab); and the strided layers are padded by 1, which puts the cells' centres on the pixels
    0, 8, 16, ... (a 321 pixel side gives 41 cells).

    =====  ==================  ========  ======
    stage  after               channels  stride
    =====  ==================  ========  ======
    0      features.1, conv1   64        2
    1      features.4, fire3   128       4
    2      features.7, fire5   256       8
    3      features.10, fire7  384       8
    4      features.12, fire9  512       8
    =====  ==================  ========  ======

    Without weights the convolutions are initialised by He's method, biases with 0.
    """

    channels = (64, 128, 256, 384, 512)
    strides = (2, 4, 8, 8, 8)
    taps = (2, 3, 4)
    normalised = False
    left_out = ("classifier.",)

    _ends: ClassVar[frozenset[int]] = frozenset((1, 4, 7, 10, 12))

    def __init__(self) -> None:
        super().__init__()
        self.features = nn.Sequential(
            nn.Conv2d(3, 64, 3, stride=2, padding=1),
            nn.ReLU(),
            nn.MaxPool2d(3, 2, padding=1),
            Fire(64, 16, 64),
            Fire(128, 16, 64),
            nn.MaxPool2d(3, 2, padding=1),
            Fire(128, 32, 128),
            Fire(256, 32, 128),
            nn.MaxPool2d(3, 1, padding=1),
            Fire(256, 48, 192, dilation=2),
            Fire(384, 48, 192, dilation=2),
            Fire(384, 64, 256, dilation=2),
            Fire(512, 64, 256, dilation=2),
        )
        initialise(self)

    def forward(self, x: Tensor) -> list[Tensor]:
        """Compute the five stages; see `Backbone.forward`."""
        x = checked_images(x)
        stages = []
        for index, layer in enumerate(self.features):
            x = layer(x)
            if index in self._ends:
                stages.append(x)
        return stages
