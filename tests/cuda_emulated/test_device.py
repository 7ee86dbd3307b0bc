"""The emulated device does what these tests rely on: what is wrong on a GPU is refused here."""

from __future__ import annotations

import sys

import pytest
import torch

import graphcut_ext as gx
from graphcut_ext._knn import cuda

pytestmark = [
    pytest.mark.cuda,
    pytest.mark.skipif(gx.build_info()["cuda"] != "emulated", reason="needs the emulated device"),
]


def test_every_kernel_of_the_core_is_launched(monkeypatch: pytest.MonkeyPatch) -> None:
    from cuda_emulated import runtime

    runtime.launches.clear()
    for dtype in (torch.float32, torch.float64, torch.int32, torch.int64):
        ones = torch.ones(1, 4, 2, dtype=dtype).cuda()
        ends = torch.ones(1, 1, 4, dtype=dtype).cuda()
        indices = torch.tensor([[[1, 2], [0, 3], [3, 0], [2, 1]]]).cuda()
        gx.knn_maxflow(indices, ones, ends, ends, solver="push_relabel")
    for dtype in (torch.float32, torch.float64):
        x = torch.randn(1, 40, 3).to(dtype).cuda()
        gx.knn(x, 3)
        with monkeypatch.context() as patch:
            patch.setattr(cuda, "TILE_POINTS", 0)
            gx.knn(x, 3)
    core = sys.modules["graphcut_ext._core"]
    kernels = {name for name in vars(core) if "_cuda_" in name}
    assert len(kernels) == 8
    assert set(runtime.launches) == kernels


def test_waiting_is_refused() -> None:
    x = torch.randn(3, 4).cuda()
    calls = (
        lambda: x.sum().item(),
        lambda: x[x > 0],
        lambda: x.nonzero(),
        lambda: x.cpu(),
        lambda: torch.equal(x, x),
        lambda: torch.tensor([1.0], device="cuda"),
    )
    torch.cuda.set_sync_debug_mode("error")
    try:
        for call in calls:
            with pytest.raises(RuntimeError, match="synchronizing CUDA operation"):
                call()
        x[x > 0] = 0.0
        torch.where(x > 0, x, 0.0).sum()
    finally:
        torch.cuda.set_sync_debug_mode("default")
    for call in calls:
        call()
        with (
            pytest.raises(RuntimeError, match="stream is capturing"),
            torch.cuda.graph(torch.cuda.CUDAGraph()),
        ):
            call()


def test_memory_is_shared_by_views_alone_and_starts_undefined() -> None:
    x = torch.arange(12.0).view(3, 4).cuda()
    view, copy = x[1:, ::2], x.clone()
    view.add_(100)
    assert x[1:, ::2].cpu().tolist() == [[104, 106], [108, 110]]
    assert torch.equal(copy.cpu(), torch.arange(12.0).view(3, 4))
    assert view.storage_offset() == 4
    assert (torch.empty(5, dtype=torch.uint8, device="cuda") == 0xA5).all()
    leaf = torch.ones(3, 4, device="cuda", requires_grad=True)
    scaled = leaf * 2
    scaled[1:].mul_(3)
    scaled.sum().backward()
    assert leaf.grad is not None
    assert leaf.grad[:, 0].tolist() == [2, 6, 6]


def test_tensors_of_two_devices_are_not_mixed() -> None:
    x = torch.ones(3)
    for call in (lambda: x.cuda() * x, lambda: x.cuda(0) + x.cuda(1)):
        with pytest.raises(RuntimeError, match="same device"):
            call()
    assert (x.cuda() * torch.tensor(2.0)).tolist() == [2, 2, 2]


def test_tf32_products_are_rounded_and_others_are_not() -> None:
    x = torch.full((1, 1, 1), 1 + 2.0**-12).cuda()
    assert torch.bmm(x, x).item() == 1 + 2.0**-11
    product, error = cuda.multiply(x, x, "fast")
    assert product.item() == 1
    assert error > 0


def test_captured_work_runs_again_on_new_values() -> None:
    x = torch.ones(4, device="cuda")
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        sums = (x * 2).cumsum(0)
        sums[1:] += 1
    x.fill_(3)
    graph.replay()
    assert sums.tolist() == [6, 13, 19, 25]
