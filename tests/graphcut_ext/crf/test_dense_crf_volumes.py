"""The dense CRF of volumes and of pixels that are not square."""

from __future__ import annotations

import math
import warnings

import numpy as np
import pytest
import torch
from crf_scenes import photograph, scores
from torch import Tensor

import graphcut_ext as gx

METHODS = pytest.mark.parametrize("method", ["lattice", "exact"])
KERNELS = {"gaussian": (2.0, 2.0), "bilateral": (6.0, 13.0, 4.0)}


def volume(depth: int, height: int, width: int, channels: int = 1) -> Tensor:
    """Slices of a photograph that get darker, (channels, depth, height, width)."""
    image = photograph("coffee", height, width)[:channels]
    return torch.stack([image * (1 - i / (2 * depth)) for i in range(depth)], 1).byte()


def probabilities(labels: int, *shape: int) -> Tensor:
    return scores(labels, shape[0], math.prod(shape[1:])).view(labels, *shape).softmax(0)


def voxel_loop(p: Tensor, image: Tensor, spacing: tuple[float, ...], iterations: int) -> Tensor:
    """The definition by all pairs in float64, from the coordinates of each voxel."""
    axes = [torch.arange(n).double() * s for n, s in zip(p.shape[1:], spacing, strict=True)]
    place = torch.cartesian_prod(*axes)
    colours = image.double().flatten(1).T

    def kernel(weight: float, exponent: Tensor) -> Tensor:
        k = (-exponent / 2).exp()
        return weight * k / (k.sum(0) * k.sum(1)[:, None]).sqrt()

    apart = torch.cdist(place, place).square()
    differ = torch.cdist(colours, colours).square()
    (sigma, weight), (wide, sigma_rgb, strong) = KERNELS["gaussian"], KERNELS["bilateral"]
    both = kernel(weight, apart / sigma**2)
    both += kernel(strong, apart / wide**2 + differ / sigma_rgb**2)
    energy = -p.double().flatten(1).log()
    q = (-energy).softmax(0)
    for _ in range(iterations):
        q = (-energy + q @ both).softmax(0)
    return q.view_as(p)


@pytest.mark.parametrize("spacing", [(1.0, 1.0, 1.0), (2.5, 0.7, 1.1)])
@pytest.mark.parametrize("channels", [1, 3])
def test_exact_volume_against_all_pairs(spacing: tuple[float, ...], channels: int):
    image, p = volume(3, 5, 6, channels), probabilities(4, 3, 5, 6).double()
    settings = {"iterations": 4, "method": "exact", **KERNELS}
    found = gx.dense_crf(p, image, spacing=spacing, **settings)
    expected = voxel_loop(p, image, spacing, 4)
    torch.testing.assert_close(found, expected, atol=1e-6, rtol=0)
    batch = gx.dense_crf(p[None], image[None], spacing=spacing, **settings)
    assert torch.equal(batch[0], found)


@METHODS
@pytest.mark.parametrize("matrix", [False, True])
def test_a_volume_of_one_slice_is_its_image(method: str, matrix: bool):
    """The lattice of three dimensions is another one, and near that of two."""
    image, p = photograph("coffee", 30, 40), scores(5, 30, 40, smooth=True).softmax(0)
    costs = 1 - torch.eye(5) if matrix else "potts"
    settings = {"iterations": 3, "method": method, "compatibility": costs, **KERNELS}
    flat = gx.dense_crf(p, image, **settings)
    deep = gx.dense_crf(p[None, :, None], image[None, :, None], **settings)[0, :, 0]
    if method == "exact":
        torch.testing.assert_close(deep, flat, atol=1e-5, rtol=0)
    else:
        assert float((deep - flat).abs().mean()) < 1e-2
        assert float((deep.argmax(0) == flat.argmax(0)).float().mean()) > 0.97


def test_lattice_of_a_volume_equals_pydensecrf():
    densecrf = pytest.importorskip("pydensecrf.densecrf")
    spacing = (2.0, 1.0, 1.0)
    image, p = volume(6, 20, 24), probabilities(3, 6, 20, 24)
    axes = [np.arange(n) * s for n, s in zip((6, 20, 24), spacing, strict=True)]
    z, y, x = (grid.ravel() for grid in np.meshgrid(*axes, indexing="ij"))
    colour = image.numpy().ravel()
    field = densecrf.DenseCRF(colour.size, 3)
    field.setUnaryEnergy(np.ascontiguousarray(-p.log().flatten(1).numpy()))
    field.addPairwiseEnergy(np.stack([x, y, z]).astype(np.float32) / 2, compat=2)
    appearance = np.stack([x / 6, y / 6, z / 6, colour / 13]).astype(np.float32)
    field.addPairwiseEnergy(appearance, compat=4)
    expected = torch.from_numpy(np.array(field.inference(5))).view_as(p)
    found = gx.dense_crf(p, image, spacing=spacing, iterations=5, **KERNELS)
    torch.testing.assert_close(found, expected, atol=5e-4, rtol=0)
    assert torch.equal(found.argmax(0), expected.argmax(0))


@METHODS
def test_square_pixels_of_another_size(method: str):
    image, p = photograph("coffee", 20, 24), scores(4, 20, 24).softmax(0)
    expected = gx.dense_crf(p, image, method=method)
    settings = {"gaussian": (1.5, 3.0), "bilateral": (40.0, 13.0, 10.0), "method": method}
    found = gx.dense_crf(p, image, spacing=(0.5, 0.5), **settings)
    torch.testing.assert_close(found, expected, atol=1e-6, rtol=0)


def test_pixels_that_are_not_square():
    image, p = photograph("coffee", 8, 9), scores(4, 8, 9).softmax(0).double()
    settings = {"iterations": 3, "method": "exact", **KERNELS}
    found = gx.dense_crf(p, image, spacing=(3.0, 1.0), **settings)
    expected = voxel_loop(p, image, (3.0, 1.0), 3)
    torch.testing.assert_close(found, expected, atol=1e-6, rtol=0)


@METHODS
def test_more_channels_than_the_lattice_takes(method: str):
    """The choice of "auto" goes by the problem, so that devices agree on the labels."""
    image, p = torch.rand(15, 6, 7) * 255, scores(3, 6, 7).softmax(0)
    if method == "lattice":
        with pytest.raises(ValueError, match="image must have at most 14 channels for the lattice"):
            gx.dense_crf(p, image, method=method)
    else:
        assert torch.equal(gx.dense_crf(p, image), gx.dense_crf(p, image, method=method))


@METHODS
def test_batches_of_volumes(method: str):
    images = torch.stack([volume(3, 6, 7), volume(3, 6, 7).flip(3)])
    p = torch.stack([probabilities(4, 3, 6, 7), probabilities(4, 3, 6, 7).flip(1)])
    whole = gx.dense_crf(p, images, method=method)
    for one, image, found in zip(p, images, whole, strict=True):
        again = gx.dense_crf(one, image, spacing=(1, 1, 1), method=method)
        torch.testing.assert_close(again, found, atol=1e-6, rtol=0)
    mapped = torch.vmap(lambda p, image: gx.dense_crf(p[None], image[None], method=method)[0])
    torch.testing.assert_close(mapped(p, images), whole, atol=1e-6, rtol=0)


@pytest.mark.parametrize("method", ["lattice", "exact"])
def test_colours_of_unit_range_are_warned_of(method: str):
    image, p = photograph("coffee", 9, 10), scores(3, 9, 10).softmax(0)
    with pytest.warns(UserWarning, match=r"as if scaled to 0\.\.1, but sigma_rgb is 13"):
        gx.dense_crf(p, image / 255, method=method)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        gx.dense_crf(p, image, method=method)
        gx.dense_crf(p, image / 255, bilateral=(80.0, 13 / 255, 10.0), method=method)
        gx.dense_crf(p, image / 255, bilateral=None, method=method)
        gx.dense_crf(p, (image > 100).byte(), method=method)
        gx.dense_crf(p, torch.zeros(3, 9, 10), method=method)


P, IMAGE = torch.full((1, 3, 2, 4, 5), 0.5), torch.zeros(1, 3, 2, 4, 5)


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"image": IMAGE[:, :, 0]}, ValueError, r"image must have shape \(1, C, 2, 4, 5\)"),
        ({"image": IMAGE[:, :, :1]}, ValueError, r"image must have shape \(1, C, 2, 4, 5\)"),
        ({"spacing": (1.0, 1.0)}, ValueError, "spacing must be 3 numbers"),
        ({"spacing": (1.0, 0.0, 1.0)}, ValueError, "spacing must be positive and finite"),
        ({"spacing": 2.0}, ValueError, "spacing must be 3 numbers"),
        ({"spacing": (1e9, 1.0, 1.0)}, ValueError, "sigma_xy 3.0 is too small for an image"),
        (
            {"image": IMAGE.index_fill(3, torch.tensor(2), torch.nan)},
            ValueError,
            r"image must be finite, but image\[0, 0, 0, 2, 0\] is nan",
        ),
        (
            {"probabilities": P[0, 0], "spacing": (1.0, 1.0, 1.0)},
            ValueError,
            r"must have shape \(B, L, D, H, W\) or \(L, D, H, W\), not \(2, 4, 5\)",
        ),
    ],
)
def test_errors(arguments: dict[str, object], error: type[Exception], message: str):
    with pytest.raises(error, match=message):
        gx.dense_crf(**({"probabilities": P, "image": IMAGE} | arguments))
