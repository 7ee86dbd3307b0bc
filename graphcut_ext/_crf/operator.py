"""Mean field in the dense CRF as an operator of torch: values are checked, a method is run."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor

from graphcut_ext import _core
from graphcut_ext._crf.exact import infer_exact
from graphcut_ext._crf.kernels import Kernels
from graphcut_ext._crf.lattice import infer_lattice
from graphcut_ext._maxflow.cut import thread_count, to_numpy
from graphcut_ext._operator import Operator
from graphcut_ext._value_checks import values_are_checked

MAX_SPREAD = 1e5  # standard deviations: farther, float32 cannot tell lattice points apart
BEYOND_FLOAT32 = 2.0**128 - 2.0**103  # rounds to infinity; all below rounds to a float32


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
) -> Tensor:
    settings = Kernels(*kernels)
    dtype = _output_dtype(scores.dtype, method)
    if image.is_cpu and method == "lattice":
        return _on_host(scores, image, compatibility, unary, floor, iterations, settings, threads)
    if image.is_cpu or values_are_checked():
        _check_values(torch, scores, image, compatibility, unary, settings, dtype)
    energy = scores.to(dtype)
    if not unary:
        energy = energy.clamp_min(floor).log_().neg_()
    colours = _near_zero(torch, image, settings).to(dtype)
    matrix = None if compatibility is None else compatibility.to(dtype)
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
) -> Tensor:
    """Infer by the core and NumPy: torch's threads would hang in a forked child."""

    def array(tensor: Tensor) -> Any:
        return to_numpy(tensor.float() if tensor.dtype == torch.bfloat16 else tensor)

    def single(values: Any) -> Any:
        return np.ascontiguousarray(values, np.float32)

    given, pixels = array(scores), array(image)
    matrix = None if compatibility is None else array(compatibility)
    _check_values(np, given, pixels, matrix, unary, kernels, torch.float32)
    if pixels.size and np.abs(pixels).max() > MAX_SPREAD * kernels.appearance_rgb:
        pixels = _near_zero(np, pixels, kernels)
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


def _fake(scores: Tensor, *others: Any) -> Tensor:
    *_, method, _ = others
    return scores.new_empty(scores.shape, dtype=_output_dtype(scores.dtype, method))


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


def _output_dtype(dtype: torch.dtype, method: str) -> torch.dtype:
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
    low, high = xp.amin(wide, (1, 2, 3), keepdims=True), xp.amax(wide, (1, 2, 3), keepdims=True)
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
) -> None:
    """Refuse values that are out of range, or leave the range of ``dtype``."""

    def require_range(name: str, values: Any) -> None:
        if dtype == torch.float32 and values.dtype == xp.float64:
            within = xp.abs(values) < BEYOND_FLOAT32
            _require(xp, name, values, within, "within the range of float32")

    name, rule = ("unary", "finite") if unary else ("probabilities", "finite and not negative")
    valid = xp.isfinite(scores) if unary else xp.isfinite(scores) & (scores >= 0)
    _require(xp, name, scores, valid, rule)
    require_range(name, scores)
    if image.dtype != xp.uint8:
        _require(xp, "image", image, xp.isfinite(image), "finite")
        require_range("image", image)
    if kernels.appearance_weight > 0 and 0 not in image.shape:
        low, high = float(xp.amin(image)), float(xp.amax(image))
        if not high - low <= MAX_SPREAD * kernels.appearance_rgb:
            raise ValueError(
                f"bilateral: sigma_rgb {kernels.appearance_rgb} is too small for an image with "
                f"values from {low} to {high}"
            )
    for field, sigma, weight in (
        ("gaussian", kernels.smoothness_xy, kernels.smoothness_weight),
        ("bilateral", kernels.appearance_xy, kernels.appearance_weight),
    ):
        extent = max(image.shape[-2:])
        if weight > 0 and not extent <= MAX_SPREAD * sigma:
            raise ValueError(
                f"{field}: sigma_xy {sigma} is too small for an image of {extent} pixels"
            )
    if compatibility is not None:
        _require(xp, "compatibility", compatibility, xp.isfinite(compatibility), "finite")
        require_range("compatibility", compatibility)
        symmetric = compatibility == compatibility.T
        _require(xp, "compatibility", compatibility, symmetric, "symmetric")


def _require(xp: Any, name: str, values: Any, valid: Any, rule: str) -> None:
    if not bool(valid.all()):
        first = xp.argwhere(~valid)[0].tolist()
        value = values[tuple(first)].item()
        raise ValueError(f"{name} must be {rule}, but {name}{first} is {value}")


infer_marginals = Operator("dense_crf", _kernel, _fake, vmap=_vmap)
