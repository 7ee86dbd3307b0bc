"""Mean field in images as an operator of torch, and its derivative."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from graphcut_ext import _core
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
from graphcut_ext._crf.image_problem import (
    check_values,
    device_problem,
    host_array,
    host_arrays,
    host_problem,
    of_probabilities,
    output_dtype,
)
from graphcut_ext._crf.kernels import Kernels
from graphcut_ext._crf.mean_field import differentiate, infer
from graphcut_ext._crf.points import differentiate_on_host, infer_on_host
from graphcut_ext._crf.volume import volume_kernels
from graphcut_ext._maxflow.cut import thread_count
from graphcut_ext._operator import Operator
from graphcut_ext._value_checks import values_are_checked


def _kernel(
    scores: Tensor,
    image: Tensor,
    compatibility: Tensor | None,
    weights: Tensor | None,
    unary: bool,
    floor: float,
    iterations: int,
    kernels: Sequence[float],
    method: str,
    threads: int,
    spacing: Sequence[float],
) -> Tensor:
    settings = Kernels.weighted(kernels, weights)
    dtype = output_dtype(scores.dtype, method)
    if image.is_cpu and method == "lattice":
        arrays = host_arrays(scores, image, compatibility)
        span = check_values(np, *arrays, unary, settings, weights, dtype, spacing)
        given, pixels, matrix = host_problem(*arrays, settings, span)
        floor = 0.0 if unary else floor
        marginals = np.empty(given.shape, np.float32)
        if spacing:
            points = volume_kernels(np, pixels, settings, spacing, matrix)
            flat = given.reshape(*given.shape[:2], math.prod(given.shape[2:]))
            marginals = infer_on_host(flat, points, floor, iterations, thread_count(threads))
        else:
            _core.dense_crf(
                given, floor, pixels, matrix, iterations, settings, marginals, thread_count(threads)
            )
        return torch.from_numpy(marginals.reshape(given.shape))
    if image.is_cpu or values_are_checked():
        check_values(torch, scores, image, compatibility, unary, settings, weights, dtype, spacing)
    return infer(
        *device_problem(
            scores, image, compatibility, unary, floor, iterations, settings, method, spacing
        )
    )


def _gradient_kernel(
    gradient: Tensor,
    scores: Tensor,
    image: Tensor,
    compatibility: Tensor | None,
    weights: Tensor | None,
    unary: bool,
    floor: float,
    iterations: int,
    kernels: Sequence[float],
    method: str,
    threads: int,
    spacing: Sequence[float],
    wanted: bool,
) -> Tensor:
    settings = Kernels.weighted(kernels, weights)
    dtype = output_dtype(scores.dtype, method)
    if image.is_cpu and method == "lattice":
        given, pixels, matrix = host_problem(*host_arrays(scores, image, compatibility), settings)
        least = 0.0 if unary else floor
        upstream = np.ascontiguousarray(host_array(gradient), np.float32)
        found = np.empty(given.shape, np.float32)
        pairs = np.zeros((len(given), 2, given.shape[1], given.shape[1])) if wanted else None
        if spacing:
            points = volume_kernels(np, pixels, settings, spacing, matrix)
            flat = (*given.shape[:2], math.prod(given.shape[2:]))
            found, of_points = differentiate_on_host(
                upstream.reshape(flat),
                given.reshape(flat),
                points,
                least,
                iterations,
                thread_count(threads),
                wanted,
            )
            if pairs is not None:
                pairs[:, settings.present()] = of_points
        else:
            _core.dense_crf_gradient(
                given,
                least,
                pixels,
                matrix,
                iterations,
                settings,
                upstream,
                found,
                pairs,
                thread_count(threads),
            )
        return packed(
            torch.from_numpy(found), None if pairs is None else torch.from_numpy(pairs), dtype
        )
    problem = device_problem(
        scores, image, compatibility, unary, floor, iterations, settings, method, spacing
    )
    present = settings.present()
    of_energy, of_present = differentiate(
        gradient.to(dtype), *problem, kernels=len(present) if wanted else 0
    )
    grown = None
    if wanted:
        grown = of_present.new_zeros(len(of_energy), 2, *of_present.shape[2:])
        grown[:, present] = of_present
    return packed(of_energy if unary else of_probabilities(of_energy, scores, floor), grown, dtype)


def _fake(scores: Tensor, *others: Any) -> Tensor:
    method = others[7]
    return scores.new_empty(scores.shape, dtype=output_dtype(scores.dtype, method))


def _gradient_fake(gradient: Tensor, scores: Tensor, *others: Any) -> Tensor:
    *_, method, _, _, wanted = others
    size = packed_size(scores.shape, 2 if wanted else 0)
    return scores.new_empty(size, dtype=output_dtype(scores.dtype, method))


def _vmap(info: Any, in_dims: tuple[int | None, ...], *arguments: Any) -> tuple[Tensor, int]:
    return _mapped(infer_marginals, 2, info.batch_size, in_dims, arguments)


def _gradient_vmap(
    info: Any, in_dims: tuple[int | None, ...], *arguments: Any
) -> tuple[Tensor, int]:
    return _mapped(_differentiate_marginals, 3, info.batch_size, in_dims, arguments)


def _mapped(
    operator: Operator, items: int, size: int, in_dims: tuple[int | None, ...], arguments: Any
) -> tuple[Tensor, int]:
    """Call an operator once, the first tensors of which have items."""
    not_mapped("dense_crf: compatibility", in_dims[items])
    not_mapped("dense_crf: weight", in_dims[items + 1])
    flat = [stack_items(arguments[i], in_dims[i], size) for i in range(items)]
    found = operator.dispatched(*flat, *arguments[items:])
    return found.unflatten(0, (size, len(found) // size)), 0


def _setup_context(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
    ctx.save_for_backward(*inputs[:4])
    ctx.settings = inputs[4:]


def _backward(ctx: Any, gradient: Tensor) -> tuple[Any, ...]:
    scores, image, compatibility, weights = ctx.saved_tensors
    of_costs, of_weights = ctx.needs_input_grad[2:4]
    wanted = of_costs or of_weights
    rows = _differentiate_marginals(
        gradient, scores, image, compatibility, weights, *ctx.settings, wanted
    )
    grads: list[Tensor | None] = [None] * (4 + len(ctx.settings))
    grads[0], pairs = unpacked(rows, scores, 2 if wanted else 0)
    if of_costs:
        _, smoothness, _, _, appearance = ctx.settings[3]
        shares = (smoothness, appearance) if weights is None else weights.unbind()
        total = sum(share * of_matrix(own) for share, own in zip(shares, pairs, strict=True))
        grads[2] = total.to(compatibility.dtype)
    if of_weights:
        found = [of_weight(own, compatibility) for own in pairs]
        grads[3] = torch.stack(found).to(weights.dtype)
    return tuple(grads)


infer_marginals = Operator(
    "dense_crf",
    _kernel,
    _fake,
    vmap=_vmap,
    setup_context=_setup_context,
    backward=_backward,
)
_differentiate_marginals = Operator(
    "dense_crf_gradient",
    _gradient_kernel,
    _gradient_fake,
    vmap=_gradient_vmap,
    setup_context=no_setup,
    backward=no_second,
)
