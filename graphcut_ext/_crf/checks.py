"""Checks of values; `xp` is NumPy or torch, whose arrays these functions take alike."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import torch

from graphcut_ext import _core
from graphcut_ext._crf.arguments import MAX_SETTING

WEIGHTS = f"finite and not negative, at most {MAX_SETTING}"
BEYOND_FLOAT32 = 2.0**128 - 2.0**103  # rounds to infinity; all below rounds to a float32


def require(xp: Any, name: str, values: Any, valid: Any, rule: str) -> None:
    """Refuse the first value that is not valid, by its position."""
    if not bool(valid.all()):
        first = xp.argwhere(~valid)[0].tolist()
        value = values[tuple(first)].item()
        place = f"{name.rpartition(': ')[2]}{first if first else ''}"
        raise ValueError(f"{name} must be {rule}, but {place} is {value}")


def require_range(xp: Any, name: str, values: Any, dtype: torch.dtype) -> None:
    """Refuse float64 values that become infinite where the work is in float32."""
    if dtype == torch.float32 and values.dtype == xp.float64:
        within = xp.abs(values) < BEYOND_FLOAT32
        require(xp, name, values, within, "within the range of float32")


def bounds(xp: Any, values: Any) -> tuple[float, float]:
    """The least and the greatest of some values, NaN where there is one; 0 where there are none."""
    if 0 in values.shape:
        return 0.0, 0.0
    if xp is np and values.dtype.char in "dfB" and values.flags.c_contiguous:
        return _core.bounds(values)
    return float(xp.amin(values)), float(xp.amax(values))


def require_finite(
    xp: Any, name: str, values: Any, dtype: torch.dtype, least: float = -math.inf
) -> tuple[float, float]:
    """Refuse NaN, infinite values, those that become infinite, and those below ``least``.

    Returns the bounds of the others.
    """
    low, high = bounds(xp, values)
    most = BEYOND_FLOAT32 if dtype == torch.float32 else math.inf
    if -most < low and least <= low and high < most:  # NaN is not
        return low, high
    if least == 0:
        require(xp, name, values, xp.isfinite(values) & (values >= 0), "finite and not negative")
    require(xp, name, values, xp.isfinite(values), "finite")
    require_range(xp, name, values, dtype)
    return low, high


def check_scores(xp: Any, scores: Any, unary: bool, dtype: torch.dtype) -> None:
    """Refuse energies that are not finite, and probabilities that are negative too."""
    if unary:
        require_finite(xp, "unary", scores, dtype)
    else:
        require_finite(xp, "probabilities", scores, dtype, 0)


def check_costs(xp: Any, name: str, costs: Any, dtype: torch.dtype) -> None:
    """Refuse costs that are not finite, weights below 0, and matrices that are not symmetric."""
    require_finite(xp, name, costs, dtype)
    if costs.ndim == 0:
        require(xp, name, costs, (costs >= 0) & (costs <= MAX_SETTING), WEIGHTS)
    if costs.ndim == 2:
        require(xp, name, costs, costs == costs.T, "symmetric")
