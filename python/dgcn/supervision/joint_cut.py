"""Supervision by one labelling of all of an image's classes at once, the background among them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

import graphcut_ext as gx
from dgcn.supervision.base import Refined, check_shapes, refuse_double_cues
from dgcn.supervision.belief import FLOOR, Belief, believed
from dgcn.supervision.links import Links, Neighbourhood, Normalisation, Weighting, seed_capacity


@dataclass(frozen=True)
class JointCutSupervision:
    """A multi-label cut in place of the paper's independent binary ones; ours.

    The positions of an image are labelled with its classes and the background so that ::

        sum_u cost(u, l_u)  +  sum over links (u, v) of weight [l_u != l_v]

    is low, by expansion moves (Boykov, Veksler and Zabih 2001): exact for one class against the
    background. cost(u, c) is -log10 of the network's probability of c; at a cue of c it is 0 for c
    and the seed's capacity for every other class. A position is supervised as the label it gets
    where the probability of that exceeds `theta`; everywhere else its cue stays.

    Parameters
    ----------
    k, n_links, sigma2, spatial, spatial_weight, normalise
        As in `dgcn.supervision.links.Links`.
    theta : float, default 0.7
        Probability above which a label is accepted.
    seeds, seed_weight
        As in `dgcn.supervision.graph_cut.GraphCutSupervision`.
    belief : {"all", "present"}, default "present"
        Probabilities of the costs and of the threshold: over all classes, or over the image's.
    """

    k: int = 9
    theta: float = 0.7
    n_links: Weighting = "unit"
    sigma2: float | None = None
    seeds: Literal["soft", "hard"] = "soft"
    seed_weight: float = 10.0
    belief: Belief = "present"
    spatial: Neighbourhood = 0
    spatial_weight: float = 1.0
    normalise: Normalisation = "none"

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
            As `dgcn.supervision.graph_cut.GraphCutSupervision`.
        """
        check_shapes(probabilities, features, cues, present)
        refuse_double_cues(cues)
        links = Links(
            self.k, self.n_links, self.sigma2, self.spatial, self.spatial_weight, self.normalise
        )
        indices, weights = links(features)
        belief = believed(probabilities, present, self.belief).flatten(2)  # (B, L, N)
        cued = cues.flatten(2)
        soft = self.seed_weight if self.seeds == "soft" else None
        costs = label_costs(belief, cued, seed_capacity(indices, weights, soft))
        labels = torch.stack(
            [
                _labelled(*item)
                for item in zip(
                    indices.cpu(), weights.cpu(), costs.cpu(), present.cpu(), strict=True
                )
            ]
        ).to(cues.device)  # (B, N)
        grown = torch.zeros_like(cued).scatter_(1, labels[:, None], True)
        accepted = belief.gather(1, labels[:, None]) > self.theta
        return torch.where(accepted, grown, cued).view_as(cues)


def label_costs(belief: Tensor, cues: Tensor, seed: Tensor) -> Tensor:
    """Costs (B, L, N) of every class at every position.

    Parameters
    ----------
    belief : Tensor, shape (B, L, N)
    cues : Tensor of bool, shape (B, L, N)
    seed : Tensor, shape (B, 1, 1)
        Cost of another class at a cue.
    """
    costs = -torch.log10(belief.clamp(FLOOR, 1.0))
    at_cue = torch.where(cues, torch.zeros_like(costs), seed)
    return torch.where(cues.any(1, keepdim=True), at_cue, costs)


def _labelled(indices: Tensor, weights: Tensor, costs: Tensor, present: Tensor) -> Tensor:
    """Class ids (N,) of one image; links (N, K), costs (L, N), present (L,)."""
    classes = present.bool().nonzero().flatten()
    linked = indices >= 0
    ends = torch.stack([torch.arange(len(indices))[:, None].expand_as(indices), indices])
    found = gx.alpha_expansion(ends[:, linked], costs[classes].T.contiguous(), weights[linked])
    return classes[found.labels]
