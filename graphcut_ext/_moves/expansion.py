"""Approximate minimisation of multi-label energies by moves that are minimum cuts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from graphcut_ext import _core
from graphcut_ext._arguments import check_integer, check_num_threads
from graphcut_ext._fork import safe_in_forked_child
from graphcut_ext._maxflow.cut import value_dtype
from graphcut_ext._maxflow.solvers import Solver, check_solver
from graphcut_ext._moves.conditions import check_expansions, check_swaps
from graphcut_ext._moves.labelling import Labelling, host_labels, host_problem
from graphcut_ext._moves.problem import Given, check_given
from graphcut_ext._operator import Operator

CONDITIONS = {"expansion": check_expansions, "swap": check_swaps}


@safe_in_forked_child
def alpha_expansion(
    edge_index: Tensor | None,
    unary: Tensor,
    weights: Tensor | None = None,
    pairwise: Tensor | None = None,
    *,
    grid: Sequence[int] | None = None,
    connectivity: int | None = None,
    pairwise_index: Tensor | None = None,
    candidates: Tensor | None = None,
    label_costs: Tensor | None = None,
    label_sets: Tensor | None = None,
    init: Tensor | None = None,
    max_cycles: int | None = None,
    solver: Solver = "auto",
    num_threads: int | None = None,
) -> Labelling:
    """Low-energy labelling of a graph by expansion moves: metric costs between labels.

    The energy of labels ``l`` is ::

        sum_i  unary[i, l[i]]  +  sum_e  weights[e] pairwise[l[u], l[v]],   e = (u, v)

    and ``label_costs[k]`` for every label k that any node has. An expansion of the label alpha lets
    every node keep its label or take alpha; one minimum cut finds the best of these 2^N labellings.
    The labels are expanded in turn, 0 first, until none of them lowers the energy. A second way,
    from other labels or in another order, then mostly leads lower.

    Parameters
    ----------
    edge_index : Tensor, shape (2, E), int64, or None
        Ends of the edges, nodes 0..N-1. Repeated edges add up. A self-loop costs
        ``weights[e] pairwise[l, l]``, nothing where the diagonal is zero. None where ``grid`` is
        given.
    unary : Tensor, shape (N, L), float32, float64, int32 or int64
        Cost of every label at every node, of either sign. ``inf`` forbids a label: no move gives it
        to that node. Every node needs at least one finite cost. With ``candidates``: (N, C).
    weights : Tensor, shape (E,), same dtype, optional
        Weights of the edges, finite and >= 0. With ``grid``, as :meth:`Graph.grid` takes
        capacities: (D,) for the D directions of :attr:`Graph.grid_offsets`, or (D, H, W) for each
        edge by its tail, (D, Z, Y, X) in 3-D. Default: ones.
    pairwise : Tensor, shape (L, L) or (K, L, L), same dtype, optional
        Cost of the labels ``(l[u], l[v])`` of an edge, finite, with ``V[b, c] + V[a, a] <=
        V[b, a] + V[a, c]`` for all labels a, b, c: true of every metric, and of asymmetric and
        negative costs too as long as the inequality holds (to a few units of round-off in the given
        dtype). K tables are one for each edge, or chosen by ``pairwise_index``. Default: Potts, 0
        for equal labels and 1 for different ones.
    grid : sequence of 2 or 3 ints, optional
        The nodes are the pixels or voxels of this shape, in C order, and the edges join neighbours.
        No edges are listed. They go from the lower to the higher node, in the order of
        ``gx.Graph.grid(grid, 1).edge_index``.
    connectivity : {4, 8} in 2-D, {6, 18, 26} in 3-D, optional
        Neighbours of a node of the grid. Default: 4 or 6, those that share a side.
    pairwise_index : Tensor, shape (E,), int64, optional
        Which of the K tables of ``pairwise`` an edge has. Default, with K tables: edge ``e`` has
        table ``e``.
    candidates : Tensor, shape (N, C), int64, optional
        The labels that a node may have: ``unary[i, c]`` is the cost of label ``candidates[i, c]``,
        all others are forbidden. No label twice at a node; -1 is none. The number of labels is
        that of ``pairwise``, ``label_sets`` or ``label_costs``, the first of them that is given,
        and else one more than the largest candidate, which must then be below 2^20. Memory and
        time are of N C, not of N L.
    label_costs : Tensor, shape (L,) or (S,), same dtype, optional
        What a label costs once where it is in use, finite and >= 0. Default: nothing.
    label_sets : Tensor, shape (S, L), bool, optional
        Sets of labels: ``label_costs[s]`` is due where any label of set ``s`` is in use. Default:
        every label is a set of its own.
    init : Tensor, shape (N,), int64, optional
        Labels to start from, none of them forbidden. Default: the cheapest of every node by
        ``unary``, the first of several.
    max_cycles : int, optional
        Most rounds over the labels; 0 returns ``init`` with its energy. Default: until no move
        lowers the energy.
    solver
        As in :func:`graphcut_ext.maxflow`; ``"auto"`` is breadth-first search.
    num_threads : int, optional
        CPU threads. Default ``torch.get_num_threads()``. Results do not depend on it.

    Returns
    -------
    Labelling
        ``labels`` (N,) int64 and ``energy``, a scalar in float64 or int64, on the device of
        ``unary``. Neither carries a gradient.

    Raises
    ------
    TypeError
        Not a tensor, or an unsupported or mixed dtype.
    IndexError
        A node, label or table number out of range; the message names the first.
    ValueError
        A wrong shape or device; a NaN, negative or infinite cost where there must be none, a node
        without an allowed label or with a forbidden one in ``init`` (the message names the first);
        a ``pairwise`` that breaks the inequality (the message names the first a, b, c); costs so
        large that sums could overflow.

    Notes
    -----
    The result is deterministic. Without ``max_cycles`` no single expansion improves on it, up to
    round-off. With two labels and no ``label_costs`` it is a global minimum. For Potts it costs at
    most ``U + 2 P``, where ``U`` and ``P`` are the sums over nodes and edges at a global minimum:
    at most twice the minimum where ``unary >= 0``. For other metrics the 2 is to be multiplied by
    the ratio of the largest to the smallest cost between different labels. Costs of sets of labels
    add, at most, every cost times the size of its set.

    A move is accepted only if the terms of the energy that it changes, summed exactly, decrease, so
    no labelling comes back and the search ends whatever the round-off in the cuts.

    A cycle takes at most L cuts. Nodes that are sure to keep their label, or to take alpha,
    whatever their neighbours do, are left out of the cut. A label is passed over while nothing has
    changed. Where its last expansion is known, only nodes near later changes are cut; when that
    lowers the energy no more, a cycle over all nodes follows. A few cycles are usual; which local
    minimum is reached depends on the order of the labels. So the search starts again for one cycle,
    last label first, and the cut of a fusion move takes the better of both labellings place by
    place. Expansions then go on. All of it counts as cycles.

    With ``label_costs`` the search first takes no notice of them. The regions of equal labels then
    are the nodes of a small problem, which is searched with the costs, also without every single
    label. Expansions of all nodes go on from there. Where ``init`` is other than its default, they
    also start from ``init``, and the better end is kept. With ``max_cycles`` they start from
    ``init`` alone. A set of labels that a move could give up is one more node of its cut, joined to
    the set's users.

    Memory is O(N L + E + K L^2), with ``candidates`` O(N C + E + K L^2); checking ``pairwise``
    takes O(K L^3). CUDA tensors are solved on the host. ``num_threads`` share the nodes of a move
    before it is cut.

    References
    ----------
    Y. Boykov, O. Veksler and R. Zabih, "Fast approximate energy minimization via graph cuts",
    PAMI 2001, for the moves and their bound. V. Kolmogorov and R. Zabih, "What energy functions can
    be minimized via graph cuts?", PAMI 2004, for the cuts. V. Lempitsky, C. Rother, S. Roth and
    A. Blake, "Fusion moves for Markov random field optimization", PAMI 2010. A. Delong, A. Osokin,
    H. Isack and Y. Boykov, "Fast approximate energy minimization with label costs", IJCV 2012.

    Examples
    --------
    >>> edge_index = torch.tensor([[0, 1, 2], [1, 2, 3]])  # a chain of four nodes
    >>> unary = torch.tensor([[0, 5, 5], [3, 2, 5], [5, 2, 3], [5, 5, 0]])
    >>> found = alpha_expansion(edge_index, unary, weights=torch.tensor([3, 1, 3]))
    >>> found.labels.tolist(), found.energy.item()
    ([0, 0, 2, 2], 7)

    A label that costs 6 is not worth its use:

    >>> costs = torch.tensor([0, 0, 6])
    >>> found = alpha_expansion(edge_index, unary, torch.tensor([3, 1, 3]), label_costs=costs)
    >>> found.labels.tolist(), found.energy.item()
    ([0, 0, 1, 1], 11)
    """
    given = Given(
        edge_index,
        unary,
        weights,
        pairwise,
        init,
        pairwise_index,
        candidates,
        label_costs,
        label_sets,
        grid,
        connectivity,
    )
    return _minimise("expansion", given, max_cycles, solver, num_threads)


@safe_in_forked_child
def alpha_beta_swap(
    edge_index: Tensor | None,
    unary: Tensor,
    weights: Tensor | None = None,
    pairwise: Tensor | None = None,
    *,
    grid: Sequence[int] | None = None,
    connectivity: int | None = None,
    pairwise_index: Tensor | None = None,
    candidates: Tensor | None = None,
    label_costs: Tensor | None = None,
    label_sets: Tensor | None = None,
    init: Tensor | None = None,
    max_cycles: int | None = None,
    solver: Solver = "auto",
    num_threads: int | None = None,
) -> Labelling:
    """Low-energy labelling of a graph by swap moves: hardly any condition on the label costs.

    The energy is that of :func:`alpha_expansion`, with costs of labels in use. A swap of the labels
    alpha and beta lets every node that has one of them take either; one minimum cut finds the best.
    The pairs are swapped in turn, (0, 1), (0, 2), ..., until none of them lowers the energy. Where
    its stricter condition holds, :func:`alpha_expansion` takes fewer cuts and mostly ends lower.

    Parameters
    ----------
    edge_index, unary, weights, init, solver, num_threads
        As in :func:`alpha_expansion`.
    grid, connectivity, pairwise_index, candidates, label_costs, label_sets
        As in :func:`alpha_expansion`.
    pairwise : Tensor, shape (L, L) or (K, L, L), same dtype, optional
        Cost of the labels ``(l[u], l[v])`` of an edge, finite, with ``V[a, a] + V[b, b] <=
        V[a, b] + V[b, a]`` for all labels a, b: true of every semi-metric (truncated squares, say),
        and of asymmetric costs too as long as the inequality holds (to a few units of round-off in
        the given dtype). Default: Potts, 0 for equal labels and 1 for different ones.
    max_cycles : int, optional
        Most rounds over the pairs of labels. Default: until no move lowers the energy.

    Returns
    -------
    Labelling
        As :func:`alpha_expansion`.

    Raises
    ------
    TypeError, IndexError, ValueError
        As :func:`alpha_expansion`; the message on ``pairwise`` names the first a, b.

    Notes
    -----
    The result is deterministic, and without ``max_cycles`` no single swap improves on it, up to
    round-off; there is no bound on its distance from the minimum. A move is accepted as in
    :func:`alpha_expansion`. A cycle takes at most L (L - 1) / 2 cuts, each over the nodes of two
    labels and the edges among them: together (L - 1) N nodes, against L N for expansion. A pair is
    passed over while no node of its labels, nor a neighbour of one, has changed.

    References
    ----------
    Y. Boykov, O. Veksler and R. Zabih, "Fast approximate energy minimization via graph cuts",
    PAMI 2001. V. Kolmogorov and R. Zabih, "What energy functions can be minimized via graph cuts?",
    PAMI 2004.

    Examples
    --------
    >>> edge_index = torch.tensor([[0, 1, 2], [1, 2, 3]])  # a chain of four nodes
    >>> unary = torch.tensor([[0, 5, 5], [3, 2, 5], [5, 2, 3], [5, 5, 0]])
    >>> squares = (torch.arange(3)[:, None] - torch.arange(3)) ** 2  # no metric
    >>> found = alpha_beta_swap(edge_index, unary, pairwise=squares)
    >>> found.labels.tolist(), found.energy.item()
    ([0, 1, 1, 2], 6)
    """
    given = Given(
        edge_index,
        unary,
        weights,
        pairwise,
        init,
        pairwise_index,
        candidates,
        label_costs,
        label_sets,
        grid,
        connectivity,
    )
    return _minimise("swap", given, max_cycles, solver, num_threads)


def _minimise(
    move: str, given: Given, max_cycles: int | None, solver: Solver, num_threads: int | None
) -> Labelling:
    check_given(given)
    if max_cycles is not None:
        max_cycles = check_integer("max_cycles", max_cycles, 0)
    check_solver(solver)
    threads = check_num_threads(num_threads)
    costs = (
        None if cost is None else cost.detach().resolve_neg()
        for cost in (given.unary, given.weights, given.pairwise, given.label_costs)
    )
    unary, weights, pairwise, label_costs = costs
    return Labelling(
        *make_moves(
            given.edge_index,
            unary,
            weights,
            pairwise,
            given.init,
            given.pairwise_index,
            given.candidates,
            label_costs,
            given.label_sets,
            list(given.grid) if isinstance(given.grid, tuple) else given.grid,
            given.connectivity,
            move,
            max_cycles,
            solver,
            threads,
        )
    )


def _kernel(
    edge_index: Tensor | None,
    unary: Tensor,
    weights: Tensor | None,
    pairwise: Tensor | None,
    init: Tensor | None,
    pairwise_index: Tensor | None,
    candidates: Tensor | None,
    label_costs: Tensor | None,
    label_sets: Tensor | None,
    grid: Sequence[int] | None,
    connectivity: int | None,
    move: str,
    max_cycles: int | None,
    solver: str,
    num_threads: int,
) -> tuple[Tensor, Tensor]:
    given = Given(
        edge_index,
        unary,
        weights,
        pairwise,
        init,
        pairwise_index,
        candidates,
        label_costs,
        label_sets,
        grid,
        connectivity,
    )
    problem = host_problem(given)
    if pairwise is not None and problem.pairwise is not None:
        CONDITIONS[move](problem.pairwise, problem.round_off, pairwise.dim() == 3)
    labels = host_labels(problem, init)
    energy = _core.make_moves(
        problem.core(),
        labels.numpy(),
        move,
        -1 if max_cycles is None else max_cycles,
        solver,
        num_threads or torch.get_num_threads(),
    )
    value = torch.tensor(energy, dtype=value_dtype(unary.dtype))
    return labels.to(unary.device), value.to(unary.device)


def _fake(edge_index: Tensor | None, unary: Tensor, *_: Any) -> tuple[Tensor, Tensor]:
    labels = unary.new_empty(unary.shape[0], dtype=torch.int64)
    return labels, unary.new_empty((), dtype=value_dtype(unary.dtype))


make_moves = Operator("move_making", _kernel, _fake)
