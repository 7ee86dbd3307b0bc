"""Prediction and evaluation."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from dgcn.config.checks import require


@dataclass
class EvaluateConfig:
    """Prediction and evaluation.

    Attributes
    ----------
    split : {"val", "train"}, default "val"
        Images to predict and to evaluate on.
    network : {"trained", "retrained"}, default "trained"
        The network trained on rebuilt supervision, or the one retrained on its masks.
    checkpoint : {"last", "best"}, default "last"
        "best": highest validation mIoU where it was measured, else lowest training loss.
    scales : tuple of float, default (0.75, 1, 1.25)
        Factors on `data.size`; logits of all scales are summed at image size.
    crf : bool, default True
        Whether the probabilities are refined by the CRF at image size.
    pictures : int, default 6
        Rows of the contact sheet; 0: no sheet.
    """

    split: Literal["val", "train"] = "val"
    network: Literal["trained", "retrained"] = "trained"
    checkpoint: Literal["last", "best"] = "last"
    scales: tuple[float, ...] = (0.75, 1.0, 1.25)
    crf: bool = True
    pictures: int = 6

    def check(self) -> None:
        """Raise `ValueError` for the first field out of range."""
        valid = len(self.scales) > 0 and all(0.1 <= scale <= 10 for scale in self.scales)
        require("evaluate", self, "scales", valid, "one or more factors in [0.1, 10]")
        require("evaluate", self, "pictures", self.pictures >= 0, ">= 0")
