"""Prediction and evaluation."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

from dgcn.checks import require, require_at_least, require_scales


@dataclass(frozen=True)
class EvaluateConfig:
    """Prediction and evaluation."""

    split: Literal["val", "train"] = "val"
    """Images to predict and to evaluate on."""
    network: Literal["trained", "retrained"] = "trained"
    """The network trained on rebuilt supervision, or the one retrained on its masks."""
    checkpoint: Literal["last", "best"] = "last"
    """"best": highest validation mIoU where it was measured, else lowest training loss."""
    scales: tuple[float, ...] = (0.75, 1.0, 1.25)
    """Factors on data.size; logits of all scales are summed at image size."""
    crf: bool = True
    """Whether the probabilities are refined by the CRF at image size."""
    classifier: bool = False
    """Whether the image classifier decides between the classes of an object, before the CRF: their
    probabilities are multiplied by its own, and an object stays as likely as it was. The objects
    lose to the background as far as the classifier sees none at all in the image."""
    contrast: bool = False
    """Whether the odds of objects at a pixel go with its local contrast, before the CRF: for
    objects on a texture that are thinner than the grid's cells. It suits one scale:
    the sum of several makes the network surer than the contrast."""
    logit_adjustment: Literal["auto"] | tuple[float, ...] = ()
    """What the logits are lowered by, at every scale: one number a class, the background first.
    "auto": by what the balanced loss raises those of small objects, the log of how many cues of the
    background go with one of the class. Empty: by nothing, which suits objects that fill a good
    part of the image."""
    pictures: int = 6
    """Rows of the contact sheet; 0: no sheet."""

    def __post_init__(self) -> None:
        require_scales(self, "scales")
        require_at_least(self, 0, "pictures")
        given = self.logit_adjustment
        finite = given == "auto" or all(map(math.isfinite, given))
        require(self, "logit_adjustment", finite, "'auto' or finite numbers")
