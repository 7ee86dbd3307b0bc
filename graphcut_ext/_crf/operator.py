"""Mean field in the dense CRF as an operator of torch: values are checked, a method is run."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from graphcut_ext import _core
from graphcut_ext._crf.checks import check_costs, check_scores, require_finite
from graphcut_ext._crf.exact import infer_exact
from graphcut_ext._crf.kernels import Kernels
from graphcut_ext._crf.lattice import infer_lattice
from graphcut_ext._crf.points import MAX_SPREAD, infer_by_torch, infer_on_host
from graphcut_ext._crf.volume import volume_kernels
from graphcut_ext._maxflow.cut import thread_count, to_numpy
from graphcut_ext._operator import Operator
from graphcut_ext._value_checks import values_are_checked

SIGMA_OF_UNIT_RANGE = 1.0  # a wider kernel of colours that all lie in [0, 1] sees one colour


def _kernel(
    scores: Tensor,
    image: Tensor,
    compatibility: Tensor | None,
    unary: bool,
    floor: float,
    iterations: int,
    kernels: list[float],
    method: str,
    threads: int,
    spacing: Sequence[float],
) -> Tensor:
    settings = Kernels(*kernels)
    dtype = output_dtype(scores.dtype, method)
    if image.is_cpu and method == "lattice":
        return _on_host(
            scores, image, compatibility, unary, floor, iterations, settings, threads, spacing
        )
    if image.is_cpu or values_are_checked():
        _check_values(torch, scores, image, compatibility, unary, settings, dtype, spacing)
    energy = scores.to(dtype)
    if not unary:
        energy = energy.clamp_min(floor).log_().neg_()
    colours = _near_zero(torch, image, settings).to(dtype)
    matrix = None if compatibility is None else compatibility.to(dtype)
    if spacing:
        points = volume_kernels(torch, colours, settings, spacing, matrix)
        found = infer_by_torch(energy.flatten(2), points, iterations, method)
        return found.view_as(energy)
    infer = infer_exact if method == "exact" else infer_lattice
    return infer(energy, colours, matrix, iterations, settings)


def _on_host(
    scores: Tensor,
    image: Tensor,
    compatibility: Tensor | None,
    unary: bool,
    floor: float,
    iterations: int,
    kernels: Kernels,
    threads: int,
    spacing: Sequence[float],
) -> Tensor:
    """Infer by the core and NumPy: torch's threads would hang in a forked child."""

    def single(values: Any) -> Any:
        return np.ascontiguousarray(values, np.float32)

    given, pixels = host_array(scores), host_array(image)
    matrix = None if compatibility is None else host_array(compatibility)
    _check_values(np, given, pixels, matrix, unary, kernels, torch.float32, spacing)
    if pixels.size and np.abs(pixels).max() > MAX_SPREAD * kernels.appearance_rgb:
        pixels = _near_zero(np, pixels, kernels)
    if spacing:
        points = volume_kernels(np, single(pixels), kernels, spacing, matrix)
        flat = given.reshape(*given.shape[:2], -1)
        found = infer_on_host(
            flat, points, 0.0 if unary else floor, iterations, thread_count(threads)
        )
        return torch.from_numpy(found.reshape(given.shape))
    marginals = np.empty(given.shape, np.float32)
    _core.dense_crf(
        single(given),
        0.0 if unary else floor,
        single(pixels),
        None if matrix is None else single(matrix),
        iterations,
        *kernels,
        marginals,
        thread_count(threads),
    )
    return torch.from_numpy(marginals)


def host_array(tensor: Tensor) -> Any:
    """Return a NumPy array; bfloat16, which NumPy has not, becomes float32."""
    return to_numpy(tensor.float() if tensor.dtype == torch.bfloat16 else tensor)


def _fake(scores: Tensor, *others: Any) -> Tensor:
    method = others[6]
    return scores.new_empty(scores.shape, dtype=output_dtype(scores.dtype, method))


def _vmap(
    info: Any, in_dims: tuple[int | None, ...], scores: Tensor, image: Tensor, *rest: Any
) -> tuple[Tensor, int]:
    if in_dims[2] is not None:
        raise NotImplementedError("dense_crf: compatibility cannot be mapped over by vmap")

    def flat(tensor: Tensor, axis: int | None) -> Tensor:
        stacked = (
            tensor.expand(info.batch_size, *tensor.shape)
            if axis is None
            else tensor.movedim(axis, 0)
        )
        return stacked.flatten(0, 1)

    marginals = infer_marginals.dispatched(flat(scores, in_dims[0]), flat(image, in_dims[1]), *rest)
    return marginals.unflatten(0, (info.batch_size, len(marginals) // info.batch_size)), 0


def output_dtype(dtype: torch.dtype, method: str) -> torch.dtype:
    """Return the dtype of the marginals, in which the work is done."""
    exact = method == "exact" and dtype == torch.float64
    return torch.float64 if exact else torch.float32


# Below, `xp` is NumPy or torch, whose arrays these functions take alike.


def _near_zero(xp: Any, image: Any, kernels: Kernels) -> Any:
    """Subtract its least colour from an image whose colours lie far from 0.

    That changes no distance. Far from 0, float32 cannot hold the fractions of lattice coordinates.
    """
    if kernels.appearance_weight == 0 or image.dtype == xp.uint8:
        return image
    wide = xp.asarray(image, dtype=xp.float64)
    axes = tuple(range(1, image.ndim))
    low, high = xp.amin(wide, axes, keepdims=True), xp.amax(wide, axes, keepdims=True)
    far = xp.maximum(xp.abs(low), xp.abs(high)) > MAX_SPREAD * kernels.appearance_rgb
    return wide - xp.where(far, low, 0.0)


def _check_values(
    xp: Any,
    scores: Any,
    image: Any,
    compatibility: Any | None,
    unary: bool,
    kernels: Kernels,
    dtype: torch.dtype,
    spacing: Sequence[float],
) -> None:
    """Refuse values that are out of range, or leave the range of ``dtype``."""
    check_scores(xp, scores, unary, dtype)
    if image.dtype != xp.uint8:
        require_finite(xp, "image", image, dtype)
    if kernels.appearance_weight > 0 and 0 not in image.shape:
        _check_colours(xp, image, kernels.appearance_rgb)
    for field, sigma, weight in (
        ("gaussian", kernels.smoothness_xy, kernels.smoothness_weight),
        ("bilateral", kernels.appearance_xy, kernels.appearance_weight),
    ):
        steps = spacing or [1.0] * (image.ndim - 2)
        extent = max(length * step for length, step in zip(image.shape[2:], steps, strict=True))
        if weight > 0 and not extent <= MAX_SPREAD * sigma:
            raise ValueError(
                f"{field}: sigma_xy {sigma} is too small for an image of {extent:g} pixels"
            )
    if compatibility is not None:
        check_costs(xp, "compatibility", compatibility, dtype)


def _check_colours(xp: Any, image: Any, sigma: float) -> None:
    low, high = float(xp.amin(image)), float(xp.amax(image))
    if not high - low <= MAX_SPREAD * sigma:
        raise ValueError(
            f"bilateral: sigma_rgb {sigma} is too small for an image with values from {low} to "
            f"{high}"
        )
    if image.dtype != xp.uint8 and 0 <= low < high <= 1 and sigma > SIGMA_OF_UNIT_RANGE:
        warnings.warn(
            f"the image's values lie between {low:g} and {high:g}, as if scaled to 0..1, but "
            f"sigma_rgb is {sigma:g}: all colours look alike. Give an image of 0..255, or divide "
            "sigma_rgb by 255.",
            UserWarning,
            stacklevel=2,
        )


infer_marginals = Operator("dense_crf", _kernel, _fake, vmap=_vmap)
