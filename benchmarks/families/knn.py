"""K-nearest-neighbour graphs of feature maps, like those met in training."""

from __future__ import annotations

import numpy as np
import torch
from torch.nn.functional import interpolate

import graphcut_ext as gx
from benchmarks.problem import Batch, Links

K, SEED = 9, 0
BATCH_CHANNELS, SINGLE_CHANNELS = 64, 32
BLOB = 6  # side of a smooth patch of the features, in positions


def batch(links: str, side: int, scale: float, graphs: int, seed: int = SEED) -> Batch:
    """``graphs`` graphs of ``side`` x ``side`` positions.

    ``"weighted"``: n-links exp(-d^2 / 2 s^2), unaries -log p, 5 % hard seeds. ``"unit"``: the
    graphs of Feng, Wang and Liu (2021): unit n-links, unaries -log10 p, seeds of 10.
    """
    size = scaled(side, scale)
    return Batch.of_links(neighbour_links(links, size, graphs, BATCH_CHANNELS, seed))


def single(side: int, scale: float, graphs: int) -> Batch:
    """One graph of ``side`` x ``side`` positions with weighted links."""
    return Batch.of_links(neighbour_links("weighted", scaled(side, scale), 1, SINGLE_CHANNELS))


def scaled(side: int, scale: float) -> int:
    """Side of a reduced map, with enough positions for the neighbours."""
    return max(5, round(side * scale))


def feature_maps(count: int, side: int, channels: int, seed: int = SEED) -> torch.Tensor:
    """(count, side * side, channels): smooth random fields with noise, as from a backbone."""
    g = torch.Generator().manual_seed(seed)
    patches = max(2, round(side / BLOB))
    coarse = torch.randn(count, channels, patches, patches, generator=g)
    smooth = interpolate(coarse, size=(side, side), mode="bicubic", align_corners=True)
    noisy = smooth + 0.35 * torch.randn(smooth.shape, generator=g)
    return noisy.flatten(2).mT.contiguous()


def neighbour_links(links: str, side: int, count: int, channels: int, seed: int = SEED) -> Links:
    """Links between neighbours in feature space, unaries from two channels, and seeds."""
    features = feature_maps(count, side, channels, seed)
    distances, indices = gx.knn(features, K)
    g = torch.Generator().manual_seed(seed + 1)
    truth = features[..., 0] + 0.5 * features[..., 1]
    noise = torch.randn(truth.shape, generator=g)
    p = torch.sigmoid(1.5 * truth + 0.7 * noise).clamp(1e-7, 1 - 1e-7)
    seeds = torch.rand(truth.shape, generator=g) < 0.05
    if links == "weighted":
        weights = torch.exp(-distances / (2 * distances.mean((1, 2), keepdim=True)))
        source, sink, strength = -(1 - p).log(), -p.log(), 1000.0
    else:
        weights = torch.ones_like(distances)
        source, sink, strength = -(1 - p).log10(), -p.log10(), 10.0
    foreground = truth > 0
    source = torch.where(seeds, strength * foreground, source)
    sink = torch.where(seeds, strength * ~foreground, sink)
    terminals = (np.ascontiguousarray(t.unsqueeze(1).numpy()) for t in (source, sink))
    return Links(indices.numpy(), weights.numpy(), *terminals)
