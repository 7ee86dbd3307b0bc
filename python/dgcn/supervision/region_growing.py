"""Supervision by growing the cues over connected positions that the network is sure of."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from scipy import ndimage
from torch import Tensor

from dgcn.supervision.base import Refined, check_shapes, refuse_double_cues
from dgcn.supervision.belief import Belief, believed, marginals

# 8-connected within a map, unconnected from one map of the stack to the next.
_WITHIN_A_MAP = np.stack([np.zeros((3, 3)), np.ones((3, 3)), np.zeros((3, 3))])


@dataclass(frozen=True)
class RegionGrowingSupervision:
    """Deep seeded region growing of Huang et al. (DSRG, CVPR 2018), the paper's baseline.

    A position is accepted as the most probable of its image's classes where the CRF's marginal of
    that class exceeds a threshold. Of the positions accepted or cued as c, those that are cues of
    another class excepted, the 8-connected components with a cue of c become supervision of c.

    Parameters
    ----------
    foreground : float, default 0.85
        Threshold of the foreground classes.
    background : float, default 0.99
        Threshold of the background.
    belief : {"all", "present"}, default "all"
        Marginals over all classes, as in DSRG, or over the image's classes alone.
    """

    foreground: float = 0.85
    background: float = 0.99
    belief: Belief = "all"

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
            A shape does not fit, a position has cues of two classes, or `refined` is None.
        """
        check_shapes(probabilities, features, cues, present)
        refuse_double_cues(cues)
        found = marginals(refined, probabilities, "region growing")
        belief = believed(found, present, self.belief)
        best, label = belief.masked_fill(~present[:, :, None, None], -1.0).max(1, keepdim=True)
        sure = best > torch.where(label == 0, self.background, self.foreground)
        accepted = torch.zeros_like(cues).scatter_(1, label, sure)
        cued = cues.any(1, keepdim=True)
        candidates = torch.where(cued, cues, accepted)
        grown = grow(candidates.flatten(0, 1).cpu().numpy(), cues.flatten(0, 1).cpu().numpy())
        return torch.from_numpy(grown).to(cues.device).view_as(cues)


def grow(candidates: NDArray[np.bool_], seeds: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """The 8-connected components of candidates that hold a seed.

    Parameters
    ----------
    candidates, seeds : numpy.ndarray, shape (M, h, w), bool
        M maps that are grown independently; every seed is a candidate.
    """
    component, count = ndimage.label(candidates, structure=_WITHIN_A_MAP)
    kept = np.zeros(count + 1, dtype=bool)
    kept[component[seeds]] = True
    kept[0] = False
    result: NDArray[np.bool_] = kept[component]
    return result
