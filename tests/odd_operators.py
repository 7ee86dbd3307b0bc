"""Every public operator with sound arguments, for odd_calls.py."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor

import graphcut_ext as gx
from graphcut_ext import nn

DTYPES = (torch.float32, torch.float64, torch.int32, torch.int64)
Arguments = Callable[[random.Random], dict[str, Any]]


def begin(draw: random.Random) -> torch.dtype:
    """Seed what is drawn next; one of the dtypes of capacities."""
    torch.manual_seed(draw.randrange(1 << 30))
    return draw.choice(DTYPES)


def some(draw: random.Random, **optional: Any) -> dict[str, Any]:
    """A part of optional arguments."""
    return {name: value for name, value in optional.items() if draw.random() < 0.5}


def edges(draw: random.Random) -> dict[str, Any]:
    dtype, nodes, count = begin(draw), draw.randint(1, 6), draw.randint(0, 9)
    return {
        "edge_index": torch.randint(nodes, (2, count)),
        "capacity": torch.randint(9, (count,)).to(dtype),
        "source": torch.randint(9, (nodes,)).to(dtype),
        "sink": torch.randint(9, (nodes,)).to(dtype),
        **some(
            draw,
            reverse_capacity=torch.randint(9, (count,)).to(dtype),
            ptr=torch.tensor([0, nodes]),
        ),
    }


def neighbours(draw: random.Random) -> dict[str, Any]:
    items, nodes, k = draw.randint(1, 2), draw.randint(2, 6), draw.randint(1, 3)
    dtype = begin(draw)
    return {
        "indices": torch.randint(-1, nodes, (items, nodes, k)),
        "weights": torch.randint(9, (items, nodes, k)).to(dtype),
        "source": torch.randint(9, (items, 2, nodes)).to(dtype),
        "sink": torch.randint(9, (items, 2, nodes)).to(dtype),
    }


def loss(draw: random.Random) -> dict[str, Any]:
    given = edges(draw)
    for name in set(given) - {"edge_index", "ptr"}:
        given[name] = given[name].float()
    return {
        **given,
        "target": torch.rand(len(given["source"])) < 0.5,
        "margin": draw.choice((0.0, 1.0)),
        "reduction": draw.choice(nn.REDUCTIONS),
    }


def min_cut_loss(margin: Any, reduction: Any, capacity: Any, **given: Any) -> None:
    """The loss and its derivative."""
    made = nn.MinCutLoss(margin=margin, reduction=reduction)
    differentiated(made, capacity=capacity, **given)


def points(draw: random.Random) -> dict[str, Any]:
    begin(draw)
    shape = (draw.randint(1, 2), draw.randint(4, 30), draw.randint(1, 5))
    return {"x": torch.randn(shape), "k": draw.randint(1, 3)}


def clouds(draw: random.Random) -> dict[str, Any]:
    found = points(draw)
    items, count, channels = found["x"].shape
    return {
        **found,
        "query": torch.randn(items, 4, channels),
        "lengths": torch.randint(count + 1, (items,)),
    }


def listed(draw: random.Random) -> dict[str, Any]:
    found = points(draw)
    items, count, _ = found["x"].shape
    return {**found, **some(draw, lengths=torch.randint(count + 1, (items,)), loop=True)}


def weighted(draw: random.Random) -> dict[str, Any]:
    found = gx.knn(**points(draw))
    return {
        "indices": found.indices,
        "distances": found.distances,
        "weighting": "gaussian",
        "sigma": draw.choice(("item", "node", 1.0)),
    }


def pixels(draw: random.Random) -> dict[str, Any]:
    begin(draw)
    items, labels, h, w = draw.randint(1, 2), draw.randint(1, 4), draw.randint(1, 7), 5
    cost = torch.rand(labels, labels)
    return {
        "probabilities": torch.rand(items, labels, h, w).softmax(1),
        "image": torch.randint(256, (items, 3, h, w), dtype=torch.uint8),
        "iterations": 2,
        "gaussian": (draw.choice((1.0, 3.0)), 3.0),
        "bilateral": (20.0, 13.0, 5.0),
        "method": draw.choice(("auto", "exact", "lattice")),
        **some(draw, compatibility=cost + cost.T),
    }


def learnt(draw: random.Random) -> dict[str, Any]:
    return {**pixels(draw), "weight": torch.tensor(3.0)}


def learnt_crf(weight: Any, gaussian: Any, probabilities: Any, **given: Any) -> None:
    """The derivatives in the probabilities, a weight and the compatibility."""
    if isinstance(weight, Tensor) and weight.is_floating_point() and weight.is_leaf:
        weight = weight.clone().requires_grad_()
    if isinstance(gaussian, tuple):
        gaussian = (*gaussian[:-1], weight)
    differentiated(gx.dense_crf, gaussian=gaussian, probabilities=probabilities, **given)


def described_points(draw: random.Random) -> dict[str, Any]:
    begin(draw)
    items, labels, count = draw.randint(1, 2), draw.randint(1, 4), draw.randint(1, 9)
    cost = torch.rand(labels, labels)
    return {
        "probabilities": torch.rand(items, labels, count).softmax(1),
        "feature": torch.randn(items, count, draw.randint(1, 6)),
        "cost": torch.tensor(2.0) if draw.random() < 0.5 else cost + cost.T,
        "iterations": 2,
        "method": draw.choice(("auto", "exact", "lattice")),
        "normalization": draw.choice(("none", "before", "after", "symmetric")),
    }


def crf_of_features(feature: Any, cost: Any, **given: Any) -> None:
    """The derivatives where what a kernel costs is a weight or a matrix."""
    if isinstance(cost, Tensor) and cost.is_floating_point() and cost.is_leaf:
        cost = cost.clone().requires_grad_()
    differentiated(gx.dense_crf_features, kernels=[(feature, cost)], **given)


def energy(draw: random.Random) -> dict[str, Any]:
    dtype, nodes, labels, count = begin(draw), draw.randint(1, 6), draw.randint(1, 4), 9
    return {
        "edge_index": torch.randint(nodes, (2, count)),
        "unary": torch.randint(9, (nodes, labels)).to(dtype),
        "weights": torch.randint(9, (count,)).to(dtype),
        "init": torch.randint(labels, (nodes,)),
        "max_cycles": 2,
        **label_costs(draw, labels, dtype),
    }


def label_costs(draw: random.Random, labels: int, dtype: torch.dtype) -> dict[str, Any]:
    kind = draw.randrange(3)
    if kind == 0:
        return {}
    if kind == 1:
        return {"label_costs": torch.randint(9, (labels,)).to(dtype)}
    return {
        "label_costs": torch.randint(9, (3,)).to(dtype),
        "label_sets": torch.rand(3, labels) < 0.5,
    }


def tables(draw: random.Random) -> dict[str, Any]:
    """Costs of pairs by edges: each of them, or one of two."""
    given = energy(draw)
    labels, count = given["unary"].shape[1], len(given["weights"])
    kinds = draw.choice((2, count))
    potts = (1 - torch.eye(labels)).to(given["unary"].dtype)
    given["pairwise"] = potts * torch.randint(1, 5, (kinds, 1, 1)).to(potts.dtype)
    if kinds == 2:
        given["pairwise_index"] = torch.randint(2, (count,))
    return given


def candidates(draw: random.Random) -> dict[str, Any]:
    given = energy(draw)
    nodes, labels = given["unary"].shape
    chosen = torch.stack([torch.randperm(labels + 2)[:labels] for _ in range(nodes)])
    for name in ("init", "label_costs", "label_sets"):
        given.pop(name, None)
    return {
        **given,
        "candidates": chosen,
        **some(draw, label_costs=torch.ones(labels + 2).to(given["unary"].dtype)),
    }


def labelled_grid(draw: random.Random) -> dict[str, Any]:
    dtype, h, w, labels = begin(draw), draw.randint(1, 4), draw.randint(1, 4), draw.randint(1, 4)
    connectivity = draw.choice((4, 8))
    directions = connectivity // 2
    shape = (directions, h, w) if draw.random() < 0.5 else (directions,)
    return {
        "edge_index": None,
        "grid": (h, w),
        "connectivity": connectivity,
        "unary": torch.randint(9, (h * w, labels)).to(dtype),
        "weights": torch.randint(9, shape).to(dtype),
        "max_cycles": 2,
        **label_costs(draw, labels, dtype),
    }


def marked(draw: random.Random) -> dict[str, Any]:
    values = np.random.default_rng(draw.randrange(1 << 30))
    seeds = values.integers(0, 3, (6, 7))
    seeds[0, 0], seeds[5, 6] = 1, 2
    return {"image": values.integers(0, 256, (6, 7, 3), dtype=np.uint8), "seeds": seeds}


def parts_of_graph(draw: random.Random) -> dict[str, Any]:
    values = np.random.default_rng(draw.randrange(1 << 30))
    return {
        "nodes": draw.randint(3, 6),
        "tail": values.integers(0, 3, 4),
        "head": values.integers(0, 3, 4),
        "capacity": values.integers(0, 9, 4).astype(np.float32),
        "at": values.integers(0, 3, 2),
        "source": values.integers(0, 9, 2).astype(np.float32),
        "changed": values.integers(0, 4, 2),
        "shape": (3, 4),
        "weight": values.random((2, 3, 4), dtype=np.float32),
    }


def graph(**given: Any) -> None:
    """A graph through its methods; each takes what it is given."""
    built = gx.Graph()
    built.add_nodes(given["nodes"])
    built.add_edges(given["tail"], given["head"], given["capacity"])
    built.add_terminals(given["at"], given["source"], given["source"])
    built.solve()
    built.set_terminals(given["at"], source=given["source"])
    built.set_capacities(given["changed"], given["capacity"][:2])
    built.solve()
    gx.min_marginals(built)
    twin = built.copy()
    assert twin.solve() == built.value
    gx.Graph.grid(given["shape"], given["weight"], connectivity=4).solve()


def differentiated(operator: Callable[..., Any], **given: Any) -> None:
    """Call an operator, and what leads back from its result to all floating-point tensors."""
    for name, value in given.items():
        if isinstance(value, Tensor) and value.is_floating_point() and value.is_leaf:
            given[name] = value.detach().requires_grad_()
    found = operator(**given)
    results = found if isinstance(found, tuple) else (found,)
    ends = [each for each in results if isinstance(each, Tensor) and each.requires_grad]
    if ends and all(each.device.type == "cpu" for each in ends):
        sum(each.double().nan_to_num(0, 0, 0).sum() for each in ends).backward()  # type: ignore[union-attr]


def backward(operator: Callable[..., Any]) -> Callable[..., None]:
    def call(**given: Any) -> None:
        differentiated(operator, **given)

    call.__name__ = f"{operator.__name__}, differentiated"
    return call


TENSORS: list[tuple[Callable[..., object], Arguments]] = [
    (gx.maxflow, edges),
    (gx.knn_maxflow, neighbours),
    (gx.knn, points),
    (gx.knn, clouds),
    (gx.knn_edges, listed),
    (gx.knn_weights, weighted),
    (gx.dense_crf, pixels),
]
"""Operators that take NumPy arrays too."""
OPERATORS: list[tuple[Callable[..., object], Arguments]] = [
    *TENSORS,
    *((backward(operator), arguments) for operator, arguments in TENSORS),
    (learnt_crf, learnt),
    (crf_of_features, described_points),
    (min_cut_loss, loss),
    *((move, energy) for move in (gx.alpha_expansion, gx.alpha_beta_swap)),
    *((move, tables) for move in (gx.alpha_expansion, gx.alpha_beta_swap)),
    *((move, candidates) for move in (gx.alpha_expansion, gx.alpha_beta_swap)),
    *((move, labelled_grid) for move in (gx.alpha_expansion, gx.alpha_beta_swap)),
    (gx.segment, marked),
    (graph, parts_of_graph),
]


def sound(draw: random.Random) -> tuple[Callable[..., object], dict[str, Any]]:
    """An operator with sound arguments; of NumPy, now and then."""
    if draw.random() < 0.2:
        operator, make = draw.choice(TENSORS)
        given = make(draw)
        return operator, {
            name: value.numpy() if isinstance(value, Tensor) else value
            for name, value in given.items()
        }
    operator, make = draw.choice(OPERATORS)
    return operator, make(draw)
