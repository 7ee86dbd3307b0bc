"""Filters on the permutohedral lattice by torch's operators, for CUDA.

The same filter as ``csrc/crf/permutohedral.hpp``, whose names it shares; the compiled one serves
the CPU, and each is the other's oracle.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn.functional import embedding_bag

from graphcut_ext._crf.kernels import Kernels, appearance_features, positions
from graphcut_ext._crf.mean_field import Filter, Parts, factors

MAX_CODES = 2**62


def lattice_parts(image: Tensor, kernels: Kernels) -> Parts:
    """Filters of images (B, C, H, W), one at a time."""
    height, width = image.shape[2:]
    for item, pixels in enumerate(image):
        filters = []
        if kernels.smoothness_xy > 0:
            places = positions(height, width, like=image) / kernels.smoothness_xy
            filters.append(lattice_filter(places, kernels.smoothness_weight))
        if kernels.appearance_xy > 0:
            features = appearance_features(pixels[None], kernels)[0]
            filters.append(lattice_filter(features, kernels.appearance_weight))
        yield slice(item, item + 1), filters


def lattice_filter(
    features: Tensor, weight: float, normalization: str = "symmetric", costs: Tensor | None = None
) -> Filter:
    """The Gaussian filter of values (1, L, N) at features (N, d)."""
    simplices = locate(features)
    vertex, forward, backward = number_vertices(simplices)
    share = simplices.weight
    order = torch.argsort(vertex.flatten(), stable=True)
    pixel = order // vertex.shape[1]
    first = torch.bincount(vertex.flatten(), minlength=forward.shape[1]).cumsum(0)
    first = torch.cat([first.new_zeros(1), first[:-1]])
    links = list(zip(forward, backward, strict=True))

    def filtered(values: Tensor, share: Tensor, *, transposed: bool = False) -> Tensor:
        """Splat values (N, L) with these shares, blur them, and slice.

        Vertices that are missing make the order of blurs matter: the transpose has the reverse one.
        """
        at_vertex = embedding_bag(
            pixel, values, first, mode="sum", per_sample_weights=share.flatten()[order]
        )
        for ahead, behind in reversed(links) if transposed else links:
            padded = torch.cat([at_vertex, at_vertex.new_zeros(1, at_vertex.shape[1])])
            at_vertex = at_vertex + 0.5 * (padded[ahead] + padded[behind])
        return embedding_bag(vertex, at_vertex, mode="sum", per_sample_weights=share)

    unit = 1.0
    if normalization == "none":  # see normalise() in csrc/crf/permutohedral.cpp
        unit /= 1 + 2.0 ** -features.shape[1]
    sums = filtered(share.new_ones(len(share), 1), share)
    if normalization == "symmetric":
        share = share * sums.rsqrt()
        before = after = None
    else:
        before, after = factors(sums, normalization)

    def between(before: Tensor | None, q: Tensor, after: Tensor | None, transposed: bool) -> Tensor:
        values = q[0].mT.contiguous() if before is None else before * q[0].mT
        found = filtered(values, share, transposed=transposed)
        return (unit * (found if after is None else after * found)).mT[None]

    return Filter(
        lambda q: between(before, q, after, False),
        lambda q: between(after, q, before, True),
        weight,
        costs,
    )


class Simplices(NamedTuple):
    """Where points lie in the lattice.

    Attributes
    ----------
    corner : Tensor, shape (N, d + 1), int64
        Coordinates of the simplex's vertex of remainder 0.
    rank : Tensor, shape (N, d + 1), int64
        Order of the coordinates by what is left, which tells the other vertices.
    weight : Tensor, shape (N, d + 1)
        Barycentric weights of the vertices, by remainder.
    """

    corner: Tensor
    rank: Tensor
    weight: Tensor


def locate(features: Tensor) -> Simplices:
    """The simplices of features (N, d)."""
    d = features.shape[1]
    index = torch.arange(1, d + 1, dtype=torch.float64, device=features.device)
    scale = math.sqrt(2 / 3) * (d + 1) / (index * (index + 1)).sqrt()
    scaled = features * scale.to(features.dtype)
    above = scaled.flip(1).cumsum(1).flip(1)  # sums from each coordinate on
    zero = torch.zeros_like(above[:, :1])
    elevated = torch.cat([above, zero], 1)
    elevated[:, 1:] -= index.to(features.dtype) * scaled

    multiple = (elevated / (d + 1)).round()
    corner = multiple.long() * (d + 1)
    offset = elevated - multiple * (d + 1)
    less = offset[:, :, None] < offset[:, None, :]
    later = torch.ones(d + 1, d + 1, dtype=torch.bool, device=features.device).triu(1)
    rank = (less & later).sum(2) + (~less & later).sum(1) + multiple.long().sum(1, keepdim=True)
    turn = (rank < 0).long() - (rank > d).long()
    corner, rank = corner + turn * (d + 1), rank + turn * (d + 1)

    rest = (elevated - corner) / (d + 1)
    weight = torch.zeros(len(features), d + 2, dtype=features.dtype, device=features.device)
    weight.scatter_(1, d - rank, rest)
    weight.scatter_add_(1, d + 1 - rank, -rest)
    weight[:, 0] += 1 + weight[:, d + 1]
    return Simplices(corner, rank, weight[:, : d + 1].contiguous())


def number_vertices(simplices: Simplices) -> tuple[Tensor, Tensor, Tensor]:
    """Numbers of the simplices' vertices (N, d + 1), and of their neighbours.

    The neighbours, one step forward and backward along each direction, have shape (d + 1, M); M
    where there is none.
    """
    corner, rank, _ = simplices
    d = corner.shape[1] - 1
    remainder = torch.arange(d + 1, device=corner.device)[:, None]
    before = rank[:, None, :d] <= d - remainder
    key = corner[:, None, :d] + torch.where(before, remainder, remainder - d - 1)  # (N, d + 1, d)

    # A key as one number: digits of a mixed radix, with room for the neighbours' keys.
    low = key.amin((0, 1)) - d
    extent = (key.amax((0, 1)) + d - low + 1).tolist()
    if math.prod(extent) > MAX_CODES:
        raise ValueError("gaussian, bilateral: too small standard deviations for the lattice")
    place = torch.tensor(
        [math.prod(extent[i + 1 :]) for i in range(d)], device=key.device, dtype=torch.int64
    )
    codes, vertex = torch.unique(((key - low) * place).sum(2), return_inverse=True)

    step = place.sum() - torch.cat([(d + 1) * place, place.new_zeros(1)])  # of each direction
    neighbours = []
    for sign in (1, -1):
        wanted = codes + sign * step[:, None]
        found = torch.searchsorted(codes, wanted).clamp_max(len(codes) - 1)
        neighbours.append(torch.where(codes[found] == wanted, found, len(codes)))
    return vertex, neighbours[0], neighbours[1]
