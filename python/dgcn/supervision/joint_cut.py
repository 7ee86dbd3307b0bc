"""Supervision by one labelling of all of an image's classes at once, the background among them."""

from dataclasses import dataclass

import torch
from torch import Tensor

import graphcut_ext as gx
from dgcn.supervision.base import Inputs
from dgcn.supervision.feature_graph import CutGraph
from dgcn.supervision.probabilities import FLOOR, among_image_labels


@dataclass(frozen=True)
class JointCut(CutGraph):
    """A multi-label cut in place of the paper's independent binary ones; ours.

    The cells of an image are labelled with its classes and the background so that ::

        sum_u cost(u, l_u)  +  sum over edges (u, v) of weight [l_u != l_v]

    is low, by expansion moves (Boykov, Veksler and Zabih 2001): exact for one class against the
    background. cost(u, c) is -log10 of the network's probability of c; at a cue of c it is 0 for c
    and the cue's capacity for every other class. A cell is supervised as the label it gets where
    the probability of that exceeds `theta`; everywhere else its cue stays.
    """

    image_labels_only: bool = True
    """Whether probabilities are taken over the image's labels alone."""

    def labels(self, step: Inputs) -> Tensor:
        """Labels of a batch; see `Supervision`. `k` must be below the number of cells."""
        probabilities, features, cues, present, _ = step
        indices, weights = self.edges(features)
        p = among_image_labels(probabilities, present, self.image_labels_only).flatten(
            2
        )  # (B, L, N)
        cued = cues.flatten(2)
        costs = label_costs(p, cued, self.capacity_of_cues(indices, weights))
        labels = torch.stack(
            [
                _labelled(*item)
                for item in zip(
                    indices.cpu(), weights.cpu(), costs.cpu(), present.cpu(), strict=True
                )
            ]
        ).to(cues.device)  # (B, N)
        grown = torch.zeros_like(cued).scatter_(1, labels[:, None], True)
        accepted = p.gather(1, labels[:, None]) > self.theta
        return torch.where(accepted, grown, cued).view_as(cues)


def label_costs(p: Tensor, cues: Tensor, cue_capacity: Tensor) -> Tensor:
    """Costs (B, L, N) of every class at every cell.

    Parameters
    ----------
    p : Tensor, shape (B, L, N)
    cues : Tensor of bool, shape (B, L, N)
    cue_capacity : Tensor, shape (B, 1, 1)
        Cost of another class at a cue.
    """
    costs = -torch.log10(p.clamp(FLOOR, 1.0))
    at_cue = torch.where(cues, torch.zeros_like(costs), cue_capacity)
    return torch.where(cues.any(1, keepdim=True), at_cue, costs)


def _labelled(indices: Tensor, weights: Tensor, costs: Tensor, present: Tensor) -> Tensor:
    """Class ids (N,) of one image; edges (N, K), costs (L, N), present (L,)."""
    classes = present.bool().nonzero().flatten()
    joined = indices >= 0
    ends = torch.stack([torch.arange(len(indices))[:, None].expand_as(indices), indices])
    found = gx.alpha_expansion(ends[:, joined], costs[classes].T.contiguous(), weights[joined])
    return classes[found.labels]
