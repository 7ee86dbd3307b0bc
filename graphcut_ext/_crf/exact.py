"""Filters that sum over all pairs of pixels, by torch's operators on any device."""

from __future__ import annotations

import torch
from torch import Tensor

from graphcut_ext._crf.kernels import Kernels, appearance_features
from graphcut_ext._crf.mean_field import Filter, Parts, factors

STORED = 1 << 28  # bytes of kernel matrices in memory at a time


def exact_parts(image: Tensor, kernels: Kernels) -> Parts:
    """Filters of images (B, C, H, W), of some items at a time.

    Kernel matrices are stored where at least one item's fits into ``STORED`` bytes, and made again
    by blocks of rows in every iteration where it does not.
    """
    matrix = (image.shape[2] * image.shape[3]) ** 2 * image.element_size()
    items = max(1, STORED // matrix)
    for begin in range(0, len(image), items):
        part = slice(begin, begin + items)
        filters = []
        if kernels.smoothness_xy > 0:
            filters.append(_smoothness(image, kernels))
        if kernels.appearance_xy > 0:
            features = appearance_features(image[part], kernels)
            make = filter_stored if matrix <= STORED else filter_by_rows
            filters.append(make(features, kernels.appearance_weight))
        yield part, filters


def _smoothness(image: Tensor, kernels: Kernels) -> Filter:
    """Return the Gaussian of the plane, as the one along columns times the one along rows."""
    height, width = image.shape[2:]
    down = _axis(height, kernels.smoothness_xy, image)
    across = _axis(width, kernels.smoothness_xy, image)

    def apply(q: Tensor) -> Tensor:
        filtered: Tensor = down @ q.unflatten(2, (height, width)) @ across
        return filtered.flatten(2)

    return Filter(apply, apply, kernels.smoothness_weight)  # it is symmetric


def _axis(length: int, sigma: float, like: Tensor) -> Tensor:
    """Normalised Gaussian matrix (length, length) of one axis."""
    at = torch.arange(length, dtype=torch.float64, device=like.device)
    gaussian = (-0.5 * ((at[:, None] - at) / sigma).square()).exp()
    root = gaussian.sum(1).rsqrt()
    return (root[:, None] * gaussian * root).to(like.dtype)


def _block(features: Tensor, rows: slice) -> Tensor:
    """Rows of the kernel matrices, (B, rows, N)."""
    # A product of features would round the more, the farther they lie from 0.
    distances = torch.cdist(
        features[:, rows], features, compute_mode="donot_use_mm_for_euclid_dist"
    )
    return distances.square_().mul_(-0.5).exp_()


def filter_stored(
    features: Tensor, weight: float, normalization: str = "symmetric", costs: Tensor | None = None
) -> Filter:
    """The Gaussian filter of values (B, L, N) at features (B, N, D), by a matrix in memory."""
    kernel = _block(features, slice(None))
    before, after = factors(kernel.sum(2), normalization)
    kernel *= before[:, :, None]
    kernel *= after[:, None]
    return Filter(lambda q: q @ kernel, lambda q: q @ kernel.mT, weight, costs)


def filter_by_rows(
    features: Tensor, weight: float, normalization: str = "symmetric", costs: Tensor | None = None
) -> Filter:
    """The same filter by blocks of rows, which are made again each time."""
    pixels = features.shape[1]
    step = max(1, STORED // (pixels * features.element_size() * len(features)))
    blocks = [slice(begin, begin + step) for begin in range(0, pixels, step)]
    sums = torch.cat([_block(features, rows).sum(2) for rows in blocks], 1)[:, None]
    before, after = factors(sums, normalization)

    def between(before: Tensor, q: Tensor, after: Tensor) -> Tensor:
        scaled = q * before
        parts = [scaled @ _block(features, rows).mT for rows in blocks]
        return torch.cat(parts, 2) * after

    return Filter(
        lambda q: between(before, q, after), lambda q: between(after, q, before), weight, costs
    )
