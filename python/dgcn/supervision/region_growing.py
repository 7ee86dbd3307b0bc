"""Supervision by growing the cues over connected cells that the network is sure of."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from scipy import ndimage
from torch import Tensor

from dgcn.checks import require
from dgcn.supervision.base import Inputs, Supervision
from dgcn.supervision.probabilities import among_image_labels, crf_marginals

# 8-connected within a map, unconnected from one map of the stack to the next.
_WITHIN_A_MAP = np.stack([np.zeros((3, 3)), np.ones((3, 3)), np.zeros((3, 3))])


@dataclass(frozen=True)
class RegionGrowing(Supervision):
    """Deep seeded region growing of Huang et al. (DSRG, CVPR 2018), the paper's baseline.

    A cell is accepted as the most probable of its image's classes where the CRF's marginal of that
    class exceeds a threshold. Of the cells accepted or cued as c, those that are cues of another
    class excepted, the 8-connected components with a cue of c become supervision of c.
    """

    foreground: float = 0.85
    """Threshold of the foreground classes."""
    background: float = 0.99
    """Threshold of the background."""
    image_labels_only: bool = False
    """Whether marginals are taken over the image's labels alone; DSRG takes them over all classes.
    """

    def __post_init__(self) -> None:
        for name in ("foreground", "background"):
            require(self, name, 0 <= getattr(self, name) <= 1, "in [0, 1]")

    @property
    def reads_marginals(self) -> bool:
        """Always."""
        return True

    def labels(self, step: Inputs) -> Tensor:
        """Labels of a batch; see `Supervision`."""
        probabilities, _, cues, present, marginals = step
        found = crf_marginals(marginals, probabilities, "region growing")
        p = among_image_labels(found, present, self.image_labels_only)
        best, label = p.masked_fill(~present[:, :, None, None], -1.0).max(1, keepdim=True)
        sure = best > torch.where(label == 0, self.background, self.foreground)
        accepted = torch.zeros_like(cues).scatter_(1, label, sure)
        cued = cues.any(1, keepdim=True)
        candidates = torch.where(cued, cues, accepted)
        grown = grow(candidates.flatten(0, 1).cpu().numpy(), cues.flatten(0, 1).cpu().numpy())
        return torch.from_numpy(grown).to(cues.device).view_as(cues)


def grow(candidates: NDArray[np.bool_], cues: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """The 8-connected components of candidates that hold a cue.

    Parameters
    ----------
    candidates, cues : numpy.ndarray, shape (M, h, w), bool
        M maps that are grown independently; every cue is a candidate.
    """
    component, count = ndimage.label(candidates, structure=_WITHIN_A_MAP)
    kept = np.zeros(count + 1, dtype=bool)
    kept[component[cues]] = True
    kept[0] = False
    result: NDArray[np.bool_] = kept[component]
    return result
