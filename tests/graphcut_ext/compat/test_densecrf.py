"""pydensecrf's face: its own constructions, side by side with it, and what is refused."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

import graphcut_ext.compat.densecrf as ours
from graphcut_ext.compat.densecrf import utils as our_utils

NORMALIZATIONS = ["NO_NORMALIZATION", "NORMALIZE_BEFORE", "NORMALIZE_AFTER", "NORMALIZE_SYMMETRIC"]
Pair = Callable[[Callable[[Any], Any]], tuple[Any, Any]]


@pytest.fixture(scope="module")
def theirs() -> ModuleType:
    return pytest.importorskip("pydensecrf.densecrf")


@pytest.fixture(scope="module")
def their_utils() -> ModuleType:
    return pytest.importorskip("pydensecrf.utils")


@pytest.fixture(scope="module")
def both(theirs: ModuleType, their_utils: ModuleType) -> Pair:
    """Calls a construction with our module and with theirs."""

    def call(construct: Callable[[Any], Any]) -> tuple[Any, Any]:
        names = [n for n in ours.__all__ if hasattr(theirs, n)]
        assert set(names) == set(ours.__all__)
        packages = ((ours, our_utils), (theirs, their_utils))
        first, second = (
            construct(SimpleNamespace(**{n: getattr(m, n) for n in names}, utils=u))
            for m, u in packages
        )
        return first, second

    return call


def scene(h: int, w: int, seed: int = 0) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """A noisy picture of two discs on a ground, and rough labels 0, 1 and 2 of it."""
    random = np.random.RandomState(seed)
    y, x = np.mgrid[:h, :w]
    truth = np.zeros((h, w), np.int64)
    truth[(y - h / 3) ** 2 + (x - w / 3) ** 2 < (h / 4) ** 2] = 1
    truth[(y - 2 * h / 3) ** 2 + (x - 2 * w / 3) ** 2 < (h / 5) ** 2] = 2
    colours = np.array([[40, 60, 90], [200, 80, 60], [70, 190, 120]])
    image = np.clip(colours[truth] + random.randn(h, w, 3) * 12, 0, 255).astype(np.uint8)
    noisy = random.rand(h, w) < 0.25
    return image, np.where(noisy, random.randint(0, 3, (h, w)), truth)


def same(found: Any, expected: Any, atol: float = 1e-4) -> None:
    found, expected = np.array(found), np.array(expected)
    assert found.dtype == expected.dtype == np.float32
    np.testing.assert_allclose(found, expected, atol=atol, rtol=0)
    assert (found.argmax(0) == expected.argmax(0)).all()


@pytest.mark.parametrize("zero_unsure", [False, True])
@pytest.mark.parametrize("iterations", [0, 1, 5])
def test_inference_from_an_annotation(both: Pair, zero_unsure: bool, iterations: int):
    """The construction of its example of images, with its settings."""
    image, labels = scene(50, 70)

    def construct(d: Any) -> Any:
        count = 2 if zero_unsure else 3
        field = d.DenseCRF2D(image.shape[1], image.shape[0], count)
        field.setUnaryEnergy(d.utils.unary_from_labels(labels, count, 0.7, zero_unsure=zero_unsure))
        field.addPairwiseGaussian(
            sxy=(3, 3), compat=3, kernel=d.DIAG_KERNEL, normalization=d.NORMALIZE_SYMMETRIC
        )
        field.addPairwiseBilateral(
            sxy=(80, 80),
            srgb=(13, 13, 13),
            rgbim=image,
            compat=10,
            kernel=d.DIAG_KERNEL,
            normalization=d.NORMALIZE_SYMMETRIC,
        )
        return field.inference(iterations)

    same(*both(construct), atol=2e-4)


def test_inference_by_features_of_the_utilities(both: Pair):
    """The same by create_pairwise_gaussian and _bilateral, without the class of images."""
    image, labels = scene(50, 70, seed=1)

    def construct(d: Any) -> Any:
        field = d.DenseCRF(image.shape[0] * image.shape[1], 3)
        field.setUnaryEnergy(d.utils.unary_from_labels(labels, 3, 0.7, zero_unsure=False))
        features = d.utils.create_pairwise_gaussian(sdims=(3, 3), shape=image.shape[:2])
        field.addPairwiseEnergy(features, compat=3)
        features = d.utils.create_pairwise_bilateral(
            sdims=(80, 80), schan=(13, 13, 13), img=image, chdim=2
        )
        field.addPairwiseEnergy(features, compat=10)
        return field.inference(5)

    same(*both(construct), atol=2e-4)


def test_channels_that_are_not_colours(both: Pair):
    """The construction of its example of other features: a picture of one channel, two bumps."""
    h, w = 40, 60
    y, x = np.mgrid[:h, :w]
    bump = np.exp(-((x - 20) ** 2 + (y - 20) ** 2) / 200)
    bump -= np.exp(-((x - 42) ** 2 + (y - 22) ** 2) / 90)
    p = 1 / (1 + np.exp(-2 * bump - 0.4 * np.random.RandomState(0).randn(h, w)))
    signal = bump + 0.1 * np.random.RandomState(1).randn(h, w)

    def construct(d: Any) -> Any:
        field = d.DenseCRF2D(w, h, 2)
        field.setUnaryEnergy(d.utils.unary_from_softmax(np.stack([1 - p, p])))
        features = d.utils.create_pairwise_bilateral(
            sdims=(10, 10), schan=(0.1,), img=signal[..., None], chdim=2
        )
        field.addPairwiseEnergy(features, compat=10)
        field.addPairwiseEnergy(d.utils.create_pairwise_gaussian((3, 5), (h, w)), compat=2)
        Q, tmp1, tmp2 = field.startInference()
        divergences = [field.klDivergence(Q)]
        for _ in range(5):
            field.stepInference(Q, tmp1, tmp2)
            divergences.append(field.klDivergence(Q))
        return np.array(Q), np.array(divergences), np.array(field.inference(5))

    (found, divergence, whole), (expected, their_divergence, _) = both(construct)
    same(found, expected)
    np.testing.assert_allclose(divergence, their_divergence, rtol=1e-4)
    np.testing.assert_allclose(whole, found, atol=1e-6)


def test_three_dimensions(both: Pair):
    random = np.random.RandomState(0)
    shape = (6, 14, 16)
    volume = (random.rand(*shape) * 255).astype(np.float32)
    p = np.moveaxis(random.dirichlet(np.ones(3), shape), 3, 0).copy()

    def construct(d: Any) -> Any:
        field = d.DenseCRF(volume.size, 3)
        field.setUnaryEnergy(d.utils.unary_from_softmax(p))
        field.addPairwiseEnergy(d.utils.create_pairwise_gaussian((1, 3, 3), shape), compat=3)
        features = d.utils.create_pairwise_bilateral((2, 5, 5), 40, volume, chdim=-1)
        field.addPairwiseEnergy(features, compat=4)
        return field.inference(5)

    same(*both(construct))


@pytest.mark.parametrize("normalization", NORMALIZATIONS)
@pytest.mark.parametrize("kernel", ["CONST_KERNEL", "DIAG_KERNEL", "FULL_KERNEL"])
@pytest.mark.parametrize("kind", ["number", "negative", "vector", "matrix"])
def test_kernels_normalisations_and_compatibilities(
    both: Pair, normalization: str, kernel: str, kind: str
):
    random = np.random.RandomState(3)
    unary = random.rand(4, 300).astype(np.float32) * 3
    features = (random.rand(3, 300) * 4).astype(np.float32)
    compat: Any = {
        "number": 0.9,
        "negative": -0.9,
        "vector": -random.rand(4).astype(np.float32),
        "matrix": random.rand(4, 4).astype(np.float32),  # the symmetric part counts
    }[kind]
    if normalization == "NO_NORMALIZATION":
        compat = compat * np.float32(0.05) if kind in ("vector", "matrix") else compat * 0.05

    def construct(d: Any) -> Any:
        field = d.DenseCRF(300, 4)
        field.setUnary(d.ConstUnary(unary))
        field.addPairwiseEnergy(features, compat, getattr(d, kernel), getattr(d, normalization))
        Q, a, b = field.startInference()
        for _ in range(3):
            field.stepInference(Q, a, b)
        return np.array(Q), field.klDivergence(Q)

    (found, divergence), (expected, their_divergence) = both(construct)
    same(found, expected)
    assert divergence == pytest.approx(their_divergence, rel=1e-4)


def test_logistic_unary_and_no_unary(both: Pair):
    random = np.random.RandomState(3)
    weights, features = (random.rand(*s).astype(np.float32) for s in ((3, 4), (4, 50)))

    def logistic(d: Any) -> Any:
        field = d.DenseCRF(50, 3)
        field.setUnary(d.LogisticUnary(weights, features))
        field.addPairwiseEnergy(features, 1.0)
        return field.inference(2)

    same(*both(logistic))
    found, expected = both(lambda d: d.DenseCRF(5, 2).inference(1))
    np.testing.assert_array_equal(found, np.array(expected))


def test_utilities(their_utils: ModuleType):
    random = np.random.RandomState(0)
    labels = random.randint(0, 4, (5, 6))
    p = random.dirichlet(np.ones(4), (5, 6)).transpose(2, 0, 1)
    image = random.randint(0, 256, (5, 6, 3)).astype(np.uint8)
    calls: list[tuple[str, tuple[Any, ...], dict[str, Any]]] = [
        ("unary_from_labels", (labels, 4, 0.6), {"zero_unsure": False}),
        ("unary_from_labels", (labels, 3, 0.6), {}),
        ("unary_from_softmax", (p,), {}),
        ("unary_from_softmax", (p,), {"scale": 0.7, "clip": None}),
        ("unary_from_softmax", (p.astype(np.float32),), {"clip": 0.3}),
        ("create_pairwise_gaussian", ((2, 3), (5, 6)), {}),
        ("create_pairwise_gaussian", ((2, 3, 0.5), (5, 6, 2)), {}),
        ("create_pairwise_bilateral", ((2, 3), (13, 7, 5), image), {"chdim": 2}),
        ("create_pairwise_bilateral", ((2, 3), 13, image), {"chdim": 2}),
        ("create_pairwise_bilateral", ((2, 3), 13, np.moveaxis(image, 2, 0)), {"chdim": 0}),
        ("create_pairwise_bilateral", ((2, 3), 13, image[..., 0]), {"chdim": -1}),
        ("create_pairwise_bilateral", ((2, 3, 4), (9,), image.astype(float)), {"chdim": -1}),
    ]
    for name, arguments, settings in calls:
        found = getattr(our_utils, name)(*arguments, **settings)
        expected = getattr(their_utils, name)(*arguments, **settings)
        assert found.dtype == expected.dtype == np.float32
        assert found.flags.c_contiguous
        np.testing.assert_allclose(found, expected, rtol=1e-6, atol=1e-7)
    unsigned = our_utils.unary_from_labels(labels.astype(np.uint8), 3, 0.6)  # theirs overflows
    np.testing.assert_array_equal(unsigned, our_utils.unary_from_labels(labels, 3, 0.6))
    with pytest.warns(DeprecationWarning, match="use unary_from_labels"):
        found = our_utils.compute_unary(labels, 3)
    np.testing.assert_allclose(found, their_utils.compute_unary(labels, 3), rtol=1e-6)
    with pytest.warns(DeprecationWarning, match="use unary_from_softmax"):
        found = our_utils.softmax_to_unary(p, 0.5)
    np.testing.assert_allclose(found, their_utils.softmax_to_unary(p, 0.5), rtol=1e-6)


def test_any_layout_and_dtype_gives_the_same():
    image, labels = scene(20, 30)

    def infer(change: Callable[[Any], Any]) -> Any:
        field = ours.DenseCRF2D(30, 20, 3)
        field.setUnaryEnergy(change(our_utils.unary_from_labels(labels, 3, 0.7, False)))
        field.addPairwiseGaussian(3, change(np.eye(3, dtype=np.float32)))
        field.addPairwiseBilateral(30, 13, change(image), 4)
        return field.inference(np.int64(3))

    expected = infer(np.asarray)
    for change in (np.asfortranarray, lambda a: a.astype(np.float64), lambda a: a.tolist()):
        np.testing.assert_array_equal(infer(change), expected)


def test_a_change_after_inference_counts():
    field = ours.DenseCRF(20, 2)
    features = np.arange(20, dtype=np.float32)[None] / 4
    field.setUnaryEnergy(np.random.RandomState(0).rand(2, 20))
    alone = field.inference(2)
    field.addPairwiseEnergy(features, 2)
    coupled = field.inference(2)
    field.setUnaryEnergy(np.zeros((2, 20)))
    assert abs(coupled - alone).max() > 1e-2
    np.testing.assert_allclose(field.inference(2), 0.5, atol=1e-6)


U, IMAGE = np.zeros((2, 12), np.float32), np.zeros((3, 4, 3), np.uint8)


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda d: ours.DenseCRF(0, 2), ValueError, "nvar must be at least 1, not 0"),
        (lambda d: ours.DenseCRF(3.0, 2), TypeError, "nvar must be an int"),
        (lambda d: d.setUnaryEnergy(U[:, 1:]), ValueError, r"u must have shape \(2, 12\)"),
        (lambda d: d.setUnaryEnergy(U.reshape(2, 3, 4)), ValueError, "u must have shape"),
        (lambda d: d.setUnaryEnergy(U - np.inf), ValueError, r"u\[0, 0\] is -inf"),
        (
            lambda d: d.setUnaryEnergy(U.astype(float) + 1e300),
            ValueError,
            r"finite in float32, but u\[0, 0\]",
        ),
        (lambda d: d.setUnaryEnergy(U > 0), TypeError, "u must be an array of real numbers"),
        (lambda d: d.setUnary(U), TypeError, "u must be a Unary, not ndarray"),
        (lambda d: d.addPairwiseEnergy(U[:, 1:], 1), ValueError, "features must have shape"),
        (lambda d: d.addPairwiseEnergy(np.zeros((17, 12)), 1), ValueError, "1 to 16 rows, not 17"),
        (lambda d: d.addPairwiseEnergy(U, np.ones(3)), ValueError, r"compat must have shape \(2\)"),
        (lambda d: d.addPairwiseEnergy(U, np.ones((2, 2, 2))), ValueError, "not of 3 axes"),
        (lambda d: d.addPairwiseEnergy(U, np.nan), ValueError, "compat must be finite"),
        (lambda d: d.addPairwiseEnergy(U, 1, 7), ValueError, "7 is not a valid KernelType"),
        (lambda d: d.addPairwiseEnergy(U, 1, 0, 9), ValueError, "9 is not a valid Normalization"),
        (
            lambda d: d.addPairwiseEnergy(np.arange(24).reshape(2, 12) * 1e5, 1),
            ValueError,
            "features must lie within 100000 standard deviations",
        ),
        (lambda d: d.addPairwiseGaussian(0, 1), ValueError, "sxy must be positive"),
        (lambda d: d.addPairwiseGaussian((1, 2, 3), 1), ValueError, "sxy must be a number or 2"),
        (
            lambda d: d.addPairwiseBilateral(3, 3, IMAGE.transpose(1, 0, 2), 1),
            ValueError,
            r"rgbim must have shape \(3, 4, 3\), not \(4, 3, 3\)",
        ),
        (lambda d: d.addPairwiseBilateral(3, -1, IMAGE, 1), ValueError, "srgb must be positive"),
        (lambda d: d.inference(-1), ValueError, "niter must be at least 1, not -1"),
        (lambda d: d.stepInference([[0.5]]), TypeError, "Q must be a writable array"),
        (lambda d: d.stepInference(U[:, 1:]), ValueError, r"Q must have shape \(2, 12\)"),
        (
            lambda d: our_utils.unary_from_labels(np.array([1, 4]), 3, 0.5),
            ValueError,
            "labels must be from 0 to 3, but number 1 is 4",
        ),
        (lambda d: our_utils.unary_from_labels([0.5], 3, 0.5), TypeError, "labels must be integer"),
        (lambda d: our_utils.unary_from_labels([1], 1, 0.5), ValueError, "n_labels must be at"),
        (lambda d: our_utils.unary_from_labels([1], 2, 1.0), ValueError, "gt_prob must be in"),
        (lambda d: our_utils.unary_from_softmax(U, scale=2), ValueError, "scale must be in"),
        (lambda d: our_utils.create_pairwise_gaussian((1,), (2, 3)), ValueError, "sdims must be"),
        (
            lambda d: our_utils.create_pairwise_bilateral((1, 1), 1, IMAGE, chdim=3),
            ValueError,
            "chdim must be -1 or an axis",
        ),
    ],
)
def test_errors(call: Callable[[Any], Any], error: type[Exception], message: str):
    with pytest.raises(error, match=message):
        call(ours.DenseCRF2D(4, 3, 2))


FORKED = """
import os, signal, torch
import numpy as np
import graphcut_ext.compat.densecrf as dcrf

torch.set_num_threads(4)
field = dcrf.DenseCRF2D(160, 120, 3)
field.setUnaryEnergy(np.random.rand(3, 120 * 160))
field.addPairwiseGaussian(3, 3)
expected = field.inference(2)
for _ in range(3):
    torch.rand(2_000_000).log_()  # starts torch's threads, which a child does not have
child = os.fork()
if child == 0:
    signal.alarm(60)
    field.addPairwiseGaussian(3, 0)
    os._exit(0 if (field.inference(2) == expected).all() else 1)
print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="processes are not forked here")
def test_in_a_forked_process():
    result = subprocess.run([sys.executable, "-c", FORKED], capture_output=True, text=True)
    assert result.stdout.strip() == "0", result.stderr
