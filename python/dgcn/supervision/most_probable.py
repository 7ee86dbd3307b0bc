"""Supervision by the network's own opinion among the image's classes: what a cut adds to."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from dgcn.supervision.base import Refined, check_shapes, refuse_double_cues
from dgcn.supervision.belief import Belief, believed


@dataclass(frozen=True)
class MostProbableSupervision:
    """The most probable of the image's classes where it is probable enough, elsewhere the cue.

    The control of the cuts: the same probabilities and the same threshold without a graph.

    Parameters
    ----------
    theta : float, default 0.7
        Probability above which a label is accepted; a cue always stays.
    belief : {"all", "present"}, default "present"
        As `dgcn.supervision.graph_cut.GraphCutSupervision`.
    """

    theta: float = 0.7
    belief: Belief = "present"

    @torch.no_grad()
    def __call__(
        self,
        probabilities: Tensor,
        features: Tensor,
        cues: Tensor,
        present: Tensor,
        refined: Refined | None = None,
    ) -> Tensor:
        """Supervision of a batch; as `dgcn.supervision.base.Supervision`.

        Raises
        ------
        ValueError
            A shape does not fit, or a position has cues of two classes.
        """
        check_shapes(probabilities, features, cues, present)
        refuse_double_cues(cues)
        belief = believed(probabilities, present, self.belief)
        best, label = belief.masked_fill(~present[:, :, None, None], -1.0).max(1, keepdim=True)
        guessed = torch.zeros_like(cues).scatter_(1, label, best > self.theta)
        return torch.where(cues.any(1, keepdim=True), cues, guessed)
