"""Supervision by one minimum cut per present class over the feature-space neighbour graph."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

import graphcut_ext as gx
from dgcn.supervision.base import Refined, check_shapes, refuse_double_cues
from dgcn.supervision.belief import FLOOR, Belief, Unary, believed, marginals
from dgcn.supervision.links import Links, Neighbourhood, Normalisation, Weighting, seed_capacity


@dataclass(frozen=True)
class GraphCutSupervision:
    """Deep graph cut of Feng, Wang and Liu (Sci. China Inf. Sci. 2021), section 3.

    For each image and each foreground class c it is labelled with, the h * w positions are cut
    into "c" (source side) and "not c" (sink side). The n-links join each position to its `k`
    nearest others in feature space; both directions of a mutual pair are summed. A position is
    supervised as c where the cut puts it on c's side and the network's probability of c exceeds
    `theta`; everywhere else its cue stays. By default, as in the paper, the network's softmax is
    taken as it is and the background is not cut for.

    Parameters
    ----------
    k : int, default 9
        Neighbours of each position.
    theta : float, default 0.7
        Probability above which a cut's label is accepted.
    n_links, sigma2, spatial, spatial_weight, normalise
        As in `dgcn.supervision.links.Links`; grid links and normalised features are ours.
    seeds : {"soft", "hard"}, default "soft"
        Capacity of the t-link of a cue: `seed_weight`, which the n-links can outvote, or
        1 + the largest sum of n-links at a position (Boykov and Jolly 2001), which they cannot.
    seed_weight : float, default 10
        Capacity of a soft cue's t-link.
    belief : {"all", "present"}, default "all"
        Probabilities of the t-links and of the threshold: the softmax over all classes, or over
        the classes the image is labelled with. The second, which is ours, does not take a
        confusion with a class that the label rules out for doubt.
    unary : {"network", "crf"}, default "network"
        Whose probabilities these are: the network's, as in the paper, or the marginals of the CRF
        of the boundary loss, which is ours. They know the edges of the picture.
    cut_background : bool, default False
        Whether the background is cut for like any class, as in the authors' script.
    solver : str, default "auto"
        As in `graphcut_ext.knn_maxflow`. On CUDA, "push_relabel" within
        `graphcut_ext.no_value_checks` never waits for the device.
    """

    k: int = 9
    theta: float = 0.7
    n_links: Weighting = "unit"
    sigma2: float | None = None
    seeds: Literal["soft", "hard"] = "soft"
    seed_weight: float = 10.0
    belief: Belief = "all"
    unary: Unary = "network"
    cut_background: bool = False
    spatial: Neighbourhood = 0
    spatial_weight: float = 1.0
    normalise: Normalisation = "none"
    solver: str = "auto"

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
            A shape does not fit, `k` is not below the number of positions, `unary` is "crf" and
            `refined` is None, or a position has cues of two classes (not looked at on CUDA within
            `graphcut_ext.no_value_checks`).
        """
        check_shapes(probabilities, features, cues, present)
        refuse_double_cues(cues)
        batch, classes, h, w = probabilities.shape
        links = Links(
            self.k, self.n_links, self.sigma2, self.spatial, self.spatial_weight, self.normalise
        )
        indices, weights = links(features)
        chosen, real = _classes_to_cut(present, self.solver, background=self.cut_background)
        if chosen.shape[1] == 0:
            return cues

        nodes = chosen[:, :, None].expand(-1, -1, h * w)  # (B, M, N)
        if self.unary == "crf":
            probabilities = marginals(refined, probabilities, 'a cut with unary "crf"')
        belief = believed(probabilities, present, self.belief).flatten(2).gather(1, nodes)
        of_class = cues.flatten(2).gather(1, nodes) & real[:, :, None]
        of_other = cues.any(1).flatten(1)[:, None] & ~of_class

        soft = self.seed_weight if self.seeds == "soft" else None
        source, sink = t_links(belief, of_class, of_other, seed_capacity(indices, weights, soft))
        padding = ~real[:, :, None]
        source, sink = source.masked_fill(padding, 0.0), sink.masked_fill(padding, 0.0)

        cut = gx.knn_maxflow(indices, weights, source, sink, solver=self.solver)
        claimed = cut.source_side & (belief > self.theta) & real[:, :, None]
        # Two classes may claim a position where theta < 0.5: the more probable one has it.
        score, winner = torch.where(claimed, belief, -1.0).max(1)  # (B, N)
        label = chosen.gather(1, winner)
        grown = torch.zeros_like(cues).flatten(2).scatter_(1, label[:, None], True)
        accepted = (score >= 0)[:, None]
        return torch.where(accepted, grown, cues.flatten(2)).view(batch, classes, h, w)


def t_links(
    belief: Tensor, of_class: Tensor, of_other: Tensor, seed: Tensor | float
) -> tuple[Tensor, Tensor]:
    """Terminal capacities of the cuts "class c" (source side) against the rest (sink side).

    Parameters
    ----------
    belief : Tensor, shape (..., N)
        Probability of c.
    of_class, of_other : Tensor of bool, shape (..., N)
        Positions with a cue of c, and with a cue of any other class, background included.
    seed : Tensor broadcastable to (..., N) or float
        Capacity that holds a cue.

    Returns
    -------
    source : Tensor, shape (..., N)
        Paid when the position ends up as "not c": `seed` at a cue of c, 0 at another cue,
        -log10(1 - belief) elsewhere.
    sink : Tensor, shape (..., N)
        Paid when it ends up as c: 0 at a cue of c, `seed` at another cue, -log10(belief)
        elsewhere.
    """
    zero = belief.new_zeros(())
    capacity = seed if isinstance(seed, Tensor) else belief.new_full((), seed)
    source = -torch.log10((1 - belief).clamp_min(FLOOR))
    sink = -torch.log10(belief.clamp_min(FLOOR))
    source = torch.where(of_class, capacity, torch.where(of_other, zero, source))
    sink = torch.where(of_other, capacity, torch.where(of_class, zero, sink))
    return source.clamp_min(0.0), sink.clamp_min(0.0)


def _classes_to_cut(present: Tensor, solver: str, *, background: bool) -> tuple[Tensor, Tensor]:
    """Ids of the classes to cut for in each image, padded to one number for the batch.

    That is the largest number of an image; where asking for it would wait for a device that makes
    the cuts itself, that of all classes: cuts without terminals end at once.

    Parameters
    ----------
    present : Tensor of bool, shape (B, L)
    solver : str
    background : bool
        Whether class 0 is among them.

    Returns
    -------
    chosen : Tensor of int64, shape (B, M)
        Ascending class ids; padding has an arbitrary id.
    real : Tensor of bool, shape (B, M)
        False at the padding.
    """
    wanted = present.bool().clone()
    if not background:
        wanted[:, 0] = False
    most = _largest_count(wanted, solver)
    order = torch.argsort(wanted.int(), dim=1, descending=True, stable=True)[:, :most]
    return order, wanted.gather(1, order)


def _largest_count(wanted: Tensor, solver: str) -> int:
    """Largest number of true entries in a row (B, L), or a bound of it that needs no waiting."""
    stays = wanted.is_cuda and (
        solver == "push_relabel" or torch.cuda.is_current_stream_capturing()
    )
    if stays or len(wanted) == 0:
        return wanted.shape[1]
    return int(wanted.sum(1).amax())
