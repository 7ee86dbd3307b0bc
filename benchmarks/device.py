"""What the device benchmarks need of a device, and what it can do at best."""

from __future__ import annotations

import statistics
from collections.abc import Callable

import torch
from torch import Tensor

BYTES = 1 << 30  # copied to find the bandwidth


def require_cuda(benchmark: str, instead: str) -> None:
    """End the program with a clear message where there is no device, or no kernels for it."""
    from graphcut_ext import build_info

    if not torch.cuda.is_available():
        raise SystemExit(f"{benchmark} needs a CUDA device, and torch sees none; {instead}")
    if build_info()["cuda"] is None:
        raise SystemExit(
            f"{benchmark} needs graphcut_ext built with CUDA (GRAPHCUT_CUDA=ON); {instead}"
        )


def device_seconds(work: Callable[[], object], repeats: int = 9) -> float:
    """Median time by CUDA events, without what the host adds when the queue is full."""
    work()
    marks = [torch.cuda.Event(enable_timing=True) for _ in range(2 * repeats)]
    for begin, end in zip(marks[::2], marks[1::2], strict=True):
        begin.record()
        work()
        end.record()
    torch.cuda.synchronize()
    pairs = zip(marks[::2], marks[1::2], strict=True)
    return statistics.median(a.elapsed_time(b) for a, b in pairs) / 1e3


def bandwidth() -> float:
    """Bytes per second that a copy within the device's memory reads and writes."""
    source = torch.empty(BYTES, dtype=torch.uint8, device="cuda")
    target = torch.empty_like(source)
    return 2 * BYTES / device_seconds(lambda: target.copy_(source))


def captured(work: Callable[[], Tensor]) -> Callable[[], None]:
    """The work as a CUDA graph."""
    side = torch.cuda.Stream()
    side.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(side):
        work()
    torch.cuda.current_stream().wait_stream(side)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        work()
    return graph.replay
