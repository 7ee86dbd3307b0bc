"""The networks."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from dgcn.checks import require, require_at_least, require_file
from dgcn.models import HeadKind, find_backbone


@dataclass(frozen=True)
class ModelConfig:
    """The backbone of the segmentation network, and its head.

    The classifier has the same backbone, unless `classify.backbone` names another.
    """

    backbone: str = "squeezenet"
    """squeezenet, efficientnet_lite0, small, vgg16, resnet18, resnet50, resnet101, resnet38,
    timm:NAME for a network of the timm package, or a class of your own as package.module:Class.
    "small" has a few 100k parameters with batch normalisation and is trained from scratch; the
    others are to be started from ImageNet weights."""
    weights: Path | None = None
    """.safetensors or .pth file of backbone weights. None: random initialisation."""
    batch_norm: Literal["auto", "train", "frozen"] = "auto"
    """"frozen": the backbone's batch normalisation keeps its statistics, scales and offsets; for
    small batches. "auto": frozen where weights are given."""
    head: HeadKind | None = None
    """What the segmentation network puts on the backbone: "conv", one dilated 3x3 convolution;
    "largefov", the same to 1024 channels and two 1x1 convolutions; "aspp", the sum of four branches
    of different dilation. None: "aspp" on vgg16 (with hidden layers, as DSRG), "conv" elsewhere."""
    dilation: int = 12
    """Dilation of the head's 3x3 convolution, in cells; 12 suits a grid of 41 x 41, 6 one of
    21 x 21. The branches of "aspp" have 1/2, 1, 3/2 and 2 times as much."""

    output_stride: Literal[8, 16] = 8
    """Stride in pixels at which the segmentation network computes its last stages; 16 takes about a
    third of the time. The grid has stride 8 in either case. efficientnet_lite0 and resnet* have
    both, the others 8 alone."""
    taps: tuple[int, ...] | None = None
    """Stages of the segmentation network whose features make the neighbour graph, from 0. None: the
    backbone's own, see docs/training.md."""

    def __post_init__(self) -> None:
        require_at_least(self, 1, "dilation")
        backbone = find_backbone(self.backbone)
        stages = len(backbone.channels)
        known = self.taps is None or (
            len(self.taps) > 0 and all(0 <= tap < stages for tap in self.taps)
        )
        require(self, "taps", known, f"None or stages of {self.backbone}, 0 to {stages - 1}")
        strides = backbone.output_strides
        known = self.output_stride in strides
        wanted = f"{' or '.join(map(str, strides))} for {self.backbone}"
        require(self, "output_stride", known, wanted)
        head = self.head or backbone.head
        even = head != "aspp" or self.dilation % 2 == 0
        require(self, "dilation", even, "even for the head 'aspp'")
        require_file(self, "weights")

    @property
    def freezes_norm(self) -> bool:
        """Whether the backbone's batch normalisation is frozen in training."""
        if self.batch_norm == "auto":
            return self.weights is not None
        return self.batch_norm == "frozen"
