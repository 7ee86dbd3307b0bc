"""The k-d tree against the search by products: the same to the last bit."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

import graphcut_ext as gx
from graphcut_ext._knn import tree
from graphcut_ext._knn.clouds import Clouds
from graphcut_ext._knn.cpu import search_cpu
from graphcut_ext._knn.tree import search_tree, suits_tree


def assert_same(x: Tensor, k: int, query: Tensor | None = None) -> None:
    clouds = Clouds(x, query, None)
    found = search_tree(clouds, k)
    assert found is not None
    distances, indices, _ = search_cpu(clouds, k)
    assert torch.equal(found[1], indices)
    assert torch.equal(found[0], distances)


@given(st.data())
@settings(max_examples=200, deadline=None)
def test_the_same_as_by_products(data: st.DataObject):
    points = data.draw(st.integers(2, 60))
    channels = data.draw(st.integers(1, 16))
    dtype = data.draw(st.sampled_from([torch.float16, torch.float32, torch.float64]))
    rng = np.random.default_rng(data.draw(st.integers(0, 2**32 - 1)))
    queries = data.draw(st.sampled_from([0, 7]))
    few = data.draw(st.booleans())  # values, so that many distances are equal
    cloud = rng.integers(-1, 2, (2, points + queries, channels)) if few else None
    x = torch.from_numpy(
        rng.standard_normal((2, points + queries, channels)) if cloud is None else cloud
    )
    exponent = {torch.float16: 3, torch.float32: 60, torch.float64: 900}[dtype]
    x = x.double().ldexp(torch.tensor(data.draw(st.integers(-exponent, exponent)))).to(dtype)
    query = x[:, points:] if queries else None
    k = data.draw(st.integers(1, points - (query is None)))
    assert_same(x[:, :points], k, query)


def test_chosen_for_many_points_of_few_channels():
    x = torch.randn(1, 20_000, 3, generator=torch.Generator().manual_seed(0))
    assert suits_tree(Clouds(x, None, None))
    assert not suits_tree(Clouds(x[:, :19_000], None, None))
    assert not suits_tree(Clouds(x.repeat(1, 1, 6), None, None))
    assert_same(x, 9)
    assert torch.equal(gx.knn(x, 9).indices, search_cpu(Clouds(x, None, None), 9)[1])


def test_pixels_of_an_image():
    rows, columns = torch.meshgrid(torch.arange(150.0), torch.arange(150.0), indexing="ij")
    assert_same(torch.stack([rows, columns], -1).view(1, -1, 2), 8)


def test_crowds_are_left_to_the_search_by_products(monkeypatch: pytest.MonkeyPatch):
    x = torch.zeros(1, 500, 2)
    assert search_tree(Clouds(x, None, None), 3) is None
    monkeypatch.setattr(tree, "MIN_POINTS", 1)
    assert gx.knn(x, 3).indices[0, 0].tolist() == [1, 2, 3]


def test_values_that_are_not_finite():
    x = torch.zeros(1, 20_000, 2)
    x[0, 7, 1] = torch.inf
    with pytest.raises(ValueError, match=r"x\[0, 7, 1\] is inf"):
        gx.knn(x, 3)
