"""What mean field in images starts from, on the host and on devices, and checks of its values."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from operator import mul
from typing import Any

import numpy as np
import torch
from torch import Tensor

from graphcut_ext._crf.arguments import check_weight
from graphcut_ext._crf.checks import bounds, check_costs, check_scores, require_finite
from graphcut_ext._crf.exact import exact_parts
from graphcut_ext._crf.kernels import Kernels
from graphcut_ext._crf.lattice import lattice_parts
from graphcut_ext._crf.mean_field import Parts
from graphcut_ext._crf.points import MAX_SPREAD, point_parts
from graphcut_ext._crf.volume import volume_kernels
from graphcut_ext._maxflow.cut import to_numpy

SIGMA_OF_UNIT_RANGE = 1.0  # a wider kernel of colours that all lie in [0, 1] sees one colour


def of_probabilities(of_energy: Tensor, scores: Tensor, floor: float) -> Tensor:
    """From the gradient in energies -log(max(p, floor)) to that in p."""
    p = scores.to(of_energy.dtype)
    return torch.where(p >= floor, -of_energy / p, 0.0)


def device_problem(
    scores: Tensor,
    image: Tensor,
    compatibility: Tensor | None,
    unary: bool,
    floor: float,
    iterations: int,
    kernels: Kernels,
    method: str,
    spacing: Sequence[float],
) -> tuple[Tensor, Tensor | None, int, Parts]:
    """Energies, costs, iterations and filters, as ``mean_field.infer`` takes them."""
    dtype = output_dtype(scores.dtype, method)
    energy = energies(scores, unary, floor, dtype)
    colours = _near_zero(torch, image, kernels).to(dtype)
    matrix = None if compatibility is None else compatibility.to(dtype)
    if spacing:
        points = volume_kernels(torch, colours, kernels, spacing, matrix)
        return energy, None, iterations, point_parts(points, len(energy), dtype, method)
    parts = exact_parts if method == "exact" else lattice_parts
    return energy, matrix, iterations, parts(colours, kernels)


def energies(scores: Tensor, unary: bool, floor: float, dtype: torch.dtype) -> Tensor:
    """Unary energies in the dtype of the work, from themselves or from probabilities."""
    energy = scores.to(dtype)
    return energy if unary else energy.clamp_min(floor).log_().neg_()


def host_arrays(
    scores: Tensor, image: Tensor, compatibility: Tensor | None
) -> tuple[Any, Any, Any]:
    """What the host works on: torch's threads would hang in a forked child."""
    matrix = None if compatibility is None else host_array(compatibility)
    return host_array(scores), host_array(image), matrix


def host_problem(
    given: Any,
    pixels: Any,
    matrix: Any,
    kernels: Kernels,
    span: tuple[float, float] | None = None,
) -> tuple[Any, Any, Any]:
    """The same as the core takes it; ``span``: the bounds of the colours, where they are known."""

    def single(values: Any) -> Any:
        return np.ascontiguousarray(values, np.float32)

    low, high = span or span_of(np, pixels, kernels)
    if max(-low, high) > MAX_SPREAD * kernels.appearance_rgb:
        pixels = _near_zero(np, pixels, kernels)
    return single(given), single(pixels), None if matrix is None else single(matrix)


def host_array(tensor: Tensor) -> Any:
    """Return a NumPy array; bfloat16, which NumPy has not, becomes float32."""
    return to_numpy(tensor.float() if tensor.dtype == torch.bfloat16 else tensor)


def output_dtype(dtype: torch.dtype, method: str) -> torch.dtype:
    """Return the dtype of the marginals, in which the work is done."""
    exact = method == "exact" and dtype == torch.float64
    return torch.float64 if exact else torch.float32


# Below, `xp` is NumPy or torch, whose arrays these functions take alike.


def span_of(xp: Any, image: Any, kernels: Kernels) -> tuple[float, float]:
    """The bounds of an image's colours; of bytes those of their type, where these are harmless."""
    if image.dtype == xp.uint8 and MAX_SPREAD * kernels.appearance_rgb >= 255:
        return 0.0, 255.0
    return bounds(xp, image)


def _near_zero(xp: Any, image: Any, kernels: Kernels) -> Any:
    """Subtract its least colour from an image whose colours lie far from 0.

    That changes no distance. Far from 0, float32 cannot hold the fractions of lattice coordinates.
    """
    if kernels.appearance_xy == 0 or image.dtype == xp.uint8:
        return image
    wide = xp.asarray(image, dtype=xp.float64)
    axes = tuple(range(1, image.ndim))
    low, high = xp.amin(wide, axes, keepdims=True), xp.amax(wide, axes, keepdims=True)
    far = xp.maximum(xp.abs(low), xp.abs(high)) > MAX_SPREAD * kernels.appearance_rgb
    return wide - xp.where(far, low, 0.0)


def check_values(
    xp: Any,
    scores: Any,
    image: Any,
    compatibility: Any | None,
    unary: bool,
    kernels: Kernels,
    weights: Tensor | None,
    dtype: torch.dtype,
    spacing: Sequence[float],
) -> tuple[float, float]:
    """Refuse values that are out of range, or leave the range of ``dtype``.

    Returns the bounds of the colours.
    """
    check_scores(xp, scores, unary, dtype)
    if weights is not None:
        check_weight("gaussian: weight", kernels.smoothness_weight)
        check_weight("bilateral: weight", kernels.appearance_weight)
    whole = image.dtype == xp.uint8
    span = span_of(xp, image, kernels) if whole else require_finite(xp, "image", image, dtype)
    if kernels.appearance_xy > 0:
        _check_colours(*span, whole, kernels.appearance_rgb)
    lengths = image.shape[2:]
    extent = max(map(mul, lengths, spacing) if spacing else lengths)
    for field, sigma in (
        ("gaussian", kernels.smoothness_xy),
        ("bilateral", kernels.appearance_xy),
    ):
        if sigma > 0 and not extent <= MAX_SPREAD * sigma:
            raise ValueError(
                f"{field}: sigma_xy {sigma} is too small for an image of {extent:g} pixels"
            )
    if compatibility is not None:
        check_costs(xp, "compatibility", compatibility, dtype)
    return span


def _check_colours(low: float, high: float, whole: bool, sigma: float) -> None:
    if not high - low <= MAX_SPREAD * sigma:
        raise ValueError(
            f"bilateral: sigma_rgb {sigma} is too small for an image with values from {low} to "
            f"{high}"
        )
    if not whole and 0 <= low < high <= 1 and sigma > SIGMA_OF_UNIT_RANGE:
        warnings.warn(
            f"the image's values lie between {low:g} and {high:g}, as if scaled to 0..1, but "
            f"sigma_rgb is {sigma:g}: all colours look alike. Give an image of 0..255, or divide "
            "sigma_rgb by 255.",
            UserWarning,
            stacklevel=2,
        )
