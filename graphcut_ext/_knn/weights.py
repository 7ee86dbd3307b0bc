"""Weights of the edges of a nearest-neighbour graph."""

from __future__ import annotations

from collections.abc import Callable
from numbers import Real
from typing import Any, Literal, overload

import torch
from numpy.typing import NDArray
from torch import Tensor

from graphcut_ext._arguments import check_devices, check_index_dtype, check_tensor
from graphcut_ext._arrays import takes_arrays
from graphcut_ext._value_checks import values_are_checked

Weighting = Literal["unit", "gaussian"] | Callable[[Tensor], Tensor]
Sigma = float | Literal["item", "node"]


@overload
def knn_weights(
    indices: Tensor,
    distances: Tensor,
    *,
    weighting: Weighting = "unit",
    sigma: Sigma = "item",
) -> Tensor: ...
@overload
def knn_weights(
    indices: NDArray[Any],
    distances: NDArray[Any],
    *,
    weighting: Weighting = "unit",
    sigma: Sigma = "item",
) -> NDArray[Any]: ...
@takes_arrays("distances", indices=("indices",))
def knn_weights(
    indices: Tensor,
    distances: Tensor,
    *,
    weighting: Weighting = "unit",
    sigma: Sigma = "item",
) -> Tensor:
    """Weights of the edges that :func:`graphcut_ext.knn` found, for ``knn_maxflow``.

    Parameters
    ----------
    indices : Tensor, shape (..., N, K), int64
        Neighbours of every node; -1: none.
    distances : Tensor, shape (..., N, K), float32 or float64
        Squared distances d to them, ascending.
    weighting : {"unit", "gaussian"} or callable, default "unit"
        ``"unit"``: 1. ``"gaussian"``: ``exp(-d / (2 sigma^2))``. A callable gets ``distances`` and
        returns the weights, of the same shape.
    sigma : float, "item" or "node", default "item"
        Of the gaussian, in units of the points. A number serves all edges. ``"item"``: sigma^2 is
        the mean of d over the edges of an item. ``"node"``: self-tuning after Zelnik-Manor and
        Perona, ``exp(-d / (s_i s_j))``, with s_i the distance from node i to the last of its
        neighbours.

    Returns
    -------
    Tensor, shape (..., N, K), dtype of ``distances``
        Weights; 0 where there is no neighbour. Differentiable in ``distances``. Where ``sigma`` is
        0, because points coincide, an edge of length 0 has the weight 1, others have 0.

    Raises
    ------
    TypeError
        An argument is no tensor of the right dtype, or ``weighting`` or ``sigma`` is of no type
        named above.
    IndexError
        ``sigma="node"``, and a neighbour's number is not below N.
    ValueError
        Shapes or devices differ, also from those of a callable's weights; ``weighting`` or
        ``sigma`` is unknown, or ``sigma`` is not positive.

    Notes
    -----
    NumPy arrays are taken in place of tensors, both or none, and the weights then are an array. A
    callable gets a tensor all the same.

    References
    ----------
    L. Zelnik-Manor and P. Perona, "Self-tuning spectral clustering", NIPS 2004.

    Examples
    --------
    >>> x = torch.tensor([[0.0], [1.0], [3.0]])
    >>> found = knn(x, 1)
    >>> knn_weights(found.indices, found.distances, weighting="gaussian", sigma=1.0).flatten()
    tensor([0.6065, 0.6065, 0.1353])
    """
    check_tensor("indices", indices)
    check_index_dtype("indices", indices)
    check_tensor("distances", distances)
    if distances.dtype not in (torch.float32, torch.float64):
        raise TypeError(f"distances must be float32 or float64, not {distances.dtype}")
    check_devices({"indices": indices, "distances": distances})
    if indices.dim() < 2:
        raise ValueError(f"indices must have shape (..., N, K), not {tuple(indices.shape)}")
    if distances.shape != indices.shape:
        raise ValueError(
            f"distances must have the shape of indices, {tuple(indices.shape)}, "
            f"not {tuple(distances.shape)}"
        )
    sigma = _checked(sigma)
    missing = indices < 0
    if callable(weighting):
        weights = weighting(distances)
        check_tensor("the result of weighting", weights)
        if weights.shape != distances.shape:
            raise ValueError(
                f"weighting must return the shape of distances, {tuple(distances.shape)}, "
                f"not {tuple(weights.shape)}"
            )
    elif weighting == "unit":
        weights = torch.ones_like(distances)
    elif weighting == "gaussian":
        missing = missing | distances.isinf()  # too far for the dtype
        known = distances.masked_fill(missing, 0)
        weights = _decay(known, _doubled_variance(indices, known, missing, sigma))
    else:
        raise ValueError(f"weighting must be 'unit', 'gaussian' or a callable, not {weighting!r}")
    return weights.masked_fill(missing, 0)


def _checked(sigma: Sigma) -> Sigma:
    if isinstance(sigma, str):
        if sigma not in ("item", "node"):
            raise ValueError(f"sigma must be a number, 'item' or 'node', not {sigma!r}")
        return sigma
    if isinstance(sigma, bool) or not isinstance(sigma, Real):
        raise TypeError(f"sigma must be a number, 'item' or 'node', not {type(sigma).__name__}")
    if not sigma > 0:
        raise ValueError(f"sigma must be positive, not {sigma}")
    return float(sigma)


def _doubled_variance(indices: Tensor, known: Tensor, missing: Tensor, sigma: Sigma) -> Tensor:
    """Return the divisor of squared distances: 2 sigma^2, or s_i s_j."""
    if sigma == "item":
        edges = (~missing).sum((-2, -1), keepdim=True).clamp(min=1)
        return 2 * (known / edges).sum((-2, -1), keepdim=True)
    if sigma == "node":
        scale = known.amax(-1).clamp(min=torch.finfo(known.dtype).tiny).sqrt()  # (..., N)
        _check_range(indices)
        listed = indices.clamp(min=0).flatten(-2)
        return scale.unsqueeze(-1) * scale.gather(-1, listed).view(indices.shape)
    variance = min(2.0 * sigma * sigma, torch.finfo(known.dtype).max)
    return torch.full_like(known[..., :1, :1], variance)


def _check_range(indices: Tensor) -> None:
    """Refuse neighbours that do not exist, but where a graph is traced or nobody waits."""
    if torch.compiler.is_compiling() or (indices.is_cuda and not values_are_checked()):
        return
    nodes = indices.shape[-2]
    wrong = (indices >= nodes).nonzero()
    if len(wrong):
        first = wrong[0].tolist()
        raise IndexError(
            f"indices{first} = {indices[tuple(first)]} is out of range for {nodes} nodes"
        )


def _decay(known: Tensor, variance: Tensor) -> Tensor:
    return torch.exp(-known / variance.clamp(min=torch.finfo(known.dtype).tiny))
