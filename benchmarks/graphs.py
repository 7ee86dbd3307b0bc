"""Families of K-nearest-neighbour graphs like those met in training."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch.nn.functional import interpolate

import graphcut_ext as gx

SIDE, K, CHANNELS = 41, 9, 64


@dataclass
class KnnGraphs:
    """``count`` graphs over the same number of nodes; float32 tensors."""

    indices: torch.Tensor  # (count, N, K) int64
    weights: torch.Tensor  # (count, N, K)
    source: torch.Tensor  # (count, N)
    sink: torch.Tensor  # (count, N)

    def to_integers(self, scale: int = 10_000) -> KnnGraphs:
        """The same graphs with capacities rounded to int32, on which every solver is exact."""
        rounded = (
            (t * scale).round().to(torch.int32) for t in (self.weights, self.source, self.sink)
        )
        return KnnGraphs(self.indices, *rounded)

    def edges(self, graph: int, *, merged: bool) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Tails, heads and capacities of one graph; ``merged`` sums the edges of a mutual pair."""
        n, k = self.indices.shape[1:]
        tail = np.repeat(np.arange(n), k)
        head = self.indices[graph].numpy().ravel()
        weight = self.weights[graph].numpy().ravel()
        if not merged:
            return tail, head, weight
        pair, inverse = np.unique(
            np.minimum(tail, head) * n + np.maximum(tail, head), return_inverse=True
        )
        return pair // n, pair % n, np.bincount(inverse, weight).astype(weight.dtype)


def feature_maps(count: int, seed: int) -> torch.Tensor:
    """(count, SIDE * SIDE, CHANNELS): smooth random fields with noise, as from a backbone."""
    g = torch.Generator().manual_seed(seed)
    coarse = torch.randn(count, CHANNELS, 7, 7, generator=g)
    smooth = interpolate(coarse, size=(SIDE, SIDE), mode="bicubic", align_corners=True)
    noisy = smooth + 0.35 * torch.randn(smooth.shape, generator=g)
    return noisy.flatten(2).mT.contiguous()


def knn_family(name: str, count: int = 64, seed: int = 0) -> KnnGraphs:
    """Graphs of a family.

    ``knn41``: n-links exp(-d^2 / 2 s^2), unaries -log p, 5 % hard seeds. ``dgcn41``: the graphs of
    Feng, Wang and Liu (2021), unit n-links, unaries -log10 p, seeds of 10.
    """
    features = feature_maps(count, seed)
    distances, indices = gx.knn(features, K)
    g = torch.Generator().manual_seed(seed + 1)
    truth = features[..., 0] + 0.5 * features[..., 1]
    noise = torch.randn(truth.shape, generator=g)
    p = torch.sigmoid(1.5 * truth + 0.7 * noise).clamp(1e-7, 1 - 1e-7)
    seeds = torch.rand(truth.shape, generator=g) < 0.05
    if name == "knn41":
        weights = torch.exp(-distances / (2 * distances.mean((1, 2), keepdim=True)))
        source, sink, strength = -(1 - p).log(), -p.log(), 1000.0
    elif name == "dgcn41":
        weights = torch.ones_like(distances)
        source, sink, strength = -(1 - p).log10(), -p.log10(), 10.0
    else:
        raise ValueError(f"unknown family {name!r}; known are 'knn41' and 'dgcn41'")
    foreground = truth > 0
    source = torch.where(seeds, strength * foreground, source)
    sink = torch.where(seeds, strength * ~foreground, sink)
    return KnnGraphs(indices, weights, source, sink)
