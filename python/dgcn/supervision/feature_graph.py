"""The graph of the cuts: neighbours in feature space, and on the grid where asked for."""

# No `from __future__ import annotations` here, nor in a module that derives a kind from this class:
# the command line would look for the types of inherited fields in the wrong module.
from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import Tensor
from torch.nn import functional

import graphcut_ext as gx
from dgcn.checks import require, require_at_least, require_positive
from dgcn.supervision.schedule import Scheduled, scheduled

GridNeighbours = Literal[0, 4, 8]

# Each pair of grid neighbours is listed at one of its two ends.
_OFFSETS = {0: (), 4: ((0, 1), (1, 0)), 8: ((0, 1), (1, 0), (1, 1), (1, -1))}


@dataclass(frozen=True)
class FeatureGraph:
    """How the cells of a feature map are joined."""

    k: int = 9
    """Neighbours of each cell in feature space."""
    edge_weights: Literal["unit", "gaussian"] = "unit"
    """Weight of an edge: 1, or exp(-d2 / (2 sigma2)) with d2 the squared L2 distance of the
    features."""
    edge_sum: float | None = None
    """Unit weights of a cell's `k` edges add up to this: all weights in feature space are
    multiplied by edge_sum / k, so that K does not change how strongly a cell is tied to its
    neighbours. None: they are not scaled, as in the paper, where unit weights add up to K."""
    sigma2: float | None = None
    """Variance of the Gaussian weights, in squared feature units. None: the mean of d2 over the
    image's edges, those of feature space and those of the grid separately."""
    spatial: GridNeighbours = 0
    """Neighbours on the grid that are joined as well; 0: none, as in the paper."""
    spatial_weight: float = 1.0
    """Factor on the weights of the grid's edges."""
    normalise: Literal["none", "length", "channel"] = "none"
    """Features before distances are taken: as they are, divided by each cell's length, or every
    channel brought to mean 0 and variance 1 over the image."""

    def __post_init__(self) -> None:
        require_at_least(self, 1, "k")
        valid = self.sigma2 is None or 0 < self.sigma2 < float("inf")
        require(self, "sigma2", valid, "None or > 0 and finite")
        valid = self.edge_sum is None or 0 < self.edge_sum < float("inf")
        require(self, "edge_sum", valid, "None or > 0 and finite")
        require_positive(self, "spatial_weight")

    def edges(self, features: Tensor) -> tuple[Tensor, Tensor]:
        """Ends and weights of the edges.

        Parameters
        ----------
        features : Tensor, shape (B, C, h, w)

        Returns
        -------
        indices : Tensor of int64, shape (B, N, K)
            Cell i = row * w + column has an edge to each of ``indices[b, i]``; -1: none. A pair
            that lists each other has two edges. K is `k`, plus 2 or 4 with grid neighbours.
        weights : Tensor, shape (B, N, K), float32
            Not negative.

        Raises
        ------
        ValueError
            `k` is not below the number of cells.
        """
        h, w = features.shape[2:]
        if self.k >= h * w:
            raise ValueError(f"k must be below the number of cells {h * w}, got {self.k}")
        points = self._normalised(features).flatten(2).transpose(1, 2).contiguous()
        near = gx.knn(points, self.k)
        indices, weights = near.indices, self._weights(near.indices, near.distances.float())
        if self.edge_sum is not None:
            weights = weights * (self.edge_sum / self.k)
        if not self.spatial:
            return indices, weights
        beside, apart = _grid_neighbours(points.unflatten(1, (h, w)), self.spatial)
        grid = self._weights(beside, apart)
        return torch.cat([indices, beside], 2), torch.cat([weights, self.spatial_weight * grid], 2)

    def _normalised(self, features: Tensor) -> Tensor:
        if self.normalise == "length":
            return functional.normalize(features, dim=1)
        if self.normalise == "channel":
            mean = features.mean((2, 3), keepdim=True)
            deviation = features.std((2, 3), keepdim=True, unbiased=False)
            # A channel that is the same everywhere tells no cells apart.
            return (features - mean) / deviation.clamp_min(1e-6)
        return features

    def _weights(self, indices: Tensor, distances: Tensor) -> Tensor:
        sigma: float | Literal["item"] = "item" if self.sigma2 is None else self.sigma2**0.5
        return gx.knn_weights(indices, distances, weighting=self.edge_weights, sigma=sigma)


@dataclass(frozen=True)
class CutGraph(FeatureGraph, Scheduled):
    """The graph of a minimum cut: how strongly a cue is held, and when a label is accepted."""

    theta: float = 0.7
    """A label is accepted where the network's probability of it exceeds this."""
    cue_capacity: float | Literal["hard"] = 10.0
    """Capacity of a cue's t-link, in units of -log10 probability: the edges around a cue can
    outvote it. "hard": 1 + the largest sum of edge weights at a cell (Boykov and Jolly 2001), so
    that a cue is never cut."""
    cue_capacity_schedule: tuple[float, ...] = ()
    """cue_capacity in the first epochs, one after the other; from then on it is cue_capacity."""

    def __post_init__(self) -> None:
        FeatureGraph.__post_init__(self)
        Scheduled.__post_init__(self)
        require(self, "theta", 0 <= self.theta <= 1, "in [0, 1]")
        capacity = self.cue_capacity
        valid = capacity == "hard" or (
            not isinstance(capacity, str) and 0 < capacity < float("inf")
        )
        require(self, "cue_capacity", valid, "'hard' or > 0 and finite")
        valid = all(0 < each < float("inf") for each in self.cue_capacity_schedule)
        require(self, "cue_capacity_schedule", valid, "> 0 and finite")

    def changes_at(self, epoch: int) -> dict[str, Any]:
        """Fields that have other values in an epoch, by name."""
        held = scheduled("cue_capacity", self.cue_capacity_schedule, epoch)
        return super().changes_at(epoch) | held

    def capacity_of_cues(self, indices: Tensor, weights: Tensor) -> Tensor:
        """Capacity (B, 1, 1) of a cue's t-link in each image; `edges` gives the arguments."""
        if self.cue_capacity != "hard":
            return weights.new_full((len(weights), 1, 1), self.cue_capacity)
        sums = weights.sum(2)  # out of each node, then into it
        sums.scatter_add_(1, indices.clamp(min=0).flatten(1), weights.flatten(1))
        return 1 + sums.amax(1)[:, None, None]


def _grid_neighbours(points: Tensor, spatial: GridNeighbours) -> tuple[Tensor, Tensor]:
    """Neighbours to the right and below, and the squared distances of their features.

    Parameters
    ----------
    points : Tensor, shape (B, h, w, C)
    spatial : {4, 8}

    Returns
    -------
    indices : Tensor of int64, shape (B, h w, 2 or 4)
        -1 beyond the border.
    distances : Tensor, shape (B, h w, 2 or 4), float32
        0 beyond the border.
    """
    batch, h, w, _ = points.shape
    ends = torch.arange(h * w, device=points.device).view(h, w)
    offsets = _OFFSETS[spatial]
    indices = ends.new_full((len(offsets), h, w), -1)
    distances = points.new_zeros((len(offsets), batch, h, w), dtype=torch.float32)
    for listed, apart, (down, right) in zip(indices, distances, offsets, strict=True):
        rows, below = slice(0, h - down), slice(down, h)
        here = slice(max(-right, 0), w - max(right, 0))
        there = slice(max(right, 0), w + min(right, 0))
        listed[rows, here] = ends[below, there]
        gap = points[:, rows, here] - points[:, below, there]
        apart[:, rows, here] = gap.square().sum(3).float()
    shared = indices.flatten(1).T[None].expand(batch, -1, -1)
    return shared.contiguous(), distances.flatten(2).permute(1, 2, 0).contiguous()
