"""Cuts of neighbour graphs on the host; those of a device are copied while others are solved."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import torch
from torch import Tensor

from graphcut_ext import _core
from graphcut_ext._maxflow.cut import to_numpy

PARTS = 8  # at most; each copy waits for the device once


def solve(graphs: Sequence[Tensor], solver: str, threads: int) -> tuple[Tensor, Tensor]:
    """Value (B, L) and source side (B, L, N) of indices, weights, source and sink on the host."""
    indices, weights, source, sink = (to_numpy(tensor) for tensor in graphs)
    value = np.empty(source.shape[:2], np.float64 if source.dtype.kind == "f" else np.int64)
    source_side = np.empty(source.shape, np.bool_)
    _core.solve_knn(indices, weights, source, sink, value, source_side, solver, threads)
    return torch.from_numpy(value), torch.from_numpy(source_side)


def copy_and_solve(graphs: Sequence[Tensor], solver: str, threads: int) -> tuple[Tensor, Tensor]:
    """The same of graphs on a CUDA device, and there."""
    device = graphs[0].device
    graphs = [tensor.detach() for tensor in graphs]
    host = [torch.empty(t.shape, dtype=t.dtype, pin_memory=True) for t in graphs]
    stream = torch.cuda.current_stream(device)
    parts: list[tuple[slice, Callable[[], object]]] = []
    for part in divided(len(graphs[0]), threads):
        for copy, tensor in zip(host, graphs, strict=True):
            copy[part].copy_(tensor[part], non_blocking=True)
        parts.append((part, stream.record_event().synchronize))
    value, source_side = solve_parts(host, parts, solver, threads)
    return value.to(device), source_side.to(device)


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

    An error names the place in the whole batch, which is solved again for it once it has arrived.
    """
    found = []
    try:
        for part, arrive in parts:
            arrive()
            found.append(solve([tensor[part] for tensor in graphs], solver, threads))
    except (ArithmeticError, LookupError, ValueError):
        for _, arrive in parts:
            arrive()
        solve(graphs, solver, threads)
        raise
    values, source_sides = zip(*found, strict=True)
    return torch.cat(values), torch.cat(source_sides)
