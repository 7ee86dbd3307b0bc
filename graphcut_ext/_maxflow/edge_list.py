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
from graphcut_ext._operator import Operator, is_traced, on_host


def leading_shape(*tensors: Tensor | None) -> torch.Size:
    """Return the shape to which all but the last dimensions broadcast; ``RuntimeError`` if none."""
    given = [tensor for tensor in tensors if tensor is not None]
    if {tensor.dim() for tensor in given} == {1}:
        return torch.Size()
    shapes = [tensor.shape[:-1] for tensor in given]
    if is_traced():
        return torch.Size(torch.broadcast_shapes(*shapes))
    different = {*shapes, torch.Size()}
    if len(different) == 2:  # all the same, or none
        return max(different)
    try:  # torch's own function imports SymPy, which takes a second
        return torch.Size(np.broadcast_shapes(*shapes))
    except ValueError as error:
        raise RuntimeError(str(error)) from None


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
    check_sizes("source", nodes, "edge_index", edges, graphs)
    leading = leading_shape(capacity, reverse_capacity, source, sink)
    cuts = math.prod(leading)
    ends = to_numpy(edge_index)
    first_nodes = None if ptr is None else to_numpy(ptr)
    forward = _rows(capacity, leading)
    backward = None if reverse_capacity is None else _rows(reverse_capacity, leading)
    terminals = _rows(source, leading), _rows(sink, leading)
    dtype = np.float64 if forward.dtype.kind == "f" else np.int64
    value = np.empty(leading if ptr is None else (*leading, graphs), dtype)
    source_side = np.empty((*leading, nodes), np.bool_)
    flow = np.empty((*leading, edges) if return_flow else 0, forward.dtype)

    def solve(forward: Any, backward: Any, source: Any, sink: Any, flow: Any) -> None:
        _core.solve_edge_list(
            ends,
            forward,
            backward,
            source,
            sink,
            first_nodes,
            value.reshape(cuts, graphs),
            source_side.reshape(cuts, nodes),
            flow,
            solver,
            thread_count(num_threads),
        )

    if not return_flow:
        solve(forward, backward, *terminals, None)
    elif dtype == np.int64:
        solve(forward, backward, *terminals, flow.reshape(cuts, edges))
    else:
        wide = np.empty((cuts, edges))
        _solve_for_flow(solve, forward, backward, terminals, wide)
        flow[...] = wide.reshape(flow.shape)
    outputs = torch.from_numpy(value), torch.from_numpy(source_side), torch.from_numpy(flow)
    if capacity.is_cpu:
        return outputs
    device = capacity.device
    return outputs[0].to(device), outputs[1].to(device), outputs[2].to(device)


def _rows(tensor: Tensor, leading: torch.Size) -> Any:
    """Return (cuts, length), or (length,) where all cuts share the row."""
    if tensor.dim() > 1:
        length = tensor.shape[-1]
        if math.prod(tensor.shape[:-1]) == 1:
            tensor = tensor.reshape(length)
        else:
            tensor = tensor.expand(*leading, length).reshape(math.prod(leading), length)
    return to_numpy(tensor)


def _solve_for_flow(
    solve: Any, forward: Any, backward: Any, terminals: tuple[Any, Any], flow: Any
) -> None:
    """Write the flow of floating-point capacities, (cuts, E) float64.

    It is the capacity less the residual, which is lost where capacities are infinite and rounded
    where they are large. So none is taken to be larger than a flow can be.
    """
    given = [forward] if backward is None else [forward, backward]
    if not all(np.isfinite(rows).all() for rows in given):
        solve(forward, backward, *terminals, None)  # refuses paths of infinite capacity
    beyond = _beyond_every_cut(given, terminals)
    bounded = [np.minimum(rows, beyond, dtype=float) for rows in given]
    source, sink = (rows.astype(float) for rows in terminals)
    solve(bounded[0], None if backward is None else bounded[1], source, sink, flow)


@np.errstate(over="ignore")
def _beyond_every_cut(edges: list[Any], terminals: tuple[Any, Any]) -> Any:
    """Return (cuts, 1) or (1,): above every finite cut, and so above what an edge can carry."""

    def total(rows: Any) -> Any:
        return np.where(np.isfinite(rows), rows, 0).sum(-1, dtype=float, keepdims=True)

    everything = sum(map(total, [*edges, *terminals]))
    most = everything
    for rows in terminals:  # a flow is at most the sum of either terminal's capacities
        finite = np.isfinite(rows).all(-1, keepdims=True)
        most = np.minimum(most, np.where(finite, total(rows), everything))
    if not np.isfinite(2 * most).all() and not all(np.isfinite(t).all() for t in edges):
        raise ValueError("return_flow: the finite capacities sum up past the largest float64")
    return np.where(most > 0, 2 * most, 1.0)


def _fake(
    edge_index: Tensor,
    capacity: Tensor,
    reverse_capacity: Tensor | None,
    source: Tensor,
    sink: Tensor,
    ptr: Tensor | None,
    *options: Any,
) -> tuple[Tensor, Tensor, Tensor]:
    _, return_flow, _ = options
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
    needed = ctx.needs_input_grad
    if ptr is None and on_host(grad_value, edge_index, side):
        return _host_backward(ctx, grad_value, edge_index, side)
    if ptr is None:
        of_node = of_edge = grad_value.unsqueeze(-1)
    else:
        nodes = torch.arange(side.shape[-1], device=side.device)
        of_node = grad_value[..., torch.bucketize(nodes, ptr[1:], right=True)]
        of_edge = of_node.index_select(-1, edge_index[0])
    tail, head = edge_index.unbind()
    grads: list[Tensor | None] = [None] * 9
    if needed[1] or needed[2]:
        at_tail, at_head = side.index_select(-1, tail), side.index_select(-1, head)
        if ctx.like[1] is None:  # undirected
            grads[1] = _paid(ctx.like[0], of_edge, at_tail ^ at_head)
        else:
            grads[1] = _paid(ctx.like[0], of_edge, at_tail & ~at_head) if needed[1] else None
            grads[2] = _paid(ctx.like[1], of_edge, at_head & ~at_tail) if needed[2] else None
    if needed[3]:
        grads[3] = _paid(ctx.like[2], of_node, ~side)
    if needed[4]:
        grads[4] = _paid(ctx.like[3], of_node, side)
    return tuple(grads)


def _paid(like: tuple[torch.Size, torch.dtype], grad: Tensor, arcs: Tensor) -> Tensor:
    """Return the gradient of capacities of a shape and dtype that are paid where ``arcs`` holds."""
    shape, dtype = like
    found = torch.where(arcs, grad, 0.0)
    return (found if found.shape == shape else found.sum_to_size(shape)).to(dtype)


def _host_backward(
    ctx: Any, grad_value: Tensor, edge_index: Tensor, side: Tensor
) -> tuple[Any, ...]:
    """The same for one topology on the CPU."""
    leading, nodes, edges = grad_value.shape, side.shape[-1], edge_index.shape[1]
    shapes = [(*leading, length) for length in (edges, edges, nodes, nodes)]
    wanted = [i for i, needs in enumerate(ctx.needs_input_grad[1:5]) if needs]
    as_given = all(ctx.like[i] == (shapes[i], torch.float32) for i in wanted)
    found: list[Any] = [None] * 4
    for i in wanted:
        found[i] = np.empty(shapes[i], np.float32 if as_given else np.float64)
    gradient = np.ascontiguousarray(grad_value.detach().numpy())
    _core.write_value_gradient(
        to_numpy(edge_index), to_numpy(side), gradient, ctx.like[1] is not None, *found
    )
    grads: list[Tensor | None] = [None] * 9
    for i in wanted:
        shape, dtype = ctx.like[i]
        grad = torch.from_numpy(found[i])
        grads[i + 1] = grad if as_given else grad.sum_to_size(shape).to(dtype)
    return tuple(grads)


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
