"""torch_cluster's neighbours: ``import graphcut_ext.compat.torch_cluster as torch_cluster``.

Neighbours are exact, in order of distance, ties by lower index; every neighbour counts however far
it is.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import torch
from torch import Tensor
from torch.nn.functional import normalize

import graphcut_ext as gx
from graphcut_ext._arguments import check_devices, check_integer, check_tensor

__all__ = ["knn", "knn_graph"]

PADDING = 4
"""Items are searched together while padding makes them at most so many times as large."""


def knn(
    x: Tensor,
    y: Tensor,
    k: int,
    batch_x: Tensor | None = None,
    batch_y: Tensor | None = None,
    cosine: bool = False,
    num_workers: int = 1,
    batch_size: int | None = None,
) -> Tensor:
    """Find for each point of ``y`` the ``k`` nearest points of ``x``.

    Parameters
    ----------
    x : Tensor, shape (N, C) or (N,)
        Points to search, finite, of a floating or an integer dtype.
    y : Tensor, shape (M, C) or (M,), same dtype
        Points whose neighbours are found.
    k : int
        Number of neighbours; where an item has fewer points, all of them.
    batch_x, batch_y : Tensor, shape (N,) and (M,), int64, optional
        The item of every point, ascending. Neighbours are of the same item. Default: one item.
    cosine : bool, default False
        Whether to search by the angle of points in place of their distance.
    num_workers : int
        Without effect; torch's number of threads is used.
    batch_size : int, optional
        Number of items. Default: found from the items of the points.

    Returns
    -------
    Tensor, shape (2, E), int64
        Row 0 has points of ``y``, ascending, row 1 their neighbours in ``x``, nearest first.

    Raises
    ------
    TypeError, ValueError
        No tensor, a wrong dtype or shape, points that are not finite, items out of order.
    """
    points, queries = _points("x", x), _points("y", y)
    if points.numel() == 0 or queries.numel() == 0:
        return torch.empty(2, 0, dtype=torch.int64, device=x.device)
    if points.dtype != queries.dtype or points.shape[1] != queries.shape[1]:
        raise ValueError(
            f"y must have the dtype and channels of x, {points.dtype} and {points.shape[1]}, "
            f"not {queries.dtype} and {queries.shape[1]}"
        )
    check_integer("num_workers", num_workers, 1)
    count = check_integer("k", k, 1)
    items = _item_of("batch_x", batch_x, points), _item_of("batch_y", batch_y, queries)
    starts = _starts(items, batch_size)
    if cosine:
        points, queries = normalize(points, dim=1), normalize(queries, dim=1)
    return torch.cat(list(_search(points, queries, count, *starts)), 1)


def knn_graph(
    x: Tensor,
    k: int,
    batch: Tensor | None = None,
    loop: bool = False,
    flow: str = "source_to_target",
    cosine: bool = False,
    num_workers: int = 1,
    batch_size: int | None = None,
) -> Tensor:
    """Join each point to its ``k`` nearest points.

    Parameters
    ----------
    x, k, batch, cosine, num_workers, batch_size
        As in :func:`knn`.
    loop : bool, default False
        Whether a point is its own neighbour. Otherwise it is left out by its index, and a point
        that equals it is a neighbour like others.
    flow : {"source_to_target", "target_to_source"}
        Whether edges lead from the neighbours to the point, or from the point to them.

    Returns
    -------
    Tensor, shape (2, E), int64
        The edges, those of a point together, nearest first.
    """
    if flow not in ("source_to_target", "target_to_source"):
        raise ValueError(f"flow must be source_to_target or target_to_source, not {flow!r}")
    if loop:
        found = knn(x, x, k, batch, batch, cosine, num_workers, batch_size)
    else:
        found = _without_loops(x, k, batch, cosine, num_workers, batch_size)
    return found.flip(0) if flow == "source_to_target" else found


def _without_loops(
    x: Tensor,
    k: int,
    batch: Tensor | None,
    cosine: bool,
    num_workers: int,
    batch_size: int | None,
) -> Tensor:
    points = _points("x", x)
    check_integer("num_workers", num_workers, 1)
    count = check_integer("k", k, 1)
    if points.numel() == 0:
        return torch.empty(2, 0, dtype=torch.int64, device=x.device)
    (starts,) = _starts((_item_of("batch", batch, points),), batch_size)
    if cosine:
        points = normalize(points, dim=1)
    return torch.cat(list(_search(points, None, count, starts, starts)), 1)


def _search(
    points: Tensor, queries: Tensor | None, k: int, starts: Tensor, query_starts: Tensor
) -> Iterator[Tensor]:
    """Yield the edges of the items that are searched together, in order."""
    sizes, query_sizes = starts.diff(), query_starts.diff()
    items = len(sizes)
    padded = items * int(sizes.max()) + items * int(query_sizes.max())
    together = items if padded <= PADDING * int(sizes.sum() + query_sizes.sum()) else 1
    for first in range(0, items, together):
        chosen = slice(first, first + together)
        length, asked = sizes[chosen], query_sizes[chosen]
        most = int(length.max()) - (queries is None)
        if most < 1 or not int(asked.max()):
            yield torch.empty(2, 0, dtype=torch.int64, device=points.device)
            continue
        base, query_base = starts[:-1][chosen], query_starts[:-1][chosen]
        found = gx.knn(
            _padded(points, base, length),
            min(k, most),
            query=None if queries is None else _padded(queries, query_base, asked),
            lengths=length,
        ).indices
        real = torch.arange(found.shape[1], device=found.device) < asked[:, None]
        real = (found >= 0) & real[:, :, None]
        rows = torch.arange(found.shape[1], device=found.device)[None, :, None]
        rows = (rows + query_base[:, None, None]).expand_as(found)
        yield torch.stack([rows[real], (found + base[:, None, None])[real]])


def _padded(points: Tensor, starts: Tensor, lengths: Tensor) -> Tensor:
    """Return points (B, most, C) of items; what is behind an item's own is 0."""
    places = torch.arange(int(lengths.max()), device=points.device)
    inside = places < lengths[:, None]
    rows = torch.where(inside, starts[:, None] + places, 0)
    return torch.where(inside[:, :, None], points[rows], 0)


def _points(name: str, value: Tensor) -> Tensor:
    points = check_tensor(name, value).detach()
    if points.dim() not in (1, 2):
        raise ValueError(f"{name} must have shape (N, C) or (N,), not {tuple(points.shape)}")
    if points.dtype == torch.bool or points.is_complex():
        raise TypeError(f"{name} must hold numbers, not {points.dtype}")
    points = points if points.is_floating_point() else points.double()
    return points.unsqueeze(1) if points.dim() == 1 else points


def _item_of(name: str, batch: Tensor | None, points: Tensor) -> Tensor:
    """Return the item of every point, checked, (N,)."""
    if batch is None:
        return torch.zeros(len(points), dtype=torch.int64, device=points.device)
    check_devices({"x": points, name: check_tensor(name, batch)})
    if batch.dtype != torch.int64:
        raise TypeError(f"{name} must be int64, not {batch.dtype}")
    if batch.shape != points.shape[:1]:
        raise ValueError(f"{name} must have shape ({len(points)},), not {tuple(batch.shape)}")
    falls = (batch.diff() < 0).nonzero()
    if len(falls):
        raise ValueError(f"{name} must be ascending, which ends at entry {int(falls[0]) + 1}")
    if int(batch[0]) < 0:
        raise ValueError(f"{name} is {int(batch[0])} at entry 0, negative")
    return batch


def _starts(items: Sequence[Tensor], batch_size: int | None) -> list[Tensor]:
    """Return where the items of each begin, and where the last ends, (B + 1,)."""
    most = max(int(item[-1]) for item in items) + 1
    if batch_size is None:
        batch_size = most
    elif check_integer("batch_size", batch_size, 1) < most:
        raise ValueError(f"batch_size is {batch_size}, but there is an item {most - 1}")
    edges = torch.arange(batch_size + 1, device=items[0].device)
    return [torch.searchsorted(item, edges) for item in items]
