"""Checks on the arguments that both dense CRFs take."""

from __future__ import annotations

from typing import Literal, get_args

import torch
from torch import Tensor

from graphcut_ext._arguments import check_tensor, dtype_name

Method = Literal["auto", "lattice", "exact"]
METHODS: tuple[Method, ...] = get_args(Method)
DTYPES = (torch.float16, torch.bfloat16, torch.float32, torch.float64)
MAX_SETTING = 1e30  # what float32 can be divided and multiplied by


def choose_scores(probabilities: Tensor | None, unary: Tensor | None) -> tuple[Tensor, str]:
    """Return the one of both that is given, and its name."""
    if (probabilities is None) == (unary is None):
        raise ValueError("either probabilities or unary must be given, and the other be None")
    name = "probabilities" if unary is None else "unary"
    scores = check_tensor(name, probabilities if unary is None else unary)
    if scores.dtype not in DTYPES:
        raise TypeError(f"{name} must be floating point, not {dtype_name(scores.dtype)}")
    return scores, name


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
