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
    stacked_by_vmap,
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
        arrays = _items(spacing, *host_arrays(scores, image, compatibility))
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
        return torch.from_numpy(marginals.reshape(tuple(scores.shape)))
    items, images, _ = _items(spacing, scores, image)
    if image.is_cpu or values_are_checked():
        check_values(torch, items, images, compatibility, unary, settings, weights, dtype, spacing)
    return infer(
        *device_problem(
            items, images, compatibility, unary, floor, iterations, settings, method, spacing
        )
    ).view(scores.shape)


def _has_items(dimensions: int, spacing: Sequence[float]) -> bool:
    """Whether scores of so many dimensions are (B, L, ...), not (L, ...)."""
    return dimensions > 1 + (len(spacing) or 2)


def _items(
    spacing: Sequence[float], scores: Any, image: Any, compatibility: Any = None
) -> tuple[Any, Any, Any]:
    """Make a batch of what is none, of arrays or tensors."""
    if _has_items(scores.ndim, spacing):
        return scores, image, compatibility
    return scores[None], image[None], compatibility


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
        arrays = _items(spacing, *host_arrays(scores, image, compatibility))
        given, pixels, matrix = host_problem(*arrays, settings)
        least = 0.0 if unary else floor
        upstream = np.ascontiguousarray(host_array(gradient), np.float32).reshape(given.shape)
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
    items, images, _ = _items(spacing, scores, image)
    problem = device_problem(
        items, images, compatibility, unary, floor, iterations, settings, method, spacing
    )
    present = settings.present()
    of_energy, of_present = differentiate(
        gradient.to(dtype).reshape(items.shape), *problem, kernels=len(present) if wanted else 0
    )
    grown = None
    if wanted:
        grown = of_present.new_zeros(len(of_energy), 2, *of_present.shape[2:])
        grown[:, present] = of_present
    return packed(of_energy if unary else of_probabilities(of_energy, items, floor), grown, dtype)


def _fake(scores: Tensor, *others: Any) -> Tensor:
    method = others[7]
    return scores.new_empty(scores.shape, dtype=output_dtype(scores.dtype, method))


def _gradient_fake(gradient: Tensor, scores: Tensor, *others: Any) -> Tensor:
    *_, method, _, spacing, wanted = others
    shape = scores.shape if _has_items(scores.ndim, spacing) else (1, *scores.shape)
    size = packed_size(shape, 2 if wanted else 0)
    return scores.new_empty(size, dtype=output_dtype(scores.dtype, method))


def _vmap(info: Any, in_dims: tuple[int | None, ...], *arguments: Any) -> tuple[Tensor, int]:
    size = info.batch_size
    found, items = _mapped(infer_marginals, 2, size, in_dims, arguments)
    return (found.unflatten(0, (size, len(found) // size)) if items else found), 0


def _gradient_vmap(
    info: Any, in_dims: tuple[int | None, ...], *arguments: Any
) -> tuple[Tensor, int]:
    rows, _ = _mapped(_differentiate_marginals, 3, info.batch_size, in_dims, arguments)
    return rows.unflatten(0, (info.batch_size, len(rows) // info.batch_size)), 0


def _mapped(
    operator: Operator, tensors: int, size: int, in_dims: tuple[int | None, ...], arguments: Any
) -> tuple[Tensor, bool]:
    """Call an operator once, the first tensors of which have items or are one.

    Returns what it returns, of all items, and whether the tensors have such.
    """
    not_mapped("dense_crf: compatibility", in_dims[tensors])
    not_mapped("dense_crf: weight", in_dims[tensors + 1])
    stacked = [stacked_by_vmap(arguments[i], in_dims[i], size) for i in range(tensors)]
    spacing = arguments[tensors + 8]
    items = _has_items(stacked[0].ndim - 1, spacing)
    flat = [tensor.flatten(0, 1) for tensor in stacked] if items else stacked
    return operator.dispatched(*flat, *arguments[tensors:]), items


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
    items = _has_items(scores.ndim, ctx.settings[-1])
    grads[0], pairs = unpacked(rows, scores, 2 if wanted else 0, items)
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
