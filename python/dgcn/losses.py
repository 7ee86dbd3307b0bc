"""The two losses of seeded segmentation, on probabilities that are never 0.

Seeding loss: Huang et al., "Weakly-supervised semantic segmentation network with deep seeded region
growing" (DSRG), CVPR 2018, equation 2. Boundary loss: Kolesnikov and Lampert, "Seed, expand and
constrain" (SEC), ECCV 2016, section 3.3.
"""

from __future__ import annotations

import torch
from torch import Tensor

__all__ = ["RATIO_RANGE", "boundary_loss", "floored_softmax", "seeding_loss"]

RATIO_RANGE = (0.05, 20.0)
"""Range to which the boundary loss clips q / p."""


def floored_softmax(logits: Tensor, floor: float = 1e-4) -> Tensor:
    """Softmax over dimension 1 with a floor, renormalised: (softmax + floor) / (1 + L floor).

    The floor is added, as in the published code of SEC and DSRG: clipping at it would stop the
    gradient exactly where a cue is contradicted most.

    Parameters
    ----------
    logits : Tensor, shape (B, L, ...)
    floor : float, default 1e-4
        Not negative.

    Returns
    -------
    Tensor, shape of `logits`
        At least floor / (1 + L floor); sums to 1 over dimension 1.

    Raises
    ------
    ValueError
        `floor` is negative, or `logits` has no dimension 1.
    """
    if floor < 0:
        raise ValueError(f"floor must not be negative, got {floor}")
    if logits.dim() < 2:
        raise ValueError(f"logits must have shape (B, L, ...), got {tuple(logits.shape)}")
    return (logits.softmax(1) + floor) / (1 + logits.shape[1] * floor)


def seeding_loss(probabilities: Tensor, supervision: Tensor) -> Tensor:
    """Balanced seeding loss: mean -log p over the foreground's cells plus the background's.

    For each image, with S_c the cells supervised as class c, sums over c > 0 and u in S_c::

        - sum log p_u,c / sum |S_c|  -  sum_{u in S_0} log p_u,0 / |S_0|

    A term without cells is 0. The images' losses are averaged.

    Parameters
    ----------
    probabilities : Tensor, shape (B, L, h, w)
        Positive where supervised, e.g. from `floored_softmax`.
    supervision : Tensor of bool, shape (B, L, h, w)
        Class 0 is the background.

    Returns
    -------
    Tensor, scalar

    Raises
    ------
    TypeError
        `supervision` is not bool.
    ValueError
        The shapes differ, or the batch is empty.
    """
    _check(probabilities, supervision, "supervision")
    if supervision.dtype != torch.bool:
        raise TypeError(f"supervision must be bool, got {supervision.dtype}")
    # Where nothing is supervised log 1 stands in: its gradient is 0 even for a probability of 0.
    surprise = -torch.where(supervision, probabilities, 1.0).log()
    background = surprise[:, 0].sum((1, 2)) / supervision[:, 0].sum((1, 2)).clamp_min(1)
    foreground = surprise[:, 1:].sum((1, 2, 3)) / supervision[:, 1:].sum((1, 2, 3)).clamp_min(1)
    return (foreground + background).mean()


def boundary_loss(probabilities: Tensor, crf_marginals: Tensor) -> Tensor:
    """Divergence of the network from the CRF: mean over cells of sum_c q log clip(q / p).

    q / p is clipped to `RATIO_RANGE`; where it is clipped no gradient flows into p. None flows into
    q at all.

    Parameters
    ----------
    probabilities : Tensor, shape (B, L, h, w)
        p, positive, e.g. from `floored_softmax`.
    crf_marginals : Tensor, shape (B, L, h, w)
        q, mean-field marginals; see `dgcn.crf`.

    Returns
    -------
    Tensor, scalar

    Raises
    ------
    ValueError
        The shapes differ, or the batch is empty.
    """
    _check(probabilities, crf_marginals, "crf_marginals")
    q = crf_marginals.detach().to(probabilities.dtype)
    # Far below any floor; keeps the derivative of q / p finite should p be 0.
    p = probabilities.clamp_min(1e-12)
    divergence = (q * (q / p).clamp(*RATIO_RANGE).log()).sum(1)
    return divergence.mean()


def _check(probabilities: Tensor, other: Tensor, name: str) -> None:
    if probabilities.dim() != 4 or 0 in probabilities.shape:
        raise ValueError(
            f"probabilities must have shape (B, L, h, w), got {tuple(probabilities.shape)}"
        )
    if other.shape != probabilities.shape:
        raise ValueError(
            f"{name} must have the shape of probabilities {tuple(probabilities.shape)}, "
            f"got {tuple(other.shape)}"
        )
