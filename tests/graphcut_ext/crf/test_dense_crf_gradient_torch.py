"""The dense CRF's gradients in torch's transforms, dtypes and layouts, and what is refused."""

from __future__ import annotations

import pytest
import torch
from crf_leaves import METHODS, leaf, random, symmetric
from crf_scenes import photograph, scores
from torch import Tensor

import graphcut_ext as gx


@METHODS
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
def test_dtypes_and_layouts(method: str, dtype: torch.dtype):
    image, p = photograph("coffee", 6, 7), scores(3, 6, 7).softmax(0).to(dtype)
    upstream = random(6, 7, 3).permute(2, 0, 1)
    given, single = leaf(p.permute(1, 2, 0).contiguous().permute(2, 0, 1)), leaf(p.float())
    for tensor in (given, single):
        marginals = gx.dense_crf(tensor, image, iterations=2, method=method)
        (marginals * upstream).sum().backward()
    assert given.grad.dtype == dtype
    tolerance = {"atol": 1e-2, "rtol": 1e-2} if dtype.itemsize < 4 else {"atol": 1e-4, "rtol": 1e-4}
    torch.testing.assert_close(given.grad.float(), single.grad, **tolerance)


def test_costs_stay_symmetric_under_descent():
    image, p = photograph("coffee", 6, 7), scores(4, 6, 7).softmax(0)
    costs = leaf(1 - torch.eye(4))
    optimizer = torch.optim.Adam([costs], lr=0.1)
    losses = []
    for _ in range(8):
        optimizer.zero_grad()
        losses.append(-gx.dense_crf(p, image, compatibility=costs, iterations=2)[1].log().mean())
        losses[-1].backward()
        optimizer.step()
    assert torch.equal(costs, costs.T)
    assert losses[-1] < losses[0]


def test_empty_batches_and_no_kernels():
    for shape in ((0, 3, 4, 5), (0, 3, 2, 4, 5)):
        p = torch.ones(shape, requires_grad=True)
        gx.dense_crf(p, torch.zeros(shape)).sum().backward()
        assert p.grad.shape == p.shape
    q = leaf(random(2, 6).softmax(0))
    gx.dense_crf_features(q, [])[0].sum().backward()
    assert bool(q.grad.isfinite().all())


def infer(p: Tensor, image: Tensor, weight: Tensor, method: str) -> Tensor:
    return gx.dense_crf(p, image, iterations=2, bilateral=(7.3, 31.0, weight), method=method)


@METHODS
def test_compile_without_graph_break(method: str):
    torch._dynamo.reset()
    image, p = photograph("coffee", 6, 5), scores(3, 6, 5).softmax(0)
    features = random(30, 2).mul(3)

    def loss(p: Tensor, weight: Tensor) -> Tensor:
        marginals = infer(p, image, weight, method).flatten(1)
        return gx.dense_crf_features(marginals, [(features, weight)], method=method)[0].sum()

    compiled = torch.compile(loss, fullgraph=True, backend="aot_eager")
    found = []
    for function in (loss, compiled):
        inputs = [leaf(p), torch.tensor(2.0, requires_grad=True)]
        function(*inputs).backward()
        found.append([t.grad for t in inputs])
    torch.testing.assert_close(found[1], found[0])


@METHODS
def test_functional_gradients_and_vmap(method: str):
    image, p = photograph("coffee", 6, 5), scores(3, 6, 5).softmax(0)
    weight, features = torch.tensor(2.0), random(2, 30, 2).mul(3)

    def of_image(p: Tensor, weight: Tensor) -> Tensor:
        return infer(p, image, weight, method)[0].square().sum()

    def of_points(p: Tensor, features: Tensor) -> Tensor:
        q = gx.dense_crf_features(p.flatten(1), [(features, weight)], method=method)
        return q[0].square().sum()

    stacked = torch.stack([p, p.flip(0)])
    by_func = torch.func.grad(of_image, argnums=(0, 1))(p, weight)
    inputs = [leaf(p), leaf(weight)]
    torch.testing.assert_close(by_func, torch.autograd.grad(of_image(*inputs), inputs))
    for loss, second, axis in ((of_image, weight, None), (of_points, features, 0)):
        mapped = torch.vmap(torch.func.grad(loss), in_dims=(0, axis))(stacked, second)
        for index in range(2):
            own = leaf(stacked[index])
            loss(own, second if axis is None else second[index]).backward()
            torch.testing.assert_close(mapped[index], own.grad, atol=1e-5, rtol=1e-4)
    each = torch.vmap(torch.func.grad(of_image, argnums=1), in_dims=(0, None))(stacked, weight)
    for index in range(2):
        own = leaf(weight)
        of_image(stacked[index], own).backward()
        torch.testing.assert_close(each[index], own.grad, atol=1e-5, rtol=1e-4)
    with pytest.raises(NotImplementedError, match="weight cannot be mapped over by vmap"):
        torch.vmap(of_image, in_dims=(None, 0))(p, torch.ones(2))


@METHODS
@pytest.mark.parametrize("matrix", [False, True])
@pytest.mark.parametrize("items", [(), (1,)])
def test_opcheck_of_images(method: str, matrix: bool, items: tuple[int, ...]):
    p = scores(3, 6, 7).softmax(0).reshape(*items, 3, 6, 7)
    image = photograph("coffee", 6, 7).reshape(*items, 3, 6, 7)
    costs = leaf(1 - torch.eye(3)) if matrix else None
    weights = torch.tensor([2.0, 3.0], dtype=torch.float64, requires_grad=True)
    settings = (False, 1e-8, 2, [3.0, 0.0, 8.0, 13.0, 0.0], method, 1, [])
    arguments = (image, costs, weights, *settings)
    torch.library.opcheck(torch.ops.graphcut_ext.dense_crf.default, (leaf(p), *arguments))
    constants = [a.detach() if isinstance(a, Tensor) else a for a in (p, *arguments)]
    for wanted in (False, True):
        torch.library.opcheck(
            torch.ops.graphcut_ext.dense_crf_gradient.default,
            (random(*items, 3, 6, 7), *constants, wanted),
        )


@METHODS
def test_opcheck_of_points(method: str):
    p, features = random(1, 3, 12).softmax(1), [random(12, 2), random(1, 12, 3)]
    costs = leaf(torch.cat([torch.tensor([2.0]), symmetric(random(3, 3)).flatten()]))
    torch.library.opcheck(
        torch.ops.graphcut_ext.dense_crf_features.default,
        (leaf(p), features, costs, [1.0, 1.0], [0, 2], "none after", False, 1e-8, 3, method, 1),
    )


@METHODS
def test_refused(method: str):
    image, p = photograph("coffee", 4, 5).float(), leaf(scores(3, 4, 5).softmax(0))
    with pytest.raises(NotImplementedError, match=r"image requires a gradient.*image\.detach"):
        gx.dense_crf(p, leaf(image), method=method)
    with torch.no_grad():
        gx.dense_crf(p, leaf(image), method=method)
    with pytest.raises(NotImplementedError, match=r"bilateral: sigma_rgb requires a gradient"):
        gx.dense_crf(p, image, bilateral=(8.0, torch.tensor(13.0, requires_grad=True), 1.0))
    with pytest.raises(NotImplementedError, match=r"kernels\[0\]: features requires a gradient"):
        gx.dense_crf_features(p.flatten(1), [(leaf(random(20, 2)), 1.0)], method=method)
    with pytest.raises(ValueError, match=r"bilateral: weight must be finite and.*not -1\.0"):
        gx.dense_crf(p, image, bilateral=(8.0, 13.0, torch.tensor(-1.0)), method=method)
    with pytest.raises(ValueError, match=r"gaussian: weight must have shape \(\), not \(1,\)"):
        gx.dense_crf(p, image, gaussian=(8.0, torch.ones(1)), method=method)
    with pytest.raises(ValueError, match=r"compatibility must be finite and not.*is -2\.0"):
        gx.dense_crf_features(p.flatten(1), [(random(20, 2), torch.tensor(-2.0))], method=method)
    slope = torch.autograd.grad(
        gx.dense_crf(p, image, method=method)[0].sum(), p, create_graph=True
    )
    with pytest.raises(NotImplementedError, match="no second derivatives"):
        slope[0].square().sum().backward()
    with pytest.raises(NotImplementedError, match="probabilities carries a tangent"):
        torch.func.jvp(
            lambda p: gx.dense_crf(p, image, method=method), (p.detach(),), (p.detach(),)
        )
    assert not gx.dense_crf(p.detach(), image, method=method).requires_grad
