"""Supervision by the network's own opinion among the image's classes: what a cut adds to."""

# Without `from __future__ import annotations`, see feature_graph.py.
from dataclasses import dataclass

import torch
from torch import Tensor

from dgcn.checks import require
from dgcn.supervision.base import Inputs
from dgcn.supervision.probabilities import Unary, among_image_labels, crf_marginals
from dgcn.supervision.schedule import Scheduled


@dataclass(frozen=True)
class MostProbable(Scheduled):
    """The most probable of the image's classes where it is probable enough, elsewhere the cue.

    The control of the cuts: the same probabilities and the same threshold without a graph. A cue
    always stays.
    """

    theta: float = 0.7
    """A label is accepted where the network's probability of it exceeds this."""
    image_labels_only: bool = True
    """Whether probabilities are taken over the image's labels alone."""
    unary: Unary = "network"
    """Whose probabilities these are: the network's, or the CRF's marginals ("crf")."""

    def __post_init__(self) -> None:
        super().__post_init__()
        require(self, "theta", 0 <= self.theta <= 1, "in [0, 1]")

    @property
    def reads_marginals(self) -> bool:
        """Whether it goes by the CRF."""
        return self.unary == "crf"

    def labels(self, step: Inputs) -> Tensor:
        """Labels of a batch; see `Supervision`."""
        probabilities, _, cues, present, marginals = step
        if self.unary == "crf":
            probabilities = crf_marginals(marginals, probabilities, 'unary "crf"')
        p = among_image_labels(probabilities, present, self.image_labels_only)
        best, label = p.masked_fill(~present[:, :, None, None], -1.0).max(1, keepdim=True)
        guessed = torch.zeros_like(cues).scatter_(1, label, best > self.theta)
        return torch.where(cues.any(1, keepdim=True), cues, guessed)
