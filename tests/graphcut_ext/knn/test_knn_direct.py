"""Few points, of which every pair is measured."""

from __future__ import annotations

import pytest
import torch
from brute_force import brute_force
from torch import Tensor

import graphcut_ext as gx
from graphcut_ext._knn import direct
from graphcut_ext._knn.clouds import Clouds


def random_points(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def assert_same_as_products(
    x: Tensor, k: int, monkeypatch: pytest.MonkeyPatch, query: Tensor | None = None
) -> None:
    """To the last bit."""
    assert direct.suits_direct(Clouds(x, query, None))
    found = gx.knn(x, k, query=query)
    with monkeypatch.context() as patch:
        patch.setattr(direct, "MAX_WORK", -1)
        expected = gx.knn(x, k, query=query)
    assert found.distances.dtype == expected.distances.dtype
    assert torch.equal(found.indices, expected.indices)
    assert torch.equal(found.distances, expected.distances)
    indices = brute_force(x, k, query)[1]
    assert torch.equal(found.indices, indices)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32, torch.float64])
@pytest.mark.parametrize("shape", [(1, 2, 1), (3, 9, 4), (1, 12, 90), (0, 5, 2)])
def test_same_as_products(
    shape: tuple[int, int, int], dtype: torch.dtype, monkeypatch: pytest.MonkeyPatch
):
    x = random_points(*shape).to(dtype)
    assert_same_as_products(x, shape[1] - 1, monkeypatch)
    assert_same_as_products(x, 1, monkeypatch)


@pytest.mark.parametrize("rows", [1, 5])
def test_queries(rows: int, monkeypatch: pytest.MonkeyPatch):
    x, query = random_points(2, 8, 3), random_points(2, rows, 3, seed=1)
    query[:, :1] = x[:, 3:4]
    assert_same_as_products(x, 8, monkeypatch, query)


def test_no_queries():
    found = gx.knn(random_points(2, 8, 3), 5, query=random_points(2, 0, 3), return_measured=True)
    assert [tuple(each.shape) for each in found] == [(2, 0, 5), (2, 0, 5), (2, 0)]


def test_ties_and_copies(monkeypatch: pytest.MonkeyPatch):
    x = torch.randint(0, 2, (4, 12, 2), generator=torch.Generator().manual_seed(0)).float()
    for k in (1, 3, 11):
        assert_same_as_products(x, k, monkeypatch)
    assert_same_as_products(torch.zeros(1, 15, 3), 4, monkeypatch)


@pytest.mark.parametrize("size", [1e200, 1e-200])
def test_squares_beyond_float64(size: float):
    x = (random_points(1, 10, 3).double() * size).requires_grad_(False)
    assert torch.equal(gx.knn(x, 4).indices, brute_force(x / size, 4)[1])


def test_first_bad_value_is_named():
    x = random_points(2, 6, 3)
    x[1, 4, 2] = torch.nan
    with pytest.raises(ValueError, match=r"x\[1, 4, 2\] is nan"):
        gx.knn(x, 2)
    with pytest.raises(ValueError, match=r"query\[0, 1, 0\] is inf"):
        gx.knn(x[:1], 2, query=torch.tensor([[[0.0, 0, 0], [torch.inf, 0, 0]]]))


def test_every_pair_is_measured_where_none_coincide():
    found = gx.knn(random_points(7, 3), 2, return_measured=True)
    assert found.measured.tolist() == [6] * 7


def test_many_points_are_not():
    assert not direct.suits_direct(Clouds(torch.zeros(1, 1000, 3), None, None))
    assert not direct.suits_direct(Clouds(torch.zeros(1, 4, 10_000), None, None))
    assert not direct.suits_direct(Clouds(torch.zeros(1000, 4, 3), None, None))
