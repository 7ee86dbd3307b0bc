"""Multi-label energies in plain NumPy, with everything that the moves take."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import torch

import graphcut_ext as gx

Array = np.ndarray


@dataclass
class Energy:
    """Integer costs; labels that a node may not have are not in `allowed`."""

    edge_index: Array  # (2, E)
    weights: Array  # (E,)
    unary: Array  # (N, L)
    allowed: Array  # (N, L) bool
    tables: Array  # (E, L, L), of every edge
    set_costs: Array  # (S,)
    sets: Array  # (S, L) bool

    def __call__(self, labels: Array) -> float:
        if not all(self.allowed[i, label] for i, label in enumerate(labels)):
            return np.inf
        total = sum(self.unary[i, label] for i, label in enumerate(labels))
        for (u, v), weight, table in zip(self.edge_index.T, self.weights, self.tables, strict=True):
            total += weight * table[labels[u], labels[v]]
        used = set(np.asarray(labels).tolist())
        for cost, members in zip(self.set_costs, self.sets, strict=True):
            total += cost * any(members[label] for label in used)
        return total

    def every(self) -> Iterator[Array]:
        nodes, labels = self.unary.shape
        return map(np.array, itertools.product(range(labels), repeat=nodes))

    def expansions(self, labels: Array) -> Iterator[Array]:
        """Every labelling one expansion away."""
        for alpha in range(self.unary.shape[1]):
            for takes in itertools.product((False, True), repeat=len(labels)):
                yield np.where(takes, alpha, labels)

    def swaps(self, labels: Array) -> Iterator[Array]:
        """Every labelling one swap away."""
        for pair in itertools.combinations(range(self.unary.shape[1]), 2):
            nodes = np.flatnonzero(np.isin(labels, pair))
            for chosen in itertools.product(pair, repeat=len(nodes)):
                swapped = labels.copy()
                swapped[nodes] = chosen
                yield swapped


def distances(rng: np.random.Generator, labels: int) -> Array:
    """Asymmetric costs with the triangle inequality, and a part that depends on single labels."""
    cost = rng.integers(0, 9, (labels, labels))
    np.fill_diagonal(cost, 0)
    for k in range(labels):
        cost = np.minimum(cost, cost[:, k, None] + cost[k])
    return cost + rng.integers(-3, 4, (labels, 1)) + rng.integers(-3, 4, labels)


def random_energy(
    rng: np.random.Generator, *, tables: str = "one", candidates: bool = False, sets: bool = True
) -> tuple[Energy, dict[str, Array], Array]:
    """An energy, the arguments that give it, and labels to start from.

    `tables`: one for all edges, one for "each" of them, or "chosen" by an index.
    """
    nodes, labels = int(rng.integers(1, 7)), int(rng.integers(1, 5))
    edges = int(rng.integers(0, 2 * nodes))
    ends = rng.integers(0, nodes, (2, edges))
    weights = rng.integers(0, 4, edges)
    unary = rng.integers(-9, 10, (nodes, labels))
    arguments: dict[str, Array] = {"weights": weights}
    if tables == "one":
        shared = distances(rng, labels)
        every, arguments["pairwise"] = np.tile(shared, (edges, 1, 1)), shared
    else:
        count = edges if tables == "each" else 3
        kinds = np.arange(edges) if tables == "each" else rng.integers(0, 3, edges)
        given = np.array([distances(rng, labels) for _ in range(count)])
        arguments["pairwise"] = given.reshape(count, labels, labels)
        every = arguments["pairwise"][kinds]
        if tables == "chosen":
            arguments["pairwise_index"] = kinds
    allowed = np.ones((nodes, labels), bool)
    init = rng.integers(0, labels, nodes)
    if candidates:
        columns = int(rng.integers(1, labels + 1))
        listed = np.array([rng.permutation(labels)[:columns] for _ in range(nodes)])
        init = listed[np.arange(nodes), rng.integers(0, columns, nodes)]
        gone = (rng.random(listed.shape) < 0.2) & (listed != init[:, None])
        allowed[:] = False
        for i, row in enumerate(listed):
            allowed[i, row[~gone[i]]] = True
        arguments["candidates"] = np.where(gone, -1, listed)
        arguments["unary"] = np.take_along_axis(unary, listed, 1)
    else:
        arguments["unary"] = unary
    costs, members = np.zeros(0, int), np.zeros((0, labels), bool)
    if sets and rng.random() < 0.5:
        costs, members = rng.integers(0, 12, labels), np.eye(labels, dtype=bool)
        arguments["label_costs"] = costs
    elif sets:
        count = int(rng.integers(1, 5))
        costs, members = rng.integers(0, 12, count), rng.random((count, labels)) < 0.6
        arguments |= {"label_costs": costs, "label_sets": members}
    energy = Energy(ends, weights, unary, allowed, every, costs, members)
    return energy, {"edge_index": ends, **arguments}, init


WHOLE = ("edge_index", "candidates", "pairwise_index", "label_sets")


def minimise(
    operator: Callable[..., gx.Labelling],
    arguments: dict[str, Array],
    dtype: torch.dtype = torch.int64,
    **options: object,
) -> gx.Labelling:
    """Call an operator with arrays as tensors of a dtype."""
    tensors = {
        name: torch.as_tensor(value) if name in WHOLE else torch.as_tensor(value).to(dtype)
        for name, value in arguments.items()
    }
    return operator(**{"edge_index": None, **tensors}, **options)
