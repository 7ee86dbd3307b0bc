"""gx.knn_maxflow against the same graph written out as an edge list."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from oracles import Problem, scipy_mincut

import graphcut_ext as gx


def written_out(indices, weights, source, sink) -> Problem:
    """One item as an edge list: an edge for every entry, parallel ones left as they are."""
    n, k = indices.shape
    edge_index = np.stack([np.repeat(np.arange(n), k), indices.ravel()])
    return Problem(edge_index, weights.ravel(), weights.ravel(), source, sink)


def random_batch(rng, items, cuts, n, k, distinct=True):
    if distinct:
        others = [
            [rng.permutation([j for j in range(n) if j != i])[:k] for i in range(n)]
            for _ in range(items)
        ]
        indices = np.array(others).reshape(items, n, k)
    else:
        indices = rng.integers(0, n, (items, n, k))  # repeats and self-loops
    weights = rng.integers(0, 9, (items, n, k))
    source = rng.integers(0, 30, (items, cuts, n)) * (rng.random((items, cuts, n)) < 0.4)
    sink = rng.integers(0, 30, (items, cuts, n)) * (rng.random((items, cuts, n)) < 0.4)
    return indices, weights, source, sink


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.int32, torch.int64])
@pytest.mark.parametrize("distinct", [True, False])
@pytest.mark.parametrize(("items", "cuts", "n", "k"), [(3, 2, 12, 3), (1, 4, 40, 9), (5, 1, 6, 5)])
def test_against_scipy(dtype, distinct, items, cuts, n, k):
    rng = np.random.default_rng(items)
    indices, weights, source, sink = random_batch(rng, items, cuts, n, k, distinct)
    cut = gx.knn_maxflow(
        torch.as_tensor(indices), *(torch.as_tensor(a).to(dtype) for a in (weights, source, sink))
    )
    assert cut.value.shape == (items, cuts)
    for b in range(items):
        for c in range(cuts):
            problem = written_out(indices[b], weights[b], source[b, c], sink[b, c])
            value, side = scipy_mincut(problem)
            assert cut.value[b, c].item() == value
            assert cut.source_side[b, c].tolist() == side.tolist()


def test_no_neighbour_is_no_link():
    rng = np.random.default_rng(0)
    indices, weights, source, sink = map(torch.as_tensor, random_batch(rng, 3, 2, 12, 4))
    none = torch.as_tensor(rng.random((3, 12, 4)) < 0.5)
    own = torch.arange(12)[None, :, None].expand_as(indices)
    floats = [t.double().requires_grad_() for t in (weights, source, sink)]
    cut = gx.knn_maxflow(torch.where(none, -1, indices), *floats)
    expected = gx.knn_maxflow(torch.where(none, own, indices), *floats)
    assert torch.equal(cut.value, expected.value)
    assert torch.equal(cut.source_side, expected.source_side)
    (gradient,) = torch.autograd.grad(cut.value.sum(), floats[0])
    assert torch.equal(gradient, torch.autograd.grad(expected.value.sum(), floats[0])[0])
    assert not gradient[none].any()


def test_mutual_pair_is_one_link_with_both_weights():
    cut = gx.knn_maxflow(
        torch.tensor([[[1], [0]]]),
        torch.tensor([[[2.0], [3.0]]]),
        torch.tensor([[[9.0, 0.0]]]),
        torch.tensor([[[0.0, 9.0]]]),
    )
    assert cut.value.item() == 5.0


@pytest.mark.parametrize("threads", [1, 2, 9])
def test_results_do_not_depend_on_threads_or_batch(threads):
    rng = np.random.default_rng(3)
    indices, weights, source, sink = (torch.as_tensor(a) for a in random_batch(rng, 6, 3, 50, 5))
    weights, source, sink = (t * torch.rand(t.shape).double() for t in (weights, source, sink))
    whole = gx.knn_maxflow(indices, weights, source, sink, num_threads=threads)
    for b in range(6):
        for c in range(3):
            one = gx.knn_maxflow(
                indices[b : b + 1],
                weights[b : b + 1],
                source[b : b + 1, c : c + 1],
                sink[b : b + 1, c : c + 1],
            )
            assert one.value.item() == whole.value[b, c].item()
            assert torch.equal(one.source_side[0, 0], whole.source_side[b, c])


@pytest.mark.parametrize("shape", [(0, 2, 5, 3), (2, 0, 5, 3), (2, 2, 0, 3), (2, 2, 5, 0)])
def test_empty(shape):
    items, cuts, n, k = shape
    cut = gx.knn_maxflow(
        torch.zeros(items, n, k, dtype=torch.int64),
        torch.zeros(items, n, k),
        torch.ones(items, cuts, n),
        torch.zeros(items, cuts, n),
    )
    assert cut.value.shape == (items, cuts)
    assert cut.value.eq(0).all()
    assert cut.source_side.shape == (items, cuts, n)
    assert cut.source_side.all()


@pytest.mark.parametrize("name", ["weights", "source", "sink"])
def test_forward_mode_is_refused(name):
    drawn = random_batch(np.random.default_rng(0), 2, 1, 8, 3)
    indices, *capacities = (torch.from_numpy(a) for a in drawn)
    a = dict(zip(("weights", "source", "sink"), (c.double() for c in capacities), strict=True))

    def value(changed):
        return gx.knn_maxflow(indices, **{**a, name: changed}).value

    with pytest.raises(NotImplementedError, match=f"{name} carries a tangent"):
        torch.func.jvp(value, (a[name],), (torch.ones_like(a[name]),))


@pytest.mark.parametrize("shape", [(0, 1, 4, 2), (2, 1, 4, 0), (1, 0, 4, 2)])
def test_gradients_of_nothing(shape):
    items, cuts, n, k = shape
    indices = torch.zeros(items, n, k, dtype=torch.int64)
    weights = torch.ones(items, n, k, requires_grad=True)
    source = torch.ones(items, cuts, n, requires_grad=True)
    sink = torch.full((items, cuts, n), 2.0, requires_grad=True)
    gx.knn_maxflow(indices, weights, source, sink).value.sum().backward()
    assert weights.grad.shape == weights.shape
    assert not weights.grad.any()
    assert torch.equal(source.grad, torch.ones_like(source))
    assert not sink.grad.any()
