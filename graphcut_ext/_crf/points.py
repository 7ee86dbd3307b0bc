"""Mean field over points with feature vectors: by the core on the CPU, by torch elsewhere."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Literal, NamedTuple, get_args

import numpy as np
import torch
from torch import Tensor

from graphcut_ext import _core
from graphcut_ext._crf.exact import STORED, filter_by_rows, filter_stored
from graphcut_ext._crf.kernels import mean_field
from graphcut_ext._crf.lattice import lattice_filter

Normalization = Literal["symmetric", "before", "after", "none"]
NORMALIZATIONS: tuple[Normalization, ...] = get_args(Normalization)
MAX_DIMENSIONS: int = _core.CRF_MAX_DIMENSIONS
MAX_SPREAD = 1e5  # standard deviations: farther, float32 cannot tell lattice points apart


class PointKernel(NamedTuple):
    """A Gaussian kernel of features; arrays are NumPy's for the core, and torch's otherwise.

    Attributes
    ----------
    features : array, shape (N, D) or (B, N, D)
        In standard deviations.
    weight : float
        Of the kernel; for Potts the cost of different labels.
    matrix : array, shape (L, L), or None
        Costs of two labels; None is Potts.
    normalization : {"symmetric", "before", "after", "none"}
        Of the kernel matrix.
    """

    features: Any
    weight: float
    matrix: Any | None
    normalization: str


def core_field(
    labels: int, points: int, kernels: Sequence[PointKernel], threads: int
) -> _core.FeatureField:
    """The core's CRF with features (N, D), which builds the lattices."""
    return _core.FeatureField(
        labels,
        points,
        [np.ascontiguousarray(near_zero(np, k.features).T, np.float32) for k in kernels],
        [k.weight for k in kernels],
        [None if k.matrix is None else np.ascontiguousarray(k.matrix, np.float32) for k in kernels],
        [k.normalization for k in kernels],
        threads,
    )


def infer_on_host(
    scores: Any, kernels: Sequence[PointKernel], floor: float, iterations: int, threads: int
) -> Any:
    """Marginals (B, L, N) by the lattice, from energies, or from probabilities where floor > 0.

    It uses NumPy and the core alone: torch's threads would hang in a forked child.
    """
    scores = np.ascontiguousarray(scores, np.float32)
    marginals = np.empty(scores.shape, np.float32)
    _, labels, points = scores.shape
    field = None
    for item in range(len(scores)):
        if field is None or any(k.features.ndim == 3 for k in kernels):
            field = core_field(labels, points, [of_item(k, item) for k in kernels], threads)
        field.infer(scores[item], floor, None, iterations, marginals[item])
    return marginals


def infer_by_torch(
    energy: Tensor, kernels: Sequence[PointKernel], iterations: int, method: str
) -> Tensor:
    """Marginals (B, L, N) from energies, on any device."""
    if method == "exact" and all(k.features.dim() == 2 for k in kernels):
        return _iterate(energy, kernels, iterations, method)
    marginals = torch.empty_like(energy, memory_format=torch.contiguous_format)
    for item in range(len(energy)):
        own = [of_item(k, item) for k in kernels]
        marginals[item] = _iterate(energy[item : item + 1], own, iterations, method)[0]
    return marginals


def of_item(kernel: PointKernel, item: int) -> PointKernel:
    """The kernel of one item of a batch, with features (N, D)."""
    if kernel.features.ndim == 2:
        return kernel
    return kernel._replace(features=kernel.features[item])


def near_zero(xp: Any, features: Any) -> Any:
    """Subtract the least of each feature that lies far from 0; ``xp`` is NumPy or torch.

    That changes no distance. Far from 0, float32 cannot hold the fractions of lattice coordinates.
    """
    if 0 in features.shape:
        return features
    far = xp.amax(xp.abs(features), -2, keepdims=True) > MAX_SPREAD
    return features - xp.where(far, xp.amin(features, -2, keepdims=True), 0.0)


def _iterate(
    energy: Tensor, kernels: Sequence[PointKernel], iterations: int, method: str
) -> Tensor:
    filters = [_filter(k, energy.dtype, method, len(kernels)) for k in kernels]
    return mean_field(energy, None, iterations, filters)


def _filter(
    kernel: PointKernel, dtype: torch.dtype, method: str, kernels: int
) -> Callable[[Tensor], Tensor]:
    """What the kernel adds to the logits: -costs K q, with Potts the same as -1 for one label."""
    features = near_zero(torch, kernel.features).to(dtype)
    if method == "lattice":
        apply = lattice_filter(features, kernel.weight, kernel.normalization)
    else:
        fits = kernels * len(features) ** 2 * features.element_size() <= STORED
        make = filter_stored if fits else filter_by_rows
        apply = make(features[None], kernel.weight, kernel.normalization)
    if kernel.matrix is None:
        return apply
    costs = kernel.matrix.to(dtype)
    return lambda q: -(costs @ apply(q))
