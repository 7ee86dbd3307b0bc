"""Derivatives and torch's transformations of the neighbour search."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

import graphcut_ext as gx


def random_points(*shape: int, dtype: torch.dtype = torch.float64, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=dtype)


def test_gradients_against_finite_differences():
    x = random_points(2, 7, 3).requires_grad_()
    assert torch.autograd.gradcheck(lambda x: gx.knn(x, 4).distances, x)
    assert torch.autograd.gradgradcheck(lambda x: gx.knn(x, 4).distances, x)


def test_gradient_against_indexing():
    x = random_points(2, 50, 6).requires_grad_()
    found = gx.knn(x, 5)
    weights = random_points(2, 50, 5, seed=1)
    (gradient,) = torch.autograd.grad((found.distances * weights).sum(), x)
    batch = torch.arange(2)[:, None, None]
    distances = (x[:, :, None] - x[batch, found.indices]).square().sum(-1)
    (expected,) = torch.autograd.grad((distances * weights).sum(), x)
    torch.testing.assert_close(gradient, expected)


@pytest.mark.parametrize("needed", ["x", "query", "both"])
@pytest.mark.parametrize("channels", [3, 300])
def test_gradient_against_cdist(needed: str, channels: int):
    x, query = random_points(2, 40, channels), random_points(2, 30, channels, seed=1)
    weights = random_points(2, 30, 5, seed=2)
    wanted = [t for name, t in (("x", x), ("query", query)) if needed in (name, "both")]
    for points in wanted:
        points.requires_grad_()
    found = gx.knn(x, 5, query=query)
    gradients = torch.autograd.grad((found.distances * weights).sum(), wanted)
    distances = torch.cdist(query, x).square().gather(2, found.indices)
    expected = torch.autograd.grad((distances * weights).sum(), wanted)
    torch.testing.assert_close(gradients, expected)


@pytest.mark.parametrize(("batch", "channels"), [(1, 100), (3, 700)])
def test_gradient_does_not_depend_on_threads(batch: int, channels: int):
    x = random_points(batch, 400, channels, dtype=torch.float32).requires_grad_()
    gradients: list[Tensor] = []
    before = torch.get_num_threads()
    try:
        for threads in (1, 2, 5):
            torch.set_num_threads(threads)
            gradients += torch.autograd.grad(gx.knn(x, 9).distances.square().sum(), x)
    finally:
        torch.set_num_threads(before)
    assert torch.equal(gradients[0], gradients[1])
    assert torch.equal(gradients[0], gradients[2])


def test_gradient_where_more_derivatives_are_wanted():
    x = random_points(2, 30, 4).requires_grad_()
    (once,) = torch.autograd.grad(gx.knn(x, 6).distances.square().sum(), x)
    (again,) = torch.autograd.grad(gx.knn(x, 6).distances.square().sum(), x, create_graph=True)
    assert again.requires_grad
    torch.testing.assert_close(once, again)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32])
def test_gradient_has_the_dtype_of_the_points(dtype: torch.dtype):
    x = random_points(1, 20, 3).to(dtype).requires_grad_()
    gx.knn(x, 2).distances.sum().backward()
    exact = x.detach().double().requires_grad_()
    gx.knn(exact, 2).distances.sum().backward()
    assert x.grad is not None
    assert exact.grad is not None
    assert x.grad.dtype == dtype
    torch.testing.assert_close(x.grad, exact.grad.to(dtype), rtol=2e-2, atol=1e-2)


def test_transforms_of_torch_func_differentiate():
    x = random_points(2, 9, 3)
    gradient = torch.func.grad(lambda x: gx.knn(x, 4).distances.square().sum())
    points = x.clone().requires_grad_()
    (expected,) = torch.autograd.grad(gx.knn(points, 4).distances.square().sum(), points)
    torch.testing.assert_close(gradient(x), expected)
    torch.testing.assert_close(torch.vmap(gradient)(torch.stack([x, 2 * x]))[0], expected)


def test_euclidean_distances():
    x = random_points(2, 40, 3)
    squares = gx.knn(x, 5)
    found = gx.knn(x, 5, squared=False)
    assert torch.equal(found.indices, squares.indices)
    torch.testing.assert_close(found.distances, squares.distances.sqrt())
    points, again = x.clone().requires_grad_(), x.clone().requires_grad_()
    gx.knn(points, 5, squared=False).distances.sum().backward()
    gx.knn(again, 5).distances.sqrt().sum().backward()
    torch.testing.assert_close(points.grad, again.grad)


def test_gradient_where_points_coincide():
    x = torch.tensor([[0.0, 0.0], [0.0, 0.0], [3.0, 4.0]], requires_grad=True)
    found = gx.knn(x, 2, squared=False)
    assert found.distances.tolist() == [[0.0, 5.0], [0.0, 5.0], [5.0, 5.0]]
    (gradient,) = torch.autograd.grad(found.distances.sum(), x)
    # Each of the four distances of 5 pulls both of its ends by a unit vector.
    expected = torch.tensor([[-1.2, -1.6], [-1.2, -1.6], [2.4, 3.2]])
    torch.testing.assert_close(gradient, expected)


def test_indices_carry_no_gradient():
    found = gx.knn(random_points(1, 5, 2).requires_grad_(), 2)
    assert found.distances.requires_grad
    assert not found.indices.requires_grad


@pytest.mark.parametrize("dtype", [torch.float16, torch.float32, torch.float64])
@pytest.mark.parametrize("shape", [(2, 6, 3), (0, 6, 3), (6, 3)])
def test_opcheck(dtype: torch.dtype, shape: tuple[int, ...]):
    x = random_points(*shape).to(dtype).requires_grad_()
    torch.library.opcheck(torch.ops.graphcut_ext.knn.default, (x, 3, None, None, "exact"))


def test_compile_without_graph_break():
    torch._dynamo.reset()

    def loss(x: Tensor) -> Tensor:
        distances, indices = gx.knn(2 * x, 3)
        return (distances * indices).sum()

    x = random_points(2, 9, 4).requires_grad_()
    compiled = torch.compile(loss, fullgraph=True, backend="aot_eager")
    (gradient,) = torch.autograd.grad(compiled(x), x)
    (expected,) = torch.autograd.grad(loss(x), x)
    torch.testing.assert_close(compiled(x), loss(x))
    torch.testing.assert_close(gradient, expected)


def test_compile_with_changing_sizes():
    torch._dynamo.reset()
    compiled = torch.compile(lambda x: gx.knn(x, 2), fullgraph=True, backend="eager", dynamic=True)
    for shape in ((2, 9, 4), (3, 12, 4), (1, 30, 5)):
        x = random_points(*shape)
        assert torch.equal(compiled(x).indices, gx.knn(x, 2).indices)


def test_compiled_operator_reports_values_that_are_not_finite():
    torch._dynamo.reset()
    compiled = torch.compile(lambda x: gx.knn(x, 2), fullgraph=True, backend="eager")
    x = torch.zeros(1, 5, 2)
    compiled(x)
    x[0, 3, 1] = float("nan")
    with pytest.raises(ValueError, match=r"x\[0, 3, 1\] is nan"):
        compiled(x)


class Neighbours(torch.nn.Module):
    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        found = gx.knn(x, 3)
        return found.distances, found.indices


def test_export_with_dynamic_sizes():
    sizes = {0: torch.export.Dim("batch", min=1), 1: torch.export.Dim("points", min=5)}
    program = torch.export.export(
        Neighbours(), (random_points(2, 10, 4),), dynamic_shapes={"x": sizes}
    )
    for shape in ((2, 10, 4), (4, 17, 4)):
        x = random_points(*shape, seed=2)
        distances, indices = program.module()(x)
        assert torch.equal(indices, gx.knn(x, 3).indices)
        assert torch.equal(distances, gx.knn(x, 3).distances)


@pytest.mark.parametrize("axis", [0, 1, 3])
def test_vmap(axis: int):
    x = random_points(3, 2, 8, 4)
    found = torch.vmap(lambda x: gx.knn(x, 2), in_dims=axis)(x.movedim(0, axis))
    for one, points in enumerate(x):
        assert torch.equal(found.indices[one], gx.knn(points, 2).indices)
        assert torch.equal(found.distances[one], gx.knn(points, 2).distances)


def test_points_without_a_batch_are_an_item_of_one():
    x, query = random_points(8, 4), random_points(5, 4, seed=1)
    for more in (None, query):
        leaves = [x.clone().requires_grad_()]
        if more is not None:
            leaves.append(more.clone().requires_grad_())

        def loss(*points: Tensor) -> Tensor:
            return gx.knn(points[0], 3, query=points[1] if len(points) > 1 else None)[0].square()

        expected = gx.knn(x[None], 3, query=None if more is None else more[None])
        found = gx.knn(x, 3, query=more)
        assert torch.equal(found.indices, expected.indices[0])
        assert torch.equal(found.distances, expected.distances[0])
        items = [tensor.detach()[None].requires_grad_() for tensor in leaves]
        gradients = torch.autograd.grad(loss(*leaves).sum(), leaves)
        of_items = torch.autograd.grad(loss(*items).sum(), items)
        for own, of_item in zip(gradients, of_items, strict=True):
            assert torch.equal(own, of_item[0])
        again = torch.autograd.grad(loss(*leaves).sum(), leaves, create_graph=True)
        torch.testing.assert_close(again, gradients)
        mapped = torch.vmap(torch.func.grad(lambda *points: loss(*points).sum()))(
            *[torch.stack([leaf, 2 * leaf]).detach() for leaf in leaves]
        )
        torch.testing.assert_close(mapped[0], gradients[0])
    assert torch.autograd.gradgradcheck(lambda x: gx.knn(x, 3).distances, x.requires_grad_())


def test_autocast_changes_nothing():
    x = random_points(1, 600, 32, dtype=torch.float32)
    expected = gx.knn(x, 9)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        found = gx.knn(x, 9)
    assert found.distances.dtype == torch.float32
    assert torch.equal(found.indices, expected.indices)
    assert torch.equal(found.distances, expected.distances)


def test_inference_mode():
    x = random_points(1, 20, 3)
    with torch.inference_mode():
        found = gx.knn(x.clone(), 2)
    assert torch.equal(found.indices, gx.knn(x, 2).indices)


@pytest.mark.parametrize("name", ["x", "query"])
def test_forward_mode_is_refused(name: str):
    clouds = {"x": random_points(2, 6, 3), "query": random_points(2, 4, 3, seed=1)}

    def distances(changed: Tensor) -> Tensor:
        return gx.knn(**{**clouds, name: changed}, k=2).distances

    with pytest.raises(NotImplementedError, match=f"{name} carries a tangent"):
        torch.func.jvp(distances, (clouds[name],), (torch.ones_like(clouds[name]),))
