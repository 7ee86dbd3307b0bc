"""Supervision by diffusion of the cues over the feature-space graph: no cut, no threshold inside.

The paper's third contribution is that other semi-supervised methods can take the place of the cut.
These are the two that it names.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from dgcn.checks import require, require_at_least
from dgcn.supervision.base import Inputs, Supervision
from dgcn.supervision.classes import classes_to_cut
from dgcn.supervision.feature_graph import FeatureGraph
from dgcn.supervision.probabilities import among_image_labels


@dataclass(frozen=True)
class _Diffusion(FeatureGraph):
    """What both share: a linear system in the edge weights, solved by conjugate gradients."""

    edge_weights: Literal["unit", "gaussian"] = "gaussian"
    theta: float = 0.5
    """A class is accepted where the cell's share of it exceeds this."""
    iterations: int = 50
    """Steps of conjugate gradients, the same for every image."""

    def __post_init__(self) -> None:
        super().__post_init__()
        require(self, "theta", 0 <= self.theta <= 1, "in [0, 1]")
        require_at_least(self, 1, "iterations")


@dataclass(frozen=True)
class RandomWalker(_Diffusion, Supervision):
    """Random walks from a cell to the first cue (Grady, PAMI 2006).

    A cell's share of class c is the probability that a walk from it, which takes an edge with a
    probability proportional to its weight, meets a cue of c before one of another class. With
    `prior` the walk also ends in every cell, as class c with the network's probability of c
    (Grady, CVPR 2005).
    """

    prior: float = 0.0
    """Weight of ending in a cell, beside that of its edges; 0: the cues alone."""

    def __post_init__(self) -> None:
        super().__post_init__()
        require_at_least(self, 0, "prior")

    def labels(self, step: Inputs) -> Tensor:
        """Labels of a batch; see `Supervision`. `k` must be below the number of cells."""
        probabilities, features, cues, present, _ = step
        indices, weights = self.edges(features)
        weights = weights.double()
        chosen, real, given = _cues_of(cues, present)
        held = cues.any(1).flatten(1)[:, :, None]
        degree = neighbour_sums(indices, weights, torch.ones_like(given[..., :1]))
        # A part of the graph without a cue has no unique answer: 0 there.
        diagonal = degree + self.prior + 1e-9 * degree.amax(1, keepdim=True).clamp_min(1e-30)
        ends = neighbour_sums(indices, weights, given)
        if self.prior:
            p = among_image_labels(probabilities, present, True).flatten(2).double()
            p = p.gather(1, chosen[:, :, None].expand(-1, -1, p.shape[2]))
            ends = ends + self.prior * p.transpose(1, 2)

        def matrix(x: Tensor) -> Tensor:
            return (diagonal * x - neighbour_sums(indices, weights, x)).masked_fill(held, 0.0)

        walked = solve(matrix, ends.masked_fill(held, 0.0), diagonal, self.iterations)
        return _accepted(torch.where(held, given, walked), cues, chosen, real, self.theta)


@dataclass(frozen=True)
class LabelPropagation(_Diffusion, Supervision):
    """Learning with local and global consistency (Zhou et al., NIPS 2003).

    F = (1 - alpha) (I - alpha S)^-1 Y with S = D^-1/2 W D^-1/2, W the edge weights, D their sums,
    Y the cues. A cell's share of class c is F_c over the sum of F. A cue always stays.
    """

    alpha: float = 0.99
    """How far labels spread, in (0, 1)."""

    def __post_init__(self) -> None:
        super().__post_init__()
        require(self, "alpha", 0 < self.alpha < 1, "in (0, 1)")

    def labels(self, step: Inputs) -> Tensor:
        """Labels of a batch; see `Supervision`. `k` must be below the number of cells."""
        _, features, cues, present, _ = step
        indices, weights = self.edges(features)
        weights = weights.double()
        chosen, real, given = _cues_of(cues, present)
        degree = neighbour_sums(indices, weights, torch.ones_like(given[..., :1]))
        scale = degree.clamp_min(1e-30).rsqrt()

        def matrix(x: Tensor) -> Tensor:
            return x - self.alpha * scale * neighbour_sums(indices, weights, scale * x)

        spread = solve(matrix, (1 - self.alpha) * given, torch.ones_like(degree), self.iterations)
        spread = spread.clamp_min(0.0)
        shares = spread / spread.sum(2, keepdim=True).clamp_min(1e-30)
        return _accepted(shares, cues, chosen, real, self.theta)


def neighbour_sums(indices: Tensor, weights: Tensor, x: Tensor) -> Tensor:
    """W x for the symmetric matrix of edge weights, the two directions of a pair summed.

    Parameters
    ----------
    indices, weights : Tensor, shape (B, N, K)
        As `FeatureGraph.edges` gives them.
    x : Tensor, shape (B, N, M)

    Returns
    -------
    Tensor, shape (B, N, M)
    """
    batch, nodes, k = indices.shape
    ends = indices.clamp(min=0).flatten(1)[..., None].expand(-1, -1, x.shape[2])
    weighted = weights.masked_fill(indices < 0, 0.0)[..., None]
    sums = (weighted * x.gather(1, ends).view(batch, nodes, k, -1)).sum(2)
    return sums.scatter_add(1, ends, (weighted * x[:, :, None]).flatten(1, 2))


def solve(
    matrix: Callable[[Tensor], Tensor], right: Tensor, diagonal: Tensor, iterations: int
) -> Tensor:
    """Conjugate gradients from 0, preconditioned by the diagonal, for every column by itself.

    Parameters
    ----------
    matrix : callable
        Product of a symmetric positive matrix with a tensor (B, N, M).
    right : Tensor, shape (B, N, M)
    diagonal : Tensor, shape (B, N, 1)
        Positive.
    iterations : int
        No value is looked at, so that nothing waits for a device.
    """
    x, residual = torch.zeros_like(right), right
    z = residual / diagonal
    direction, product = z, (residual * z).sum(1, keepdim=True)
    for _ in range(iterations):
        image = matrix(direction)
        # A column that is solved has nothing left: 0 / 0 there.
        length = product / (direction * image).sum(1, keepdim=True).clamp_min(1e-300)
        x = x + length * direction
        residual = residual - length * image
        z = residual / diagonal
        former, product = product, (residual * z).sum(1, keepdim=True)
        direction = z + product / former.clamp_min(1e-300) * direction
    return x


def _cues_of(cues: Tensor, present: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """The image's classes (B, M), which of them are no padding, and their cues (B, N, M)."""
    chosen, real = classes_to_cut(present, "auto", background=True)
    cells = cues.shape[2] * cues.shape[3]
    own = cues.flatten(2).gather(1, chosen[:, :, None].expand(-1, -1, cells)) & real[:, :, None]
    return chosen, real, own.transpose(1, 2).double()


def _accepted(shares: Tensor, cues: Tensor, chosen: Tensor, real: Tensor, theta: float) -> Tensor:
    """The cues, and elsewhere the class with the largest share (B, N, M) where it exceeds theta."""
    score, winner = shares.masked_fill(~real[:, None], -1.0).max(2)
    label = chosen.gather(1, winner)[:, None]
    grown = torch.zeros_like(cues).flatten(2).scatter_(1, label, (score > theta)[:, None])
    return torch.where(cues.any(1, keepdim=True), cues, grown.view_as(cues))
