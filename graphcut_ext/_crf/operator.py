"""Mean field in the dense CRF as an operator of torch: values are checked, a method is run."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from graphcut_ext import _core
from graphcut_ext._crf.exact import infer_exact
from graphcut_ext._crf.kernels import Kernels
from graphcut_ext._crf.lattice import infer_lattice
from graphcut_ext._operator import Operator
from graphcut_ext._value_checks import values_are_checked

MOST_SPREAD = 1e5  # standard deviations: beyond, float32 cannot tell places in a lattice apart


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
    if not image.is_cuda or values_are_checked():
        _check_values(scores, image, compatibility, unary, settings, dtype)
    energy = scores.to(dtype)
    if not unary:
        energy = energy.clamp_min(floor).log_().neg_()
    colours = _near_zero(image, settings).to(dtype)
    matrix = None if compatibility is None else compatibility.to(dtype)
    if method == "exact":
        return infer_exact(energy, colours, matrix, iterations, settings)
    if image.is_cuda:
        return infer_lattice(energy, colours, matrix, iterations, settings)
    marginals = torch.empty_like(energy, memory_format=torch.contiguous_format)
    _core.dense_crf(
        energy.contiguous().numpy(),
        colours.contiguous().numpy(),
        None if matrix is None else matrix.contiguous().numpy(),
        iterations,
        *settings,
        marginals.numpy(),
        threads or torch.get_num_threads(),
    )
    return marginals


def _fake(
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


def _near_zero(image: Tensor, kernels: Kernels) -> Tensor:
    """Images whose colours lie far from 0 less their least one, which changes no distance.

    Coordinates of a lattice are rounded to integers; far from 0 float32 has none in between.
    """
    if kernels.appearance_weight == 0:
        return image
    least, most = (
        extreme((1, 2, 3), keepdim=True).double() for extreme in (image.amin, image.amax)
    )
    far = torch.maximum(least.abs(), most.abs()) > MOST_SPREAD * kernels.appearance_rgb
    return image.double() - torch.where(far, least, 0.0)


def _check_values(
    scores: Tensor,
    image: Tensor,
    compatibility: Tensor | None,
    unary: bool,
    kernels: Kernels,
    dtype: torch.dtype,
) -> None:
    """Refuse what is out of range, also in ``dtype``, in which sums are made."""
    name, rule = ("unary", "finite") if unary else ("probabilities", "finite and not negative")
    valid = scores.isfinite() if unary else scores.isfinite() & (scores >= 0)
    _require(name, scores, valid, rule)
    _require_in_range(name, scores, dtype)
    if image.is_floating_point():
        _require("image", image, image.isfinite(), "finite")
        _require_in_range("image", image, dtype)
    if kernels.appearance_weight > 0 and image.numel() > 0:
        low, high = (float(value) for value in image.aminmax())
        if not high - low <= MOST_SPREAD * kernels.appearance_rgb:
            raise ValueError(
                f"bilateral: sigma_rgb {kernels.appearance_rgb} is too small for an image with "
                f"values from {low} to {high}"
            )
    for field, sigma, weight in (
        ("gaussian", kernels.smoothness_xy, kernels.smoothness_weight),
        ("bilateral", kernels.appearance_xy, kernels.appearance_weight),
    ):
        extent = max(image.shape[-2:])
        if weight > 0 and not extent <= MOST_SPREAD * sigma:
            raise ValueError(
                f"{field}: sigma_xy {sigma} is too small for an image of {extent} pixels"
            )
    if compatibility is not None:
        _require("compatibility", compatibility, compatibility.isfinite(), "finite")
        _require_in_range("compatibility", compatibility, dtype)
        symmetric = compatibility == compatibility.mT
        _require("compatibility", compatibility, symmetric, "symmetric")


def _require(name: str, tensor: Tensor, valid: Tensor, rule: str) -> None:
    if not bool(valid.all()):
        first = (~valid).nonzero()[0].tolist()
        value = tensor[tuple(first)].item()
        raise ValueError(f"{name} must be {rule}, but {name}{first} is {value}")


def _require_in_range(name: str, tensor: Tensor, dtype: torch.dtype) -> None:
    if tensor.dtype == torch.float64 and dtype == torch.float32:
        _require(name, tensor, tensor.to(dtype).isfinite(), "within the range of float32")


infer_marginals = Operator("dense_crf", _kernel, _fake, vmap=_vmap)
