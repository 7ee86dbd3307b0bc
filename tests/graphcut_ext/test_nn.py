"""Modules give what the operators give, and live as modules do."""

from __future__ import annotations

import copy
import doctest
import io
import pickle

import pytest
import torch

import graphcut_ext as gx


def test_knn():
    x, query = torch.randn(2, 30, 4, requires_grad=True), torch.randn(2, 5, 4)
    lengths = torch.tensor([30, 20])
    module = torch.nn.Sequential(gx.nn.KNN(3))
    for settings, arguments in (
        ({}, {}),
        ({"squared": False}, {"query": query}),
        ({"precision": "fast"}, {"lengths": lengths}),
    ):
        module = gx.nn.KNN(3, **settings)
        found, expected = module(x, **arguments), gx.knn(x, 3, **settings, **arguments)
        assert torch.equal(found.distances, expected.distances)
        assert torch.equal(found.indices, expected.indices)
    module(x).distances.sum().backward()
    assert x.grad.isfinite().all()
    assert repr(gx.nn.KNN(3)) == "KNN(k=3, squared=True, precision='exact')"
    assert not list(module.parameters())


@pytest.mark.parametrize("compatibility", ["potts", torch.tensor([[0.0, 2.0], [2.0, 0.0]])])
def test_dense_crf(compatibility):
    torch.manual_seed(0)
    image = torch.randint(0, 256, (1, 3, 12, 14), dtype=torch.uint8)
    p = torch.rand(1, 2, 12, 14)
    settings = {
        "iterations": 3,
        "gaussian": (2, 1),
        "bilateral": [20, 13, 4],
        "compatibility": compatibility,
        "floor": 1e-4,
    }
    module = gx.nn.DenseCRF(**settings)
    expected = gx.dense_crf(p, image, **settings)
    assert not torch.equal(expected, gx.dense_crf(p, image))
    file = io.BytesIO()
    torch.save(module.state_dict(), file)
    for twin in (module, copy.deepcopy(module), pickle.loads(pickle.dumps(module))):
        assert torch.equal(twin(p, image), expected)
    assert len(module.state_dict()) == (not isinstance(compatibility, str))
    assert not list(module.parameters())
    assert repr(module).startswith("DenseCRF(iterations=3, gaussian=(2, 1), bilateral=(20, 13, 4)")


def test_behind_a_network():
    network = torch.nn.Conv2d(3, 4, 1)
    crf = gx.nn.DenseCRF(iterations=2).eval()
    image = torch.rand(2, 3, 9, 8)
    marginals = crf(network(image).softmax(1), 255 * image)
    assert marginals.shape == (2, 4, 9, 8)
    assert torch.allclose(marginals.sum(1), torch.ones(2, 9, 8), atol=1e-5)


def test_refused():
    with pytest.raises(ValueError, match="k must be at least 1, not 0"):
        gx.nn.KNN(0)
    with pytest.raises(ValueError, match="iterations must be at least 0, not -1"):
        gx.nn.DenseCRF(iterations=-1)
    with pytest.raises(ValueError, match="compatibility must be 'potts' or a tensor"):
        gx.nn.DenseCRF(compatibility="ising")
    with pytest.raises(ValueError, match="method must be one of"):
        gx.nn.DenseCRF(method="magic")(torch.rand(2, 3, 3), torch.rand(3, 3, 3))


def test_examples_of_docstrings():
    found = doctest.testmod(gx.nn, extraglobs={"torch": torch})
    assert found.attempted >= 4
    assert found.failed == 0
