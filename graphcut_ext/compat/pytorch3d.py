"""PyTorch3D's neighbours: ``from graphcut_ext.compat.pytorch3d import knn_points, knn_gather``."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

import graphcut_ext as gx
from graphcut_ext._arguments import check_devices, check_integer, check_tensor

__all__ = ["knn_gather", "knn_points"]


class _KNN(NamedTuple):
    """What :func:`knn_points` returns."""

    dists: Tensor
    idx: Tensor
    knn: Tensor | None


def knn_points(
    p1: Tensor,
    p2: Tensor,
    lengths1: Tensor | None = None,
    lengths2: Tensor | None = None,
    norm: int = 2,
    K: int = 1,
    version: int = -1,
    return_nn: bool = False,
    return_sorted: bool = True,
) -> _KNN:
    """Find for every point of ``p1`` the ``K`` nearest points of ``p2``, item by item.

    Parameters
    ----------
    p1 : Tensor, shape (N, P1, D)
        Points whose neighbours are found, finite.
    p2 : Tensor, shape (N, P2, D), same dtype
        Points to search, finite.
    lengths1, lengths2 : Tensor, shape (N,), int64, optional
        How many points of each item there are. Default: P1 and P2.
    norm : {2, 1}
        2: squared Euclidean distances. 1: sums of absolute differences, by ``torch.cdist``, whose
        memory grows with P1 * P2.
    K : int, default 1
        Number of neighbours.
    version : int
        Without effect.
    return_nn : bool, default False
        Whether to return the neighbours' coordinates too.
    return_sorted : bool, default True
        Neighbours are nearest first, ties by lower index, either way.

    Returns
    -------
    (dists, idx, knn)
        ``dists`` (N, P1, K) distances by the norm, with gradients in both clouds; ``idx``
        (N, P1, K) int64; ``knn`` (N, P1, K, D) or None. Places beyond either length are 0.

    Raises
    ------
    TypeError, ValueError
        No tensor, a wrong dtype or shape, points that are not finite, a length out of range.
    """
    for name, points in (("p1", p1), ("p2", p2)):
        if check_tensor(name, points).dim() != 3:
            raise ValueError(f"{name} must have shape (N, P, D), not {tuple(points.shape)}")
    if p1.shape[0] != p2.shape[0] or p1.shape[2] != p2.shape[2]:
        raise ValueError(
            f"p1 and p2 must agree in N and D, not have shapes {tuple(p1.shape)} and "
            f"{tuple(p2.shape)}"
        )
    if norm not in (1, 2):
        raise ValueError(f"norm must be 1 or 2, not {norm}")
    count = check_integer("K", K, 1)
    there1 = _inside("lengths1", lengths1, p1)
    there2 = _inside("lengths2", lengths2, p2)
    shape = (*p1.shape[:2], count)
    dists = p1.new_zeros(shape)
    idx = torch.zeros(shape, dtype=torch.int64, device=p1.device)
    if dists.numel() and p2.shape[1]:
        query = torch.where(there1[:, :, None], p1, 0)
        search = _absolute if norm == 1 else _euclidean
        indices, distances = search(query, p2, min(count, p2.shape[1]), there2)
        real = (indices >= 0) & there1[:, :, None]
        missing = (0, count - real.shape[2])
        dists = torch.nn.functional.pad(torch.where(real, distances, 0), missing)
        idx = torch.nn.functional.pad(torch.where(real, indices, 0), missing)
    return _KNN(dists, idx, knn_gather(p2, idx, lengths2) if return_nn else None)


def _euclidean(query: Tensor, points: Tensor, k: int, there: Tensor) -> tuple[Tensor, Tensor]:
    found = gx.knn(points, k, query=query, lengths=there.sum(1))
    return found.indices, found.distances


def _absolute(query: Tensor, points: Tensor, k: int, there: Tensor) -> tuple[Tensor, Tensor]:
    """Return indices, -1 for no neighbour, and distances; the lower index of ties."""
    clouds = {"p1": query, "p2": torch.where(there[:, :, None], points, 0)}
    for name, cloud in clouds.items():
        if (odd := ~cloud.isfinite()).any():
            position = tuple(odd.nonzero()[0].tolist())
            raise ValueError(f"{name} is {cloud[position].item()} at {position}")
    apart = torch.cdist(clouds["p1"], clouds["p2"], p=1.0).masked_fill(~there[:, None], torch.inf)
    distances, indices = (found[..., :k] for found in apart.sort(dim=2, stable=True))
    return indices.where(distances.isfinite(), -1), distances


def knn_gather(x: Tensor, idx: Tensor, lengths: Tensor | None = None) -> Tensor:
    """Return what neighbours have: ``x[n, idx[n, l, k]]``.

    Parameters
    ----------
    x : Tensor, shape (N, M, U)
        U features of every point.
    idx : Tensor, shape (N, L, K), int64
        Neighbours, as :func:`knn_points` returns them.
    lengths : Tensor, shape (N,), int64, optional
        How many points of each item there are. Default: M.

    Returns
    -------
    Tensor, shape (N, L, K, U)
        0 where k is no less than the number of points, as there is no such neighbour.
    """
    for name, tensor in (("x", x), ("idx", idx)):
        if check_tensor(name, tensor).dim() != 3:
            raise ValueError(f"{name} must have 3 axes, not shape {tuple(tensor.shape)}")
    if len(x) != len(idx):
        raise ValueError(f"x and idx must have as many items, not {len(x)} and {len(idx)}")
    if idx.dtype != torch.int64:
        raise TypeError(f"idx must be int64, not {idx.dtype}")
    check_devices({"x": x, "idx": idx})
    sizes = _inside("lengths", lengths, x).sum(1)
    count = idx.shape[2]
    if not idx.numel() or not x.shape[1]:
        return x.new_zeros((*idx.shape, x.shape[2]))
    items = torch.arange(len(x), device=x.device)[:, None, None]
    there = torch.arange(count, device=x.device) < sizes[:, None]
    return torch.where(there[:, None, :, None], x[items, idx], 0)


def _inside(name: str, lengths: Tensor | None, points: Tensor) -> Tensor:
    """Return which points there are, (N, P)."""
    places = torch.arange(points.shape[1], device=points.device)
    if lengths is None:
        return torch.ones(points.shape[:2], dtype=torch.bool, device=points.device)
    check_devices({"points": points, name: check_tensor(name, lengths)})
    if lengths.dtype != torch.int64:
        raise TypeError(f"{name} must be int64, not {lengths.dtype}")
    if lengths.shape != points.shape[:1]:
        raise ValueError(f"{name} must have shape ({len(points)},), not {tuple(lengths.shape)}")
    wrong = ((lengths < 0) | (lengths > points.shape[1])).nonzero()
    if len(wrong):
        first = int(wrong[0])
        raise ValueError(
            f"{name} is {int(lengths[first])} at entry {first}, of {len(places)} points"
        )
    return places < lengths[:, None]
