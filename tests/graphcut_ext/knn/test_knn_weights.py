"""Weights of neighbour graphs against their formulas."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from torch import Tensor

import graphcut_ext as gx
from graphcut_ext import KNN


def neighbours(points: int = 30, k: int = 4, dtype: torch.dtype = torch.float64) -> KNN:
    generator = torch.Generator().manual_seed(0)
    return gx.knn(torch.randn(2, points, 3, generator=generator).to(dtype), k)


def test_unit():
    assert torch.equal(gx.knn_weights(*reversed(neighbours())), torch.ones(2, 30, 4).double())


def test_gaussian_by_hand():
    indices = torch.tensor([[1, 2], [0, 2], [1, 0]])
    distances = torch.tensor([[1.0, 9.0], [1.0, 4.0], [4.0, 9.0]])
    mean = 28 / 6
    for sigma, variance in ((2.0, 4.0), (2, 4.0), (np.float32(2), 4.0), ("item", mean)):
        weights = gx.knn_weights(indices, distances, weighting="gaussian", sigma=sigma)
        torch.testing.assert_close(weights, torch.exp(-distances / (2 * variance)))
    weights = gx.knn_weights(indices, distances, weighting="gaussian", sigma="node")
    last = [3.0, 2.0, 3.0]  # distances to the last neighbours
    for i in range(3):
        for p in range(2):
            expected = math.exp(-float(distances[i, p]) / (last[i] * last[int(indices[i, p])]))
            assert float(weights[i, p]) == pytest.approx(expected)


@pytest.mark.parametrize("sigma", [0.7, "item", "node"])
def test_items_do_not_matter_to_each_other(sigma: float | str):
    distances, indices = neighbours()
    both = gx.knn_weights(indices, distances, weighting="gaussian", sigma=sigma)  # type: ignore[arg-type]
    for item in range(2):
        alone = gx.knn_weights(indices[item], distances[item], weighting="gaussian", sigma=sigma)  # type: ignore[arg-type]
        torch.testing.assert_close(alone, both[item])


@pytest.mark.parametrize("sigma", [0.7, "item", "node"])
def test_gradients_against_finite_differences(sigma: float | str):
    distances, indices = neighbours(8)

    def weights(distances: Tensor) -> Tensor:
        return gx.knn_weights(indices, distances, weighting="gaussian", sigma=sigma)  # type: ignore[arg-type]

    assert torch.autograd.gradcheck(weights, distances.requires_grad_())


def test_callable():
    distances, indices = neighbours()
    weights = gx.knn_weights(indices, distances, weighting=lambda d: 1 / (1 + d))
    assert torch.equal(weights, 1 / (1 + distances))


@pytest.mark.parametrize("sigma", [0.7, "item", "node"])
def test_missing_neighbours_weigh_nothing(sigma: float | str):
    x = torch.randn(1, 10, 3, generator=torch.Generator().manual_seed(1))
    found = gx.knn(x, 4, lengths=torch.tensor([3]))
    whole = gx.knn(x[:, :3], 2)
    weights = gx.knn_weights(found.indices, found.distances, weighting="gaussian", sigma=sigma)  # type: ignore[arg-type]
    expected = gx.knn_weights(whole.indices, whole.distances, weighting="gaussian", sigma=sigma)  # type: ignore[arg-type]
    torch.testing.assert_close(weights[:, :3, :2], expected)
    assert not weights[:, 3:].any()
    assert not weights[:, :, 2:].any()
    source, sink = torch.rand(1, 1, 10), torch.rand(1, 1, 10)
    cut = gx.knn_maxflow(found.indices, weights, source, sink)
    short = gx.knn_maxflow(whole.indices, expected, source[..., :3], sink[..., :3])
    assert torch.equal(cut.source_side[..., :3], short.source_side)


@pytest.mark.parametrize("sigma", ["item", "node"])
def test_coinciding_points(sigma: str):
    found = gx.knn(torch.zeros(1, 5, 2), 3)
    weights = gx.knn_weights(found.indices, found.distances, weighting="gaussian", sigma=sigma)  # type: ignore[arg-type]
    assert torch.equal(weights, torch.ones(1, 5, 3))


@pytest.mark.parametrize("sigma", [1e-30, 1e30])
def test_extreme_sigma(sigma: float):
    distances, indices = neighbours(dtype=torch.float32)
    weights = gx.knn_weights(indices, distances, weighting="gaussian", sigma=sigma)
    assert torch.equal(weights, torch.full_like(weights, float(sigma > 1)))


def test_distances_whose_sum_overflows():
    distances, indices = neighbours(dtype=torch.float32)
    expected = gx.knn_weights(indices, distances, weighting="gaussian")
    weights = gx.knn_weights(indices, distances * 1e37, weighting="gaussian")
    torch.testing.assert_close(weights, expected)


INDICES, DISTANCES = torch.zeros(1, 3, 2, dtype=torch.int64), torch.ones(1, 3, 2)
BAD = {
    "weighting": ({"weighting": "linear"}, ValueError, "weighting must be 'unit', 'gaussian' or"),
    "sigma": ({"sigma": "batch"}, ValueError, "sigma must be a number, 'item' or 'node', not 'b"),
    "negative sigma": ({"sigma": -1.0}, ValueError, "sigma must be positive, not -1.0"),
    "sigma of NaN": ({"sigma": math.nan}, ValueError, "sigma must be positive, not nan"),
    "sigma's type": ({"sigma": None}, TypeError, "sigma must be a number, .* not NoneType"),
    "float indices": ({"indices": DISTANCES}, TypeError, "indices must be int64"),
    "integer distances": ({"distances": INDICES}, TypeError, "distances must be float32 or"),
    "shapes": (
        {"distances": DISTANCES[0]},
        ValueError,
        r"distances must have the shape of indices, \(1, 3, 2\), not \(3, 2\)",
    ),
    "one dimension": (
        {"indices": INDICES[0, 0], "distances": DISTANCES[0, 0]},
        ValueError,
        r"indices must have shape \(\.\.\., N, K\)",
    ),
    "shape of a callable's weights": (
        {"weighting": lambda d: d.sum()},
        ValueError,
        "weighting must return the shape of distances",
    ),
}


@pytest.mark.parametrize(("changes", "error", "message"), BAD.values(), ids=BAD)
def test_bad_input(changes: dict[str, object], error: type[Exception], message: str):
    arguments = {"indices": INDICES, "distances": DISTANCES, **changes}
    with pytest.raises(error, match=message):
        gx.knn_weights(**arguments)  # type: ignore[arg-type]


def test_neighbours_that_do_not_exist_are_named():
    indices = torch.tensor([[1], [7], [0]])
    with pytest.raises(IndexError, match=r"indices\[1, 0\] = 7 is out of range for 3 nodes"):
        gx.knn_weights(indices, torch.ones(3, 1), weighting="gaussian", sigma="node")
