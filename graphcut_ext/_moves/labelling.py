"""Multi-label energies: the checks on a problem, and what a labelling of it costs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from graphcut_ext._arguments import check_graph, check_sizes
from graphcut_ext._maxflow.cut import value_dtype


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

    edge_index: Tensor  # (2, E)
    unary: Tensor  # (N, L); inf where a label is forbidden
    weights: Tensor  # (E,)
    pairwise: Tensor  # (L, L)
    round_off: float  # relative, of the costs as they were given; 0 for integers

    @property
    def labels(self) -> int:
        return self.unary.shape[1]


def pick(costs: Tensor, labels: Tensor) -> Tensor:
    """Return the cost of every node's label: ``costs`` (N, L), ``labels`` (N,)."""
    return costs.gather(1, labels[:, None])[:, 0]


def check_arguments(
    edge_index: Tensor,
    unary: Tensor,
    weights: Tensor | None,
    pairwise: Tensor | None,
    init: Tensor | None,
) -> None:
    """Check types, shapes and devices, which needs no look at the values."""
    optional = {"weights": weights, "pairwise": pairwise}
    costs = {"unary": unary, **{k: v for k, v in optional.items() if v is not None}}
    integers = {"edge_index": edge_index}
    if init is not None:
        integers["init"] = init
    check_graph(integers, costs)
    if edge_index.dim() != 2 or edge_index.shape[0] != 2:
        raise ValueError(f"edge_index must have shape (2, E), not {tuple(edge_index.shape)}")
    if unary.dim() != 2 or unary.shape[1] == 0:
        raise ValueError(f"unary must have shape (N, L) with L >= 1, not {tuple(unary.shape)}")
    edges, (nodes, labels) = edge_index.shape[1], unary.shape
    _check_shape("weights", weights, (edges,), f"(E,) with E = {edges}")
    _check_shape("pairwise", pairwise, (labels, labels), f"(L, L) with L = {labels}")
    _check_shape("init", init, (nodes,), f"(N,) with N = {nodes}")


def _check_shape(name: str, tensor: Tensor | None, shape: tuple[int, ...], described: str) -> None:
    if tensor is not None and tensor.shape != shape:
        raise ValueError(f"{name} must have shape {described}, not {tuple(tensor.shape)}")


def host_problem(
    edge_index: Tensor, unary: Tensor, weights: Tensor | None, pairwise: Tensor | None
) -> Problem:
    """Check the values of a problem and return it in host memory.

    ``weights`` default to ones and ``pairwise`` to Potts.
    """
    wide = value_dtype(unary.dtype)
    labels = unary.shape[1]
    check_sizes("unary", unary.shape[0], "edge_index", edge_index.shape[1])
    if weights is None:
        weights = torch.ones(edge_index.shape[1], dtype=wide)
    if pairwise is None:
        pairwise = 1 - torch.eye(labels, dtype=wide)
    problem = Problem(
        edge_index.cpu(),
        unary.to("cpu", wide),
        weights.to("cpu", wide),
        pairwise.to("cpu", wide),
        torch.finfo(unary.dtype).eps if unary.is_floating_point() else 0.0,
    )
    _check_range("edge_index", problem.edge_index, unary.shape[0], "nodes")
    _check_values(problem)
    _check_overflow(problem)
    return problem


def host_labels(problem: Problem, init: Tensor | None) -> Tensor:
    """Check the labels to start from and return a copy of them in host memory.

    They default to the cheapest label of every node, the lowest of several.
    """
    if init is None:
        return problem.unary.argmin(1)
    labels = init.cpu().clone()
    _check_range("init", labels, problem.labels, "labels")
    first = first_true(pick(problem.unary, labels).isinf())
    if first:
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


def _check_values(problem: Problem) -> None:
    unary, weights, pairwise = problem.unary, problem.weights, problem.pairwise
    if first := first_true(unary.isnan() | unary.isneginf()):
        raise ValueError(
            f"unary is {unary[tuple(first)]} at node {first[0]}, label {first[1]}; "
            "costs must not be NaN or -inf (inf forbids a label)"
        )
    if first := first_true(unary.isinf().all(1)):
        raise ValueError(f"unary is inf at every label of node {first[0]}, which leaves it none")
    if first := first_true(~(weights >= 0) | weights.isinf()):
        raise ValueError(
            f"weights is {weights[first[0]]} at edge {first[0]}; weights must be finite and >= 0"
        )
    if first := first_true(~pairwise.isfinite()):
        raise ValueError(
            f"pairwise is {pairwise[tuple(first)]} at labels {tuple(first)}; "
            "it must be finite (inf in unary forbids a label)"
        )


def _check_overflow(problem: Problem) -> None:
    """Refuse costs whose sums could leave the range.

    The terminal capacities of a move add up to at most four times the largest energy.
    """
    unary, weights = problem.unary.double(), problem.weights.double()
    own = unary.masked_fill(unary.isinf(), 0).abs().amax(1).sum().item()
    steepest = problem.pairwise.double().abs().max().item()
    largest = own + max(weights.sum().item(), 1.0) * steepest
    integers = not problem.unary.is_floating_point()
    limit = 2.0**60 if integers else torch.finfo(torch.float64).max / 16
    if not largest <= limit:
        dtype, remedy = ("int64", " or use float64") if integers else ("float64", "")
        raise ValueError(
            f"unary, weights and pairwise: energies could reach {largest:.3g}, and the moves "
            f"are sure not to overflow {dtype} up to {limit:.3g} only; scale them down{remedy}"
        )
