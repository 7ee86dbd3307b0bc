"""The dense CRF over feature vectors: against sums over all pairs, pydensecrf and images."""

from __future__ import annotations

from types import ModuleType

import numpy as np
import pytest
import torch
from crf_scenes import photograph, scores
from torch import Tensor

import graphcut_ext as gx
from graphcut_ext._crf.mean_field import infer
from graphcut_ext._crf.points import PointKernel, point_parts

NORMALIZATIONS = ["symmetric", "before", "after", "none"]
METHODS = pytest.mark.parametrize("method", ["lattice", "exact"])


def random(*shape: int, seed: int = 0) -> Tensor:
    return torch.rand(shape, generator=torch.Generator().manual_seed(seed))


def cost_matrix(labels: int, seed: int = 1) -> Tensor:
    cost = random(labels, labels, seed=seed)
    return cost + cost.T


def all_pairs(
    unary: Tensor, kernels: list[tuple[Tensor, Tensor]], normalization: str, iterations: int
) -> Tensor:
    """The definition with N x N matrices in float64, for (L, N) and matrices of costs."""
    matrices = []
    for features, _ in kernels:
        f = features.double()
        k = (-(f[:, None] - f[None]).square().sum(2) / 2).exp()
        d = torch.diag(k.sum(1))
        matrices.append(
            {
                "symmetric": lambda k=k, d=d: (
                    d.rsqrt().nan_to_num(posinf=0) @ k @ d.rsqrt().nan_to_num(posinf=0)
                ),
                "before": lambda k=k, d=d: k @ d.inverse(),
                "after": lambda k=k, d=d: d.inverse() @ k,
                "none": lambda k=k: k,
            }[normalization]()
        )
    energy = unary.double()
    q = (-energy).softmax(0)
    for _ in range(iterations):
        sums = [c.double() @ (q @ k.T) for k, (_, c) in zip(matrices, kernels, strict=True)]
        q = (-energy - torch.stack(sums).sum(0)).softmax(0)
    return q


@pytest.mark.parametrize("normalization", NORMALIZATIONS)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_exact_against_all_pairs(normalization: str, dtype: torch.dtype):
    labels, points = 4, 30
    unary = random(labels, points).mul(3).to(dtype)
    features = [random(points, d, seed=d).mul(3).to(dtype) for d in (1, 3, 20)]
    vector, matrix = random(labels, seed=5), cost_matrix(labels)
    found = gx.dense_crf_features(
        None,
        list(zip(features, (0.7, vector, matrix), strict=True)),
        unary=unary,
        iterations=3,
        normalization=normalization,
    )
    costs = (0.7 * (1 - torch.eye(labels)), -torch.diag(vector), matrix)
    expected = all_pairs(unary, list(zip(features, costs, strict=True)), normalization, 3)
    assert found.dtype == dtype  # 20 features: the exact kernels
    tolerance = 1e-4 if dtype == torch.float32 else 1e-7
    torch.testing.assert_close(found.double(), expected, atol=tolerance, rtol=0)


@pytest.mark.parametrize("normalization", ["symmetric", "before", "after"])
def test_lattice_near_all_pairs(normalization: str):
    """Points lie densely; the lattice's kernels are those of Gaussians to some percent."""
    labels, points = 3, 400
    unary, features = random(labels, points).mul(2), random(points, 2, seed=2).mul(4)
    settings = {"unary": unary, "normalization": normalization, "iterations": 3}
    kernels = [(features, cost_matrix(labels))]
    lattice, exact = (
        gx.dense_crf_features(None, kernels, method=method, **settings)
        for method in ("lattice", "exact")
    )
    torch.testing.assert_close(lattice, exact, atol=2e-2, rtol=0)
    without = gx.dense_crf_features(None, [], unary=unary)
    assert float((without - exact).abs().max()) > 0.1


@pytest.fixture(scope="module")
def densecrf() -> ModuleType:
    return pytest.importorskip("pydensecrf.densecrf")


@pytest.mark.parametrize("normalization", NORMALIZATIONS)
@pytest.mark.parametrize("dimensions", [1, 2, 3, 4, 5, 6, 9])
@pytest.mark.parametrize("kind", ["number", "vector", "matrix"])
def test_lattice_equals_pydensecrf(
    densecrf: ModuleType, normalization: str, dimensions: int, kind: str
):
    labels, points = 5, 700
    unary = random(labels, points).mul(2)
    features = random(points, dimensions, seed=dimensions).mul(4)
    cost, theirs = {
        "number": (0.8, 0.8),
        "vector": (random(labels, seed=5), -random(labels, seed=5).numpy()),
        "matrix": (cost_matrix(labels), cost_matrix(labels).numpy()),
    }[kind]
    if normalization == "none":
        cost, theirs = cost * 0.02, theirs * 0.02
    numbers = {"none": 0, "before": 1, "after": 2, "symmetric": 3}
    field = densecrf.DenseCRF(points, labels)
    field.setUnaryEnergy(unary.numpy())
    field.addPairwiseEnergy(
        np.ascontiguousarray(features.T.numpy()),
        theirs,
        normalization=densecrf.NormalizationType(numbers[normalization]),
    )
    expected = torch.from_numpy(np.array(field.inference(4)))
    found = gx.dense_crf_features(
        None,
        [(features, cost)],
        unary=unary,
        iterations=4,
        normalization=normalization,
        method="lattice",
    )
    torch.testing.assert_close(found, expected, atol=1e-4, rtol=0)


@METHODS
def test_equals_the_image(method: str):
    """Positions and colours as features are the kernels of images."""
    height, width, labels = 40, 50, 21
    image, p = photograph("coffee", height, width), scores(labels, height, width).softmax(0)
    y, x = torch.meshgrid(torch.arange(height), torch.arange(width), indexing="ij")
    place = torch.stack([x, y], 2).flatten(0, 1).float()
    colours = image.permute(1, 2, 0).flatten(0, 1).float()
    kernels = [(place / 3, 3.0), (torch.cat([place / 40, colours / 13], 1), 10.0)]
    found = gx.dense_crf_features(p.flatten(1), kernels, iterations=3, method=method)
    expected = gx.dense_crf(p, image, bilateral=(40.0, 13.0, 10.0), iterations=3, method=method)
    torch.testing.assert_close(found, expected.flatten(1), atol=1e-4, rtol=0)


@METHODS
@pytest.mark.parametrize("labels", [2, 37])
def test_batches_threads_and_shared_features(method: str, labels: int):
    points = 9000 if method == "lattice" else 60  # several strips
    p = random(3, labels, points).softmax(1)
    own, shared = random(3, points, 3, seed=1).mul(5), random(points, 2, seed=2).mul(5)
    settings = {"iterations": 2, "normalization": ["after", "symmetric"], "method": method}
    costs = cost_matrix(labels)
    whole = gx.dense_crf_features(p, [(own, 0.5), (shared, costs)], num_threads=2, **settings)
    for item in range(3):
        kernels = [(own[item], 0.5), (shared, costs)]
        found = gx.dense_crf_features(p[item], kernels, num_threads=1, **settings)
        assert torch.equal(found, whole[item])
    same = gx.dense_crf_features(p, [(shared, 0.5)], iterations=2, method=method)
    each = gx.dense_crf_features(p, [(shared.expand(3, -1, -1), 0.5)], iterations=2, method=method)
    torch.testing.assert_close(same, each, atol=1e-6, rtol=0)


@METHODS
def test_number_vector_and_matrix_of_potts_are_the_same(method: str):
    p, features = random(3, 80).softmax(0), random(80, 2).mul(3)
    number, vector, matrix = (
        gx.dense_crf_features(p, [(features, cost)], iterations=3, method=method)
        for cost in (2.5, torch.full((3,), 2.5), 2.5 * (1 - torch.eye(3)))
    )
    torch.testing.assert_close(vector, number, atol=1e-5, rtol=0)
    torch.testing.assert_close(matrix, number, atol=1e-5, rtol=0)


def test_exact_by_rows_equals_stored(monkeypatch: pytest.MonkeyPatch):
    p, features = random(3, 300).softmax(0), random(300, 2).mul(3)
    settings = {"normalization": "before", "method": "exact", "iterations": 2}
    stored = gx.dense_crf_features(p, [(features, 2.5)], **settings)
    monkeypatch.setattr("graphcut_ext._crf.exact.STORED", 1 << 14)
    monkeypatch.setattr("graphcut_ext._crf.points.STORED", 1 << 14)
    by_rows = gx.dense_crf_features(p, [(features, 2.5)], **settings)
    torch.testing.assert_close(by_rows, stored, atol=1e-5, rtol=0)


@METHODS
def test_features_far_from_zero_and_dtypes(method: str):
    p, features = random(3, 50).softmax(0), random(50, 2).mul(256).round().div(64)
    features -= features.amin(0)  # as is done to those far away
    expected = gx.dense_crf_features(p, [(features, 1.0)], method=method)
    far = gx.dense_crf_features(p, [(features.double() + 1e9, 1.0)], method=method)
    torch.testing.assert_close(far, expected, atol=1e-5, rtol=0)
    half = gx.dense_crf_features(p, [(features.half(), 1.0)], method=method)
    torch.testing.assert_close(half, expected, atol=1e-5, rtol=0)


def test_lattice_of_torch_operators_equals_the_compiled_one():
    """The one that serves CUDA."""
    unary, costs = random(1, 4, 200).mul(2), cost_matrix(4)
    features = random(200, 3).mul(4)
    for normalization in NORMALIZATIONS:
        weight = 0.05 if normalization == "none" else 1.0
        kernels = [PointKernel(features, weight, None, normalization)]
        kernels += [PointKernel(features[:, :2], 1.0, weight * costs, normalization)]
        parts = point_parts(kernels, 1, torch.float32, "lattice")
        found = infer(unary, None, 3, parts)
        expected = gx.dense_crf_features(
            None,
            [(features, weight), (features[:, :2], weight * costs)],
            unary=unary,
            iterations=3,
            normalization=normalization,
            method="lattice",
        )
        torch.testing.assert_close(found, expected, atol=1e-4, rtol=0)


P = torch.full((2, 3, 5), 0.5)
F = torch.zeros(5, 2)


def changed(tensor: Tensor, value: float, *at: int) -> Tensor:
    tensor = tensor.clone()
    tensor[at] = value
    return tensor


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"probabilities": P[0, 0]}, ValueError, r"probabilities must have shape \(B, L, N\)"),
        ({"probabilities": P[:, :0]}, ValueError, "probabilities must have labels and points"),
        ({"unary": P}, ValueError, "either probabilities or unary"),
        ({"kernels": F}, TypeError, "kernels must be a sequence of"),
        ({"kernels": [F]}, TypeError, r"kernels\[0\] must be \(features, compatibility\)"),
        ({"kernels": [(F.int(), 1)]}, TypeError, r"kernels\[0\]: features must be floating point"),
        (
            {"kernels": [(F, 1.0), (F[:4], 1.0)]},
            ValueError,
            r"kernels\[1\]: features must have shape \(5, D\) or \(2, 5, D\), not \(4, 2\)",
        ),
        ({"kernels": [(F[:, :0], 1.0)]}, ValueError, "must have at least 1 feature"),
        (
            {"kernels": [(changed(F, torch.nan, 3, 1), 1.0)]},
            ValueError,
            r"kernels\[0\]: features must be finite, but features\[3, 1\] is nan",
        ),
        (
            {"kernels": [(changed(F, 2e5, 3, 1), 1.0)]},
            ValueError,
            r"must lie within 100000 standard deviations, but feature 1 extends over 200000.0",
        ),
        ({"kernels": [(F, -1.0)]}, ValueError, r"kernels\[0\]: compatibility must be finite and"),
        ({"kernels": [(F, "potts")]}, TypeError, "must be a number or a torch.Tensor, not str"),
        ({"kernels": [(F, torch.ones(4))]}, ValueError, r"have shape \(\) or \(3,\) or \(3, 3\)"),
        ({"kernels": [(F, torch.ones(3).int())]}, TypeError, "must be floating point, not int32"),
        (
            {"kernels": [(F, changed(torch.eye(3), 1.0, 0, 2))]},
            ValueError,
            r"compatibility must be symmetric, but compatibility\[0, 2\] is 1.0",
        ),
        (
            {"kernels": [(F, changed(torch.ones(3), torch.inf, 1))]},
            ValueError,
            r"kernels\[0\]: compatibility must be finite, but compatibility\[1\] is inf",
        ),
        (
            {"kernels": [(torch.zeros(5, 17), 1.0)], "method": "lattice"},
            ValueError,
            "kernels must have at most 16 features for the lattice, not 17",
        ),
        ({"normalization": "both"}, ValueError, "normalization must be one of 'symmetric'"),
        ({"normalization": ["none", "none"]}, ValueError, "normalization must be one or 1, not 2"),
        ({"iterations": -1}, ValueError, "iterations must be at least 0"),
        ({"method": "grid"}, ValueError, "method must be one of"),
        ({"floor": 2.0}, ValueError, "floor must be in"),
        (
            {"probabilities": changed(P, -1.0, 1, 2, 3)},
            ValueError,
            r"probabilities\[1, 2, 3\] is -1.0",
        ),
    ],
)
def test_errors(arguments: dict[str, object], error: type[Exception], message: str):
    with pytest.raises(error, match=message):
        gx.dense_crf_features(**({"probabilities": P, "kernels": [(F, 1.0)]} | arguments))


@METHODS
def test_opcheck(method: str):
    p, features = random(1, 3, 12).softmax(1), [random(12, 2), random(1, 12, 3)]
    costs = cost_matrix(3).flatten()
    torch.library.opcheck(
        torch.ops.graphcut_ext.dense_crf_features.default,
        (p, features, costs, [1.0, 1.0], [-1, 2], "none after", False, 1e-8, 3, method, 1),
    )


def test_compile_without_graph_break():
    torch._dynamo.reset()
    p, features = random(3, 40).softmax(0), random(40, 2)

    def double(p: Tensor) -> Tensor:
        return 2 * gx.dense_crf_features(p * 1.0, [(features, 2.0)])

    compiled = torch.compile(double, fullgraph=True, backend="aot_eager")
    assert torch.equal(compiled(p), double(p))


@METHODS
def test_few_points_and_empty_batches(method: str):
    for points in (1, 2):
        found = gx.dense_crf_features(
            random(2, points).softmax(0), [(random(points, 3), 1.0)], method=method
        )
        torch.testing.assert_close(found.sum(0), torch.ones(points))
    empty = gx.dense_crf_features(torch.ones(0, 2, 5), [(F, 1.0)], method=method)
    assert empty.shape == (0, 2, 5)
