"""The networks."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from dgcn.config.checks import require


@dataclass
class ModelConfig:
    """The backbone, shared by the classifier and the segmentation network.

    Attributes
    ----------
    backbone : {"squeezenet", "small"}, default "squeezenet"
        "squeezenet": SqueezeNet 1.1, to be started from ImageNet weights. "small": a few 100k
        parameters with batch normalisation, trained from scratch.
    weights : Path or None, default None
        .safetensors or .pth file of backbone weights. None: random initialisation.
    dilation : int, default 12
        Dilation of the segmentation network's last convolution, in cells; 12 suits a grid of
        41 x 41, 6 one of 21 x 21.
    """

    backbone: Literal["squeezenet", "small"] = "squeezenet"
    weights: Path | None = None
    dilation: int = 12

    def check(self) -> None:
        """Raise `ValueError` or `FileNotFoundError` for the first unsuitable field."""
        require("model", self, "dilation", self.dilation >= 1, ">= 1")
        if self.weights is not None and not self.weights.is_file():
            raise FileNotFoundError(f"model.weights: no such file: {self.weights}")
