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
    on_cpu = "exact" if method == "auto" else method
    expected = gx.dense_crf(p, images, method=on_cpu, **settings)
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
    expected = gx.dense_crf(p, image)
    side = torch.cuda.Stream()
    with torch.cuda.stream(side):
        gx.dense_crf(p, image)
    torch.cuda.current_stream().wait_stream(side)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        found = gx.dense_crf(p, image)
    graph.replay()
    torch.testing.assert_close(found, expected)
