"""Multi-label energies in host memory: the checks on values, and the labels to start from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from graphcut_ext import _core
from graphcut_ext._arguments import check_sizes, dtype_name
from graphcut_ext._graph.grid import Grid
from graphcut_ext._graph.grid import grid as checked_grid
from graphcut_ext._maxflow.cut import value_dtype
from graphcut_ext._moves.problem import Given, known_labels

MAX_LABELS = 1 << 20
"""Labels that ``candidates`` may name where nothing else says how many there are."""


class Labelling(NamedTuple):
    """A labelling and what it costs.

    Attributes
    ----------
    labels
        (N,) int64.
    energy
        Scalar: float64 for floating-point costs, int64 for integer ones.
    """

    labels: Tensor
    energy: Tensor


@dataclass(frozen=True)
class Problem:
    """A checked energy in host memory, its costs widened to float64 or int64."""

    edge_index: Tensor | None  # (2, E)
    grid: Grid | None  # where there is no edge_index
    unary: Tensor  # (N, L) or (N, C); inf where a label is forbidden
    candidates: Tensor | None  # (N, C), -1 for none
    weights: Tensor  # (E,)
    labels: int
    pairwise: Tensor | None  # (K, L, L), or Potts
    pairwise_index: Tensor | None  # (E,)
    set_costs: Tensor | None  # (S,)
    set_members: Tensor | None  # (S, L)
    round_off: float  # relative, of the costs as they were given; 0 for integers

    def core(self) -> _core.MoveProblem:
        """Return the problem of the compiled core."""
        arrays: list[Any] = [
            None if tensor is None else tensor.contiguous().resolve_neg().numpy()
            for tensor in (
                self.edge_index,
                self.unary,
                self.candidates,
                self.weights,
                self.pairwise,
                self.pairwise_index,
                self.set_costs,
                self.set_members,
            )
        ]
        ends, unary, *others = arrays
        layout = None if self.grid is None else self.grid.three_axes()
        return _core.MoveProblem(ends, layout, unary, self.labels, *others)


def host_problem(given: Given) -> Problem:
    """Check the values of a problem and return it in host memory.

    Weights default to ones.
    """
    wide = value_dtype(given.unary.dtype)
    nodes = given.unary.shape[0]
    candidates = _candidates(given)
    labels = known_labels(given)
    if labels is None:
        assert candidates is not None
        labels = max(1, int(candidates.max()) + 1 if candidates.numel() else 1)
    edge_index, layout, edges = _edges(given)
    check_sizes("unary", nodes, "edge_index" if layout is None else "grid", edges)
    pairwise, index = _tables(given, edges, wide)
    sets = _sets(given, labels, wide)
    problem = Problem(
        edge_index,
        layout,
        given.unary.to("cpu", wide),
        candidates,
        _weights(given, layout, edges, wide),
        labels,
        pairwise,
        index,
        *sets,
        torch.finfo(given.unary.dtype).eps if given.unary.is_floating_point() else 0.0,
    )
    _check_values(problem, nodes)
    _check_pairwise(problem, given, edges)
    _check_overflow(problem)
    return problem


def _edges(given: Given) -> tuple[Tensor | None, Grid | None, int]:
    """Return the list of edges or the grid, and the number of edges."""
    if given.grid is None:
        assert given.edge_index is not None
        return given.edge_index.cpu(), None, given.edge_index.shape[1]
    layout = checked_grid(given.grid, given.connectivity, False, "grid")
    nodes = int(np.prod(layout.shape))
    if nodes != given.unary.shape[0]:
        raise ValueError(
            f"grid {layout.shape} has {nodes} nodes, but unary is of {given.unary.shape[0]}"
        )
    return None, layout, layout.size


def _tables(given: Given, edges: int, wide: torch.dtype) -> tuple[Tensor | None, Tensor | None]:
    """Return the costs of pairs, (K, L, L), and which of the K an edge has, (E,)."""
    if given.pairwise is None:
        return None, None
    pairwise = given.pairwise.to("cpu", wide)
    if pairwise.dim() == 2:
        return pairwise[None], None
    if given.pairwise_index is not None:
        return pairwise, given.pairwise_index.cpu()
    if len(pairwise) != edges:
        raise ValueError(
            f"pairwise has {len(pairwise)} tables for {edges} edges; there must be one for each, "
            "or a pairwise_index that gives the table of every edge"
        )
    return pairwise, torch.arange(edges)


def _weights(given: Given, layout: Grid | None, edges: int, wide: torch.dtype) -> Tensor:
    if given.weights is None:
        return torch.ones(edges, dtype=wide)
    weights = given.weights.to("cpu", wide)
    if layout is None:
        return weights
    # NaN and what is negative is looked for in what was given, where the places make sense.
    if first := first_true(~(weights >= 0) | weights.isinf()):
        raise ValueError(
            f"weights is {weights[tuple(first)]} at {first}; weights must be finite and >= 0"
        )
    name = dtype_name(wide)
    return torch.from_numpy(layout.per_edge("weights", weights.numpy(), np.dtype(name)))


def _candidates(given: Given) -> Tensor | None:
    """Check the labels that nodes may have."""
    if given.candidates is None:
        return None
    candidates = given.candidates.cpu()
    if first := first_true(candidates < -1):
        raise IndexError(f"candidates{first} = {candidates[tuple(first)]}: labels are >= 0")
    labels = known_labels(given)
    bound = MAX_LABELS if labels is None else labels
    if first := first_true(candidates >= bound):
        at_most = "at most " if labels is None else ""
        raise IndexError(
            f"candidates{first} = {candidates[tuple(first)]} is out of range for {at_most}{bound} "
            "labels"
        )
    ordered = candidates.sort(1).values
    twice = (ordered[:, 1:] == ordered[:, :-1]) & (ordered[:, 1:] >= 0)
    if first := first_true(twice):
        raise ValueError(
            f"candidates lists label {ordered[first[0], first[1]]} twice at node {first[0]}"
        )
    return candidates


def _sets(given: Given, labels: int, wide: torch.dtype) -> tuple[Tensor | None, Tensor | None]:
    """Return what sets of labels cost, (S,), and their labels, (S, L)."""
    if given.label_costs is None:
        return None, None
    costs = given.label_costs.to("cpu", wide)
    if first := first_true(~(costs >= 0) | costs.isinf()):
        raise ValueError(
            f"label_costs is {costs[first[0]]} at {first[0]}; they must be finite and >= 0"
        )
    if given.label_sets is not None:
        return costs, given.label_sets.cpu()
    return costs, torch.eye(labels, dtype=torch.bool)


def allowed_costs(problem: Problem) -> Tensor:
    """Return the costs (N, L) or (N, C), as large as can be where no label is."""
    unary = problem.unary
    if problem.candidates is None:
        return unary
    worst = float("inf") if unary.is_floating_point() else torch.iinfo(unary.dtype).max
    return unary.masked_fill(problem.candidates < 0, worst)


def host_labels(problem: Problem, init: Tensor | None) -> Tensor:
    """Check the labels to start from and return a copy of them in host memory.

    They default to the cheapest label of every node, the first of several.
    """
    candidates = problem.candidates
    if init is None:
        cheapest = allowed_costs(problem).argmin(1)
        return cheapest if candidates is None else candidates.gather(1, cheapest[:, None])[:, 0]
    labels = init.cpu().clone()
    _check_range("init", labels, problem.labels, "labels")
    if candidates is None:
        column = labels[:, None]
    else:
        is_own = candidates == labels[:, None]
        if first := first_true(~is_own.any(1)):
            raise ValueError(
                f"init gives node {first[0]} the label {labels[first[0]]}, "
                "which is not among its candidates"
            )
        column = is_own.int().argmax(1, keepdim=True)
    if first := first_true(problem.unary.gather(1, column)[:, 0].isinf()):
        raise ValueError(
            f"init gives node {first[0]} the label {labels[first[0]]}, which unary forbids (inf)"
        )
    return labels


def first_true(mask: Tensor) -> list[int] | None:
    """Return the position of the first True of ``mask``, or None."""
    return mask.nonzero()[0].tolist() if mask.any() else None


def _check_range(name: str, indices: Tensor, size: int, things: str) -> None:
    first = first_true((indices < 0) | (indices >= size))
    if first:
        raise IndexError(
            f"{name}{first} = {indices[tuple(first)]} is out of range for {size} {things}"
        )


def _check_values(problem: Problem, nodes: int) -> None:
    unary, weights = problem.unary, problem.weights
    if problem.edge_index is not None:
        _check_range("edge_index", problem.edge_index, nodes, "nodes")
    if first := first_true(unary.isnan() | unary.isneginf()):
        column = "label" if problem.candidates is None else "candidate"
        raise ValueError(
            f"unary is {unary[tuple(first)]} at node {first[0]}, {column} {first[1]}; "
            "costs must not be NaN or -inf (inf forbids a label)"
        )
    forbidden = unary.isinf()
    if problem.candidates is not None:
        forbidden |= problem.candidates < 0
    if first := first_true(forbidden.all(1)):
        if problem.candidates is not None:
            raise ValueError(f"node {first[0]} has no candidate that unary allows")
        raise ValueError(f"unary is inf at every label of node {first[0]}, which leaves it none")
    if first := first_true(~(weights >= 0) | weights.isinf()):
        raise ValueError(
            f"weights is {weights[first[0]]} at edge {first[0]}; weights must be finite and >= 0"
        )


def _check_pairwise(problem: Problem, given: Given, edges: int) -> None:
    pairwise, index = problem.pairwise, problem.pairwise_index
    if pairwise is None:
        return
    if first := first_true(~pairwise.isfinite()):
        one = given.pairwise is not None and given.pairwise.dim() == 2
        table, labels = "" if one else f" of table {first[0]}", tuple(first[1:])
        raise ValueError(
            f"pairwise is {pairwise[tuple(first)]} at labels {labels}{table}; "
            "it must be finite (inf in unary forbids a label)"
        )
    if index is not None:
        if len(index) != edges:
            raise ValueError(
                f"pairwise_index must have shape (E,) with E = {edges}, not {tuple(index.shape)}"
            )
        _check_range("pairwise_index", index, len(pairwise), "tables of pairwise")


def _check_overflow(problem: Problem) -> None:
    """Refuse costs whose sums could leave the range.

    The terminal capacities of a move add up to at most four times the largest energy, with the cost
    of a set counted once for every node.
    """
    unary, weights = problem.unary.double(), problem.weights.double()
    own = unary.masked_fill(unary.isinf(), 0).abs().amax(1).sum().item()
    steepest = 1.0
    if problem.pairwise is not None:
        steepest = problem.pairwise.double().abs().max().item() if len(problem.pairwise) else 0.0
    largest = own + max(weights.sum().item(), 1.0) * steepest
    names = "unary, weights and pairwise"
    if problem.set_costs is not None:
        largest += problem.set_costs.double().sum().item() * max(len(unary), 1)
        names = "unary, weights, pairwise and label_costs"
    integers = not problem.unary.is_floating_point()
    limit = 2.0**60 if integers else torch.finfo(torch.float64).max / 16
    if not largest <= limit:
        dtype, remedy = ("int64", " or use float64") if integers else ("float64", "")
        raise ValueError(
            f"{names}: energies could reach {largest:.3g}, and the moves "
            f"are sure not to overflow {dtype} up to {limit:.3g} only; scale them down{remedy}"
        )
