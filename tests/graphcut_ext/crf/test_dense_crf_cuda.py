"""The dense CRF on a CUDA device, against the CPU."""

from __future__ import annotations

import pytest
import torch
from crf_scenes import photograph, scores

import graphcut_ext as gx

pytestmark = pytest.mark.cuda


@pytest.mark.parametrize("method", ["lattice", "exact", "auto"])
def test_equals_the_cpu(method: str):
    names = ("astronaut", "coffee", "chelsea")
    images = torch.stack([photograph(name, 41, 41) for name in names])
    p = torch.stack([scores(21, 41, 41, seed=seed).softmax(0) for seed in range(3)])
    settings = {"gaussian": (3.0, 3.0), "iterations": 2}
    found = gx.dense_crf(p.cuda(), images.cuda(), method=method, **settings)
    expected = gx.dense_crf(p, images, method=method, **settings)
    assert found.is_cuda
    torch.testing.assert_close(found.cpu(), expected, atol=2e-3, rtol=0)


def test_full_image_by_the_lattice():
    image, p = photograph("coffee", 200, 300), scores(21, 200, 300, smooth=True).softmax(0)
    found = gx.dense_crf(p.cuda(), image.cuda(), iterations=2).cpu()
    torch.testing.assert_close(found, gx.dense_crf(p, image, iterations=2), atol=2e-3, rtol=0)


def test_errors_reach_the_caller():
    p = torch.full((1, 2, 4, 5), 0.5, device="cuda")
    p[0, 1, 2, 3] = torch.nan
    with pytest.raises(ValueError, match=r"probabilities\[0, 1, 2, 3\] is nan"):
        gx.dense_crf(p, torch.zeros(1, 3, 4, 5, device="cuda"))


def test_exact_kernels_in_a_captured_graph():
    image = photograph("coffee", 30, 30)[None].cuda()
    p = scores(5, 30, 30)[None].softmax(1).cuda()
    expected = gx.dense_crf(p, image, method="exact")
    side = torch.cuda.Stream()
    with torch.cuda.stream(side):
        gx.dense_crf(p, image, method="exact")
    torch.cuda.current_stream().wait_stream(side)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        found = gx.dense_crf(p, image, method="exact")
    graph.replay()
    torch.testing.assert_close(found, expected)


@pytest.mark.parametrize("method", ["lattice", "exact"])
@pytest.mark.parametrize("normalization", ["symmetric", "before", "after", "none"])
def test_features_equal_the_cpu(method: str, normalization: str):
    generator = torch.Generator().manual_seed(0)
    p = torch.rand(2, 5, 300, generator=generator)
    own, shared = (torch.rand(*shape, 300, 3, generator=generator) * 4 for shape in ((2,), ()))
    weight = 0.05 if normalization == "none" else 1.0
    kernels = [(own, weight), (shared, torch.full((5,), weight))]
    settings = {"iterations": 2, "normalization": normalization, "method": method}
    expected = gx.dense_crf_features(p, kernels, **settings)
    moved = [(own.cuda(), weight), (shared.cuda(), torch.full((5,), weight).cuda())]
    found = gx.dense_crf_features(p.cuda(), moved, **settings)
    torch.testing.assert_close(found.cpu(), expected, atol=2e-3, rtol=0)


@pytest.mark.parametrize("method", ["lattice", "exact"])
def test_volumes_equal_the_cpu(method: str):
    image = photograph("coffee", 48, 15)[:1].reshape(1, 4, 12, 15)
    p = scores(3, 48, 15).view(3, 4, 12, 15).softmax(0)
    settings = {"spacing": (2.0, 1.0, 1.0), "iterations": 2, "method": method}
    found = gx.dense_crf(p.cuda(), image.cuda(), **settings)
    torch.testing.assert_close(found.cpu(), gx.dense_crf(p, image, **settings), atol=2e-3, rtol=0)
