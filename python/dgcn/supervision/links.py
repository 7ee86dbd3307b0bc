"""The n-links of the cuts: neighbours in feature space, and on the grid where asked for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor
from torch.nn import functional

import graphcut_ext as gx

Weighting = Literal["unit", "gaussian"]
Normalisation = Literal["none", "length", "channel"]
Neighbourhood = Literal[0, 4, 8]

# Each pair of grid neighbours is listed at one of its two ends.
_OFFSETS = {0: (), 4: ((0, 1), (1, 0)), 8: ((0, 1), (1, 0), (1, 1), (1, -1))}


@dataclass(frozen=True)
class Links:
    """How the positions of a feature map are linked.

    Parameters
    ----------
    k : int, default 9
        Neighbours of each position in feature space.
    n_links : {"unit", "gaussian"}, default "unit"
        Capacity 1 per link, or exp(-d2 / (2 sigma2)) with d2 the squared L2 distance of the
        features.
    sigma2 : float or None, default None
        Variance of the Gaussian links, in squared feature units. None: the mean of d2 over the
        image's links, of the two kinds separately.
    spatial : {0, 4, 8}, default 0
        Neighbours on the grid that are linked as well; 0: none, as in the paper.
    spatial_weight : float, default 1
        Factor on the capacities of the grid's links.
    normalise : {"none", "length", "channel"}, default "none"
        Before distances are taken: nothing; every position's features divided by their length; or
        every channel brought to mean 0 and variance 1 over the image's positions.
    """

    k: int = 9
    n_links: Weighting = "unit"
    sigma2: float | None = None
    spatial: Neighbourhood = 0
    spatial_weight: float = 1.0
    normalise: Normalisation = "none"

    def __call__(self, features: Tensor) -> tuple[Tensor, Tensor]:
        """Ends and capacities of the links.

        Parameters
        ----------
        features : Tensor, shape (B, C, h, w)

        Returns
        -------
        indices : Tensor of int64, shape (B, N, K)
            Position i = row * w + column is linked to each of ``indices[b, i]``; -1: no link. A
            pair that lists each other has two links. K is `k`, plus 2 or 4 with grid neighbours.
        weights : Tensor, shape (B, N, K), float32
            Capacities, not negative.

        Raises
        ------
        ValueError
            `k` is not below the number of positions.
        """
        h, w = features.shape[2:]
        if self.k >= h * w:
            raise ValueError(f"k must be below the number of positions {h * w}, got {self.k}")
        points = self._normalised(features).flatten(2).transpose(1, 2).contiguous()
        near = gx.knn(points, self.k)
        indices, weights = near.indices, self._weights(near.indices, near.distances.float())
        if not self.spatial:
            return indices, weights
        beside, apart = _grid_neighbours(points.unflatten(1, (h, w)), self.spatial)
        links = self._weights(beside, apart)
        return torch.cat([indices, beside], 2), torch.cat([weights, self.spatial_weight * links], 2)

    def _normalised(self, features: Tensor) -> Tensor:
        if self.normalise == "length":
            return functional.normalize(features, dim=1)
        if self.normalise == "channel":
            mean = features.mean((2, 3), keepdim=True)
            deviation = features.std((2, 3), keepdim=True, unbiased=False)
            # A channel that is the same everywhere tells positions apart by nothing.
            return (features - mean) / deviation.clamp_min(1e-6)
        return features

    def _weights(self, indices: Tensor, distances: Tensor) -> Tensor:
        sigma: float | Literal["item"] = "item" if self.sigma2 is None else self.sigma2**0.5
        return gx.knn_weights(indices, distances, weighting=self.n_links, sigma=sigma)


def _grid_neighbours(points: Tensor, spatial: Neighbourhood) -> tuple[Tensor, Tensor]:
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


def seed_capacity(indices: Tensor, weights: Tensor, soft: float | None) -> Tensor:
    """Capacity (B, 1, 1) that holds a cue.

    Parameters
    ----------
    indices, weights : Tensor, shape (B, N, K)
    soft : float or None
        The capacity. None: 1 + the largest sum of links at a position (Boykov and Jolly 2001).
    """
    if soft is not None:
        return weights.new_full((len(weights), 1, 1), soft)
    sums = weights.sum(2)  # out of each node, then into it
    sums.scatter_add_(1, indices.clamp(min=0).flatten(1), weights.flatten(1))
    return 1 + sums.amax(1)[:, None, None]
