"""A small network that learns from a few hundred images on a CPU."""

from __future__ import annotations

from torch import Tensor, nn

from dgcn.models.backbone import Backbone, checked_images


class SmallNet(Backbone):
    """Five stages of convolutions with batch normalisation, to be trained from scratch.

    The first three stages halve the resolution, so that a 321 pixel side gives 41 cells, a 161
    pixel side 21. The last stage looks no further around than the one before it: a cell sees 55
    pixels, which keeps the activation maps of a classifier on the object.

    =====  ============  ========  ======
    stage  convolutions  channels  stride
    =====  ============  ========  ======
    0      3x3           16        2
    1      3x3, 3x3      32        4
    2      3x3, 3x3      64        8
    3      3x3           128       8
    4      1x1, 1x1      192       8
    =====  ============  ========  ======

    206,160 parameters. He initialisation; normalisation starts as the identity. A rate of 0.05 for
    stochastic gradient descent suits it, ten times that for new layers.
    """

    channels = (16, 32, 64, 128, 192)
    strides = (2, 4, 8, 8, 8)
    taps = (2, 3, 4)
    normalised = True

    def __init__(self) -> None:
        super().__init__()
        kernels = ((3,), (3, 3), (3, 3), (3,), (1, 1))
        stages, before, reached = [], 3, 1
        for channels, stride, sizes in zip(self.channels, self.strides, kernels, strict=True):
            stages.append(_stage(before, channels, sizes, stride // reached))
            before, reached = channels, stride
        self.stages = nn.ModuleList(stages)

    def forward(self, x: Tensor) -> list[Tensor]:
        """Compute the five stages; see `Backbone.forward`."""
        x = checked_images(x)
        outputs = []
        for stage in self.stages:
            x = stage(x)
            outputs.append(x)
        return outputs


def _stage(before: int, channels: int, kernels: tuple[int, ...], stride: int) -> nn.Sequential:
    """Convolutions of these kernel sizes, the first one strided."""
    layers: list[nn.Module] = []
    for index, kernel in enumerate(kernels):
        convolution = nn.Conv2d(
            channels if index else before,
            channels,
            kernel,
            stride=1 if index else stride,
            padding=kernel // 2,
            bias=False,
        )
        nn.init.kaiming_normal_(convolution.weight, nonlinearity="relu")
        layers += [convolution, nn.BatchNorm2d(channels), nn.ReLU()]
    return nn.Sequential(*layers)
