"""Which probabilities a supervision goes by."""

from __future__ import annotations

from typing import Literal

from torch import Tensor

from dgcn.supervision.base import Refined

Belief = Literal["all", "present"]
Unary = Literal["network", "crf"]

FLOOR = 1e-7
"""Probabilities below this count as this in -log10: no cost exceeds 7."""


def believed(probabilities: Tensor, present: Tensor, belief: Belief) -> Tensor:
    """Probabilities (B, L, h, w), float32: as they are, or over the image's classes alone.

    Parameters
    ----------
    probabilities : Tensor, shape (B, L, h, w)
    present : Tensor of bool, shape (B, L)
    belief : {"all", "present"}
        "present" divides by the sum over the classes that are present; the others get 0.
    """
    probabilities = probabilities.float()
    if belief == "all":
        return probabilities
    possible = probabilities * present[:, :, None, None]
    return possible / possible.sum(1, keepdim=True).clamp_min(FLOOR)


def marginals(refined: Refined | None, probabilities: Tensor, rule: str) -> Tensor:
    """The CRF's marginals, (B, L, h, w) as the probabilities; `rule` goes by them.

    Raises
    ------
    ValueError
        `refined` is None or gives another shape.
    """
    if refined is None:
        raise ValueError(f"refined must be given: {rule} goes by the CRF's marginals")
    found = refined()
    if found.shape != probabilities.shape:
        raise ValueError(
            f"refined must give the shape of probabilities {tuple(probabilities.shape)}, "
            f"got {tuple(found.shape)}"
        )
    return found
