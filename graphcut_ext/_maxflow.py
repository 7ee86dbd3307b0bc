"""Minimum cuts of graphs given as edge lists."""

from __future__ import annotations

from typing import Any, Literal, overload

import numpy as np
import torch
from torch import Tensor

from graphcut_ext import _core
from graphcut_ext._arguments import (
    check_capacity_dtypes,
    check_devices,
    check_index_dtype,
    check_no_tangents,
    check_num_threads,
    check_sizes,
    check_solver,
    check_tensor,
)
from graphcut_ext._mincut import MinCut, MinCutFlow, thread_count, to_numpy, value_dtype


@overload
def maxflow(
    edge_index: Tensor,
    capacity: Tensor,
    source: Tensor,
    sink: Tensor,
    *,
    reverse_capacity: Tensor | None = None,
    ptr: Tensor | None = None,
    solver: str = "auto",
    return_flow: Literal[False] = False,
    num_threads: int | None = None,
) -> MinCut: ...
@overload
def maxflow(
    edge_index: Tensor,
    capacity: Tensor,
    source: Tensor,
    sink: Tensor,
    *,
    reverse_capacity: Tensor | None = None,
    ptr: Tensor | None = None,
    solver: str = "auto",
    return_flow: Literal[True],
    num_threads: int | None = None,
) -> MinCutFlow: ...
def maxflow(
    edge_index: Tensor,
    capacity: Tensor,
    source: Tensor,
    sink: Tensor,
    *,
    reverse_capacity: Tensor | None = None,
    ptr: Tensor | None = None,
    solver: str = "auto",
    return_flow: bool = False,
    num_threads: int | None = None,
) -> MinCut | MinCutFlow:
    """Minimum s-t cut (maximum flow) of one graph, many graphs, or many cuts over one graph.

    The two terminals are implicit: node i hangs on the source by ``source[i]`` and on the sink by
    ``sink[i]``. With ``x[i]`` = "node i is on the source side", the cut minimises ::

        sum_i  source[i] (1 - x[i]) + sink[i] x[i]
      + sum_e  capacity[e] x[u] (1 - x[v]) + reverse_capacity[e] x[v] (1 - x[u]),   e = (u, v)

    Parameters
    ----------
    edge_index : Tensor, shape (2, E), int64
        Tails and heads of the edges, nodes 0..N-1. Repeated edges add up; self-loops never matter.
    capacity : Tensor, shape (..., E), float32, float64, int32 or int64
        Capacity from tail to head, >= 0. ``inf`` means "never cut".
    source, sink : Tensor, shape (..., N), same dtype
        Terminal capacities, >= 0: ``source[i]`` is paid when i ends on the sink side, ``sink[i]``
        when it ends on the source side. ``inf`` ties a node to its terminal.
    reverse_capacity : Tensor, shape (..., E), same dtype, optional
        Capacity from head to tail. Default: equal to ``capacity``, i.e. undirected edges. Zeros
        make directed edges.
    ptr : Tensor, shape (G + 1,), int64, optional
        ``G`` independent graphs concatenated: graph g holds the nodes ``ptr[g] .. ptr[g+1]-1``, and
        edges may not cross. Default: one graph.
    solver : name of a solver, default "auto"
        One of ``graphcut_ext.SOLVERS``.
        ``"ibfs"``, incremental breadth-first search with excesses, is the fastest where supply
        finds demand nearby; ``"hpf"``, Hochbaum's pseudoflow, highest label first, where it has a
        long way to go: few nodes hang on a terminal (flow networks, scribbled pictures), or
        terminals are weak. ``"auto"`` chooses between these two by a sample of the graph, and goes
        on with the second where the first takes long. ``"push_relabel"`` and ``"bk"``,
        Boykov-Kolmogorov, are there to compare. All give the same answer as far as sums are exact:
        where floats round, a node may lie on either side of a near tie.
    return_flow : bool, default False
        Whether to return a maximum flow too. It is Boykov-Kolmogorov's, computed in float64 for
        floats; capacities that no flow can fill are lowered for it, as residuals are rounded.
    num_threads : int, optional
        CPU threads over graphs and cuts. Default ``torch.get_num_threads()``. Results do not depend
        on it.

    Returns
    -------
    MinCut
        ``value`` (..., G), or (...) without ``ptr``; ``source_side`` (..., N) bool.
    MinCutFlow
        With ``return_flow``: ``flow`` (..., E) as well.

    Raises
    ------
    TypeError
        Not a tensor, or an unsupported or mixed dtype.
    IndexError
        A node number out of range; the message names the first.
    ValueError
        A wrong shape or device; a negative or NaN capacity (the message names the first); a path of
        infinite capacity from source to sink; integer overflow; a graph of more than 2^30 - 1
        nodes or 2^30 - 1 edges.
    NotImplementedError
        A capacity carries a tangent: derivatives are of reverse mode only.

    Notes
    -----
    Leading dimensions of ``capacity``, ``reverse_capacity``, ``source`` and ``sink`` broadcast; the
    topology is built once for all of them. ``value`` is differentiable: it is the minimum over cuts
    of functions linear in the capacities, so its gradient is the indicator of the arcs in the cut
    (a supergradient where the minimum cut is not unique). CUDA tensors are solved on the host and
    the result is copied back.

    References
    ----------
    Y. Boykov and V. Kolmogorov, "An experimental comparison of min-cut/max-flow algorithms for
    energy minimization in vision", PAMI 2004.
    B. V. Cherkassky and A. V. Goldberg, "On implementing the push-relabel method for the maximum
    flow problem", Algorithmica 1997.
    D. S. Hochbaum, "The pseudoflow algorithm: a new algorithm for the maximum-flow problem",
    Operations Research 2008.
    A. V. Goldberg, S. Hed, H. Kaplan, P. Kohli, R. E. Tarjan and R. F. Werneck, "Faster and more
    dynamic maximum flow by incremental breadth-first search", ESA 2015.

    Examples
    --------
    >>> edge_index = torch.tensor([[0, 1], [1, 2]])
    >>> cut = maxflow(edge_index, torch.tensor([3.0, 1.0]),
    ...               source=torch.tensor([5.0, 0.0, 0.0]), sink=torch.tensor([0.0, 0.0, 4.0]))
    >>> cut.value.item(), cut.source_side.tolist()
    (1.0, [True, True, False])
    """
    capacities = {"capacity": capacity, "source": source, "sink": sink}
    if reverse_capacity is not None:
        capacities["reverse_capacity"] = reverse_capacity
    indices = {"edge_index": edge_index}
    if ptr is not None:
        indices["ptr"] = ptr
    for name, tensor in {**indices, **capacities}.items():  # torch 2.6 does not trace "|" of dicts
        check_tensor(name, tensor)
    for name, tensor in indices.items():
        check_index_dtype(name, tensor)
    check_capacity_dtypes(**capacities)
    check_no_tangents(**capacities)
    check_devices(**indices, **capacities)
    _check_shapes(edge_index, capacity, source, sink, reverse_capacity, ptr)
    solver = check_solver(solver)
    if return_flow and solver not in ("auto", "bk"):
        raise ValueError(f"return_flow needs solver 'bk' or 'auto', not {solver!r}")
    threads = check_num_threads(num_threads)
    value, source_side, flow = torch.ops.graphcut_ext.maxflow(
        edge_index, capacity, reverse_capacity, source, sink, ptr, solver, return_flow, threads
    )
    return MinCutFlow(value, source_side, flow) if return_flow else MinCut(value, source_side)


def _check_shapes(
    edge_index: Tensor,
    capacity: Tensor,
    source: Tensor,
    sink: Tensor,
    reverse_capacity: Tensor | None,
    ptr: Tensor | None,
) -> None:
    if edge_index.dim() != 2 or edge_index.shape[0] != 2:
        raise ValueError(f"edge_index must have shape (2, E), not {tuple(edge_index.shape)}")
    edges = edge_index.shape[1]
    if source.dim() < 1:
        raise ValueError("source must have shape (..., N), not ()")
    nodes = source.shape[-1]
    sized = [("capacity", capacity, edges, "E"), ("sink", sink, nodes, "N")]
    if reverse_capacity is not None:
        sized.append(("reverse_capacity", reverse_capacity, edges, "E"))
    for name, tensor, size, letter in sized:
        if tensor.dim() < 1 or tensor.shape[-1] != size:
            raise ValueError(
                f"{name} must have shape (..., {letter}) with {letter} = {size}, "
                f"not {tuple(tensor.shape)}"
            )
    try:
        _leading(capacity, reverse_capacity, source, sink)
    except RuntimeError:
        shapes = ", ".join(f"{n} {tuple(t.shape)}" for n, t, *_ in sized)
        raise ValueError(
            f"leading dimensions do not broadcast: source {tuple(source.shape)}, {shapes}"
        ) from None
    if ptr is not None and (ptr.dim() != 1 or ptr.shape[0] < 1):
        raise ValueError(f"ptr must have shape (G + 1,), not {tuple(ptr.shape)}")


def _leading(
    capacity: Tensor, reverse_capacity: Tensor | None, source: Tensor, sink: Tensor
) -> torch.Size:
    tensors = [t for t in (capacity, reverse_capacity, source, sink) if t is not None]
    return torch.Size(torch.broadcast_shapes(*(t.shape[:-1] for t in tensors)))


def _outputs(
    capacity: Tensor,
    reverse_capacity: Tensor | None,
    source: Tensor,
    sink: Tensor,
    ptr: Tensor | None,
    return_flow: bool,
) -> tuple[Tensor, Tensor, Tensor]:
    """Uninitialised value, source side and flow; the flow is empty where it is not wanted."""
    leading = _leading(capacity, reverse_capacity, source, sink)
    graphs = () if ptr is None else (ptr.shape[0] - 1,)
    value = capacity.new_empty((*leading, *graphs), dtype=value_dtype(capacity.dtype))
    source_side = source.new_empty((*leading, source.shape[-1]), dtype=torch.bool)
    flow = capacity.new_empty((*leading, capacity.shape[-1]) if return_flow else (0,))
    return value, source_side, flow


@torch.library.custom_op("graphcut_ext::maxflow", mutates_args=())
def _maxflow(
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
    graphs = 1 if ptr is None else ptr.shape[0] - 1
    check_sizes(("source", source.shape[-1]), ("edge_index", edge_index.shape[1]), graphs)
    value, source_side, flow = (
        t.cpu() for t in _outputs(capacity, reverse_capacity, source, sink, ptr, return_flow)
    )
    nodes = source.shape[-1]
    leading = source_side.shape[:-1]
    cuts = leading.numel()

    def rows(tensor: Tensor) -> Any:
        """(cuts, length), or (1, length) where all cuts share the row."""
        if tensor.shape[:-1].numel() == 1:
            return to_numpy(tensor.reshape(1, tensor.shape[-1]))
        return to_numpy(tensor.expand(*leading, tensor.shape[-1]).reshape(cuts, tensor.shape[-1]))

    links = [t if t is None else rows(t) for t in (capacity, reverse_capacity)]
    terminals = [rows(source), rows(sink)]

    def solve(links: list[Any], terminals: list[Any], flow: Any) -> None:
        _core.solve_edge_list(
            to_numpy(edge_index),
            links[0],
            links[1],
            terminals[0],
            terminals[1],
            to_numpy(torch.tensor([0, nodes]) if ptr is None else ptr),
            value.view(cuts, graphs).numpy(),
            source_side.view(cuts, nodes).numpy(),
            flow,
            solver,
            thread_count(num_threads),
        )

    if not return_flow:
        solve(links, terminals, None)
    elif not capacity.is_floating_point():
        solve(links, terminals, flow.view(cuts, edge_index.shape[1]).numpy())
    else:
        # The flow is what a residual lacks: not to be told where that is infinite, rounded where it
        # is large. So no capacity is larger than need be, and residuals are float64.
        if not all(link is None or np.isfinite(link).all() for link in links):
            solve(links, terminals, None)  # refuses paths of infinite capacity
        beyond = _beyond_every_cut(links, terminals)
        bounded = [t if t is None else np.minimum(t, beyond, dtype=float) for t in links]
        wide = np.empty((cuts, edge_index.shape[1]))
        solve(bounded, [t.astype(float) for t in terminals], wide)
        flow.copy_(torch.as_tensor(wide).view(flow.shape))
    device = capacity.device
    return value.to(device), source_side.to(device), flow.to(device)


@np.errstate(over="ignore")
def _beyond_every_cut(links: list[Any], terminals: list[Any]) -> Any:
    """Return (cuts or 1, 1): above every finite cut, and so above what an edge can carry."""

    def total(rows: Any) -> Any:
        return np.where(np.isfinite(rows), rows, 0).sum(1, dtype=float, keepdims=True)

    given = [t for t in links if t is not None]
    everything = sum(map(total, [*given, *terminals]))
    most = everything
    for rows in terminals:  # no flow is more than one of them comes to
        finite = np.isfinite(rows).all(1, keepdims=True)
        most = np.minimum(most, np.where(finite, total(rows), everything))
    if not np.isfinite(2 * most).all() and not all(np.isfinite(t).all() for t in given):
        raise ValueError("return_flow: the finite capacities sum up past the largest float64")
    return np.where(most > 0, 2 * most, 1.0)


@_maxflow.register_fake
def _(
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
    return _outputs(capacity, reverse_capacity, source, sink, ptr, return_flow)


def _setup_context(ctx: Any, inputs: tuple[Any, ...], output: tuple[Tensor, ...]) -> None:
    edge_index, capacity, reverse_capacity, source, sink, ptr, *_ = inputs
    ctx.mark_non_differentiable(*output[1:])
    ctx.save_for_backward(edge_index, ptr, output[1])
    ctx.like = [
        None if t is None else (t.shape, t.dtype)
        for t in (capacity, reverse_capacity, source, sink)
    ]


def _backward(ctx: Any, grad_value: Tensor, *_grads: Tensor | None) -> tuple[Any, ...]:
    edge_index, ptr, side = ctx.saved_tensors
    tail, head = edge_index[0], edge_index[1]
    if ptr is None:
        of_node = of_edge = grad_value.unsqueeze(-1)
    else:
        nodes = torch.arange(side.shape[-1], device=side.device)
        graph = torch.bucketize(nodes, ptr[1:], right=True)
        of_node = grad_value[..., graph]
        of_edge = of_node[..., tail]
    leaves = side[..., tail] & ~side[..., head]
    returns = side[..., head] & ~side[..., tail]
    capacity, reverse_capacity, source, sink = ctx.like

    def paid(like: tuple[torch.Size, torch.dtype] | None, grad: Tensor, arcs: Tensor) -> Any:
        if like is None or not like[1].is_floating_point:
            return None
        return torch.where(arcs, grad, 0.0).sum_to_size(like[0]).to(like[1])

    return (
        None,
        paid(capacity, of_edge, leaves | returns if reverse_capacity is None else leaves),
        paid(reverse_capacity, of_edge, returns),
        paid(source, of_node, ~side),
        paid(sink, of_node, side),
        None,
        None,
        None,
        None,
    )


_maxflow.register_autograd(_backward, setup_context=_setup_context)


@_maxflow.register_vmap
def _(info: Any, in_dims: tuple[int | None, ...], *args: Any) -> tuple[Any, Any]:
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
    cut = _maxflow(edge_index, *rows, ptr, solver, return_flow, num_threads)
    return cut, (0, 0, 0 if return_flow else None)
