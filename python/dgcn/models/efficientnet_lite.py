"""EfficientNet-Lite0 at stride 8 (Tan and Le 2019, arXiv:1905.11946, without squeeze-excite)."""

from __future__ import annotations

from types import MappingProxyType
from typing import ClassVar, NamedTuple

from torch import Tensor, nn

from dgcn.models.backbone import (
    Backbone,
    Holes,
    checked_images,
    checked_output_stride,
    initialise,
    on_grid,
)
from dgcn.models.depthwise import DepthwiseConv2d
from dgcn.models.inputs import Restandardise

MEAN = (127 / 255, 127 / 255, 127 / 255)
STD = (128 / 255, 128 / 255, 128 / 255)


class Group(NamedTuple):
    """Blocks of one width, as in the published table."""

    blocks: int
    kernel: int
    expansion: int
    width: int
    stride: int = 1
    """Of the first block."""


class MBConv(nn.Module):
    """Inverted residual: 1x1 to more channels, one filter a channel, 1x1 to `width` channels.

    ReLU6 follows the first two, nothing the last. Where shapes allow it the input is added.

    Parameters
    ----------
    channels : int
        Input channels.
    width : int
        Output channels.
    expansion : int
        Channels in between, over `channels`; 1: there is no first convolution.
    kernel : int
        Side of the depthwise convolution, odd.
    stride, dilation : int
        Of the depthwise convolution.
    """

    def __init__(
        self, channels: int, width: int, expansion: int, kernel: int, stride: int, dilation: int
    ) -> None:
        super().__init__()
        wide = channels * expansion
        self.adds = stride == 1 and channels == width
        if expansion > 1:
            self._expand_conv = nn.Conv2d(channels, wide, 1, bias=False)
            self._bn0 = _norm(wide)
        self._depthwise_conv = DepthwiseConv2d(wide, kernel, stride, dilation)
        self._bn1 = _norm(wide)
        self._project_conv = nn.Conv2d(wide, width, 1, bias=False)
        self._bn2 = _norm(width)
        self._relu6 = nn.ReLU6()
        self.expands = expansion > 1

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, channels, h, w) to (B, width, h / stride, w / stride)."""
        y = self._relu6(self._bn0(self._expand_conv(x))) if self.expands else x
        y = self._relu6(self._bn1(self._depthwise_conv(y)))
        result: Tensor = self._bn2(self._project_conv(y))
        return x + result if self.adds else result


class EfficientNetLite0(Backbone):
    """EfficientNet-Lite0 whose last two strides are removed, or the last alone.

    Parameters have the names of the published PyTorch files (``_conv_stem.weight``,
    ``_blocks.0._depthwise_conv.weight`` ... ``_bn1.bias``); the classifier ``_fc.*`` is left out.
    What follows a removed stride is dilated by 2, respectively 4, so that every second,
    respectively fourth cell has exactly the value that the classification network computes there.
    With ``output_stride=16`` stages 3 and 4 are computed at stride 16 and resized: a training step
    takes about a third of the time.

    Parameters
    ----------
    output_stride : {8, 16}, default 8
        Stride at which the last stages are computed.

    =====  ======================  ========  ======
    stage  after                   channels  stride
    =====  ======================  ========  ======
    0      _blocks.0               16        2
    1      _blocks.2               24        4
    2      _blocks.4               40        8
    3      _blocks.10              112       8
    4      _conv_head, ReLU6       1280      8
    =====  ======================  ========  ======

    3,371,008 parameters. Without weights the convolutions are initialised by He's method.

    Notes
    -----
    The published network wants (RGB - 127) / 128; images standardised as for every other backbone
    are brought to that first. Its padding is TensorFlow's "same". On odd sides, as all of an image
    of side 8 n + 1 are, that is half the kernel on each side, which is what is done here always:
    cells stay centred on the pixels 0, 8, 16, ... on even sides too.
    """

    channels = (16, 24, 40, 112, 1280)
    strides = (2, 4, 8, 8, 8)
    taps = (2, 3, 4)
    normalised = True
    left_out = ("_fc.",)
    gains_in_bf16 = False
    output_strides = (8, 16)
    # At the defaults, 1e-3 and 10, it names no class after an epoch (docs/results.md).
    rates = MappingProxyType({"classify.lr": 3e-3, "classify.head_lr_factor": 30})
    chain = MappingProxyType(
        {
            "classify.frozen": True,
            "cues.scales": [1.0, 1.5],
            "train.init": "classifier_and_head",
            "model.output_stride": 16,
        }
    )

    groups: ClassVar[tuple[Group, ...]] = (
        Group(1, 3, 1, 16),
        Group(2, 3, 6, 24, stride=2),
        Group(2, 5, 6, 40, stride=2),
        Group(3, 3, 6, 80, stride=2),
        Group(3, 5, 6, 112),
        Group(4, 5, 6, 192, stride=2),
        Group(1, 3, 6, 320),
    )
    _ends: ClassVar[frozenset[int]] = frozenset((0, 2, 4, 10))

    def __init__(self, output_stride: int = 8) -> None:
        super().__init__()
        holes = Holes(2, checked_output_stride(type(self), output_stride))
        self._input = Restandardise(MEAN, STD)
        self._conv_stem = nn.Conv2d(3, 32, 3, stride=2, padding=1, bias=False)
        self._bn0 = _norm(32)
        blocks, before = [], 32
        for group in self.groups:
            stride, dilations = holes.step(group.stride)
            for index in range(group.blocks):
                blocks.append(
                    MBConv(
                        before,
                        group.width,
                        group.expansion,
                        group.kernel,
                        1 if index else stride,
                        dilations[min(index, 1)],
                    )
                )
                before = group.width
        self._blocks = nn.ModuleList(blocks)
        self._conv_head = nn.Conv2d(before, 1280, 1, bias=False)
        self._bn1 = _norm(1280)
        self._relu6 = nn.ReLU6()
        initialise(self)

    def forward(self, x: Tensor) -> list[Tensor]:
        """Compute the five stages; see `Backbone.forward`."""
        x = self._input(checked_images(x))
        x = self._relu6(self._bn0(self._conv_stem(x)))
        stages = []
        for index, block in enumerate(self._blocks):
            x = block(x)
            if index in self._ends:
                stages.append(x)
        stages.append(self._relu6(self._bn1(self._conv_head(x))))
        return on_grid(stages, 2)


def _norm(channels: int) -> nn.BatchNorm2d:
    """Batch normalisation with the published epsilon; momentum 0.01, TensorFlow's 0.99."""
    return nn.BatchNorm2d(channels, eps=1e-3, momentum=0.01)
