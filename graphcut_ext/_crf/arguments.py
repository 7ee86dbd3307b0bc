"""Checks on the arguments that both dense CRFs take."""

from __future__ import annotations

from typing import Literal, get_args

import torch
from torch import Tensor

from graphcut_ext._arguments import check_devices, check_tensor, dtype_name

Method = Literal["auto", "lattice", "exact"]
METHODS: tuple[Method, ...] = get_args(Method)
DTYPES = (torch.float16, torch.bfloat16, torch.float32, torch.float64)
MAX_SETTING = 1e30  # what float32 can be divided and multiplied by


def check_floating(name: str, value: object) -> Tensor:
    """Return ``value`` if it is a floating-point tensor, else raise ``TypeError``."""
    tensor = check_tensor(name, value)
    if tensor.dtype not in DTYPES:
        raise TypeError(f"{name} must be floating point, not {dtype_name(tensor.dtype)}")
    return tensor


def check_constant(name: str, value: Tensor) -> Tensor:
    """Refuse a tensor for which a gradient is wanted, and return it without."""
    if value.requires_grad and torch.is_grad_enabled():
        raise NotImplementedError(
            f"{name} requires a gradient, but the marginals have no derivative in it; "
            f"give {name.rpartition(': ')[2]}.detach()"
        )
    return value.detach()


def choose_scores(
    probabilities: Tensor | None, unary: Tensor | None, things: str, axes: int
) -> tuple[Tensor, str]:
    """Return the one of both that is given, and its name; it has so many axes of ``things``.

    Three axes stand for two or three.
    """
    if (probabilities is None) == (unary is None):
        raise ValueError("either probabilities or unary must be given, and the other be None")
    name = "probabilities" if unary is None else "unary"
    scores = check_floating(name, probabilities if unary is None else unary)
    shapes = {
        1: "(B, L, N) or (L, N)",
        2: "(B, L, H, W) or (L, H, W)",
        3: "(B, L, D, H, W) or (L, D, H, W)",
    }
    if scores.dim() not in (axes + 1, axes + 2):
        raise ValueError(f"{name} must have shape {shapes[axes]}, not {tuple(scores.shape)}")
    if 0 in scores.shape[-1 - axes :]:
        raise ValueError(f"{name} must have labels and {things}, not shape {tuple(scores.shape)}")
    return scores, name


def check_floor(floor: float) -> float:
    """Return the least probability as a float."""
    if not 0 < floor < 1:
        raise ValueError(f"floor must be in (0, 1), not {floor}")
    return float(floor)


def check_weight(name: str, weight: float) -> float:
    """Return a kernel's weight as a float."""
    if not 0 <= weight <= MAX_SETTING:
        raise ValueError(
            f"{name} must be finite and not negative, at most {MAX_SETTING}, not {weight}"
        )
    return float(weight)


def check_costs(
    name: str, costs: object, shapes: tuple[tuple[int, ...], ...], scores_name: str, scores: Tensor
) -> Tensor:
    """Return a floating-point tensor of one of these shapes, on the device of the scores."""
    tensor = check_floating(name, costs)
    check_devices({scores_name: scores, name: tensor})
    if tensor.shape not in shapes:
        allowed = " or ".join(f"({', '.join(map(str, s))}{',' * (len(s) == 1)})" for s in shapes)
        raise ValueError(f"{name} must have shape {allowed}, not {tuple(tensor.shape)}")
    return tensor


def check_method(method: str, count: int, most: int, name: str, things: str) -> str:
    """Return "lattice" or "exact"; the lattice takes at most so many features.

    "auto" depends on the problem alone, not on the device, so that devices agree on the labels.
    """
    if method not in METHODS:
        raise ValueError(f"method must be one of {', '.join(map(repr, METHODS))}, not {method!r}")
    if method == "auto":
        return "lattice" if count <= most else "exact"
    if method == "lattice" and count > most:
        raise ValueError(
            f"{name} must have at most {most} {things} for the lattice, not {count}; "
            "method='exact' takes more"
        )
    return method
