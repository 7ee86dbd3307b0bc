"""Edge cases, errors and torch's transformations of the dense CRF."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest
import torch
from crf_scenes import photograph, scores
from torch import Tensor

import graphcut_ext as gx

METHODS = pytest.mark.parametrize("method", ["lattice", "exact"])


@METHODS
@pytest.mark.parametrize("shape", [(1, 1), (1, 7), (5, 1), (2, 2)])
@pytest.mark.parametrize("labels", [1, 3])
def test_tiny_images(method: str, shape: tuple[int, int], labels: int):
    image, p = photograph("coffee", *shape), scores(labels, *shape).softmax(0)
    found = gx.dense_crf(p, image, method=method)
    torch.testing.assert_close(found.sum(0), torch.ones(shape))
    if shape == (1, 1):  # the pixel alone: its own message, weight 13
        q = p[:, 0, 0]
        for _ in range(10):
            q = (p[:, 0, 0].log() + 13 * q).softmax(0)
        torch.testing.assert_close(found[:, 0, 0], q, atol=1e-4, rtol=0)


def test_empty_batch():
    p = torch.ones(0, 3, 4, 5)
    assert gx.dense_crf(p, torch.zeros(0, 3, 4, 5)).shape == p.shape


@METHODS
def test_zero_rows_and_certainties(method: str):
    image, p = photograph("coffee", 16, 20), scores(3, 16, 20).softmax(0)
    p[:, 4] = 0.0  # no label at all: all alike likely
    p[:, 7] = torch.tensor([1.0, 0.0, 0.0])[:, None]
    floored = gx.dense_crf(p.clamp_min(1e-8), image, method=method)
    found = gx.dense_crf(p, image, method=method)
    assert bool(found.isfinite().all())
    assert torch.equal(found, floored)


@METHODS
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
def test_dtypes(method: str, dtype: torch.dtype):
    image, p = photograph("coffee", 12, 14), scores(3, 12, 14).softmax(0).to(dtype)
    found = gx.dense_crf(p, image, iterations=1, method=method)
    expected = gx.dense_crf(p.float(), image.float(), iterations=1, method=method)
    torch.testing.assert_close(found.float(), expected, atol=1e-5, rtol=0)
    assert found.dtype == (
        torch.float64 if (dtype, method) == (torch.float64, "exact") else torch.float32
    )


@METHODS
def test_layout_and_input_are_kept(method: str):
    image = photograph("coffee", 18, 22)
    p = scores(5, 18, 22).softmax(0)
    expected = gx.dense_crf(p, image, method=method)
    strided = p.permute(1, 2, 0).contiguous().permute(2, 0, 1)
    turned = image.permute(1, 2, 0).contiguous().permute(2, 0, 1)
    before = strided.clone()
    assert torch.equal(gx.dense_crf(strided, turned, method=method), expected)
    assert torch.equal(strided, before)


def test_without_kernels_the_probabilities_come_back():
    image, p = photograph("coffee", 10, 12), scores(4, 10, 12).softmax(0)
    for settings in (
        {"gaussian": None, "bilateral": None},
        {"gaussian": (3.0, 0.0), "bilateral": (80.0, 13.0, 0.0)},
        {"iterations": 0},
    ):
        torch.testing.assert_close(gx.dense_crf(p, image, **settings), p, atol=1e-6, rtol=0)


IMAGE = torch.zeros(2, 3, 4, 5)
P = torch.full((2, 6, 4, 5), 0.5)


def changed(tensor: Tensor, value: float, *at: int) -> Tensor:
    tensor = tensor.clone()
    tensor[at] = value
    return tensor


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"probabilities": [1.0]}, TypeError, "probabilities must be a torch.Tensor, not list"),
        ({"probabilities": P.long()}, TypeError, "probabilities must be floating point, not int64"),
        ({"image": IMAGE.int()}, TypeError, "image must be uint8 or floating point, not int32"),
        ({"probabilities": P[0, 0]}, ValueError, r"probabilities must have shape \(B, L, H, W\)"),
        ({"probabilities": P[:, :0]}, ValueError, "probabilities must have labels and pixels"),
        ({"image": IMAGE[:1]}, ValueError, r"image must have shape \(2, C, 4, 5\), not \(1, 3, 4"),
        ({"image": IMAGE[:, :, 1:]}, ValueError, r"image must have shape \(2, C, 4, 5\)"),
        ({"image": IMAGE[:, :0]}, ValueError, "image must have at least 1 channel, not 0"),
        ({"unary": P}, ValueError, "either probabilities or unary"),
        ({"probabilities": None}, ValueError, "either probabilities or unary"),
        ({"probabilities": None, "unary": P.int()}, TypeError, "unary must be floating point"),
        (
            {"probabilities": changed(P, -0.5, 1, 2, 3, 4)},
            ValueError,
            r"must be finite and not negative, but probabilities\[1, 2, 3, 4\] is -0.5",
        ),
        (
            {"probabilities": changed(P, torch.nan, 0, 2, 3, 4)},
            ValueError,
            r"probabilities\[0, 2, 3, 4\] is nan",
        ),
        (
            {"probabilities": None, "unary": changed(P, torch.inf, 0, 0, 1, 0)},
            ValueError,
            r"unary must be finite, but unary\[0, 0, 1, 0\] is inf",
        ),
        (
            {"image": changed(IMAGE, torch.nan, 1, 0, 2, 2)},
            ValueError,
            r"image\[1, 0, 2, 2\] is nan",
        ),
        (
            {"probabilities": None, "unary": changed(P.double(), 1e300, 1, 0, 1, 0)},
            ValueError,
            r"unary must be within the range of float32, but unary\[1, 0, 1, 0\] is 1e\+300",
        ),
        (
            {"image": torch.full((2, 3, 4, 5), 1e300, dtype=torch.float64)},
            ValueError,
            "image must be within the range of float32",
        ),
        ({"bilateral": (80.0, 1e-50, 3.0)}, ValueError, "bilateral: sigma_rgb must be positive"),
        ({"bilateral": (80.0, 13.0, 1e300)}, ValueError, "bilateral: weight must be finite"),
        ({"iterations": -1}, ValueError, "iterations must be at least 0, not -1"),
        ({"iterations": 2.0}, TypeError, "iterations must be an int, not float"),
        ({"gaussian": (0.0, 3.0)}, ValueError, "gaussian: sigma_xy must be positive"),
        ({"gaussian": (3.0,)}, TypeError, r"gaussian must be \(sigma_xy, weight\) or None"),
        ({"bilateral": (80.0, -1.0, 3.0)}, ValueError, "bilateral: sigma_rgb must be positive"),
        ({"bilateral": (80.0, 1.0, torch.inf)}, ValueError, "bilateral: weight must be finite"),
        ({"bilateral": (1e-9, 1.0, 1.0)}, ValueError, "bilateral: sigma_xy 1e-09 is too small"),
        (
            {"bilateral": (80.0, 1e-6, 3.0), "image": changed(IMAGE, 255.0, 0, 0, 0, 0)},
            ValueError,
            "bilateral: sigma_rgb 1e-06 is too small for an image with values from 0.0 to 255.0",
        ),
        ({"compatibility": "linear"}, ValueError, "compatibility must be 'potts' or a tensor"),
        ({"compatibility": torch.eye(5)}, ValueError, r"compatibility must have shape \(6, 6\)"),
        ({"compatibility": torch.eye(6).int()}, TypeError, "compatibility must be floating point"),
        (
            {"compatibility": changed(torch.eye(6), 2.0, 1, 3)},
            ValueError,
            r"compatibility must be symmetric, but compatibility\[1, 3\] is 2.0",
        ),
        ({"method": "grid"}, ValueError, "method must be one of 'auto', 'lattice', 'exact'"),
        ({"floor": 0.0}, ValueError, r"floor must be in \(0, 1\), not 0.0"),
        ({"num_threads": 0}, ValueError, "num_threads must be at least 1, not 0"),
    ],
)
def test_errors(arguments: dict[str, object], error: type[Exception], message: str):
    with pytest.raises(error, match=message):
        gx.dense_crf(**({"probabilities": P, "image": IMAGE} | arguments))


@METHODS
@pytest.mark.parametrize("matrix", [None, torch.eye(3)])
@pytest.mark.parametrize("items", [(), (1,)])
def test_opcheck(method: str, matrix: Tensor | None, items: tuple[int, ...]):
    p = scores(3, 6, 7).softmax(0).reshape(*items, 3, 6, 7)
    image = photograph("coffee", 6, 7).reshape(*items, 3, 6, 7)
    kernels = [3.0, 3.0, 80.0, 13.0, 10.0]
    torch.library.opcheck(
        torch.ops.graphcut_ext.dense_crf.default,
        (p, image, matrix, None, False, 1e-8, 3, kernels, method, 1, []),
    )


def test_compile_without_graph_break():
    torch._dynamo.reset()
    p, image = scores(3, 9, 8)[None].softmax(1), photograph("coffee", 9, 8)[None]

    def double(p: Tensor) -> Tensor:
        return 2 * gx.dense_crf(p * 1.0, image)

    compiled = torch.compile(double, fullgraph=True, backend="aot_eager")
    assert torch.equal(compiled(p), double(p))
    with pytest.raises(ValueError, match=r"probabilities\[0, 1, 2, 3\] is nan"):
        compiled(changed(p, torch.nan, 0, 1, 2, 3))


def test_vmap():
    p, image = scores(3, 9, 8)[None].softmax(1), photograph("coffee", 9, 8)
    stacked = torch.stack([p, p.flip(1)])
    found = torch.vmap(lambda p: gx.dense_crf(p, image[None]))(stacked)
    for one, expected in zip(found, stacked, strict=True):
        assert torch.equal(one, gx.dense_crf(expected, image[None]))


def test_autocast_and_inference_mode():
    p, image = scores(3, 9, 8).softmax(0), photograph("coffee", 9, 8)
    expected = gx.dense_crf(p, image)
    with torch.autocast("cpu", dtype=torch.bfloat16), torch.inference_mode():
        assert torch.equal(gx.dense_crf(p, image), expected)


FORKED = """
import os, signal, torch
import graphcut_ext as gx

torch.set_num_threads(4)
p, image = torch.rand(5, 120, 160), torch.randint(256, (3, 120, 160), dtype=torch.uint8)
expected = gx.dense_crf(p, image, iterations=2)
for _ in range(3):
    torch.rand(2_000_000).log_()  # starts torch's threads, which a child does not have
child = os.fork()
if child == 0:
    signal.alarm(60)
    same = (gx.dense_crf(p, image, iterations=2).numpy() == expected.numpy()).all()
    os._exit(0 if same else 1)
print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="processes are not forked here")
def test_in_a_forked_process():
    result = subprocess.run([sys.executable, "-c", FORKED], capture_output=True, text=True)
    assert result.stdout.strip() == "0", result.stderr
