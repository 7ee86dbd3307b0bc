"""Nearest neighbours as a list of edges."""

from __future__ import annotations

from typing import Any, Literal, get_args, overload

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from graphcut_ext._arguments import (
    check_devices,
    check_index_dtype,
    check_integer,
    check_tensor,
)
from graphcut_ext._arrays import takes_arrays
from graphcut_ext._knn.knn import knn

Flow = Literal["source_to_target", "target_to_source"]
FLOWS: tuple[Flow, ...] = get_args(Flow)


@overload
def knn_edges(
    x: Tensor,
    k: int,
    *,
    batch: Tensor | None = None,
    ptr: Tensor | None = None,
    lengths: Tensor | None = None,
    loop: bool = False,
    flow: Flow = "source_to_target",
) -> Tensor: ...
@overload
def knn_edges(
    x: NDArray[Any],
    k: int,
    *,
    batch: NDArray[Any] | None = None,
    ptr: NDArray[Any] | None = None,
    lengths: NDArray[Any] | None = None,
    loop: bool = False,
    flow: Flow = "source_to_target",
) -> NDArray[np.int64]: ...
@takes_arrays("x", indices=("batch", "ptr", "lengths"))
def knn_edges(
    x: Tensor,
    k: int,
    *,
    batch: Tensor | None = None,
    ptr: Tensor | None = None,
    lengths: Tensor | None = None,
    loop: bool = False,
    flow: Flow = "source_to_target",
) -> Tensor:
    """Edges from the K nearest neighbours of every point to it, as PyTorch Geometric lists them.

    Parameters
    ----------
    x : Tensor, shape (N, C) or (B, N, C), float16, bfloat16, float32 or float64
        Points, as in :func:`graphcut_ext.knn`. Those of (B, N, C) are numbered as in
        ``x.flatten(0, 1)``.
    k : int
        Number of neighbours, at least 1. Points of smaller items get as many as there are.
    batch : Tensor, shape (N,), int64, optional
        Item of every point, not decreasing. Default: one item.
    ptr : Tensor, shape (B + 1,), int64, optional
        In place of ``batch``: item b has the points ``ptr[b]`` to ``ptr[b + 1] - 1``.
    lengths : Tensor, shape (B,), int64, optional
        For (B, N, C): only the first ``lengths[b]`` points of item b exist.
    loop : bool, default False
        Whether every point is the first of its own neighbours, one of the k.
    flow : {"source_to_target", "target_to_source"}, default "source_to_target"
        Whether edges lead from the neighbours to the point, or the other way.

    Returns
    -------
    Tensor, shape (2, E), int64
        Tails and heads, ordered by point, and for a point by distance. As ``edge_index`` of
        :func:`graphcut_ext.maxflow` every two points that are each other's neighbours have two
        edges, which add up.

    Raises
    ------
    TypeError, ValueError
        As in :func:`graphcut_ext.knn`; ``batch`` decreases, or ``ptr`` does or does not lead from 0
        to N (the message names the first entry); two of ``batch``, ``ptr`` and ``lengths``.

    Notes
    -----
    Items of different sizes are searched together, padded to the largest. On CUDA their sizes are
    read on the host, which waits for the device.

    NumPy arrays are taken in place of tensors, all or none of them, and the edges then are an
    array. ``batch``, ``ptr`` and ``lengths`` may be of any integer type there.

    Examples
    --------
    >>> x = torch.tensor([[0.0], [1.0], [3.0], [9.0], [8.0]])
    >>> knn_edges(x, 1, batch=torch.tensor([0, 0, 0, 1, 1]))
    tensor([[1, 0, 1, 4, 3],
            [0, 1, 2, 3, 4]])
    """
    k = check_integer("k", k, 1)
    if flow not in FLOWS:
        raise ValueError(f"flow must be one of {', '.join(map(repr, FLOWS))}, not {flow!r}")
    if not isinstance(loop, bool):
        raise TypeError(f"loop must be a bool, not {type(loop).__name__}")
    check_tensor("x", x)
    if x.dim() not in (2, 3):
        raise ValueError(f"x must have shape (B, N, C) or (N, C), not {tuple(x.shape)}")
    clouds, sizes, numbers = _clouds(x, batch, ptr, lengths)
    if sizes.shape != clouds.shape[:1]:
        raise ValueError(f"lengths must have shape ({len(clouds)},), not {tuple(sizes.shape)}")
    neighbours = _neighbours(clouds.detach(), sizes, k - loop, loop)
    centres = numbers.unsqueeze(-1).expand(neighbours.shape)
    found = neighbours >= 0
    items = torch.arange(len(clouds), device=x.device).view(-1, 1, 1).expand(neighbours.shape)
    ends = [numbers[items[found], neighbours[found]], centres[found]]
    return torch.stack(ends if flow == "source_to_target" else ends[::-1])


def _neighbours(clouds: Tensor, sizes: Tensor, k: int, loop: bool) -> Tensor:
    """Return positions within the items (B, M, K), -1 where there is none."""
    items, most = clouds.shape[:2]
    k = min(k, most - 1)
    parts = []
    if loop:
        own = torch.arange(most, device=clouds.device).expand(items, most)
        parts.append(own.masked_fill(own >= sizes.unsqueeze(-1), -1).unsqueeze(-1))
    if k >= 1 and items:
        parts.append(knn(clouds, k, lengths=sizes).indices)
    if not parts:
        return torch.empty(items, most, 0, dtype=torch.int64, device=clouds.device)
    return torch.cat(parts, dim=-1)


def _clouds(
    x: Tensor, batch: Tensor | None, ptr: Tensor | None, lengths: Tensor | None
) -> tuple[Tensor, Tensor, Tensor]:
    """Return items (B, M, C), their sizes (B,), and the numbers of their points (B, M)."""
    given = {"batch": batch, "ptr": ptr, "lengths": lengths}
    named = {name: check_tensor(name, value) for name, value in given.items() if value is not None}
    if len(named) > 1:
        raise ValueError(f"only one of {' and '.join(named)} can be given")
    for name, value in named.items():
        check_index_dtype(name, value)
        check_devices({"x": x, name: value})
        if (name == "lengths") != (x.dim() == 3):
            expected = "(B, N, C)" if name == "lengths" else "(N, C)"
            raise ValueError(f"{name} needs x of shape {expected}, not {tuple(x.shape)}")
    if x.dim() == 3:
        items, most = x.shape[:2]
        sizes = lengths if lengths is not None else x.new_full((items,), most, dtype=torch.int64)
        return x, sizes, torch.arange(items * most, device=x.device).view(items, most)
    if batch is not None:
        sizes = _sizes_of_batch(batch, len(x))
    elif ptr is not None:
        sizes = _sizes_of_ptr(ptr, len(x))
    else:
        sizes = torch.tensor([len(x)], device=x.device)
    most = int(sizes.max()) if len(sizes) else 0
    first = sizes.cumsum(0) - sizes
    numbers = first.unsqueeze(-1) + torch.arange(most, device=x.device)
    if most == 0:
        return x.new_zeros(0, 1, x.shape[1]), sizes[:0], numbers.new_zeros(0, 1)
    return x[numbers.clamp(max=len(x) - 1)], sizes, numbers


def _sizes_of_batch(batch: Tensor, points: int) -> Tensor:
    if batch.shape != (points,):
        raise ValueError(f"batch must have shape ({points},), not {tuple(batch.shape)}")
    falls = torch.nonzero(batch.diff() < 0)
    if len(falls):
        position = int(falls[0]) + 1
        before, after = batch[position - 1 : position + 1].tolist()
        raise ValueError(f"batch must not decrease: batch[{position}] = {after} after {before}")
    sizes: Tensor = torch.unique_consecutive(batch, return_counts=True)[1]
    return sizes


def _sizes_of_ptr(ptr: Tensor, points: int) -> Tensor:
    if ptr.dim() != 1 or len(ptr) < 1:
        raise ValueError(f"ptr must have shape (B + 1,), not {tuple(ptr.shape)}")
    sizes = ptr.diff()
    falls = torch.nonzero(sizes < 0)
    if len(falls):
        position = int(falls[0]) + 1
        before, after = ptr[position - 1 : position + 1].tolist()
        raise ValueError(f"ptr must not decrease: ptr[{position}] = {after} after {before}")
    ends = ptr[0].item(), ptr[-1].item()
    if ends != (0, points):
        raise ValueError(f"ptr must lead from 0 to {points}, not from {ends[0]} to {ends[1]}")
    return sizes
