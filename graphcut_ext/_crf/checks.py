"""Checks of values; `xp` is NumPy or torch, whose arrays these functions take alike."""

from __future__ import annotations

from typing import Any

import torch

BEYOND_FLOAT32 = 2.0**128 - 2.0**103  # rounds to infinity; all below rounds to a float32


def require(xp: Any, name: str, values: Any, valid: Any, rule: str) -> None:
    """Refuse the first value that is not valid, by its position."""
    if not bool(valid.all()):
        first = xp.argwhere(~valid)[0].tolist()
        value = values[tuple(first)].item()
        raise ValueError(f"{name} must be {rule}, but {name}{first} is {value}")


def require_range(xp: Any, name: str, values: Any, dtype: torch.dtype) -> None:
    """Refuse float64 values that become infinite where the work is in float32."""
    if dtype == torch.float32 and values.dtype == xp.float64:
        within = xp.abs(values) < BEYOND_FLOAT32
        require(xp, name, values, within, "within the range of float32")


def require_finite(xp: Any, name: str, values: Any, dtype: torch.dtype) -> None:
    """Refuse NaN, infinite values and those that become infinite."""
    require(xp, name, values, xp.isfinite(values), "finite")
    require_range(xp, name, values, dtype)


def check_scores(xp: Any, scores: Any, unary: bool, dtype: torch.dtype) -> None:
    """Refuse energies that are not finite, and probabilities that are negative too."""
    if unary:
        return require_finite(xp, "unary", scores, dtype)
    valid = xp.isfinite(scores) & (scores >= 0)
    require(xp, "probabilities", scores, valid, "finite and not negative")
    return require_range(xp, "probabilities", scores, dtype)


def check_costs(xp: Any, name: str, costs: Any, dtype: torch.dtype) -> None:
    """Refuse costs of labels that are not finite, and matrices that are not symmetric."""
    require_finite(xp, name, costs, dtype)
    if costs.ndim == 2:
        require(xp, name, costs, costs == costs.T, "symmetric")
