"""Minimum cuts of neighbour graphs as an operator of torch: kernel, derivative, batching rule."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor

from graphcut_ext._arguments import check_sizes
from graphcut_ext._maxflow.cut import thread_count, value_dtype
from graphcut_ext._maxflow.neighbours_cuda import cut_on_device, solved_on_device
from graphcut_ext._maxflow.neighbours_host import copy_and_solve, solve
from graphcut_ext._operator import Operator, on_host


def _kernel(
    indices: Tensor, weights: Tensor, source: Tensor, sink: Tensor, solver: str, num_threads: int
) -> tuple[Tensor, Tensor]:
    nodes, k = indices.shape[1:]
    check_sizes("indices", nodes, "indices", nodes * k)
    threads = thread_count(num_threads)
    graphs = (indices, weights, source, sink)
    if source.is_cpu:
        return solve(graphs, solver, threads)
    found = cut_on_device(*graphs) if solved_on_device(source, solver) else None
    return copy_and_solve(graphs, solver, threads) if found is None else found


def _fake(indices: Tensor, weights: Tensor, source: Tensor, *_: Any) -> tuple[Tensor, Tensor]:
    value = source.new_empty(source.shape[:2], dtype=value_dtype(source.dtype))
    return value, source.new_empty(source.shape, dtype=torch.bool)


def _setup_context(ctx: Any, inputs: tuple[Any, ...], output: tuple[Tensor, Tensor]) -> None:
    ctx.save_for_backward(inputs[0], output[1])
    ctx.dtype = inputs[1].dtype


def _backward(ctx: Any, grad_value: Tensor, _grad_side: Tensor | None) -> tuple[Any, ...]:
    if not ctx.dtype.is_floating_point:
        return (None,) * 6
    indices, side = ctx.saved_tensors  # (B, N, K), (B, L, N)
    items, nodes, k = indices.shape
    if on_host(grad_value, indices, side):
        return _host_backward(ctx, grad_value, indices.numpy(), side.numpy())
    grad = grad_value.to(ctx.dtype).unsqueeze(-1)  # (B, L, 1)
    grad_weights = grad_source = grad_sink = None
    if ctx.needs_input_grad[1]:
        listed = indices.clamp(min=0).reshape(items, 1, nodes * k).expand(-1, side.shape[1], -1)
        other = side.gather(2, listed).reshape(items, side.shape[1], nodes, k)
        cut = (other != side.unsqueeze(-1)) & (indices >= 0).unsqueeze(1)  # (B, L, N, K)
        grad_weights = torch.where(cut, grad.unsqueeze(-1), 0.0).sum(1)
    if ctx.needs_input_grad[2]:
        grad_source = torch.where(side, 0.0, grad)
    if ctx.needs_input_grad[3]:
        grad_sink = torch.where(side, grad, 0.0)
    return None, grad_weights, grad_source, grad_sink, None, None


def _host_backward(ctx: Any, grad_value: Tensor, indices: Any, side: Any) -> tuple[Any, ...]:
    """The same on the CPU."""
    dtype = np.float32 if ctx.dtype == torch.float32 else np.float64
    grad = grad_value.detach().numpy().astype(dtype)[..., None]
    grads: list[Tensor | None] = [None] * 6
    if ctx.needs_input_grad[1]:
        found = np.zeros(indices.shape, dtype)
        for item, listed in enumerate(indices):
            for own, paid in zip(side[item], grad[item], strict=True):
                cut = (own[listed] != own[:, None]) & (listed >= 0)  # -1 is the last node here
                found[item] += np.where(cut, paid, 0)
        grads[1] = torch.from_numpy(found)
    if ctx.needs_input_grad[2]:
        grads[2] = torch.from_numpy(np.where(side, 0, grad))
    if ctx.needs_input_grad[3]:
        grads[3] = torch.from_numpy(np.where(side, grad, 0))
    return tuple(grads)


def _vmap(info: Any, in_dims: tuple[int | None, ...], *args: Any) -> tuple[Any, Any]:
    *tensors, solver, num_threads = args
    size = info.batch_size
    folded = [
        (t.expand(size, *t.shape) if dim is None else t.movedim(dim, 0)).flatten(0, 1)
        for t, dim in zip(tensors, in_dims[:4], strict=True)
    ]
    value, side = cut_neighbours.dispatched(*folded, solver, num_threads)
    return (value.unflatten(0, (size, -1)), side.unflatten(0, (size, -1))), (0, 0)


cut_neighbours = Operator(
    "knn_maxflow", _kernel, _fake, vmap=_vmap, setup_context=_setup_context, backward=_backward
)
