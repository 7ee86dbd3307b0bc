"""Minimum cuts of edge lists as an operator of torch: kernel, shapes, derivative, batching rule."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import torch
from torch import Tensor

from graphcut_ext import _core
from graphcut_ext._arguments import check_sizes
from graphcut_ext._maxflow.cut import thread_count, to_numpy, value_dtype
from graphcut_ext._operator import Operator


def leading_shape(*tensors: Tensor | None) -> torch.Size:
    """Return the shape to which all but the last dimensions broadcast; ``RuntimeError`` if none."""
    first, *others = [t.shape[:-1] for t in tensors if t is not None]
    if all(shape == first for shape in others):
        return first
    return torch.Size(torch.broadcast_shapes(first, *others))


def _kernel(
    edge_index: Tensor,
    capacity: Tensor,
    reverse_capacity: Tensor | None,
    source: Tensor,
    sink: Tensor,
    ptr: Tensor | None,
    solver: str,
    return_flow: bool,
    num_threads: int,
) -> tuple[Tensor, Tensor, Tensor]:
    nodes, edges = source.shape[-1], edge_index.shape[1]
    graphs = 1 if ptr is None else ptr.shape[0] - 1
    check_sizes(("source", nodes), ("edge_index", edges), graphs)
    leading = leading_shape(capacity, reverse_capacity, source, sink)
    cuts = math.prod(leading)

    def rows(tensor: Tensor) -> Any:
        """(cuts, length), or (length,) where all cuts share the row."""
        length = tensor.shape[-1]
        if tensor.dim() > 1:
            shared = math.prod(tensor.shape[:-1]) == 1
            shape = (length,) if shared else (cuts, length)
            tensor = (tensor if shared else tensor.expand(*leading, length)).reshape(shape)
        return to_numpy(tensor)

    ends = to_numpy(edge_index)
    first_nodes = None if ptr is None else to_numpy(ptr)
    edge_capacities = [t if t is None else rows(t) for t in (capacity, reverse_capacity)]
    terminals = [rows(source), rows(sink)]
    floating = capacity.is_floating_point()
    shape = leading if ptr is None else (*leading, graphs)
    value = np.empty(shape, dtype=np.float64 if floating else np.int64)
    source_side = np.empty((*leading, nodes), dtype=np.bool_)
    flow = np.empty((*leading, edges) if return_flow else 0, dtype=terminals[0].dtype)

    def solve(edge_capacities: list[Any], terminals: list[Any], flow: Any) -> None:
        _core.solve_edge_list(
            ends,
            edge_capacities[0],
            edge_capacities[1],
            terminals[0],
            terminals[1],
            first_nodes,
            value.reshape(cuts, graphs),
            source_side.reshape(cuts, nodes),
            None if flow is None else flow.reshape(cuts, edges),
            solver,
            thread_count(num_threads),
        )

    if not return_flow:
        solve(edge_capacities, terminals, None)
    elif not floating:
        solve(edge_capacities, terminals, flow)
    else:
        # The flow is the capacity less the residual, which is lost where capacities are infinite
        # and rounded where they are large. So none is larger than a flow can be, in float64.
        if not all(t is None or np.isfinite(t).all() for t in edge_capacities):
            solve(edge_capacities, terminals, None)  # refuses paths of infinite capacity
        beyond = _beyond_every_cut(edge_capacities, terminals)
        bounded = [t if t is None else np.minimum(t, beyond, dtype=float) for t in edge_capacities]
        wide = np.empty(flow.shape)
        solve(bounded, [t.astype(float) for t in terminals], wide)
        flow[...] = wide
    outputs = torch.from_numpy(value), torch.from_numpy(source_side), torch.from_numpy(flow)
    if capacity.is_cpu:
        return outputs
    device = capacity.device
    return outputs[0].to(device), outputs[1].to(device), outputs[2].to(device)


@np.errstate(over="ignore")
def _beyond_every_cut(links: list[Any], terminals: list[Any]) -> Any:
    """Return (cuts, 1) or (1,): above every finite cut, and so above what an edge can carry."""

    def total(rows: Any) -> Any:
        return np.where(np.isfinite(rows), rows, 0).sum(-1, dtype=float, keepdims=True)

    given = [t for t in links if t is not None]
    everything = sum(map(total, [*given, *terminals]))
    most = everything
    for rows in terminals:  # no flow is more than one of them comes to
        finite = np.isfinite(rows).all(-1, keepdims=True)
        most = np.minimum(most, np.where(finite, total(rows), everything))
    if not np.isfinite(2 * most).all() and not all(np.isfinite(t).all() for t in given):
        raise ValueError("return_flow: the finite capacities sum up past the largest float64")
    return np.where(most > 0, 2 * most, 1.0)


def _fake(
    edge_index: Tensor,
    capacity: Tensor,
    reverse_capacity: Tensor | None,
    source: Tensor,
    sink: Tensor,
    ptr: Tensor | None,
    solver: str,
    return_flow: bool,
    num_threads: int,
) -> tuple[Tensor, Tensor, Tensor]:
    leading = leading_shape(capacity, reverse_capacity, source, sink)
    graphs = () if ptr is None else (ptr.shape[0] - 1,)
    return (
        capacity.new_empty((*leading, *graphs), dtype=value_dtype(capacity.dtype)),
        source.new_empty((*leading, source.shape[-1]), dtype=torch.bool),
        capacity.new_empty((*leading, capacity.shape[-1]) if return_flow else (0,)),
    )


def _setup_context(ctx: Any, inputs: tuple[Any, ...], output: tuple[Tensor, ...]) -> None:
    edge_index, *capacities, ptr, _, _, _ = inputs
    ctx.save_for_backward(edge_index, ptr, output[1])
    ctx.like = [None if t is None else (t.shape, t.dtype) for t in capacities]


def _backward(ctx: Any, grad_value: Tensor, *_: Tensor | None) -> tuple[Any, ...]:
    """Return the indicators of the arcs in the cut, times the gradient of its value."""
    edge_index, ptr, side = ctx.saved_tensors
    if ptr is None:
        of_node = of_edge = grad_value.unsqueeze(-1)
    else:
        nodes = torch.arange(side.shape[-1], device=side.device)
        of_node = grad_value[..., torch.bucketize(nodes, ptr[1:], right=True)]
        of_edge = of_node.index_select(-1, edge_index[0])
    capacity, reverse_capacity, source, sink = (
        like if needed else None
        for like, needed in zip(ctx.like, ctx.needs_input_grad[1:5], strict=True)
    )

    def paid(like: tuple[torch.Size, torch.dtype] | None, grad: Tensor, arcs: Tensor) -> Any:
        if like is None:
            return None
        shape, dtype = like
        found = torch.where(arcs, grad, 0.0)
        return (found if found.shape == shape else found.sum_to_size(shape)).to(dtype)

    leaves = returns = side
    if capacity is not None or reverse_capacity is not None:
        at_tail, at_head = (side.index_select(-1, end) for end in edge_index)
        undirected = ctx.like[1] is None
        leaves = at_tail ^ at_head if undirected else at_tail & ~at_head
        returns = at_head & ~at_tail
    return (
        None,
        paid(capacity, of_edge, leaves),
        paid(reverse_capacity, of_edge, returns),
        paid(source, of_node, ~side),
        paid(sink, of_node, side),
        None,
        None,
        None,
        None,
    )


def _vmap(info: Any, in_dims: tuple[int | None, ...], *args: Any) -> tuple[Any, Any]:
    edge_index, *capacities, ptr, solver, return_flow, num_threads = args
    edge_dim, *capacity_dims, ptr_dim, _, _, _ = in_dims
    if edge_dim is not None or ptr_dim is not None:
        raise ValueError(
            "edge_index and ptr cannot be mapped over; concatenate the graphs with ptr"
        )
    mapped = list(zip(capacities, capacity_dims, strict=True))
    leading = max(t.dim() - 1 - (dim is not None) for t, dim in mapped if t is not None)

    def front(tensor: Tensor | None, dim: int | None) -> Tensor | None:
        if tensor is None or dim is None:
            return tensor
        tensor = tensor.movedim(dim, 0)
        ones = (1,) * (leading - (tensor.dim() - 2))
        return tensor.reshape(tensor.shape[0], *ones, *tensor.shape[1:])

    rows = [front(tensor, dim) for tensor, dim in mapped]
    cut = cut_edge_list.dispatched(edge_index, *rows, ptr, solver, return_flow, num_threads)
    return cut, (0, 0, 0 if return_flow else None)


cut_edge_list = Operator(
    "maxflow", _kernel, _fake, vmap=_vmap, setup_context=_setup_context, backward=_backward
)
