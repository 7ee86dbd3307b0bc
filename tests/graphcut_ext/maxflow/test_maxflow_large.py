"""Minimum cuts of graphs of feature maps in their real size, against SciPy."""

import numpy as np
import pytest
import torch
from oracles import Problem, scipy_mincut
from torch.nn.functional import interpolate

import graphcut_ext as gx
from graphcut_ext import SOLVERS

SIDE, K, CUTS = 41, 9, 2


def feature_map(seed: int) -> torch.Tensor:
    """(1, SIDE * SIDE, 16): smooth fields with noise."""
    g = torch.Generator().manual_seed(seed)
    smooth = interpolate(torch.randn(1, 16, 7, 7, generator=g), (SIDE, SIDE), mode="bicubic")
    return (smooth + 0.35 * torch.randn(smooth.shape, generator=g)).flatten(2).mT.contiguous()


def problem(seed: int, links: str, scale: int) -> tuple[torch.Tensor, ...]:
    """Neighbours, and whole-number weights and terminals of two cuts, some of them seeds."""
    x = feature_map(seed)
    distances, indices = gx.knn(x, K)
    weights = torch.ones_like(distances)
    if links == "weighted":
        weights = torch.exp(-distances / (2 * distances.mean()))
    g = torch.Generator().manual_seed(seed)
    truth = torch.stack([x[..., 0] + x[..., 1], x[..., 2]], 1)
    p = torch.sigmoid(1.5 * truth + 0.7 * torch.randn(truth.shape, generator=g))
    p = p.clamp(1e-7, 1 - 1e-7)
    source, sink = -(1 - p).log(), -p.log()
    seeds = torch.rand(truth.shape, generator=g) < 0.05
    source = torch.where(seeds, 100.0 * (truth > 0), source)
    sink = torch.where(seeds, 100.0 * (truth <= 0), sink)
    whole = [(scale * t).round().long() for t in (weights, source, sink)]
    return indices, *whole


def listed(
    indices: np.ndarray, weights: np.ndarray, source: np.ndarray, sink: np.ndarray
) -> Problem:
    """One cut as edges: a mutual pair has two."""
    rows = np.repeat(np.arange(len(source)), K)
    edges = np.stack([rows, indices.ravel()])
    return Problem(edges, weights.ravel(), weights.ravel(), source, sink)


@pytest.mark.parametrize("links", ["weighted", "unit"])
@pytest.mark.parametrize("seed", range(3))
def test_cuts_of_feature_maps_are_minimal(seed: int, links: str) -> None:
    # Whole numbers, so that floats are exact too: sums stay below 2^24.
    indices, weights, source, sink = problem(seed, links, 20)
    expected = []
    for c in range(CUTS):
        arrays = (indices[0], weights[0], source[0, c], sink[0, c])
        expected.append(scipy_mincut(listed(*(t.numpy() for t in arrays))))
    for dtype in (torch.float32, torch.float64, torch.int32, torch.int64):
        for solver in SOLVERS:
            cut = gx.knn_maxflow(
                indices, weights.to(dtype), source.to(dtype), sink.to(dtype), solver=solver
            )
            for c, (value, side) in enumerate(expected):
                assert cut.value[0, c].item() == value, (solver, dtype)
                assert np.array_equal(cut.source_side[0, c].numpy(), side), (solver, dtype)


@pytest.mark.parametrize("links", ["weighted", "unit"])
def test_real_capacities_give_the_same_value_by_every_solver(links: str) -> None:
    for seed in range(8):
        indices, *whole = problem(seed, links, 1 << 20)
        weights, source, sink = (t.double() / (1 << 20) for t in whole)
        exact = gx.knn_maxflow(indices, weights, source, sink, solver="bk").value
        for solver in SOLVERS:
            cut = gx.knn_maxflow(
                indices, weights.float(), source.float(), sink.float(), solver=solver
            )
            torch.testing.assert_close(cut.value.double(), exact, rtol=1e-6, atol=0)


@pytest.mark.parametrize(
    ("dtype", "largest"),
    [
        *((torch.int32, largest) for largest in (1, 3, 20, 100, 2**13, 2**20, 2**24 - 1, 2**25)),
        *((torch.int64, largest) for largest in (1, 100, 2**20, 2**25, 2**40)),
    ],
)
def test_integers_of_any_size_are_exact(dtype: torch.dtype, largest: int) -> None:
    # Those whose sums fit are solved in 32 bits, others in 64.
    rng = np.random.default_rng(largest)
    nodes, count = 300, 1200
    ends = rng.integers(nodes, size=(2, count))
    forward, backward = rng.integers(largest, size=(2, count), endpoint=True)
    excess = rng.integers(-largest, largest, size=nodes, endpoint=True)
    source, sink = np.maximum(excess, 0), np.maximum(-excess, 0)
    edge_index = torch.from_numpy(ends)
    capacity, reverse, supply, demand = (
        torch.from_numpy(a).to(dtype) for a in (forward, backward, source, sink)
    )
    # With the flow asked for, none is sent ahead.
    proof = gx.maxflow(
        edge_index, capacity, supply, demand, reverse_capacity=reverse, return_flow=True
    )
    for solver in SOLVERS:
        cut = gx.maxflow(
            edge_index, capacity, supply, demand, reverse_capacity=reverse, solver=solver
        )
        assert torch.equal(cut.source_side, proof.source_side), solver
        side = cut.source_side.numpy()
        paid = source[~side].sum() + sink[side].sum()
        paid += forward[side[ends[0]] & ~side[ends[1]]].sum()
        paid += backward[side[ends[1]] & ~side[ends[0]]].sum()
        assert int(cut.value) == int(proof.value) == paid, solver
