"""Modules give what the operators give, and live as modules do."""

from __future__ import annotations

import copy
import doctest
import io
import itertools
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


@pytest.mark.parametrize("method", ["lattice", "exact"])
def test_what_a_crf_learns(method):
    """Settings of one CRF are found from its marginals."""
    torch.manual_seed(0)
    image = torch.randint(0, 256, (3, 8, 9), dtype=torch.uint8)
    p = torch.rand(2, 8, 9).softmax(0).requires_grad_()
    kernels = {"gaussian": (2.2, 2.0), "bilateral": (7.1, 90.0, 1.0)}
    costs = torch.tensor([[0.0, 1.5], [1.5, 0.3]])
    expected = gx.dense_crf(p.detach(), image, iterations=2, compatibility=costs, **kernels)
    module = gx.nn.DenseCRF(
        iterations=2,
        gaussian=(2.2, 1.0),
        bilateral=(7.1, 90.0, 3.0),
        compatibility=1 - torch.eye(2),
        method=method,
        learn_weights=True,
        learn_compatibility=True,
    )
    names = ["compatibility", "gaussian_log_weight", "bilateral_log_weight"]
    assert [name for name, _ in module.named_parameters()] == names
    torch.testing.assert_close(
        module(p, image),
        gx.dense_crf(
            p,
            image,
            iterations=2,
            gaussian=(2.2, 1.0),
            bilateral=(7.1, 90.0, 3.0),
            compatibility=1 - torch.eye(2),
            method=method,
        ),
    )
    optimizer = torch.optim.Adam(module.parameters(), lr=0.1)
    losses = []
    for _ in range(40):
        optimizer.zero_grad()
        loss = (module(p, image) - expected).square().mean()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < losses[0] / 20
    assert p.grad.isfinite().all()
    assert p.grad.abs().max() > 0
    twin = gx.nn.DenseCRF(
        iterations=2, compatibility=torch.zeros(2, 2), learn_weights=True, learn_compatibility=True
    )
    twin.load_state_dict(module.state_dict())
    assert torch.equal(twin.compatibility, module.compatibility)


def cut_values(edges, capacity, reverse, source, sink):
    """The capacity of every cut of a small graph, and the cuts."""
    nodes = source.shape[-1]
    sides = torch.tensor(list(itertools.product([False, True], repeat=nodes)))
    tail, head = sides[:, edges[0]], sides[:, edges[1]]
    values = (~sides * source).sum(-1) + (sides * sink).sum(-1)
    values = values + (tail * ~head * capacity).sum(-1) + (head * ~tail * reverse).sum(-1)
    return values, sides


@pytest.mark.parametrize("margin", [0.0, 0.4])
@pytest.mark.parametrize("directed", [False, True])
def test_min_cut_loss_over_all_cuts(margin, directed):
    generator = torch.Generator().manual_seed(3)

    def random(*shape):
        return torch.rand(shape, generator=generator, dtype=torch.float64).requires_grad_()

    edges = torch.tensor([[0, 1, 2, 3, 0, 1], [1, 2, 3, 4, 4, 3]])
    capacity, reverse, source, sink = random(6), random(6), random(5), random(5)
    target = torch.rand(3, 5, generator=generator) < 0.5
    inputs = [capacity, source, sink] + ([reverse] if directed else [])
    found = gx.nn.MinCutLoss(margin=margin, reduction="none")(
        edges, capacity, source, sink, target, reverse_capacity=reverse if directed else None
    )
    values, sides = cut_values(edges, capacity, reverse if directed else capacity, source, sink)
    expected = []
    for labels in target:
        own = values[(sides == labels).all(1)][0]
        expected.append(own - (values - margin * (sides != labels).sum(1)).min())
    expected = torch.stack(expected)
    torch.testing.assert_close(found, expected)
    assert (found >= -1e-12).all()
    assert found.max() > 0.1
    gradients = torch.autograd.grad(found.sum(), inputs)
    for one, true in zip(gradients, torch.autograd.grad(expected.sum(), inputs), strict=True):
        torch.testing.assert_close(one, true)


def test_min_cut_loss_of_many_graphs_and_of_a_minimum_cut():
    edges, capacity = torch.tensor([[0, 1, 3], [1, 2, 4]]), torch.tensor([3.0, 1.0, 2.0])
    source, sink = torch.tensor([5.0, 0, 0, 2, 0]), torch.tensor([0, 0, 4.0, 0, 1])
    ptr, target = torch.tensor([0, 3, 5]), torch.tensor([True, False, False, True, False])
    losses = gx.nn.MinCutLoss(reduction="none")(edges, capacity, source, sink, target, ptr=ptr)
    first = gx.nn.MinCutLoss()(edges[:, :2], capacity[:2], source[:3], sink[:3], target[:3])
    second = gx.nn.MinCutLoss()(edges[:, 2:] - 3, capacity[2:], source[3:], sink[3:], target[3:])
    assert losses.tolist() == [first, second] == [2.0, 1.0]
    for reduction, value in (("mean", 1.5), ("sum", 3.0)):
        module = gx.nn.MinCutLoss(reduction=reduction)
        assert module(edges, capacity, source, sink, target, ptr=ptr) == value
    best = gx.maxflow(edges, capacity, source, sink).source_side
    assert gx.nn.MinCutLoss()(edges, capacity, source, sink, best) == 0
    infinite = torch.tensor([3.0, torch.inf, 2.0], requires_grad=True)  # not cut by the target
    loss = gx.nn.MinCutLoss(margin=1.0)(edges, infinite, source, sink, target)
    loss.backward()
    assert loss.isfinite()
    assert infinite.grad.isfinite().all()
    assert repr(gx.nn.MinCutLoss()) == "MinCutLoss(margin=0.0, reduction='mean', solver='auto')"


def test_refused():
    with pytest.raises(ValueError, match="learn_compatibility needs the costs to begin with"):
        gx.nn.DenseCRF(learn_compatibility=True)
    with pytest.raises(ValueError, match="bilateral: a weight that is learnt must be positive"):
        gx.nn.DenseCRF(bilateral=(80.0, 13.0, 0.0), learn_weights=True)
    with pytest.raises(ValueError, match="margin must be finite and not negative, not -1"):
        gx.nn.MinCutLoss(margin=-1)
    with pytest.raises(ValueError, match="reduction must be one of 'mean', 'sum', 'none'"):
        gx.nn.MinCutLoss(reduction="max")
    graph = (torch.tensor([[0], [1]]), torch.ones(1), torch.ones(2), torch.ones(2))
    with pytest.raises(TypeError, match="target must be bool, not int64"):
        gx.nn.MinCutLoss()(*graph, torch.tensor([0, 1]))
    with pytest.raises(ValueError, match=r"target must have shape \(\.\.\., 2\), not \(3,\)"):
        gx.nn.MinCutLoss()(*graph, torch.ones(3, dtype=torch.bool))
    aim, loss = torch.ones(2, dtype=torch.bool), gx.nn.MinCutLoss()
    with pytest.raises(ValueError, match=r"sink must have shape \(\.\.\., 2\), not \(3,\)"):
        loss(*graph[:3], torch.ones(3), aim)
    with pytest.raises(ValueError, match=r"do not broadcast: .* sink \(2, 2\), target \(3, 2\)"):
        loss(*graph[:3], torch.ones(2, 2), aim.expand(3, 2))
    with pytest.raises(ValueError, match=r"do not broadcast: .* reverse_capacity \(4, 1\)"):
        loss(*graph, aim.expand(3, 2), reverse_capacity=graph[1].expand(4, 1))
    with pytest.raises(ValueError, match="sink is on meta but edge_index is on cpu"):
        gx.nn.MinCutLoss()(*graph[:3], graph[3].to("meta"), torch.ones(2, dtype=torch.bool))
    with pytest.raises(TypeError, match="sink must be a strided tensor"):
        gx.nn.MinCutLoss()(*graph[:3], graph[3].to_sparse(), torch.ones(2, dtype=torch.bool))
    with pytest.raises(TypeError, match="capacity must be floating point, not int64"):
        gx.nn.MinCutLoss()(*(t.long() for t in graph), torch.ones(2, dtype=torch.bool))
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
