"""Supervision by one minimum cut per present class over the feature-space neighbour graph."""

from dataclasses import dataclass, field

import torch
from torch import Tensor

import graphcut_ext as gx
from dgcn.checks import require
from dgcn.supervision.base import Inputs
from dgcn.supervision.classes import classes_to_cut
from dgcn.supervision.feature_graph import CutGraph
from dgcn.supervision.probabilities import FLOOR, Unary, among_image_labels, crf_marginals


@dataclass(frozen=True)
class GraphCut(CutGraph):
    """Deep graph cut of Feng, Wang and Liu (Sci. China Inf. Sci. 2021), section 3.

    For each image and each foreground class c it is labelled with, the h * w cells are cut into "c"
    (source side) and "not c" (sink side). The n-links join each cell to its `k` nearest others in
    feature space; both directions of a mutual pair are summed. A cell is supervised as c where the
    cut puts it on c's side and the network's probability of c exceeds `theta`; everywhere else its
    cue stays. The defaults are the paper's; with `cut_background` it is the authors' script.
    """

    image_labels_only: bool = False
    """Whether probabilities are taken over the image's labels alone: a confusion with a class that
    the labels rule out is no doubt then. Ours; the paper takes the softmax as it is."""
    unary: Unary = "network"
    """Whose probabilities the t-links and the threshold go by: the network's, as in the paper, or
    the marginals of the boundary loss's CRF ("crf"), which know the edges of the image. Ours."""
    cut_background: bool = False
    """Whether the background is cut for like any class, as in the authors' script."""
    solver: gx.Solver = field(default="auto", metadata={"same_result": True})
    """Solver of the minimum cuts, as in graphcut_ext.knn_maxflow; all give the same cuts. On a GPU
    "push_relabel" cuts there, without waiting for it; the others cut on the host."""

    def __post_init__(self) -> None:
        super().__post_init__()
        require(self, "solver", self.solver in gx.SOLVERS, f"one of {', '.join(gx.SOLVERS)}")

    @property
    def reads_marginals(self) -> bool:
        """Whether the cuts go by the CRF."""
        return self.unary == "crf"

    def labels(self, step: Inputs) -> Tensor:
        """Labels of a batch; see `Supervision`. `k` must be below the number of cells."""
        probabilities, features, cues, present, marginals = step
        batch, classes, h, w = probabilities.shape
        indices, weights = self.edges(features)
        chosen, real = classes_to_cut(present, self.solver, background=self.cut_background)
        if chosen.shape[1] == 0:
            return cues

        nodes = chosen[:, :, None].expand(-1, -1, h * w)  # (B, M, N)
        if self.unary == "crf":
            probabilities = crf_marginals(marginals, probabilities, 'unary "crf"')
        probabilities = among_image_labels(probabilities, present, self.image_labels_only)
        p = probabilities.flatten(2).gather(1, nodes)
        of_class = cues.flatten(2).gather(1, nodes) & real[:, :, None]
        of_other = cues.any(1).flatten(1)[:, None] & ~of_class

        held = self.capacity_of_cues(indices, weights)
        source, sink = t_links(p, of_class, of_other, held)
        padding = ~real[:, :, None]
        source, sink = source.masked_fill(padding, 0.0), sink.masked_fill(padding, 0.0)

        cut = gx.knn_maxflow(indices, weights, source, sink, solver=self.solver)
        claimed = cut.source_side & (p > self.theta) & real[:, :, None]
        # Two classes may claim a cell where theta < 0.5: the more probable one has it.
        score, winner = torch.where(claimed, p, -1.0).max(1)  # (B, N)
        label = chosen.gather(1, winner)
        grown = torch.zeros_like(cues).flatten(2).scatter_(1, label[:, None], True)
        accepted = (score >= 0)[:, None]
        return torch.where(accepted, grown, cues.flatten(2)).view(batch, classes, h, w)


def t_links(
    p: Tensor, of_class: Tensor, of_other: Tensor, cue_capacity: Tensor | float
) -> tuple[Tensor, Tensor]:
    """Terminal capacities of the cuts "class c" (source side) against the rest (sink side).

    Parameters
    ----------
    p : Tensor, shape (..., N)
        Probability of c.
    of_class, of_other : Tensor of bool, shape (..., N)
        Cells with a cue of c, and with a cue of any other class, background included.
    cue_capacity : Tensor broadcastable to (..., N) or float
        Capacity of a cue's t-link.

    Returns
    -------
    source : Tensor, shape (..., N)
        Paid when the cell is labelled "not c": `cue_capacity` at a cue of c, 0 at another cue,
        -log10(1 - p) elsewhere.
    sink : Tensor, shape (..., N)
        Paid when it is labelled c: 0 at a cue of c, `cue_capacity` at another cue, -log10(p)
        elsewhere.
    """
    zero = p.new_zeros(())
    held = torch.as_tensor(cue_capacity, dtype=p.dtype, device=p.device)
    source = -torch.log10((1 - p).clamp_min(FLOOR))
    sink = -torch.log10(p.clamp_min(FLOOR))
    source = torch.where(of_class, held, torch.where(of_other, zero, source))
    sink = torch.where(of_other, held, torch.where(of_class, zero, sink))
    return source.clamp_min(0.0), sink.clamp_min(0.0)
