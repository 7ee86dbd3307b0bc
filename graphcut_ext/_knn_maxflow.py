"""Minimum cuts over K-nearest-neighbour graphs."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from graphcut_ext import _core
from graphcut_ext._arguments import (
    check_capacity_dtypes,
    check_devices,
    check_index_dtype,
    check_num_threads,
    check_sizes,
    check_solver,
    check_tensor,
)
from graphcut_ext._mincut import MinCut, thread_count, to_numpy, value_dtype


def knn_maxflow(
    indices: Tensor,
    weights: Tensor,
    source: Tensor,
    sink: Tensor,
    *,
    solver: str = "auto",
    num_threads: int | None = None,
) -> MinCut:
    """Minimum cuts over K-nearest-neighbour graphs: L cuts per item over the same links.

    Node i of item b is linked to each of ``indices[b, i]``. A link is undirected, and a pair that
    lists each other gets one link with both weights summed. As in :func:`graphcut_ext.maxflow`,
    ``source`` is paid where a node ends on the sink side and ``sink`` where it ends on the source
    side.

    Parameters
    ----------
    indices : Tensor, shape (B, N, K), int64
        Neighbours of every node, as returned by :func:`graphcut_ext.knn`. A node that lists itself
        or -1 gains no link.
    weights : Tensor, shape (B, N, K), float32, float64, int32 or int64
        Capacities of the links, >= 0; ``inf`` means "never cut". See
        :func:`graphcut_ext.knn_graph`.
    source, sink : Tensor, shape (B, L, N), same dtype
        Terminal capacities, >= 0, of L cuts per item (one per class, say).
    solver : {"auto", "bk", "ibfs", "push_relabel", "hpf"}
        ``"push_relabel"`` is the fastest on small maps, ``"ibfs"`` on large ones; ``"bk"`` is
        Boykov-Kolmogorov, ``"hpf"`` Hochbaum's pseudoflow. ``"auto"`` chooses by the form of the
        graph.
    num_threads : int, optional
        CPU threads over items and cuts. Default ``torch.get_num_threads()``. Results do not depend
        on it.

    Returns
    -------
    MinCut
        ``value`` (B, L), differentiable in ``weights``, ``source`` and ``sink``; ``source_side``
        (B, L, N) bool.

    Raises
    ------
    TypeError, IndexError, ValueError
        As :func:`graphcut_ext.maxflow`.

    References
    ----------
    J. Feng, X. Wang, W. Liu, "Deep graph cut network for weakly-supervised semantic segmentation",
    Sci. China Inf. Sci. 2021, for the construction.
    """
    capacities = {"weights": weights, "source": source, "sink": sink}
    for name, tensor in {"indices": indices, **capacities}.items():
        check_tensor(name, tensor)
    check_index_dtype("indices", indices)
    check_capacity_dtypes(**capacities)
    check_devices(indices=indices, **capacities)
    if indices.dim() != 3:
        raise ValueError(f"indices must have shape (B, N, K), not {tuple(indices.shape)}")
    if weights.shape != indices.shape:
        raise ValueError(
            f"weights must have the shape of indices, {tuple(indices.shape)}, "
            f"not {tuple(weights.shape)}"
        )
    items, nodes, _ = indices.shape
    if source.dim() != 3 or source.shape[0] != items or source.shape[2] != nodes:
        raise ValueError(
            f"source must have shape (B, L, N) with B = {items}, N = {nodes}, "
            f"not {tuple(source.shape)}"
        )
    if sink.shape != source.shape:
        raise ValueError(
            f"sink must have the shape of source, {tuple(source.shape)}, not {tuple(sink.shape)}"
        )
    solver = check_solver(solver)
    threads = check_num_threads(num_threads)
    return MinCut(
        *torch.ops.graphcut_ext.knn_maxflow(indices, weights, source, sink, solver, threads)
    )


@torch.library.custom_op("graphcut_ext::knn_maxflow", mutates_args=())
def _knn_maxflow(
    indices: Tensor,
    weights: Tensor,
    source: Tensor,
    sink: Tensor,
    solver: str,
    num_threads: int,
) -> tuple[Tensor, Tensor]:
    check_sizes(("indices", indices.shape[1]), ("indices", indices.shape[1:].numel()))
    value = torch.empty(source.shape[:2], dtype=value_dtype(source.dtype))
    source_side = torch.empty(source.shape, dtype=torch.bool)
    _core.solve_knn(
        to_numpy(indices),
        to_numpy(weights),
        to_numpy(source),
        to_numpy(sink),
        value.numpy(),
        source_side.numpy(),
        solver,
        thread_count(num_threads),
    )
    return value.to(source.device), source_side.to(source.device)


@_knn_maxflow.register_fake
def _(
    indices: Tensor,
    weights: Tensor,
    source: Tensor,
    sink: Tensor,
    solver: str,
    num_threads: int,
) -> tuple[Tensor, Tensor]:
    value = source.new_empty(source.shape[:2], dtype=value_dtype(source.dtype))
    return value, source.new_empty(source.shape, dtype=torch.bool)


def _setup_context(ctx: Any, inputs: tuple[Any, ...], output: tuple[Tensor, Tensor]) -> None:
    ctx.mark_non_differentiable(output[1])
    ctx.save_for_backward(inputs[0], output[1])
    ctx.dtype = inputs[1].dtype


def _backward(ctx: Any, grad_value: Tensor, _grad_side: Tensor | None) -> tuple[Any, ...]:
    if not ctx.dtype.is_floating_point:
        return (None,) * 6
    indices, side = ctx.saved_tensors  # (B, N, K), (B, L, N)
    items, nodes, k = indices.shape
    grad = grad_value.to(ctx.dtype).unsqueeze(-1)  # (B, L, 1)
    grad_weights = None
    if ctx.needs_input_grad[1]:
        listed = indices.clamp(min=0).reshape(items, 1, nodes * k).expand(-1, side.shape[1], -1)
        other = side.gather(2, listed).reshape(items, -1, nodes, k)
        cut = (other != side.unsqueeze(-1)) & (indices >= 0).unsqueeze(1)  # (B, L, N, K)
        grad_weights = torch.where(cut, grad.unsqueeze(-1), 0.0).sum(1)
    return (
        None,
        grad_weights,
        torch.where(side, 0.0, grad),
        torch.where(side, grad, 0.0),
        None,
        None,
    )


_knn_maxflow.register_autograd(_backward, setup_context=_setup_context)


@_knn_maxflow.register_vmap
def _(info: Any, in_dims: tuple[int | None, ...], *args: Any) -> tuple[Any, Any]:
    *tensors, solver, num_threads = args
    size = info.batch_size
    folded = [
        (t.expand(size, *t.shape) if dim is None else t.movedim(dim, 0)).flatten(0, 1)
        for t, dim in zip(tensors, in_dims[:4], strict=True)
    ]
    value, side = _knn_maxflow(*folded, solver, num_threads)
    return (value.unflatten(0, (size, -1)), side.unflatten(0, (size, -1))), (0, 0)
