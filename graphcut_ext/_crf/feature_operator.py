"""Mean field over feature vectors as an operator of torch: values are checked, a method is run."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from graphcut_ext._crf.checks import check_costs, check_scores, require_finite
from graphcut_ext._crf.operator import host_array, output_dtype
from graphcut_ext._crf.points import MAX_SPREAD, PointKernel, infer_by_torch, infer_on_host
from graphcut_ext._maxflow.cut import thread_count
from graphcut_ext._operator import Operator
from graphcut_ext._value_checks import values_are_checked


def _kernel(
    scores: Tensor,
    features: Sequence[Tensor],
    compatibilities: Sequence[Tensor],
    weights: Sequence[float],
    normalizations: str,
    unary: bool,
    floor: float,
    iterations: int,
    method: str,
    threads: int,
) -> Tensor:
    dtype = output_dtype(scores.dtype, method)
    names = normalizations.split()
    if scores.is_cpu and method == "lattice":
        given = host_array(scores)
        kernels = _kernels(
            np, map(host_array, features), map(host_array, compatibilities), weights, names, dtype
        )
        check_scores(np, given, unary, dtype)
        found = infer_on_host(
            given, kernels, 0.0 if unary else floor, iterations, thread_count(threads)
        )
        return torch.from_numpy(found)
    checked = scores.is_cpu or values_are_checked()
    kernels = _kernels(torch, features, compatibilities, weights, names, dtype, checked=checked)
    if checked:
        check_scores(torch, scores, unary, dtype)
    energy = scores.to(dtype)
    if not unary:
        energy = energy.clamp_min(floor).log_().neg_()
    return infer_by_torch(energy, kernels, iterations, method)


def _kernels(
    xp: Any,
    features: Any,
    compatibilities: Any,
    weights: Sequence[float],
    normalizations: Sequence[str],
    dtype: torch.dtype,
    *,
    checked: bool = True,
) -> list[PointKernel]:
    kernels = []
    given = zip(features, compatibilities, weights, normalizations, strict=True)
    for index, (feature, costs, weight, normalization) in enumerate(given):
        if checked:
            _check_features(xp, f"kernels[{index}]: features", feature, dtype)
            check_costs(xp, f"kernels[{index}]: compatibility", costs, dtype)
        matrix = None  # a number: Potts
        if costs.ndim == 1 and costs.shape[0] > 0:
            matrix = -xp.diag(costs)
        elif costs.ndim == 2:
            matrix = costs
        kernels.append(PointKernel(feature, weight, matrix, normalization))
    return kernels


def _check_features(xp: Any, name: str, features: Any, dtype: torch.dtype) -> None:
    require_finite(xp, name, features, dtype)
    if 0 in features.shape:
        return
    wide = xp.asarray(features, dtype=xp.float64)
    spread = xp.amax(wide, -2) - xp.amin(wide, -2)
    if float(spread.max()) > MAX_SPREAD:
        feature = int(spread.reshape(-1).argmax()) % features.shape[-1]
        raise ValueError(
            f"{name} must lie within {MAX_SPREAD:g} standard deviations, but feature {feature} "
            f"extends over {float(spread.max())}"
        )


def _fake(scores: Tensor, *others: Any) -> Tensor:
    *_, method, _ = others
    return scores.new_empty(scores.shape, dtype=output_dtype(scores.dtype, method))


infer_points = Operator("dense_crf_features", _kernel, _fake)
