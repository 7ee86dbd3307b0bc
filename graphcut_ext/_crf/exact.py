"""Mean field with sums over all pairs of pixels, by torch's operators on any device."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from graphcut_ext._crf.kernels import Kernels, appearance_features, factors, mean_field

STORED = 1 << 28  # bytes of kernel matrices in memory at a time


def infer_exact(
    energy: Tensor, image: Tensor, compatibility: Tensor | None, iterations: int, kernels: Kernels
) -> Tensor:
    """Marginals (B, L, H, W) from energies of that shape and an image (B, C, H, W).

    Kernel matrices of some items at a time are stored where at least one item's fits into
    ``STORED`` bytes, and made anew by blocks of rows in every iteration where it does not.
    """
    _, _, height, width = energy.shape
    matrix = (height * width) ** 2 * energy.element_size()
    items = max(1, STORED // matrix)
    marginals = torch.empty_like(energy, memory_format=torch.contiguous_format)
    for begin in range(0, len(energy), items):
        part = slice(begin, begin + items)
        filters = _filters(image[part], kernels, stored=matrix <= STORED)
        found = mean_field(energy[part].flatten(2), compatibility, iterations, filters)
        marginals[part] = found.unflatten(2, (height, width))
    return marginals


def _filters(image: Tensor, kernels: Kernels, *, stored: bool) -> list[Callable[[Tensor], Tensor]]:
    filters: list[Callable[[Tensor], Tensor]] = []
    if kernels.smoothness_weight > 0:
        filters.append(_smoothness(image, kernels))
    if kernels.appearance_weight > 0:
        features = appearance_features(image, kernels)
        make = filter_stored if stored else filter_by_rows
        filters.append(make(features, kernels.appearance_weight))
    return filters


def _smoothness(image: Tensor, kernels: Kernels) -> Callable[[Tensor], Tensor]:
    """Return the Gaussian of the plane, as the one along columns times the one along rows."""
    height, width = image.shape[2:]
    down = _axis(height, kernels.smoothness_xy, image) * kernels.smoothness_weight
    across = _axis(width, kernels.smoothness_xy, image)

    def apply(q: Tensor) -> Tensor:
        filtered: Tensor = down @ q.unflatten(2, (height, width)) @ across
        return filtered.flatten(2)

    return apply


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
    features: Tensor, weight: float, normalization: str = "symmetric"
) -> Callable[[Tensor], Tensor]:
    """The Gaussian filter of values (B, L, N) at features (B, N, D), by a matrix in memory."""
    kernel = _block(features, slice(None))
    before, after = factors(kernel.sum(2), normalization)
    kernel *= before[:, :, None]
    kernel *= weight * after[:, None]
    return lambda q: q @ kernel


def filter_by_rows(
    features: Tensor, weight: float, normalization: str = "symmetric"
) -> Callable[[Tensor], Tensor]:
    """The same filter by blocks of rows, which are made anew each time."""
    pixels = features.shape[1]
    step = max(1, STORED // (pixels * features.element_size() * len(features)))
    blocks = [slice(begin, begin + step) for begin in range(0, pixels, step)]
    sums = torch.cat([_block(features, rows).sum(2) for rows in blocks], 1)[:, None]
    before, after = factors(sums, normalization)

    def apply(q: Tensor) -> Tensor:
        scaled = q * before
        parts = [scaled @ _block(features, rows).mT for rows in blocks]
        return torch.cat(parts, 2) * (weight * after)

    return apply
