"""Move making: a labelling is improved by minimum cuts until no move of a kind improves it.

Every move picks, for each node, one of two labels: that of the labelling ``zero`` or that of
``one``. Nodes where the two agree are fixed, the others are free. An expansion of alpha joins the
present labels with "alpha everywhere"; a swap joins "alpha" with "beta" where either is present.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from itertools import chain, combinations, cycle, repeat

import torch
from torch import Tensor

from graphcut_ext._maxflow.maxflow import maxflow
from graphcut_ext._maxflow.solvers import Solver
from graphcut_ext._moves.labelling import Problem, first_true, pick

# Round-off that the conditions on `pairwise` allow, relative to the sizes of its entries.
ROUND_OFF_UNITS = 4

Cut = Callable[[Tensor, Tensor, Tensor, Tensor, Tensor], Tensor]
Move = tuple[Tensor, Tensor]  # the labellings `zero` and `one`, (N,) each
Propose = Callable[[Problem, Tensor, tuple[int, ...]], Move]


def expand(problem: Problem, labels: Tensor, alpha: tuple[int, ...]) -> Move:
    """Return the expansion of a label: keep the present labels, or take alpha where allowed."""
    allowed = ~problem.unary[:, alpha[0]].isinf()
    return labels, torch.where(allowed, alpha[0], labels)


def swap(problem: Problem, labels: Tensor, pair: tuple[int, ...]) -> Move:
    """Return the swap of a pair of labels, over the nodes that have one and may have both."""
    alpha, beta = pair
    present = (labels == alpha) | (labels == beta)
    free = present & ~problem.unary[:, [alpha, beta]].isinf().any(1)
    return torch.where(free, alpha, labels), torch.where(free, beta, labels)


def expansions(labels: int) -> list[tuple[int, ...]]:
    """Return the expansion moves of one cycle."""
    return [(alpha,) for alpha in range(labels)]


def swaps(labels: int) -> list[tuple[int, ...]]:
    """Return the swap moves of one cycle."""
    return list(combinations(range(labels), 2))


def check_expansions(pairwise: Tensor, round_off: float) -> None:
    """Refuse costs (L, L) for which some expansion is no minimum cut."""
    for alpha, (row, column) in enumerate(zip(pairwise, pairwise.T, strict=True)):
        kept = pairwise + row[alpha]
        moved = column[:, None] + row
        size = pairwise.abs() + column.abs()[:, None] + row.abs() + row[alpha].abs()
        first = first_true((kept - moved).double() > ROUND_OFF_UNITS * round_off * size)
        if first:
            b, c = first
            raise ValueError(
                f"pairwise is not a metric at (alpha, b, c) = {(alpha, b, c)}: "
                f"V[b, c] + V[alpha, alpha] = {kept[b, c]} exceeds "
                f"V[b, alpha] + V[alpha, c] = {moved[b, c]}; alpha_beta_swap asks for less"
            )


def check_swaps(pairwise: Tensor, round_off: float) -> None:
    """Refuse costs (L, L) for which some swap is no minimum cut."""
    diagonal = pairwise.diagonal()
    equal = diagonal[:, None] + diagonal
    different = pairwise + pairwise.T
    size = pairwise.abs() + pairwise.T.abs() + diagonal.abs()[:, None] + diagonal.abs()
    first = first_true((equal - different).double() > ROUND_OFF_UNITS * round_off * size)
    if first:
        a, b = first
        raise ValueError(
            f"pairwise is not a semi-metric at (alpha, beta) = {(a, b)}: "
            f"V[alpha, alpha] + V[beta, beta] = {equal[a, b]} exceeds "
            f"V[alpha, beta] + V[beta, alpha] = {different[a, b]}"
        )


def descend(
    problem: Problem,
    labels: Tensor,
    propose: Propose,
    moves: list[tuple[int, ...]],
    max_cycles: int | None,
    cut: Cut,
) -> Tensor:
    """Make the moves in turn until as many as there are fail in a row; return the labels."""
    failed = 0
    for move in _schedule(moves, max_cycles):
        if failed == len(moves):
            break
        failed += 1
        proposed = fuse(problem, *propose(problem, labels, move), cut)
        if problem.change(labels, proposed) < 0:
            labels, failed = proposed, 0
    return labels


def _schedule(moves: list[tuple[int, ...]], max_cycles: int | None) -> Iterable[tuple[int, ...]]:
    return cycle(moves) if max_cycles is None else chain.from_iterable(repeat(moves, max_cycles))


def fuse(problem: Problem, zero: Tensor, one: Tensor, cut: Cut) -> Tensor:
    """Return the cheapest labelling (N,) that has at each node the label of ``zero`` or ``one``.

    Of several it has ``one`` at the fewest nodes. With x = 1 for ``one``, an edge (u, v) costs ::

        E00 + A x_u + B x_v - P x_u x_v,   A = E10 - E00,  B = E01 - E00,  P = B + E10 - E11 >= 0

    The capacities F (paid by x_u = 1, x_v = 0) and P - F (paid by the reverse) make up the product;
    what is left, A - F and B - (P - F), goes to the terminals. F is as near to A as 0 <= F <= P
    allows, which leaves least there. At a fixed end P is 0.
    """
    free = zero != one
    nodes = free.nonzero()[:, 0]
    if not len(nodes):
        return zero
    touched = problem.edges_at(free)
    tail, head = ends = problem.edge_index.index_select(1, touched)
    weights = problem.weights.index_select(0, touched)
    labels = [
        (choice.index_select(0, tail), choice.index_select(0, head)) for choice in (zero, one)
    ]
    e00, e01, e10, e11 = (problem.pairwise[u, v] for u, _ in labels for _, v in labels)
    first, second = e10 - e00, e01 - e00
    product = (second + (e10 - e11)).clamp(min=0)  # exactly 0 at a fixed end, below 0 by round-off
    forward = torch.minimum(first.clamp(min=0), product)
    backward = product - forward

    own = problem.unary[nodes]
    gain = torch.zeros(len(zero), dtype=own.dtype)  # (N,): cost of x = 1 less that of x = 0
    gain[nodes] = pick(own, one[nodes]) - pick(own, zero[nodes])
    gain.index_add_(0, tail, weights * (first - forward))
    gain.index_add_(0, head, weights * (second - backward))

    number = torch.empty_like(zero)
    number[nodes] = torch.arange(len(nodes))
    among = (free.index_select(0, tail) & free.index_select(0, head)).nonzero()[:, 0]
    takes = cut(
        number[ends.index_select(1, among)],
        (weights * forward)[among],
        (weights * backward)[among],
        (-gain[nodes]).clamp(min=0),
        gain[nodes].clamp(min=0),
    )
    chosen = nodes[takes]
    fused = zero.clone()
    fused[chosen] = one[chosen]
    return fused


def host_cut(solver: Solver, num_threads: int | None) -> Cut:
    """Return a function from edges, their two capacities, source and sink to the source set."""

    def cut(
        edge_index: Tensor, capacity: Tensor, reverse: Tensor, source: Tensor, sink: Tensor
    ) -> Tensor:
        return maxflow(
            edge_index,
            capacity,
            source,
            sink,
            reverse_capacity=reverse,
            solver=solver,
            num_threads=num_threads,
        ).source_side

    return cut
