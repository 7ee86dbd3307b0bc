"""What the gradients of both dense CRFs share.

The derivative of an operator is an operator of its own, without a derivative: it returns for each
item the gradient in the scores, and, where kernels' gradients are wanted, the pairs of labels of
``mean_field.differentiate``, all in one row.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

NO_SECOND = "the dense CRF has no second derivatives"


def packed(found: Tensor, pairs: Tensor | None, dtype: torch.dtype) -> Tensor:
    """Rows (B, ...) of both."""
    rows = found.flatten(1)
    return rows if pairs is None else torch.cat([rows, pairs.flatten(1).to(dtype)], 1)


def packed_size(shape: Sequence[int], kernels: int) -> tuple[int, int]:
    """Shape of the rows of scores of this shape, with pairs of so many kernels."""
    labels = shape[1]
    return shape[0], math.prod(shape[1:]) + kernels * labels * labels


def unpacked(
    rows: Tensor, scores: Tensor, kernels: int, items: bool = True
) -> tuple[Tensor, Tensor]:
    """The gradient in the scores, and the sum of the items' pairs, (kernels, L, L).

    Without ``items`` the scores are those of one, (L, ...).
    """
    own = scores.shape[1:] if items else scores.shape
    labels, values = own[0], math.prod(own)
    pairs = rows[:, values:].sum(0).view(kernels, labels, labels)
    return rows[:, :values].reshape(scores.shape).to(scores.dtype), pairs


def of_weight(pairs: Tensor, costs: Tensor | None) -> Tensor:
    """The gradient in the weight of a kernel with these pairs (L, L) and costs (None: Potts)."""
    if costs is None:
        return pairs.diagonal().sum()
    return -(costs.to(pairs.dtype) * pairs).sum()


def of_matrix(pairs: Tensor) -> Tensor:
    """The gradient in a kernel's costs times its weight: symmetric, as the costs are."""
    return -(pairs + pairs.mT) / 2


def no_setup(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
    """Nothing is kept."""


def no_second(ctx: Any, *grads: Tensor | None) -> Any:
    """Refuse to differentiate a gradient."""
    raise NotImplementedError(NO_SECOND)


def stacked_by_vmap(tensor: Tensor, axis: int | None, size: int) -> Tensor:
    """Return a tensor that vmap maps over along an axis with that axis first."""
    return tensor.expand(size, *tensor.shape) if axis is None else tensor.movedim(axis, 0)


def stack_items(tensor: Tensor, axis: int | None, size: int) -> Tensor:
    """Make of a tensor over items, mapped over by vmap along an axis, one over all items."""
    return stacked_by_vmap(tensor, axis, size).flatten(0, 1)


def not_mapped(name: str, axis: int | None) -> None:
    """Refuse to map over what all items share."""
    if axis is not None:
        raise NotImplementedError(f"{name} cannot be mapped over by vmap")
