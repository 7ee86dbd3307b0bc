"""The search by products of rounded points, which need not be this machine's choice."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from brute_force import brute_force
from torch import Tensor

import graphcut_ext as gx
from graphcut_ext import _core
from graphcut_ext._knn import cpu

PANEL = cpu.PANEL


@pytest.fixture(autouse=True)
def rounds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cpu, "ROUNDS", True)


def random_points(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def assert_exact(
    x: Tensor, k: int, query: Tensor | None = None, lengths: Tensor | None = None
) -> None:
    found = gx.knn(x, k, query=query, lengths=lengths)
    distances, indices = brute_force(x, k, query, lengths)
    assert torch.equal(found.indices, indices)
    torch.testing.assert_close(found.distances, distances.to(found.distances.dtype))


def rounded(x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Rounded points (B, N, C) as integers, their panels, and the bounds of their error."""
    items, points, channels = x.shape
    panels, pairs = -(-points // PANEL), (channels + 1) // 2
    packed = torch.empty(items, panels, pairs, PANEL, dtype=torch.int32)
    norm, error, largest = (
        torch.empty(items, points),
        torch.empty(items, points),
        torch.empty(items),
    )
    rescale = torch.empty(items, dtype=torch.float64)
    arrays = (each.numpy() for each in (x, packed, norm, error, largest, rescale))
    assert _core.knn_center_rounded(*arrays, points, 2) == -1
    halves = packed.view(torch.int16).view(items, panels, pairs, PANEL, 2)
    integers = halves.permute(0, 1, 3, 2, 4).flatten(3).flatten(1, 2)
    assert not integers[:, points:].any()
    assert not integers[..., channels:].any()
    integers = integers[:, :points, :channels].to(torch.int64)
    assert torch.equal(norm, integers.square().sum(-1).float())
    assert torch.equal(largest, error.amax(1))
    return integers, packed, error


@pytest.mark.parametrize("shape", [(2, 100, 37), (1, 49, 3200), (3, 200, 5)])
@pytest.mark.parametrize("mean", [0.0, 1e3])
def test_rounded_points_are_as_near_as_they_are_said_to_be(
    shape: tuple[int, int, int], mean: float
):
    x = random_points(*shape) + mean
    integers, _, error = rounded(x)
    assert int(integers.square().sum(-1).max()) < 2**31
    assert int(integers.abs().max()) < 2**15
    # Between points the centre does not matter, and least squares give the factor well enough.
    exact = x.double() - x[:, :1].double()
    whole = (integers - integers[:, :1]).double()
    factor = (whole * exact).sum((1, 2), keepdim=True) / exact.square().sum((1, 2), keepdim=True)
    off = torch.linalg.vector_norm(factor * exact - whole, dim=-1)
    said = error + error[:, :1]
    assert bool((off <= said * 1.001).all())
    assert bool((error <= shape[2] ** 0.5 / 2 + 0.1 + 46340 * 2.0**-20).all())


@pytest.mark.parametrize("shape", [(2, 100, 37), (1, 49, 3200), (1, 200, 2), (2, 101, 401)])
def test_products_are_exact(shape: tuple[int, int, int]):
    x = random_points(*shape)
    items, points, channels = shape
    integers, packed, _ = rounded(x)
    products = torch.full((items, points, points), torch.nan)
    _core.knn_multiply_rounded_half(packed.numpy(), channels, products.numpy(), 2)
    expected = np.einsum("bic,bjc->bij", integers.numpy(), integers.numpy())
    rows, columns = np.indices((points, points))
    given = columns >= rows // PANEL * PANEL
    pieces = -(-channels // 1536)
    off = np.abs(products.double().numpy() - expected)[:, given]
    size = np.abs(expected)[:, given]
    if pieces == 1:
        assert np.array_equal(products.numpy()[:, given], expected.astype(np.float32)[:, given])
    assert bool((off <= 2.0**-22 * pieces * np.maximum(size, 46340.0**2)).all())


@pytest.mark.parametrize("channels", [1, 2, 33, 255, 300, 3100])
@pytest.mark.parametrize("points", [3, 47, 96, 577])
def test_agrees_with_brute_force(points: int, channels: int):
    assert_exact(random_points(2, points, channels) + 3, min(9, points - 1))


@pytest.mark.parametrize("channels", [24, 400])
@pytest.mark.parametrize("spread", [1e-3, 1e-5, 1e-7])
def test_distances_that_rounding_confuses(channels: int, spread: float):
    """Shells around a few points: their neighbours' distances differ by less than the rounding."""
    centres = random_points(5, channels) * 4
    directions = torch.nn.functional.normalize(random_points(5, 120, channels, seed=1), dim=-1)
    radii = 1 + spread * torch.rand(5, 120, 1, generator=torch.Generator().manual_seed(2))
    shells = (centres[:, None] + directions * radii).flatten(0, 1)
    x = torch.cat([shells, centres])[None]
    assert_exact(x, 9)
    found = gx.knn(x, 9, return_measured=True)
    assert int(found.measured[0, -5:].min()) > 9


@pytest.mark.parametrize("k", [1, 9, 64, 65])
def test_more_points_than_a_segment(k: int):
    x = random_points(1, cpu.SEGMENT + 700, 12)
    assert_exact(x, k)
    assert_exact(x, k, random_points(1, 90, 12, seed=1))


def test_lengths_that_end_within_segments():
    points = 2 * cpu.SEGMENT + 100
    x = random_points(5, points, 6)
    lengths = torch.tensor([points, 3, cpu.SEGMENT, cpu.SEGMENT + 2, 2 * PANEL + 1])
    x[torch.arange(points) >= lengths[:, None]] = torch.nan
    query = random_points(5, 50, 6, seed=1)
    found = gx.knn(x, 5, query=query, lengths=lengths)
    assert torch.equal(found.indices, brute_force(x.nan_to_num(0), 5, query, lengths)[1])
    found = gx.knn(x, 5, lengths=lengths)
    assert torch.equal(found.indices, brute_force(x.nan_to_num(0), 5, None, lengths)[1])


@pytest.mark.parametrize("channels", [32, 300])
def test_independent_of_the_threads_and_of_the_batch(channels: int):
    x = random_points(3, 600, channels)
    x[1] = x[1, :1] + 1e-4 * x[1]
    before = torch.get_num_threads()
    whole = gx.knn(x, 9)
    try:
        torch.set_num_threads(1)
        for item in range(3):
            alone = gx.knn(x[item], 9)
            assert torch.equal(alone.indices, whole.indices[item])
            assert torch.equal(alone.distances, whole.distances[item])
    finally:
        torch.set_num_threads(before)


@pytest.fixture
def watched(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The items that torch's products are used for, as time goes by."""
    items: list[int] = []

    class Watched(cpu.Search):
        def search(self, first: int, last: int) -> list[int]:
            items.extend(range(first, last))
            return super().search(first, last)

    monkeypatch.setattr(cpu, "Search", Watched)
    return items


@pytest.mark.parametrize("channels", [20, 300])
@pytest.mark.parametrize("tight", [[], [1], [0, 1, 2]])
def test_items_that_rounding_does_not_tell_apart(
    tight: list[int], channels: int, watched: list[int]
):
    """Tight clusters far from each other: with torch's products, and the rest without."""
    x = random_points(4, 640, channels)
    centres = random_points(4, channels, seed=1) * 1e4
    for item in tight:
        x[item] += centres[torch.arange(640) % 4]
    assert_exact(x, 3)
    assert watched == tight


def test_too_many_candidates_are_not_kept(watched: list[int]):
    """Of more equal points than a segment has, every one is a candidate of every row."""
    points = 2 * cpu.SEGMENT + 100
    found = gx.knn(torch.ones(1, points, 9), 3)
    assert found.indices[0, 1:5].tolist() == [[0, 2, 3], [0, 1, 3], [0, 1, 2], [0, 1, 2]]
    assert found.indices[0, -1].tolist() == [0, 1, 2]
    assert watched == [0]
