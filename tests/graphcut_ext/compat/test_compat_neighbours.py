"""Neighbours as torch_cluster and PyTorch3D return them, against plain torch and SciPy."""

from __future__ import annotations

import pytest
import torch
from scipy.spatial import cKDTree

from graphcut_ext.compat import torch_cluster
from graphcut_ext.compat.pytorch3d import knn_gather, knn_points


def pairs(edge_index):
    return [tuple(edge) for edge in edge_index.T.tolist()]


def by_sorting(x, y, k, batch_x, batch_y, skip_self=False):
    """Edges (y, x) by sorting all distances of the same item; ties by lower index."""
    edges = []
    for i, item in enumerate(batch_y.tolist()):
        near = []
        for j in (batch_x == item).nonzero()[:, 0].tolist():
            if not (skip_self and i == j):
                near.append((float(((x[j].double() - y[i].double()) ** 2).sum()), j))
        edges += [(i, j) for _, j in sorted(near)[:k]]
    return edges


SIZES = [([5, 0, 7], [3, 2, 0]), ([1, 1], [2, 2]), ([9], [4]), ([40, 1, 1, 1, 1, 1, 2], [3] * 7)]


@pytest.mark.parametrize("sizes", SIZES)
@pytest.mark.parametrize("k", [1, 3, 12])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.int64])
def test_neighbours_of_queries(sizes, k, dtype):
    torch.manual_seed(k)
    batches = [torch.arange(len(s)).repeat_interleave(torch.tensor(s)) for s in sizes]
    x, y = ((3 * torch.randn(len(batch), 2)).round().to(dtype) for batch in batches)  # with ties
    found = torch_cluster.knn(x, y, k, *batches, batch_size=len(sizes[0]))
    assert found.dtype == torch.int64
    assert pairs(found) == by_sorting(x, y, k, *batches)
    if len(sizes[0]) == 1:
        assert torch.equal(found, torch_cluster.knn(x, y, k))
    assert torch.equal(found, torch_cluster.knn(x, y, k, *batches))


@pytest.mark.parametrize("sizes", [sizes for sizes, _ in SIZES])
@pytest.mark.parametrize("k", [1, 3, 12])
def test_graphs_of_neighbours(sizes, k):
    torch.manual_seed(k)
    batch = torch.arange(len(sizes)).repeat_interleave(torch.tensor(sizes))
    x = torch.randn(len(batch), 3)
    x[::3] = x[0].clone()  # a point is left out by its index, one that equals it is not
    for loop in (False, True):
        expected = by_sorting(x, x, k, batch, batch, skip_self=not loop)
        found = torch_cluster.knn_graph(x, k, batch, loop, flow="target_to_source")
        assert pairs(found) == expected
        found = torch_cluster.knn_graph(x, k, batch, loop)
        assert pairs(found) == [(j, i) for i, j in expected]


def test_many_points():
    x = torch.randn(3000, 3)
    found = torch_cluster.knn_graph(x, 5, loop=True, flow="target_to_source")
    _, expected = cKDTree(x.double().numpy()).query(x.double().numpy(), k=5)
    assert found[1].reshape(3000, 5).tolist() == expected.tolist()


def test_angles():
    torch.manual_seed(0)
    x, y = torch.randn(30, 4) * torch.rand(30, 1) * 9, torch.randn(8, 4)
    found = torch_cluster.knn(x, y, 3, cosine=True)
    angles = torch.cosine_similarity(y[:, None], x[None], dim=2)
    assert found[1].reshape(8, 3).tolist() == angles.topk(3).indices.tolist()
    graph = torch_cluster.knn_graph(x, 3, cosine=True, flow="target_to_source")
    angles = torch.cosine_similarity(x[:, None], x[None], dim=2).fill_diagonal_(-2)
    assert graph[1].reshape(30, 3).tolist() == angles.topk(3).indices.tolist()


def test_points_of_one_number_and_none():
    x = torch.tensor([0.0, 1.0, 3.0])
    assert pairs(torch_cluster.knn(x, torch.tensor([2.9]), 2)) == [(0, 2), (0, 1)]
    assert torch_cluster.knn(x[:0], x, 1).shape == (2, 0)
    assert torch_cluster.knn_graph(x[:0], 1).shape == (2, 0)
    assert torch_cluster.knn_graph(x[:1], 1).shape == (2, 0)
    far = torch.tensor([[0.0], [1e15]])
    assert pairs(torch_cluster.knn_graph(far, 1)) == [(1, 0), (0, 1)]


def test_bad_batches():
    x = torch.randn(3, 2)
    for arguments, error, message in (
        ((x, x, 0), ValueError, "k must be at least 1"),
        ((x, x[:, :1], 1), ValueError, "y must have the dtype and channels of x"),
        ((x, x.double(), 1), ValueError, "y must have the dtype"),
        ((x, x, 1, torch.tensor([0, 1, 0])), ValueError, "batch_x must be ascending, .* entry 2"),
        ((x, x, 1, torch.tensor([0, 1])), ValueError, "batch_x must have shape"),
        ((x, x, 1, torch.tensor([-1, 0, 1])), ValueError, "batch_x is -1"),
        ((x, x, 1, torch.zeros(3)), TypeError, "batch_x must be int64"),
        ((x, x, 1, None, torch.tensor([0, 1, 2]), False, 1, 2), ValueError, "batch_size is 2"),
        ((x.tolist(), x, 1), TypeError, "x must be a torch"),
        ((x[None], x, 1), ValueError, "x must have shape"),
        ((x.isnan(), x, 1), TypeError, "x must hold numbers"),
    ):
        with pytest.raises(error, match=message):
            torch_cluster.knn(*arguments)
    with pytest.raises(ValueError, match="flow must be"):
        torch_cluster.knn_graph(x, 1, flow="both")


def brute(p1, p2, lengths1, lengths2, count, norm=2):
    """Sorted distances and indices, item by item; 0 where there is none."""
    dists = torch.zeros(*p1.shape[:2], count, dtype=p1.dtype)
    idx = torch.zeros(dists.shape, dtype=torch.int64)
    for n, (first, second) in enumerate(zip(lengths1.tolist(), lengths2.tolist(), strict=True)):
        apart = ((p1[n, :first, None] - p2[n, None, :second]).abs() ** norm).sum(2)
        near, order = apart.sort(dim=1, stable=True)
        k = min(count, second)
        dists[n, :first, :k], idx[n, :first, :k] = near[:, :k], order[:, :k]
    return dists, idx


@pytest.mark.parametrize("count", [1, 3, 9])
@pytest.mark.parametrize("ragged", [False, True])
@pytest.mark.parametrize("norm", [1, 2])
def test_points(count, ragged, norm):
    torch.manual_seed(count)
    p1 = torch.randn(3, 5, 4, dtype=torch.float64, requires_grad=True)
    p2 = torch.randn(3, 7, 4, dtype=torch.float64, requires_grad=True)
    lengths = (torch.tensor([5, 0, 2]), torch.tensor([2, 7, 0])) if ragged else (None, None)
    known = [torch.full((3,), 5), torch.full((3,), 7)] if not ragged else lengths
    found = knn_points(p1, p2, *lengths, norm=norm, K=count, return_nn=True)
    dists, idx = brute(p1, p2, *known, count, norm)
    assert torch.equal(found.idx, idx)
    assert torch.allclose(found.dists, dists)
    for n, i, k in torch.cartesian_prod(*map(torch.arange, found.idx.shape)).tolist():
        expected = p2[n, idx[n, i, k]] if k < known[1][n] else torch.zeros(4)
        assert (found.knn[n, i, k] == expected).all()
    weights = torch.rand(dists.shape, dtype=torch.float64)
    grads = torch.autograd.grad((found.dists * weights).sum(), (p1, p2))
    wanted = torch.autograd.grad((dists * weights).sum(), (p1, p2))
    assert all(map(torch.allclose, grads, wanted))
    assert knn_points(p1, p2, K=1).knn is None


@pytest.mark.parametrize("norm", [1, 2])
def test_padding_is_not_looked_at(norm):
    p1, p2 = torch.randn(2, 4, 3), torch.randn(2, 5, 3)
    p1[0, 2:], p2[1, 3:] = float("nan"), float("inf")
    dists, idx, _ = knn_points(p1, p2, torch.tensor([2, 4]), torch.tensor([5, 3]), norm=norm, K=4)
    assert dists.isfinite().all()
    assert (dists[0, 2:] == 0).all()
    assert (idx[1, :, 3] == 0).all()


def test_features_of_neighbours():
    x, idx = torch.randn(2, 4, 3), torch.tensor([[[0, 3]], [[2, 1]]])
    found = knn_gather(x, idx)
    assert torch.equal(found[0, 0], x[0, [0, 3]])
    assert torch.equal(found[1, 0], x[1, [2, 1]])
    found = knn_gather(x, idx, torch.tensor([1, 2]))
    assert torch.equal(found[0, 0], torch.stack([x[0, 0], torch.zeros(3)]))


def test_bad_points():
    p = torch.randn(2, 4, 3)
    for arguments, more, error, message in (
        ((p, p[:1]), {}, ValueError, "must agree in N and D"),
        ((p, p[..., :2]), {}, ValueError, "must agree in N and D"),
        ((p[0], p), {}, ValueError, "p1 must have shape"),
        ((p, p), {"K": 0}, ValueError, "K must be at least 1"),
        ((p, p), {"norm": 3}, ValueError, "norm must be 1 or 2"),
        ((p, p / 0), {"norm": 1}, ValueError, r"p2 is -?inf at \(0, 0, 0\)"),
        ((p, p, torch.tensor([5, 1])), {}, ValueError, "lengths1 is 5 at entry 0, of 4 points"),
        ((p, p, None, torch.tensor([1])), {}, ValueError, "lengths2 must have shape"),
        ((p, p, None, torch.ones(2)), {}, TypeError, "lengths2 must be int64"),
    ):
        with pytest.raises(error, match=message):
            knn_points(*arguments, **more)
    with pytest.raises(TypeError, match="idx must be int64"):
        knn_gather(p, p)
    with pytest.raises(ValueError, match="as many items"):
        knn_gather(p, torch.zeros(1, 1, 1, dtype=torch.int64))
