"""The neighbour search as an operator of torch: kernel, shapes, derivative, batching rule."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor

from graphcut_ext import _core
from graphcut_ext._knn.clouds import Clouds, output_dtype
from graphcut_ext._knn.cpu import search_cpu
from graphcut_ext._knn.cuda import search_cuda
from graphcut_ext._knn.direct import search_directly, suits_direct
from graphcut_ext._knn.tree import search_tree, suits_tree
from graphcut_ext._maxflow.cut import to_numpy
from graphcut_ext._operator import Operator, on_host


def _kernel(
    x: Tensor, k: int, query: Tensor | None, lengths: Tensor | None, precision: str
) -> tuple[Tensor, Tensor, Tensor]:
    if x.dim() == 2:
        query = None if query is None else query.unsqueeze(0)
        distances, indices, measured = _kernel(x.unsqueeze(0), k, query, None, precision)
        return distances.squeeze(0), indices.squeeze(0), measured.squeeze(0)
    clouds = Clouds(x.detach(), None if query is None else query.detach(), lengths)
    if x.is_cuda:
        return (*search_cuda(clouds, k, precision),)
    if suits_direct(clouds):
        return (*search_directly(clouds, k),)
    search = search_tree if suits_tree(clouds, k) else search_cpu
    return (*search(clouds, k),)


def _fake(
    x: Tensor, k: int, query: Tensor | None, lengths: Tensor | None, precision: str
) -> tuple[Tensor, Tensor, Tensor]:
    shape = (*(x if query is None else query).shape[:-1], k)
    return (
        x.new_empty(shape, dtype=output_dtype(x.dtype)),
        x.new_empty(shape, dtype=torch.int64),
        x.new_empty(shape[:-1], dtype=torch.int64),
    )


def _setup_context(ctx: Any, inputs: tuple[Any, ...], output: tuple[Tensor, ...]) -> None:
    x, _, query, lengths, _ = inputs
    ctx.padded = lengths is not None
    ctx.save_for_backward(x, query, output[1])


def _backward(ctx: Any, grad: Tensor, *_: Tensor | None) -> tuple[Tensor | None, ...]:
    """Gradient of d_ij = |q_i - x_j|^2: 2 g (q_i - x_j) to q_i, its negative to x_j."""
    x, query, indices = ctx.saved_tensors  # (..., N, C), (..., M, C) or None, (..., M, k)
    if on_host(grad, x, query):
        return _host_backward(ctx, grad, x, query, indices)
    # One neighbour rank at a time, so that no (B, N, k, C) tensor is needed.
    points = x.to(grad.dtype)
    centres = points if query is None else query.to(grad.dtype)
    total = torch.zeros_like(points)
    total_query = total if query is None else torch.zeros_like(centres)
    for rank in range(indices.shape[-1]):
        index, weight = indices[..., rank, None], grad[..., rank, None]
        neighbour = index.clamp(min=0).expand_as(centres)
        pull = 2 * weight * (centres - points.gather(-2, neighbour))
        if ctx.padded:  # where there is no neighbour, points may be anything
            pull = torch.where(index < 0, 0.0, pull)
        total_query = total_query + pull
        if query is None:
            total_query = total_query.scatter_add(-2, neighbour, -pull)
        else:
            total = total.scatter_add(-2, neighbour, -pull)
    if query is None:
        return total_query.to(x.dtype), None, None, None, None
    return total.to(x.dtype), None, total_query.to(query.dtype), None, None


def _host_backward(
    ctx: Any, grad: Tensor, x: Tensor, query: Tensor | None, indices: Tensor
) -> tuple[Tensor | None, ...]:
    """The same on the CPU, in an order that does not depend on the number of threads."""
    grads: list[Tensor | None] = [None] * 5
    arrays: list[Any] = [None, None]
    sums: list[Any] = [None, None]

    def items(array: Any) -> Any:
        return array if array.ndim == 3 else array[None]

    for place, points in enumerate((x, query)):
        if points is not None:
            given = to_numpy(points if points.dtype == grad.dtype else points.to(grad.dtype))
            arrays[place] = items(given)
            if ctx.needs_input_grad[2 * place]:
                found = np.zeros_like(given)
                sums[place] = items(found)
                grads[2 * place] = torch.from_numpy(found)
    pulls = np.ascontiguousarray(grad.detach().numpy())
    _core.knn_add_gradient(
        arrays[0],
        arrays[1],
        items(to_numpy(indices)),
        items(pulls),
        sums[0],
        sums[1],
        torch.get_num_threads(),
    )
    return tuple(g if g is None or g.dtype == x.dtype else g.to(x.dtype) for g in grads)


def _vmap(
    info: Any,
    in_dims: tuple[int | None, ...],
    x: Tensor,
    k: int,
    query: Tensor | None,
    lengths: Tensor | None,
    precision: str,
) -> tuple[Any, Any]:
    size = info.batch_size
    batched = x.dim() - (in_dims[0] is not None) == 3

    def flat(tensor: Tensor | None, axis: int | None) -> Tensor | None:
        if tensor is None:
            return None
        stacked = tensor.expand(size, *tensor.shape) if axis is None else tensor.movedim(axis, 0)
        return stacked.flatten(0, 1) if batched else stacked

    outputs = find_neighbours.dispatched(
        flat(x, in_dims[0]), k, flat(query, in_dims[2]), flat(lengths, in_dims[3]), precision
    )
    if batched:
        outputs = tuple(output.unflatten(0, (size, -1)) for output in outputs)
    return tuple(outputs), (0, 0, 0)


find_neighbours = Operator(
    "knn", _kernel, _fake, vmap=_vmap, setup_context=_setup_context, backward=_backward
)
