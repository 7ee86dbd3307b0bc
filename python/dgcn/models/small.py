"""A small network that learns from a few hundred images on a CPU."""

from __future__ import annotations

from torch import Tensor, nn

from dgcn.models.backbone import Backbone, check_images


class SmallNet(Backbone):
    """Five stages of 3x3 convolutions with batch normalisation, to be trained from scratch.

    The first three stages halve the resolution; the fourth and the fifth keep it and are dilated by
    2, so that a 321 pixel side gives 41 cells, a 161 pixel side 21.

    =====  ============  ========  ======  ========
    stage  convolutions  channels  stride  dilation
    =====  ============  ========  ======  ========
    0      1             16        2       1
    1      2             32        4       1
    2      2             64        8       1
    3      1             96        8       2
    4      2             128       8       2
    =====  ============  ========  ======  ========

    384,016 parameters. He initialisation; normalisation starts as the identity.
    """

    channels = (16, 32, 64, 96, 128)
    strides = (2, 4, 8, 8, 8)
    taps = (2, 3, 4)
    normalised = True

    def __init__(self) -> None:
        super().__init__()
        depths, dilations = (1, 2, 2, 1, 2), (1, 1, 1, 2, 2)
        stages, before, stride = [], 3, 1
        for channels, depth, dilation, reached in zip(
            self.channels, depths, dilations, self.strides, strict=True
        ):
            stages.append(_stage(before, channels, depth, reached // stride, dilation))
            before, stride = channels, reached
        self.stages = nn.ModuleList(stages)

    def forward(self, x: Tensor) -> list[Tensor]:
        """Compute the five stages; see `Backbone.forward`."""
        check_images(x)
        outputs = []
        for stage in self.stages:
            x = stage(x)
            outputs.append(x)
        return outputs


def _stage(before: int, channels: int, depth: int, stride: int, dilation: int) -> nn.Sequential:
    layers: list[nn.Module] = []
    for index in range(depth):
        convolution = nn.Conv2d(
            channels if index else before,
            channels,
            3,
            stride=1 if index else stride,
            padding=dilation,
            dilation=dilation,
            bias=False,
        )
        nn.init.kaiming_normal_(convolution.weight, nonlinearity="relu")
        layers += [convolution, nn.BatchNorm2d(channels), nn.ReLU()]
    return nn.Sequential(*layers)
