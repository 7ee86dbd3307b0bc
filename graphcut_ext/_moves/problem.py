"""Multi-label energies as they are given, checked without a look at the values."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from graphcut_ext._arguments import check_devices, check_graph, check_tensor, dtype_name


@dataclass(frozen=True)
class Given:
    """The arguments that make up an energy, without gradients."""

    edge_index: Tensor | None  # (2, E), or none where there is a grid
    unary: Tensor  # (N, L), or (N, C) with candidates
    weights: Tensor | None  # (E,), or of a grid (D,) or (D, *grid)
    pairwise: Tensor | None  # (L, L) or (K, L, L)
    init: Tensor | None  # (N,)
    pairwise_index: Tensor | None  # (E,)
    candidates: Tensor | None  # (N, C)
    label_costs: Tensor | None  # (L,), or (S,) with sets
    label_sets: Tensor | None  # (S, L) bool
    grid: Sequence[int] | None
    connectivity: int | None

    def tensors(self, *names: str) -> dict[str, Tensor]:
        """Return those of the names that were given."""
        return {name: value for name in names if (value := getattr(self, name)) is not None}


def check_given(given: Given) -> None:
    """Check types, shapes and devices."""
    costs = {"unary": given.unary, **given.tensors("weights", "pairwise", "label_costs")}
    if given.grid is None:
        indices = {"edge_index": given.edge_index}
    elif given.edge_index is None:
        indices = {}
    else:
        raise ValueError("edge_index must be None where grid is given")
    indices |= given.tensors("init", "pairwise_index", "candidates")
    check_graph(indices, costs)  # type: ignore[arg-type]  # it refuses what is no tensor
    if given.connectivity is not None and given.grid is None:
        raise ValueError("connectivity is of a grid, and no grid is given")
    if given.label_sets is not None:
        check_label_sets(given.label_sets, given)
    if given.edge_index is not None and (
        given.edge_index.dim() != 2 or given.edge_index.shape[0] != 2
    ):
        raise ValueError(f"edge_index must have shape (2, E), not {tuple(given.edge_index.shape)}")
    check_shapes(given)


def check_label_sets(label_sets: Tensor, given: Given) -> None:
    """Refuse what is no mask, or comes without costs."""
    check_tensor("label_sets", label_sets)
    if label_sets.dtype != torch.bool:
        raise TypeError(f"label_sets must be bool, not {dtype_name(label_sets.dtype)}")
    if given.label_costs is None:
        raise ValueError("label_sets need label_costs, one for each")
    check_devices({"unary": given.unary, "label_sets": label_sets})


def check_shapes(given: Given) -> None:
    """Check all shapes but that of the weights of a grid."""
    unary, pairwise = given.unary, given.pairwise
    if unary.dim() != 2 or unary.shape[1] == 0:
        letter = "L" if given.candidates is None else "C"
        raise ValueError(
            f"unary must have shape (N, {letter}) with {letter} >= 1, not {tuple(unary.shape)}"
        )
    nodes, labels = unary.shape[0], known_labels(given)
    _check("init", given.init, (nodes,), f"(N,) with N = {nodes}")
    columns = unary.shape[1]
    described = f"(N, C) = {(nodes, columns)}, as unary"
    _check("candidates", given.candidates, (nodes, columns), described)
    if given.edge_index is not None:
        edges = given.edge_index.shape[1]
        described = f"(E,) with E = {edges}"
        _check("weights", given.weights, (edges,), described)
        _check("pairwise_index", given.pairwise_index, (edges,), described)
    if given.pairwise_index is not None and (pairwise is None or pairwise.dim() != 3):
        raise ValueError("pairwise_index needs a pairwise of shape (K, L, L)")
    if labels is not None:
        square: tuple[int, ...] = (labels, labels)
        described = f"(L, L) with L = {labels}"
        if pairwise is not None and pairwise.dim() == 3:
            square, described = (len(pairwise), *square), f"(K, L, L) with L = {labels}"
        _check("pairwise", pairwise, square, described)
    if given.label_sets is not None:
        sets = len(given.label_costs) if given.label_costs is not None else 0
        _check("label_costs", given.label_costs, (sets,), "(S,)")
        described = f"(S, L) with S = {sets}, L = {labels}"
        _check("label_sets", given.label_sets, (sets, labels or 0), described)
    elif labels is not None:
        _check("label_costs", given.label_costs, (labels,), f"(L,) with L = {labels}")


def known_labels(given: Given) -> int | None:
    """Return the number of labels as far as shapes tell it: by candidates alone they do not."""
    if given.candidates is None:
        return given.unary.shape[1]
    for name in ("pairwise", "label_sets", "label_costs"):
        tensor: Tensor | None = getattr(given, name)
        if tensor is not None:
            if tensor.dim() == 0:
                raise ValueError(f"{name} must not be a scalar")
            return tensor.shape[-1]
    return None


def _check(name: str, tensor: Tensor | None, shape: tuple[int, ...], described: str) -> None:
    if tensor is not None and tensor.shape != shape:
        raise ValueError(f"{name} must have shape {described}, not {tuple(tensor.shape)}")
