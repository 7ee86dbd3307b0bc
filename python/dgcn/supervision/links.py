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
        beside = _grid_neighbours(h, w, self.spatial, points.device).expand(len(points), -1, -1)
        links = self._weights(beside, self._distances(points, beside))
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
        return gx.knn_graph(indices, distances, weighting=self.n_links, sigma=sigma)

    def _distances(self, points: Tensor, indices: Tensor) -> Tensor:
        """Squared distances (B, N, K) to listed positions; to those of -1 anything."""
        batch, nodes, channels = points.shape
        columns = []
        for ends in indices.clamp(min=0).unbind(2):
            other = points.gather(1, ends[:, :, None].expand(batch, nodes, channels))
            columns.append((points - other).square().sum(2))
        return torch.stack(columns, 2).float()


def _grid_neighbours(h: int, w: int, spatial: Neighbourhood, device: torch.device) -> Tensor:
    """Neighbours (1, h w, 2 or 4) to the right and below; -1 beyond the border."""
    rows = torch.arange(h, device=device)[:, None]
    columns = torch.arange(w, device=device)[None, :]
    listed = []
    for down, right in _OFFSETS[spatial]:
        r, c = rows + down, columns + right
        inside = (r < h) & (c >= 0) & (c < w)
        listed.append(torch.where(inside, r * w + c, -1).flatten())
    return torch.stack(listed, 1)[None]


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
