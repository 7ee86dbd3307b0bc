"""Minimum cuts of graphs given as edge lists."""

from __future__ import annotations

from typing import Any, Literal, overload

from numpy.typing import NDArray
from torch import Tensor

from graphcut_ext._arguments import check_graph, check_no_tangents, check_num_threads
from graphcut_ext._arrays import takes_arrays
from graphcut_ext._maxflow.cut import MinCut, MinCutFlow
from graphcut_ext._maxflow.edge_list import cut_edge_list, leading_shape
from graphcut_ext._maxflow.one_cut import cut_directly
from graphcut_ext._maxflow.solvers import Solver, check_solver


@overload
def maxflow(
    edge_index: Tensor,
    capacity: Tensor,
    source: Tensor,
    sink: Tensor,
    *,
    reverse_capacity: Tensor | None = None,
    ptr: Tensor | None = None,
    solver: Solver = "auto",
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
    solver: Solver = "auto",
    return_flow: Literal[True],
    num_threads: int | None = None,
) -> MinCutFlow: ...
@overload
def maxflow(
    edge_index: NDArray[Any],
    capacity: NDArray[Any],
    source: NDArray[Any],
    sink: NDArray[Any],
    *,
    reverse_capacity: NDArray[Any] | None = None,
    ptr: NDArray[Any] | None = None,
    solver: Solver = "auto",
    return_flow: bool = False,
    num_threads: int | None = None,
) -> Any: ...
@takes_arrays("capacity", "source", "sink", "reverse_capacity", indices=("edge_index", "ptr"))
def maxflow(
    edge_index: Tensor,
    capacity: Tensor,
    source: Tensor,
    sink: Tensor,
    *,
    reverse_capacity: Tensor | None = None,
    ptr: Tensor | None = None,
    solver: Solver = "auto",
    return_flow: bool = False,
    num_threads: int | None = None,
) -> MinCut | MinCutFlow:
    """Minimum s-t cut (maximum flow) of one graph, many graphs, or many cuts over one graph.

    The two terminals are implicit: ``source[i]`` joins node i to the source, ``sink[i]`` to the
    sink. With ``x[i]`` = "node i is on the source side", the cut minimises ::

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
        long way to go: few nodes have terminal edges (flow networks, scribbled pictures), or
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

    NumPy arrays are taken in place of tensors, all or none of them, and the result then is of
    arrays, ``value`` of one graph a scalar. Node numbers may be of any integer type there.

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
    threads = check_num_threads(num_threads)
    if ptr is None and not return_flow:
        found = cut_directly(edge_index, capacity, reverse_capacity, source, sink, solver, threads)
        if found is not None:
            return MinCut(*found)
    capacities = {"capacity": capacity, "source": source, "sink": sink}
    if reverse_capacity is not None:
        capacities["reverse_capacity"] = reverse_capacity
    indices = {"edge_index": edge_index}
    if ptr is not None:
        indices["ptr"] = ptr
    check_graph(indices, capacities)
    check_no_tangents(capacities)
    _check_shapes(edge_index, capacity, source, sink, reverse_capacity, ptr)
    check_solver(solver)
    if return_flow and solver not in ("auto", "bk"):
        raise ValueError(f"return_flow needs solver 'bk' or 'auto', not {solver!r}")
    value, source_side, flow = cut_edge_list(
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
    ends, of_source = edge_index.shape, source.shape
    if len(ends) != 2 or ends[0] != 2:
        raise ValueError(f"edge_index must have shape (2, E), not {tuple(ends)}")
    if len(of_source) == 0:
        raise ValueError("source must have shape (..., N), not ()")
    sized = [("capacity", capacity, ends[1], "E"), ("sink", sink, of_source[-1], "N")]
    if reverse_capacity is not None:
        sized.append(("reverse_capacity", reverse_capacity, ends[1], "E"))
    for name, tensor, size, letter in sized:
        shape = tensor.shape
        if len(shape) == 0 or shape[-1] != size:
            raise ValueError(
                f"{name} must have shape (..., {letter}) with {letter} = {size}, not {tuple(shape)}"
            )
    try:
        leading_shape(capacity, reverse_capacity, source, sink)
    except RuntimeError:
        shapes = ", ".join(f"{n} {tuple(t.shape)}" for n, t, *_ in sized)
        raise ValueError(
            f"leading dimensions do not broadcast: source {tuple(of_source)}, {shapes}"
        ) from None
    if ptr is not None and (ptr.dim() != 1 or ptr.shape[0] < 1):
        raise ValueError(f"ptr must have shape (G + 1,), not {tuple(ptr.shape)}")
