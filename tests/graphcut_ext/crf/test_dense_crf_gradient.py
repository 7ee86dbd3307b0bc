"""Gradients of the dense CRF: against autograd over kernel matrices, and gradcheck in float64."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from crf_leaves import METHODS, leaf, place_and_colour, random, symmetric
from crf_scenes import photograph, scores
from torch import Tensor

import graphcut_ext as gx
from graphcut_ext import _core
from graphcut_ext._crf.lattice import lattice_filter

NORMALIZATIONS = ["symmetric", "before", "after", "none"]


def unrolled(
    energy: Tensor, kernels: list[tuple[Tensor, Tensor, Tensor | None]], iterations: int
) -> Tensor:
    """Mean field (..., L, N) over kernel matrices, weights and costs, for autograd."""
    q = (-energy).softmax(-2)
    for _ in range(iterations):
        z = -energy
        for matrix, weight, costs in kernels:
            field = weight * (q @ matrix.T)
            z = z + (field if costs is None else -(costs @ field))
        q = z.softmax(-2)
    return q


def core_field(
    labels: int, features: Tensor, normalization: str, threads: int = 1
) -> _core.FeatureField:
    array = np.ascontiguousarray(features.T.numpy())
    return _core.FeatureField(
        labels, len(features), [array], [1.0], [None], [normalization], threads
    )


def lattice_matrix(features: Tensor, normalization: str) -> Tensor:
    """The matrix K of the core's filter, from what it does to unit vectors."""
    points = len(features)
    columns = np.empty((points, points), np.float32)
    core_field(points, features, normalization).message(
        np.eye(points, dtype=np.float32), False, columns
    )
    return -torch.from_numpy(columns).T.double()  # Potts's message is -K q


# Sparse points, so that lattices lack vertices and the order of blurs matters.
@pytest.mark.parametrize("normalization", NORMALIZATIONS)
@pytest.mark.parametrize("dimensions", [1, 3, 5, 8])
def test_filters_and_their_transposes(normalization: str, dimensions: int):
    """<K x, y> = <x, K' y>, by the core and by torch's operators."""
    features = random(60, dimensions, seed=dimensions).mul(6)
    x, y = random(4, 60, seed=1), random(4, 60, seed=2)
    field, found = core_field(4, features, normalization), torch.empty(2, 4, 60)
    field.message(x.numpy(), False, found[0].numpy())
    field.message(y.numpy(), True, found[1].numpy())
    forward, back = found.double()
    torch.testing.assert_close((forward * y).sum(), (x * back).sum(), rtol=1e-5, atol=0)
    again = torch.empty(4, 60)
    field.message(x.numpy(), False, again.numpy())  # nothing stays turned round
    assert torch.equal(again, found[0])

    kernel = lattice_filter(features, 1.0, normalization)
    torch.testing.assert_close(-found[0], kernel.apply(x[None])[0], rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(-found[1], kernel.transposed(y[None])[0], rtol=1e-4, atol=1e-5)


def test_the_lattice_is_not_symmetric():
    """Else the test above could not tell a filter from its transpose."""
    matrix = lattice_matrix(random(60, 5).mul(6), "symmetric")
    assert float((matrix - matrix.T).abs().max()) > 1e-3


@pytest.mark.parametrize("kind", ["number", "vector", "matrix"])
@pytest.mark.parametrize("normalization", NORMALIZATIONS)
def test_features_on_the_lattice_against_autograd(kind: str, normalization: str):
    labels, points, iterations = 5, 70, 4
    features = [random(points, d, seed=d).mul(4) for d in (2, 4)]
    strength = 0.3 if normalization == "none" else 2.0
    costs = [
        {
            "number": lambda i: torch.tensor(strength + i),
            "vector": lambda i: random(labels, seed=i).mul(strength),
            "matrix": lambda i: symmetric(random(labels, labels, seed=i)).mul(strength),
        }[kind](i)
        for i in range(2)
    ]
    p, upstream = random(2, labels, points, seed=7) + 0.01, random(2, labels, points, seed=8)
    inputs = [leaf(p), *map(leaf, costs)]
    found = gx.dense_crf_features(
        inputs[0],
        list(zip(features, inputs[1:], strict=True)),
        iterations=iterations,
        normalization=normalization,
        method="lattice",
    )
    gradients = torch.autograd.grad((found * upstream).sum(), inputs)

    wide = [leaf(t.double().detach()) for t in inputs]
    one = torch.ones((), dtype=torch.float64)
    kernels = []
    for feature, cost in zip(features, wide[1:], strict=True):
        kernels.append(
            {
                "number": lambda c: (c, None),
                "vector": lambda c: (one, -torch.diag(c)),
                "matrix": lambda c: (one, c),
            }[kind](cost)
        )
        kernels[-1] = (lattice_matrix(feature, normalization), *kernels[-1])
    expected = unrolled(-wide[0].log(), kernels, iterations)
    torch.testing.assert_close(found.double(), expected, atol=1e-5, rtol=0)
    for one, true in zip(
        gradients, torch.autograd.grad((expected * upstream).sum(), wide), strict=True
    ):
        true = symmetric(true) if true.dim() == 2 else true
        scale = float(true.abs().max())
        assert scale > 1e-3
        torch.testing.assert_close(one.double() / scale, true / scale, atol=1e-4, rtol=0)


@pytest.mark.parametrize("matrix", [False, True])
@pytest.mark.parametrize("sigma", [0.7, 2.13])
@pytest.mark.parametrize("labels", [2, 9, 37])
def test_images_on_the_lattice_against_autograd(matrix: bool, sigma: float, labels: int):
    """The narrow kernel and the wide one; labels of several chunks."""
    image, p = photograph("coffee", 8, 9), scores(labels, 8, 9).softmax(0)
    upstream = random(labels, 8, 9, seed=3)
    cost = symmetric(random(labels, labels, seed=4)) if matrix else None
    inputs = [leaf(p), leaf(torch.tensor(1.5)), leaf(torch.tensor(2.5))]
    inputs += [leaf(cost)] if matrix else []
    found = gx.dense_crf(
        inputs[0],
        image,
        iterations=3,
        gaussian=(sigma, inputs[1]),
        bilateral=(7.013, 31.07, inputs[2]),
        compatibility=inputs[3] if matrix else "potts",
        method="lattice",
    )
    gradients = torch.autograd.grad((found * upstream).sum(), inputs)

    place, colour = place_and_colour(image)
    near = (-torch.cdist(place, place).double().square() / (2 * sigma**2)).exp()
    root = near.sum(1).rsqrt()
    smooth = root[:, None] * near * root
    if sigma > 1.5:
        smooth = lattice_matrix(place / sigma, "symmetric")
    alike = lattice_matrix(torch.cat([place / 7.013, colour / 31.07], 1), "symmetric")
    wide = [leaf(t.double().detach()) for t in inputs]
    costs = wide[3] if matrix else None
    kernels = [(smooth, wide[1], costs), (alike, wide[2], costs)]
    expected = unrolled(-wide[0].log().flatten(1), kernels, 3).view_as(found)
    torch.testing.assert_close(found.double(), expected, atol=1e-4, rtol=0)
    for one, true in zip(
        gradients, torch.autograd.grad((expected * upstream).sum(), wide), strict=True
    ):
        true = symmetric(true) if true.dim() == 2 else true
        scale = float(true.abs().max())
        torch.testing.assert_close(one.double() / scale, true / scale, atol=1e-3, rtol=0)


@pytest.mark.parametrize("spacing", [None, (2.0, 1.0), (1.5, 1.0, 0.8)])
@pytest.mark.parametrize("matrix", [False, True])
@pytest.mark.parametrize("name", ["probabilities", "unary"])
def test_gradcheck_of_exact_images(spacing: tuple[float, ...] | None, matrix: bool, name: str):
    shape = (2, 3, 2, 2, 3) if spacing is not None and len(spacing) == 3 else (2, 3, 3, 4)
    image = random(shape[0], 2, *shape[2:], seed=1).mul(255).double()
    p, costs = random(*shape).double() + 0.1, random(3, 3, seed=2).double()

    def infer(p: Tensor, smooth: Tensor, alike: Tensor, costs: Tensor) -> Tensor:
        return gx.dense_crf(
            **{"probabilities": None, name: p},
            image=image,
            iterations=3,
            gaussian=(1.2, smooth),
            bilateral=(3.0, 90.0, alike),
            compatibility=symmetric(costs) if matrix else "potts",
            spacing=spacing,
            method="exact",
        )

    weights = [torch.tensor(w, dtype=torch.float64, requires_grad=True) for w in (1.5, 2.0)]
    assert torch.autograd.gradcheck(infer, (leaf(p), *weights, leaf(costs)), fast_mode=True)


@pytest.mark.parametrize("normalization", NORMALIZATIONS)
@pytest.mark.parametrize("shared", [False, True])
def test_gradcheck_of_exact_features(normalization: str, shared: bool):
    labels, points = 3, 7
    features = [random(2, points, 2, seed=s).double().mul(2) for s in range(3)]
    features = [f[0] for f in features] if shared else features
    unary, number = random(2, labels, points, seed=5).double(), torch.tensor(0.7).double()
    vector, matrix = random(labels, seed=6).double(), random(labels, labels, seed=7).double()

    def infer(unary: Tensor, number: Tensor, vector: Tensor, matrix: Tensor) -> Tensor:
        costs = (number, vector, symmetric(matrix))
        return gx.dense_crf_features(
            None,
            [*zip(features, costs, strict=True), (features[0], 0.4)],
            unary=unary,
            iterations=3,
            normalization=normalization,
            method="exact",
        )

    assert torch.autograd.gradcheck(
        infer, [leaf(t) for t in (unary, number, vector, matrix)], fast_mode=True
    )


@METHODS
def test_without_iterations_it_is_the_softmax(method: str):
    image, unary = photograph("coffee", 4, 5), scores(3, 4, 5)
    upstream = random(3, 4, 5)
    for settings in ({"iterations": 0}, {"gaussian": None, "bilateral": None}):
        given, plain = leaf(unary), leaf(unary)
        (
            gx.dense_crf(None, image, unary=given, method=method, **settings) * upstream
        ).sum().backward()
        ((-plain).softmax(0) * upstream).sum().backward()
        torch.testing.assert_close(given.grad, plain.grad, atol=1e-6, rtol=0)


@METHODS
def test_no_gradient_below_the_floor(method: str):
    image, p = photograph("coffee", 5, 6), scores(3, 5, 6).softmax(0)
    p[1, 2:] = 1e-4
    p.requires_grad_()
    gx.dense_crf(p, image, floor=1e-3, method=method)[0].sum().backward()
    assert bool((p.grad[1, 2:] == 0).all())
    assert bool((p.grad[1, :2] != 0).all())


@METHODS
def test_a_weight_of_zero_has_a_gradient(method: str):
    image, p = photograph("coffee", 7, 8), scores(3, 7, 8).softmax(0)
    weights = [torch.zeros((), requires_grad=True) for _ in range(2)]

    def infer(smooth: Tensor | float, alike: Tensor | float) -> Tensor:
        kernels = {"gaussian": (2.1, smooth), "bilateral": (5.3, 31.0, alike)}
        return gx.dense_crf(p, image, iterations=1, method=method, **kernels)[0].square().sum()

    infer(*weights).backward()
    step = 1e-2
    torch.testing.assert_close(
        infer(*weights).detach(), gx.dense_crf(p, image, iterations=0)[0].square().sum()
    )
    for index, weight in enumerate(weights):
        moved = [step if i == index else 0.0 for i in range(2)]
        slope = (infer(*moved) - infer(0.0, 0.0)) / step
        torch.testing.assert_close(weight.grad, slope, rtol=0.03, atol=1e-3)


@METHODS
def test_tensors_as_weights_give_the_same_marginals(method: str):
    image, p = photograph("coffee", 9, 8), scores(3, 9, 8).softmax(0)
    expected = gx.dense_crf(p, image, method=method)
    kernels = {"gaussian": (3.0, torch.tensor(3.0)), "bilateral": (80.0, 13.0, torch.tensor(10.0))}
    torch.testing.assert_close(gx.dense_crf(p, image, method=method, **kernels), expected)
    features = random(20, 2).mul(3)
    q = random(3, 20).softmax(0)
    number, tensor = (
        gx.dense_crf_features(q, [(features, w)], method=method) for w in (2.5, torch.tensor(2.5))
    )
    torch.testing.assert_close(tensor, number)


def test_threads_and_strips_give_the_same_bits():
    image, p = photograph("coffee", 100, 90), scores(5, 100, 90).softmax(0)
    found = []
    for threads in (1, 2, 5):
        inputs = [leaf(p), torch.tensor(3.0, requires_grad=True), leaf(1 - torch.eye(5))]
        gx.dense_crf(
            inputs[0],
            image,
            iterations=2,
            bilateral=(40.0, 13.0, inputs[1]),
            compatibility=inputs[2],
            num_threads=threads,
        )[1].square().sum().backward()
        found.append([t.grad for t in inputs])
    for gradients in found[1:]:
        assert all(map(torch.equal, gradients, found[0]))


def test_exact_by_rows_equals_stored(monkeypatch: pytest.MonkeyPatch):
    p, features = random(3, 150).softmax(0), random(150, 2).mul(3)

    def gradient() -> list[Tensor]:
        inputs = [leaf(p), torch.tensor(2.5, requires_grad=True)]
        marginals = gx.dense_crf_features(
            inputs[0],
            [(features, inputs[1])],
            iterations=2,
            normalization="before",
            method="exact",
        )
        return list(torch.autograd.grad(marginals[0].square().sum(), inputs))

    stored = gradient()
    monkeypatch.setattr("graphcut_ext._crf.exact.STORED", 1 << 13)
    monkeypatch.setattr("graphcut_ext._crf.points.STORED", 1 << 13)
    torch.testing.assert_close(gradient(), stored, atol=1e-5, rtol=1e-4)


def test_confident_marginals_have_finite_gradients():
    image = photograph("coffee", 12, 14)
    p = torch.zeros(3, 12, 14)
    p[0, :, :7] = p[2, :, 7:] = 1
    p.requires_grad_()
    gx.dense_crf(p, image).log().sum().backward()
    assert bool(p.grad.isfinite().all())
