"""Mean field over feature vectors as an operator of torch, and its derivative."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from graphcut_ext._crf.checks import check_costs, check_scores, require_finite
from graphcut_ext._crf.gradients import (
    no_second,
    no_setup,
    not_mapped,
    of_matrix,
    of_weight,
    packed,
    packed_size,
    stack_items,
    unpacked,
)
from graphcut_ext._crf.image_problem import energies, host_array, of_probabilities, output_dtype
from graphcut_ext._crf.mean_field import differentiate, infer
from graphcut_ext._crf.points import (
    MAX_SPREAD,
    PointKernel,
    differentiate_on_host,
    infer_on_host,
    point_parts,
)
from graphcut_ext._maxflow.cut import thread_count
from graphcut_ext._operator import Operator
from graphcut_ext._value_checks import values_are_checked


def _kernel(
    scores: Tensor,
    features: Sequence[Tensor],
    costs: Tensor,
    weights: Sequence[float],
    axes: Sequence[int],
    normalizations: str,
    unary: bool,
    floor: float,
    iterations: int,
    method: str,
    threads: int,
) -> Tensor:
    dtype = output_dtype(scores.dtype, method)
    settings = (weights, axes, normalizations.split(), scores.shape[1])
    if scores.is_cpu and method == "lattice":
        given, arrays = host_array(scores), [host_array(f) for f in features]
        kernels = _kernels(np, arrays, host_array(costs), *settings, dtype, checked=True)
        check_scores(np, given, unary, dtype)
        found = infer_on_host(
            given, kernels, 0.0 if unary else floor, iterations, thread_count(threads)
        )
        return torch.from_numpy(found)
    checked = scores.is_cpu or values_are_checked()
    kernels = _kernels(torch, features, costs, *settings, dtype, checked=checked)
    if checked:
        check_scores(torch, scores, unary, dtype)
    energy = energies(scores, unary, floor, dtype)
    return infer(energy, None, iterations, point_parts(kernels, len(energy), dtype, method))


def _gradient_kernel(
    gradient: Tensor,
    scores: Tensor,
    features: Sequence[Tensor],
    costs: Tensor,
    weights: Sequence[float],
    axes: Sequence[int],
    normalizations: str,
    unary: bool,
    floor: float,
    iterations: int,
    method: str,
    threads: int,
    wanted: bool,
) -> Tensor:
    dtype = output_dtype(scores.dtype, method)
    settings = (weights, axes, normalizations.split(), scores.shape[1])
    if scores.is_cpu and method == "lattice":
        arrays = [host_array(f) for f in features]
        kernels = _kernels(np, arrays, host_array(costs), *settings, dtype, checked=False)
        found = differentiate_on_host(
            host_array(gradient),
            host_array(scores),
            kernels,
            0.0 if unary else floor,
            iterations,
            thread_count(threads),
            wanted,
        )
        of_scores, pairs = map(torch.from_numpy, found)
    else:
        kernels = _kernels(torch, features, costs, *settings, dtype, checked=False)
        energy = energies(scores, unary, floor, dtype)
        parts = point_parts(kernels, len(energy), dtype, method)
        of_scores, pairs = differentiate(
            gradient.to(dtype), energy, None, iterations, parts, len(kernels) if wanted else 0
        )
        if not unary:
            of_scores = of_probabilities(of_scores, scores, floor)
    return packed(of_scores, pairs if wanted else None, dtype)


def _kernels(
    xp: Any,
    features: Any,
    costs: Any,
    weights: Sequence[float],
    axes: Sequence[int],
    normalizations: Sequence[str],
    labels: int,
    dtype: torch.dtype,
    *,
    checked: bool,
) -> list[PointKernel]:
    kernels = []
    given = zip(features, split(costs, axes, labels), weights, normalizations, strict=True)
    for index, (feature, cost, weight, normalization) in enumerate(given):
        if checked:
            _check_features(xp, f"kernels[{index}]: features", feature, dtype)
            if cost is not None:
                check_costs(xp, f"kernels[{index}]: compatibility", cost, dtype)
        matrix = None  # a number: Potts
        if cost is not None and cost.ndim == 0:
            weight = float(cost)
        elif cost is not None:
            matrix = cost if cost.ndim == 2 else -xp.diag(cost)
        kernels.append(PointKernel(feature, weight, matrix, normalization))
    return kernels


def split(costs: Any, axes: Sequence[int], labels: int) -> list[Any | None]:
    """The tensor of every kernel's costs, with so many axes of labels; None for -1 axes."""
    found: list[Any | None] = []
    begin = 0
    for count in axes:
        if count < 0:
            found.append(None)
            continue
        size = labels**count
        found.append(costs[begin : begin + size].reshape((labels,) * count))
        begin += size
    return found


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


def _gradient_fake(
    gradient: Tensor, scores: Tensor, features: Sequence[Tensor], *others: Any
) -> Tensor:
    *_, method, _, wanted = others
    size = packed_size(scores.shape, len(features) if wanted else 0)
    return scores.new_empty(size, dtype=output_dtype(scores.dtype, method))


def _vmap(info: Any, in_dims: tuple[Any, ...], *arguments: Any) -> tuple[Tensor, int]:
    return _mapped(infer_points, 1, info.batch_size, in_dims, arguments)


def _gradient_vmap(info: Any, in_dims: tuple[Any, ...], *arguments: Any) -> tuple[Tensor, int]:
    return _mapped(_differentiate_points, 2, info.batch_size, in_dims, arguments)


def _mapped(
    operator: Operator, items: int, size: int, in_dims: tuple[Any, ...], arguments: Any
) -> tuple[Tensor, int]:
    """Call an operator once, the first tensors of which have items; then come the features."""
    not_mapped("dense_crf_features: compatibility", in_dims[items + 1])
    flat = [stack_items(arguments[i], in_dims[i], size) for i in range(items)]
    features = []
    axes = in_dims[items] or [None] * len(arguments[items])
    for tensor, axis in zip(arguments[items], axes, strict=True):
        own = tensor
        if axis is not None and tensor.dim() == 3:  # shared by the items
            own = tensor.movedim(axis, 0)[:, None]
            own = own.expand(-1, len(flat[0]) // size, -1, -1).flatten(0, 1)
        elif axis is not None or tensor.dim() == 3:
            own = stack_items(tensor, axis, size)
        features.append(own)
    found = operator.dispatched(*flat, features, *arguments[items + 1 :])
    return found.unflatten(0, (size, len(found) // size)), 0


def _setup_context(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
    scores, features, costs, *settings = inputs
    ctx.save_for_backward(scores, costs, *features)
    ctx.settings = settings


def _backward(ctx: Any, gradient: Tensor) -> tuple[Any, ...]:
    scores, costs, *features = ctx.saved_tensors
    wanted = ctx.needs_input_grad[2]
    rows = _differentiate_points(gradient, scores, features, costs, *ctx.settings, wanted)
    of_scores, pairs = unpacked(rows, scores, len(features) if wanted else 0)
    of_costs = None
    if wanted:
        found = [pairs.new_zeros(0)]
        for own, cost in zip(pairs, split(costs, ctx.settings[1], scores.shape[1]), strict=True):
            if cost is None:
                continue
            if cost.ndim == 0:
                found.append(of_weight(own, None).reshape(1))
            elif cost.ndim == 1:
                found.append(own.diagonal())
            else:
                found.append(of_matrix(own).flatten())
        of_costs = torch.cat(found).to(costs.dtype)
    # A function of autograd takes the list as one argument, torch.library looks into it.
    looked_into = not isinstance(ctx.needs_input_grad[1], bool)
    of_features = [None] * len(features) if looked_into else None
    return of_scores, of_features, of_costs, *(None,) * len(ctx.settings)


infer_points = Operator(
    "dense_crf_features",
    _kernel,
    _fake,
    vmap=_vmap,
    setup_context=_setup_context,
    backward=_backward,
)
_differentiate_points = Operator(
    "dense_crf_features_gradient",
    _gradient_kernel,
    _gradient_fake,
    vmap=_gradient_vmap,
    setup_context=no_setup,
    backward=no_second,
)
