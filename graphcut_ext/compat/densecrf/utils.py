"""pydensecrf's utilities: unary energies from labels and probabilities, features of grids."""

from __future__ import annotations

import warnings
from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from graphcut_ext.compat.densecrf.arrays import count_of, floats, real_array, widths

__all__ = [
    "compute_unary",
    "create_pairwise_bilateral",
    "create_pairwise_gaussian",
    "softmax_to_unary",
    "unary_from_labels",
    "unary_from_softmax",
]
Matrix = NDArray[np.float32]


def unary_from_labels(
    labels: ArrayLike, n_labels: int, gt_prob: float, zero_unsure: bool = True
) -> Matrix:
    """Energies (n_labels, points) where each label given is right with probability ``gt_prob``.

    With ``zero_unsure`` the labels are 1 to ``n_labels``, and 0 means that all are alike likely;
    without, they are 0 to ``n_labels`` - 1.
    """
    given = np.asarray(labels).ravel()
    if given.dtype.kind not in "iu":
        raise TypeError(f"labels must be integers, not {given.dtype}")
    if count_of("n_labels", n_labels) < 2:
        raise ValueError(f"n_labels must be at least 2, not {n_labels}")
    if not 0 < gt_prob < 1:
        raise ValueError(f"gt_prob must be in (0, 1), not {gt_prob}")
    last = n_labels if zero_unsure else n_labels - 1
    wrong = (given < 0) | (given > last)
    if wrong.any():
        first = int(wrong.argmax())
        raise ValueError(f"labels must be from 0 to {last}, but number {first} is {given[first]}")
    row = given.astype(np.int64) - int(zero_unsure)
    same = row == np.arange(n_labels)[:, None]
    other = (1 - gt_prob) / (n_labels - 1)
    energy = np.where(same, -np.log(gt_prob), -np.log(other)).astype(np.float32)
    energy[:, row < 0] = np.log(n_labels)
    return np.ascontiguousarray(energy)


def unary_from_softmax(
    sm: ArrayLike, scale: float | None = None, clip: float | None = 1e-5
) -> Matrix:
    """Energies (labels, points): -log of probabilities (labels, ...).

    ``scale`` in (0, 1] mixes them with equal ones, of which they keep that share; ``clip`` is the
    least that counts.
    """
    p = real_array("sm", sm)
    if p.ndim < 1 or 0 in p.shape:
        raise ValueError(f"sm must have labels and points, not shape {p.shape}")
    if scale is not None:
        if not 0 < scale <= 1:
            raise ValueError(f"scale must be in (0, 1], not {scale}")
        p = scale * p + (1 - scale) / len(p)
    if clip is not None:
        p = np.clip(p, clip, 1)
    with np.errstate(divide="ignore"):
        energy = -np.log(p)
    return np.ascontiguousarray(energy.reshape(len(p), -1), np.float32)


def compute_unary(labels: ArrayLike, M: int, GT_PROB: float = 0.5) -> Matrix:
    """``unary_from_labels`` by its old name."""
    warnings.warn(
        "compute_unary is deprecated: use unary_from_labels", DeprecationWarning, stacklevel=2
    )
    return unary_from_labels(labels, M, GT_PROB)


def softmax_to_unary(sm: ArrayLike, GT_PROB: float = 1) -> Matrix:
    """``unary_from_softmax`` without clipping, by its old name."""
    warnings.warn(
        "softmax_to_unary is deprecated: use unary_from_softmax", DeprecationWarning, stacklevel=2
    )
    return unary_from_softmax(sm, None if GT_PROB == 1 else GT_PROB, clip=None)


def create_pairwise_gaussian(sdims: Sequence[float], shape: Sequence[int]) -> Matrix:
    """Features (axes, points) of a grid's points: positions divided by the widths ``sdims``."""
    lengths = tuple(count_of("shape", length) for length in shape)
    grid = np.indices(lengths, np.float32).reshape(len(lengths), -1)
    return grid / _column(widths("sdims", sdims, len(lengths)))


def create_pairwise_bilateral(
    sdims: Sequence[float], schan: float | Sequence[float], img: ArrayLike, chdim: int = -1
) -> Matrix:
    """Features (axes + channels, points): positions by ``sdims`` and values by ``schan``.

    ``img`` has any number of axes, of which ``chdim`` is that of the channels; -1: it has none.
    """
    values = real_array("img", img)
    if not -1 <= chdim < values.ndim:
        raise ValueError(f"chdim must be -1 or an axis of img, not {chdim}")
    values = values[None] if chdim == -1 else np.moveaxis(values, chdim, 0)
    values = floats("img", values, (None,) * values.ndim)
    colours = values.reshape(len(values), -1) / _column(widths("schan", schan, len(values)))
    return np.concatenate([create_pairwise_gaussian(sdims, values.shape[1:]), colours])


def _column(numbers: list[float]) -> Matrix:
    return np.array(numbers, np.float32)[:, None]
