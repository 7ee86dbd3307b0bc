"""The networks."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from dgcn.config.checks import require


@dataclass
class ModelConfig:
    """The backbone, shared by the classifier and the segmentation network, and the latter's head.

    Attributes
    ----------
    backbone : {"squeezenet", "small", "vgg16", "resnet18", "resnet50", "resnet101", "resnet38"}, \
default "squeezenet"
        "small" has a few 100k parameters with batch normalisation and is trained from scratch; the
        others are to be started from ImageNet weights.
    weights : Path or None, default None
        .safetensors or .pth file of backbone weights. None: random initialisation.
    batch_norm : {"auto", "train", "frozen"}, default "auto"
        "frozen": the backbone's batch normalisation keeps its statistics, scales and offsets; for
        small batches. "auto": frozen where `weights` are given.
    head : {"conv", "largefov", "aspp"} or None, default None
        What the segmentation network puts on the backbone: one dilated 3x3 convolution; the same
        to 1024 channels and two 1x1 convolutions; the sum of four branches of different dilation.
        None: "aspp" on vgg16 (with hidden layers, as DSRG), "conv" on the others.
    dilation : int, default 12
        Dilation of the head's 3x3 convolution, in cells; 12 suits a grid of 41 x 41, 6 one of
        21 x 21. The branches of "aspp" have 1/2, 1, 3/2 and 2 times as much.
    """

    backbone: Literal[
        "squeezenet", "small", "vgg16", "resnet18", "resnet50", "resnet101", "resnet38"
    ] = "squeezenet"
    weights: Path | None = None
    batch_norm: Literal["auto", "train", "frozen"] = "auto"
    head: Literal["conv", "largefov", "aspp"] | None = None
    dilation: int = 12

    def check(self) -> None:
        """Raise `ValueError` or `FileNotFoundError` for the first unsuitable field."""
        require("model", self, "dilation", self.dilation >= 1, ">= 1")
        branches = self.head == "aspp" or (self.head is None and self.backbone == "vgg16")
        even = not branches or self.dilation % 2 == 0
        require("model", self, "dilation", even, "even for the head 'aspp'")
        if self.weights is not None and not self.weights.is_file():
            raise FileNotFoundError(f"model.weights: no such file: {self.weights}")

    @property
    def freezes_norm(self) -> bool:
        """Whether the backbone's batch normalisation is frozen in training."""
        if self.batch_norm == "auto":
            return self.weights is not None
        return self.batch_norm == "frozen"
