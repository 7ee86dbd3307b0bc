"""The tree of boxes against the search by products: the same to the last bit."""

from __future__ import annotations

import pytest
import torch
from brute_force import brute_force
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

import graphcut_ext as gx
from graphcut_ext._knn import tree
from graphcut_ext._knn.clouds import Clouds
from graphcut_ext._knn.cpu import search_cpu
from graphcut_ext._knn.tree import search_tree, suits_tree


def assert_same(
    x: Tensor, k: int, query: Tensor | None = None, lengths: Tensor | None = None
) -> None:
    clouds = Clouds(x, query, lengths)
    found, expected = search_tree(clouds, k), search_cpu(clouds, k)
    assert torch.equal(found.indices, expected.indices)
    assert torch.equal(found.distances, expected.distances)
    assert found.distances.dtype == expected.distances.dtype
    assert (found.measured >= (found.indices >= 0).sum(2)).all()


@given(st.data())
@settings(max_examples=200, deadline=None)
def test_the_same_as_by_products(data: st.DataObject):
    points = data.draw(st.integers(2, 300))
    channels = data.draw(st.integers(1, 8))
    dtype = data.draw(st.sampled_from([torch.float16, torch.float32, torch.float64]))
    generator = torch.Generator().manual_seed(data.draw(st.integers(0, 2**32 - 1)))
    queries = data.draw(st.sampled_from([0, 7]))
    shape = (2, points + queries, channels)
    if data.draw(st.booleans()):  # few values, so that many distances are equal
        x = torch.randint(-1, 2, shape, generator=generator).double()
    else:
        x = torch.randn(shape, generator=generator, dtype=torch.float64)
    exponent = {torch.float16: 3, torch.float32: 60, torch.float64: 900}[dtype]
    x = x.ldexp(torch.tensor(data.draw(st.integers(-exponent, exponent)))).to(dtype)
    query = x[:, points:] if queries else None
    lengths = torch.randint(0, points + 1, (2,), generator=generator)
    k = data.draw(st.integers(1, min(points - (query is None), 70)))
    assert_same(x[:, :points], k, query, data.draw(st.sampled_from([None, lengths])))


def test_chosen_for_many_points_of_few_channels():
    x = torch.randn(1, 20_000, 3, generator=torch.Generator().manual_seed(0))
    assert suits_tree(Clouds(x, None, None), 9)
    assert not suits_tree(Clouds(x[:, :400], None, None), 9)
    assert not suits_tree(Clouds(x.repeat(1, 1, 6), None, None), 9)
    assert not suits_tree(Clouds(x, None, None), 1000)
    assert not suits_tree(Clouds(x, x[:, :0], None), 9)
    assert_same(x, 9)
    assert torch.equal(gx.knn(x, 9).indices, search_cpu(Clouds(x, None, None), 9)[1])


def test_pixels_of_an_image():
    rows, columns = torch.meshgrid(torch.arange(150.0), torch.arange(150.0), indexing="ij")
    assert_same(torch.stack([rows, columns], -1).view(1, -1, 2), 8)


@pytest.mark.parametrize("k", [3, 40])
def test_points_that_coincide(k: int):
    x = torch.zeros(1, 5000, 2)
    x[0, ::7] = 1
    found = search_tree(Clouds(x, None, None), k)
    ones = torch.arange(0, 5000, 7)
    for row in (0, 7, 1477):
        assert found.indices[0, row].tolist() == ones[ones != row][:k].tolist()
    zeros = torch.tensor([i for i in range(5000) if i % 7])
    assert found.indices[0, 3456].tolist() == zeros[zeros != 3456][:k].tolist()
    assert not found.distances.any()


@pytest.mark.parametrize("threads", [1, 2, 5])
def test_independent_of_threads(threads: int):
    x = torch.randint(0, 40, (2, 9000, 3), generator=torch.Generator().manual_seed(1)).float()
    assert suits_tree(Clouds(x, None, None), 6)
    before = torch.get_num_threads()
    try:
        torch.set_num_threads(threads)
        found = gx.knn(x, 6, return_measured=True)
        torch.set_num_threads(1)
        for own, expected in zip(found, gx.knn(x, 6, return_measured=True), strict=True):
            assert torch.equal(own, expected)
    finally:
        torch.set_num_threads(before)


def test_views_and_items_that_are_empty():
    x = torch.randn(3, 900, 6, generator=torch.Generator().manual_seed(2))[:, :, ::2]
    assert_same(x, 5, lengths=torch.tensor([0, 1, 900]))
    assert_same(x.transpose(0, 1).contiguous().transpose(0, 1), 5)
    far = x.double() + 1e7
    assert torch.equal(search_tree(Clouds(far, None, None), 5).indices, brute_force(far, 5)[1])


def test_gradients_flow_through_it(monkeypatch: pytest.MonkeyPatch):
    x = torch.randn(1, 3000, 3, dtype=torch.float64, requires_grad=True)
    assert suits_tree(Clouds(x, None, None), 4)
    gx.knn(x, 4).distances.sum().backward()
    with monkeypatch.context() as patch:
        patch.setattr(tree, "MAX_NEIGHBOURS", 0)
        other = x.detach().clone().requires_grad_()
        gx.knn(other, 4).distances.sum().backward()
    assert x.grad is not None
    assert other.grad is not None
    assert torch.equal(x.grad, other.grad)


def test_values_that_are_not_finite():
    x = torch.zeros(1, 20_000, 2)
    x[0, 7, 1] = torch.inf
    with pytest.raises(ValueError, match=r"x\[0, 7, 1\] is inf"):
        gx.knn(x, 3)
    with pytest.raises(ValueError, match=r"query\[0, 1, 0\] is nan"):
        gx.knn(x[:, 8:], 3, query=torch.tensor([[[0.0, 0.0], [torch.nan, 0.0]]]))
    found = gx.knn(x, 3, lengths=torch.tensor([7])).indices[0]  # it is behind these
    assert found[0].tolist() == [1, 2, 3]
    assert found[7:].max() == -1
    with pytest.raises(ValueError, match=r"lengths\[0\] is -1"):
        gx.knn(x, 3, lengths=torch.tensor([-1]))
