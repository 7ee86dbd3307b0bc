"""The dense CRF against double loops, against itself and against pydensecrf."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from crf_scenes import photograph, scores
from torch import Tensor

import graphcut_ext as gx
from graphcut_ext._crf.kernels import Kernels
from graphcut_ext._crf.lattice import lattice_parts
from graphcut_ext._crf.mean_field import infer

TRAINING = {"gaussian": (3 / 12, 3.0), "bilateral": (80 / 12, 13.0, 10.0)}
TEST = {"gaussian": (3.0, 3.0), "bilateral": (80.0, 13.0, 10.0)}


def double_loop(
    unary: Tensor,
    image: Tensor,
    iterations: int,
    gaussian: tuple[float, float],
    bilateral: tuple[float, float, float],
    compatibility: Tensor | None = None,
) -> Tensor:
    """The definition, pixel by pixel in float64."""
    labels, height, width = unary.shape
    pixels = [(y, x) for y in range(height) for x in range(width)]
    colour = image.double()

    def kernel(sigma_xy: float, sigma_rgb: float) -> Tensor:
        k = torch.zeros(len(pixels), len(pixels), dtype=torch.float64)
        for i, (y, x) in enumerate(pixels):
            for j, (v, u) in enumerate(pixels):
                d2 = ((y - v) ** 2 + (x - u) ** 2) / sigma_xy**2
                d2 += float((colour[:, y, x] - colour[:, v, u]).square().sum()) / sigma_rgb**2
                k[i, j] = math.exp(-d2 / 2)
        sums = k.sum(1)
        return k / (sums[:, None] * sums).sqrt()

    both = gaussian[1] * kernel(gaussian[0], math.inf)
    both += bilateral[2] * kernel(bilateral[0], bilateral[1])
    cost = 1 - torch.eye(labels) if compatibility is None else compatibility
    energy = unary.double().flatten(1)
    q = (-energy).softmax(0)
    for _ in range(iterations):
        q = (-energy - cost.double() @ (q @ both)).softmax(0)
    return q.view(labels, height, width)


def cost_matrix(labels: int) -> Tensor:
    cost = torch.rand(labels, labels, generator=torch.Generator().manual_seed(1))
    return cost + cost.T


@pytest.mark.parametrize("iterations", [0, 1, 10])
@pytest.mark.parametrize("matrix", [False, True])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_exact_kernels_against_a_double_loop(iterations: int, matrix: bool, dtype: torch.dtype):
    image = photograph("coffee", 6, 7)
    p = scores(4, 6, 7).softmax(0).to(dtype)
    kernels = ((1.3, 2.0), (4.0, 20.0, 5.0))
    cost = cost_matrix(4) if matrix else None
    found = gx.dense_crf(
        p,
        image,
        iterations=iterations,
        gaussian=kernels[0],
        bilateral=kernels[1],
        compatibility="potts" if cost is None else cost,
        method="exact",
    )
    expected = double_loop(-p.double().log(), image, iterations, *kernels, cost)
    assert found.dtype == dtype
    tolerance = 1e-4 if dtype == torch.float32 else 1e-6  # compatibility is float32
    torch.testing.assert_close(found.double(), expected, atol=tolerance, rtol=0)


def test_exact_kernels_by_rows_equal_stored_ones(monkeypatch: pytest.MonkeyPatch):
    image, p = photograph("chelsea", 20, 30), scores(3, 20, 30).softmax(0)
    stored = gx.dense_crf(p, image, method="exact")
    monkeypatch.setattr("graphcut_ext._crf.exact.STORED", 1 << 16)
    torch.testing.assert_close(gx.dense_crf(p, image, method="exact"), stored, atol=1e-5, rtol=0)


@pytest.mark.parametrize("settings", [TRAINING, TEST], ids=["training", "test"])
@pytest.mark.parametrize("name", ["astronaut", "coffee", "chelsea"])
def test_lattice_near_exact_kernels_on_photographs(name: str, settings: dict[str, tuple]):
    """Nothing is promised where labels are about as likely; elsewhere they agree."""
    image, p = photograph(name, 41, 41), scores(21, 41, 41, smooth=True).softmax(0)
    lattice, exact = (
        gx.dense_crf(p, image, method=method, **settings) for method in ("lattice", "exact")
    )
    assert float((lattice - exact).abs().mean()) < 5e-3
    first, second = exact.topk(2, 0).values
    sure = (first - second) > 0.9
    assert float(sure.float().mean()) > 0.4
    agree = lattice.argmax(0) == exact.argmax(0)
    assert float(agree[sure].float().mean()) > 0.98


@pytest.mark.parametrize("name", ["astronaut", "coffee", "chelsea"])
@pytest.mark.parametrize("iterations", [1, 10])
def test_pydensecrf_on_photographs(name: str, iterations: int):
    densecrf = pytest.importorskip("pydensecrf.densecrf")
    height, width, labels = 75, 100, 21
    image, p = (
        photograph(name, height, width),
        scores(labels, height, width, smooth=True).softmax(0),
    )
    field = densecrf.DenseCRF2D(width, height, labels)
    field.setUnaryEnergy(np.ascontiguousarray(-p.log().view(labels, -1).numpy()))
    field.addPairwiseGaussian(sxy=3, compat=3)
    pixels = np.ascontiguousarray(image.permute(1, 2, 0).numpy())
    field.addPairwiseBilateral(sxy=80, srgb=13, rgbim=pixels, compat=10)
    expected = torch.from_numpy(np.array(field.inference(iterations))).view_as(p)
    found = gx.dense_crf(p, image, iterations=iterations, method="lattice")
    torch.testing.assert_close(found, expected, atol=1e-5 if iterations == 1 else 2e-3, rtol=0)
    assert torch.equal(found.argmax(0), expected.argmax(0))


@pytest.mark.parametrize("labels", [1, 2, 8, 21, 33, 70])
@pytest.mark.parametrize("matrix", [False, True])
@pytest.mark.parametrize("channels", [1, 3, 4])
def test_compiled_lattice_equals_the_one_of_torch_operators(
    labels: int, matrix: bool, channels: int
):
    """Labels beyond one chunk, grey images, images of several strips."""
    height, width = (100, 90) if labels == 21 else (23, 30)
    image = photograph("coffee", height, width).float().mean(0, keepdim=True)
    image = torch.cat([image + 9 * i for i in range(channels)])
    p = scores(labels, height, width).softmax(0)
    cost = cost_matrix(labels) if matrix else None
    found = gx.dense_crf(
        p,
        image,
        iterations=2,
        gaussian=(2.5, 1.0),
        bilateral=(20.0, 20.0, 2.0),
        compatibility="potts" if cost is None else cost,
        method="lattice",
    )
    settings = Kernels(2.5, 1.0, 20.0, 20.0, 2.0)
    parts = lattice_parts(image[None], settings)
    expected = infer(-p.log()[None], cost, 2, parts)[0]
    torch.testing.assert_close(found, expected, atol=2e-4, rtol=0)


@pytest.mark.parametrize("sigma", [0.25, 1.0, 1.49])
def test_narrow_smoothness_kernels_are_exact(sigma: float):
    image, p = photograph("coffee", 30, 25), scores(5, 30, 25).softmax(0)
    found, expected = (
        gx.dense_crf(p, image, gaussian=(sigma, 2.0), bilateral=None, iterations=3, method=method)
        for method in ("lattice", "exact")
    )
    # Beyond four deviations the kernel is left out.
    torch.testing.assert_close(found, expected, atol=2e-3, rtol=0)


@pytest.mark.parametrize("settings", [TRAINING, TEST], ids=["training", "test"])
@pytest.mark.parametrize("size", [(41, 41), (97, 110)])
def test_batch_and_threads_change_no_bit(size: tuple[int, int], settings: dict[str, tuple]):
    names = ("astronaut", "coffee", "chelsea")
    images = torch.stack([photograph(name, *size) for name in names])
    p = torch.stack([scores(21, *size, seed=seed).softmax(0) for seed in range(3)])
    whole = gx.dense_crf(p, images, num_threads=2, **settings)
    for threads in (1, 2, 5):
        for one, image, found in zip(p, images, whole, strict=True):
            again = gx.dense_crf(one, image, num_threads=threads, **settings)
            assert torch.equal(again, found)


@pytest.mark.parametrize("method", ["lattice", "exact"])
def test_order_of_labels_does_not_matter(method: str):
    image, p = photograph("chelsea", 24, 30), scores(37, 24, 30).softmax(0)
    order = torch.randperm(37, generator=torch.Generator().manual_seed(3))
    found = gx.dense_crf(p[order], image, iterations=3, method=method)
    expected = gx.dense_crf(p, image, iterations=3, method=method)[order]
    torch.testing.assert_close(found, expected, atol=1e-4, rtol=0)


def test_exact_result_turns_with_the_picture():
    image, p = photograph("coffee", 12, 17), scores(4, 12, 17).softmax(0)
    expected = gx.dense_crf(p, image, iterations=4, method="exact").flip(2).transpose(1, 2)
    turned = (t.flip(2).transpose(1, 2) for t in (p, image))
    found = gx.dense_crf(*turned, iterations=4, method="exact")
    torch.testing.assert_close(found, expected, atol=1e-4, rtol=0)


@pytest.mark.parametrize("method", ["lattice", "exact"])
def test_potts_is_one_minus_the_unit_matrix(method: str):
    image, p = photograph("coffee", 20, 24), scores(6, 20, 24).softmax(0)
    found = gx.dense_crf(p, image, compatibility=1 - torch.eye(6), iterations=3, method=method)
    expected = gx.dense_crf(p, image, iterations=3, method=method)
    torch.testing.assert_close(found, expected, atol=1e-4, rtol=0)


@pytest.mark.parametrize("method", ["lattice", "exact"])
def test_unary_in_place_of_probabilities(method: str):
    image, unary = photograph("coffee", 20, 24), -scores(6, 20, 24)
    found = gx.dense_crf(None, image, unary=unary, iterations=2, method=method)
    expected = gx.dense_crf((-unary).softmax(0), image, iterations=2, method=method, floor=1e-30)
    torch.testing.assert_close(found, expected, atol=1e-4, rtol=0)


def test_what_the_image_says_decides():
    """Two flat halves: noise within a half is overruled, the edge stays."""
    image = torch.zeros(3, 20, 20)
    image[:, :, 10:] = 200.0
    p = torch.full((2, 20, 20), 0.3)
    p[0, :, :10] = p[1, :, 10:] = 0.7
    flipped = torch.rand(20, 20, generator=torch.Generator().manual_seed(0)) < 0.2
    noisy = torch.where(flipped, p.flip(0), p)
    labels = gx.dense_crf(noisy, image).argmax(0)
    assert torch.equal(labels, (torch.arange(20) >= 10).long().expand(20, 20))


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("method", ["lattice", "exact"])
@pytest.mark.parametrize("far", [1e8, -1e12, 2.0**100])
def test_colours_far_from_zero(method: str, dtype: torch.dtype, far: float):
    step = 2.0 ** (math.frexp(far)[1] - 22)  # exact in float32
    image = torch.rand(1, 3, 9, 12, generator=torch.Generator().manual_seed(0)).mul(16).round()
    probabilities = scores(4, 9, 12).softmax(0)[None]
    settings = {"gaussian": None, "bilateral": (6.0, 13.0 * step, 1.0), "method": method}
    wide = image.double() * step
    near = gx.dense_crf(probabilities, wide.to(dtype), **settings)
    moved = gx.dense_crf(
        probabilities.expand(2, -1, -1, -1), torch.cat([wide + far] * 2).to(dtype), **settings
    )
    torch.testing.assert_close(moved, torch.cat([near] * 2), rtol=0, atol=1e-5)
