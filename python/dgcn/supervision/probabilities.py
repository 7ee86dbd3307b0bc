"""Which probabilities a supervision goes by."""

from __future__ import annotations

from typing import Literal

from torch import Tensor

from dgcn.supervision.base import Marginals

Unary = Literal["network", "crf"]

FLOOR = 1e-7
"""Probabilities below this count as this in -log10: no cost exceeds 7."""


def among_image_labels(probabilities: Tensor, present: Tensor, image_labels_only: bool) -> Tensor:
    """Probabilities (B, L, h, w), float32: as they are, or over the image's labels alone.

    Parameters
    ----------
    probabilities : Tensor, shape (B, L, h, w)
    present : Tensor of bool, shape (B, L)
    image_labels_only : bool
        Divide by the sum over the classes that are present, 1e-7 at least; the others get 0.
    """
    probabilities = probabilities.float()
    if not image_labels_only:
        return probabilities
    possible = probabilities * present[:, :, None, None]
    return possible / possible.sum(1, keepdim=True).clamp_min(FLOOR)


def crf_marginals(marginals: Marginals | None, probabilities: Tensor, reader: str) -> Tensor:
    """The CRF's marginals, (B, L, h, w) as the probabilities.

    Parameters
    ----------
    marginals : Marginals or None
    probabilities : Tensor, shape (B, L, h, w)
    reader : str
        Who reads them, for the message.

    Raises
    ------
    ValueError
        `marginals` is None or gives another shape.
    """
    if marginals is None:
        raise ValueError(f"marginals must be given: {reader} reads the CRF's marginals")
    found = marginals()
    if found.shape != probabilities.shape:
        raise ValueError(
            f"marginals must give the shape of probabilities {tuple(probabilities.shape)}, "
            f"got {tuple(found.shape)}"
        )
    return found
