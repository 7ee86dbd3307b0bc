"""Cuts of neighbour graphs on the host; those of a device are copied while others are solved."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from graphcut_ext import _core
from graphcut_ext._mincut import value_dtype

PARTS = 8  # at most; each copy waits for the device once


def cut_on_host(
    indices: Tensor, weights: Tensor, source: Tensor, sink: Tensor, solver: str, threads: int
) -> tuple[Tensor, Tensor]:
    """Value (B, L) and source side (B, L, N), on the device of the graphs."""
    graphs = tuple(tensor.detach() for tensor in (indices, weights, source, sink))
    if not source.is_cuda:
        host = tuple(tensor.cpu().contiguous() for tensor in graphs)
        return solve_parts(host, [(slice(None), _nothing)], solver, threads)
    host = tuple(torch.empty(t.shape, dtype=t.dtype, pin_memory=True) for t in graphs)
    stream = torch.cuda.current_stream(source.device)
    parts: list[tuple[slice, Callable[[], object]]] = []
    for part in divided(len(source), threads):
        for copy, tensor in zip(host, graphs, strict=True):
            copy[part].copy_(tensor[part], non_blocking=True)
        parts.append((part, stream.record_event().synchronize))
    value, source_side = solve_parts(host, parts, solver, threads)
    return value.to(source.device), source_side.to(source.device)


def divided(items: int, threads: int) -> list[slice]:
    """At most `PARTS` parts of about one size, with an item or more for every thread."""
    count = max(1, min(PARTS, items // threads))
    return [slice(k * items // count, (k + 1) * items // count) for k in range(count)]


def solve_parts(
    graphs: Sequence[Tensor],
    parts: Sequence[tuple[slice, Callable[[], object]]],
    solver: str,
    threads: int,
) -> tuple[Tensor, Tensor]:
    """Solve graphs in host memory part by part, each after a call that waits for its arrival.

    What is wrong with a part is said as of the whole, once that has arrived.
    """
    source = graphs[2]
    value = torch.empty(source.shape[:2], dtype=value_dtype(source.dtype))
    source_side = torch.empty(source.shape, dtype=torch.bool)

    def solve(part: slice) -> None:
        indices, weights, sources, sinks, values, sides = (
            tensor[part].numpy() for tensor in (*graphs, value, source_side)
        )
        _core.solve_knn(indices, weights, sources, sinks, values, sides, solver, threads)

    try:
        for part, arrive in parts:
            arrive()
            solve(part)
    except (ArithmeticError, LookupError, ValueError):
        if len(parts) > 1:
            for _, arrive in parts:
                arrive()
            solve(slice(None))
        raise
    return value, source_side


def _nothing() -> None:
    """Wait for nothing: the graphs are there."""
