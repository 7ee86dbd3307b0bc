"""Mean field over points with feature vectors: by the core on the CPU, by torch elsewhere."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Literal, NamedTuple, get_args

import numpy as np
import torch

from graphcut_ext import _core
from graphcut_ext._crf.exact import STORED, filter_by_rows, filter_stored
from graphcut_ext._crf.lattice import lattice_filter
from graphcut_ext._crf.mean_field import Filter, Parts

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
    for item, field in _fields(scores, kernels, threads):
        field.infer(scores[item], floor, None, iterations, marginals[item])
    return marginals


def differentiate_on_host(
    gradient: Any,
    scores: Any,
    kernels: Sequence[PointKernel],
    floor: float,
    iterations: int,
    threads: int,
    wanted: bool,
) -> tuple[Any, Any]:
    """The gradients in the scores and in the kernels, as ``mean_field.differentiate``.

    Of Potts kernels' pairs of labels it computes the diagonal alone, and of none unless wanted.
    """
    gradient, scores = (np.ascontiguousarray(a, np.float32) for a in (gradient, scores))
    found = np.empty(scores.shape, np.float32)
    items, labels, _ = scores.shape
    pairs = np.zeros((items, len(kernels) if wanted else 0, labels, labels))
    for item, field in _fields(scores, kernels, threads):
        own = pairs[item] if wanted else None
        field.differentiate(scores[item], floor, iterations, gradient[item], found[item], own)
    return found, pairs


def _fields(
    scores: Any, kernels: Sequence[PointKernel], threads: int
) -> Iterator[tuple[int, _core.FeatureField]]:
    """Every item's CRF; features that all items share build one."""
    _, labels, points = scores.shape
    field = None
    for item in range(len(scores)):
        if field is None or any(k.features.ndim == 3 for k in kernels):
            field = core_field(labels, points, [of_item(k, item) for k in kernels], threads)
        yield item, field


def point_parts(
    kernels: Sequence[PointKernel], items: int, dtype: torch.dtype, method: str
) -> Parts:
    """Filters of ``items`` items, one at a time, or of all where one filter serves them."""
    if method == "exact" and all(k.features.dim() == 2 for k in kernels):
        yield slice(None), [_filter(k, dtype, method, len(kernels)) for k in kernels]
        return
    for item in range(items):
        own = [of_item(k, item) for k in kernels]
        yield slice(item, item + 1), [_filter(k, dtype, method, len(kernels)) for k in own]


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


def _filter(kernel: PointKernel, dtype: torch.dtype, method: str, kernels: int) -> Filter:
    features = near_zero(torch, kernel.features).to(dtype)
    costs = None if kernel.matrix is None else kernel.matrix.to(dtype)
    if method == "lattice":
        return lattice_filter(features, kernel.weight, kernel.normalization, costs)
    fits = kernels * len(features) ** 2 * features.element_size() <= STORED
    make = filter_stored if fits else filter_by_rows
    return make(features[None], kernel.weight, kernel.normalization, costs)
