"""Cuts of neighbour graphs on the device that holds them: memory from torch, work by the core."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from graphcut_ext import _core
from graphcut_ext._maxflow.cut import value_dtype
from graphcut_ext._value_checks import values_are_checked

BUGS = {2: "is not minimal", 3: "took more rounds than it can"}
"""Statuses of cuts that show a bug; 1: the host has to look at the problem, 0: solved."""


class DeviceCuts(NamedTuple):
    """What the core writes of the cuts, on the device."""

    value: Tensor  # (B, L), NaN or -1 where there is none
    source_side: Tensor  # (B, L, N) bool, False where there is none
    status: Tensor  # (B, L) int32: 0, 1 where it is refused, or one of BUGS
    work: Tensor  # (B, L, 3) int32: rounds, global updates and levels of their searches


def solved_on_device(source: Tensor, solver: str) -> bool:
    """Whether cuts are solved where the tensors are.

    Note: which of host and device is faster was not measured yet, so ``"auto"`` takes the device
    only where the host cannot do it: while a CUDA graph is captured.
    """
    if not source.is_cuda:
        return False
    built = hasattr(_core, "solve_knn_cuda_float32")
    with torch.cuda.device(source.device):
        captured = torch.cuda.is_current_stream_capturing()
    if captured and not built:
        raise RuntimeError(
            "knn_maxflow cannot be captured in a CUDA graph: graphcut_ext was built without CUDA; "
            "install nvcc and build with GRAPHCUT_CUDA=ON"
        )
    if captured and solver not in ("auto", "push_relabel"):
        raise RuntimeError(
            f"knn_maxflow cannot be captured in a CUDA graph with solver {solver!r}, which runs on "
            "the host; use 'push_relabel'"
        )
    return built and (captured or solver == "push_relabel")


def cut_on_device(
    indices: Tensor, weights: Tensor, source: Tensor, sink: Tensor
) -> tuple[Tensor, Tensor] | None:
    """Value (B, L) and source side (B, L, N), or None where the host has to look at the problem.

    Without value checks nothing is waited for, and there always is an answer.
    """
    cuts = device_cuts(indices, weights, source, sink)
    with torch.cuda.device(source.device):
        if values_are_checked() and cuts.status.any().item():
            bug = BUGS.get(int(cuts.status.max()))
            if bug is not None:
                raise RuntimeError(f"graphcut_ext: a cut {bug}; this is a bug")
            return None
    return cuts.value, cuts.source_side


def device_cuts(
    indices: Tensor, weights: Tensor, source: Tensor, sink: Tensor, *, certify: bool = False
) -> DeviceCuts:
    """Queue the cuts on the current stream; ``certify`` lets each be proven by its flow."""
    items, nodes, k = indices.shape
    cuts = source.shape[1]
    inputs = [t.detach().contiguous() for t in (indices, weights, source, sink)]
    value = source.new_zeros((items, cuts), dtype=value_dtype(source.dtype))
    source_side = source.new_empty(source.shape, dtype=torch.bool)
    status = source.new_zeros((items, cuts), dtype=torch.int32)
    work = source.new_zeros((items, cuts, 3), dtype=torch.int32)
    outputs = DeviceCuts(value, source_side, status, work)
    if source.numel() == 0:
        return outputs
    dtype = str(source.dtype).removeprefix("torch.")
    sizes = (items, cuts, nodes, k)
    device = source.device.index
    with torch.cuda.device(source.device):
        need = getattr(_core, f"knn_cut_workspace_{dtype}")(*sizes, device)
        workspace = source.new_empty(need, dtype=torch.uint8)
        getattr(_core, f"solve_knn_cuda_{dtype}")(
            *sizes,
            *(tensor.data_ptr() for tensor in (*inputs, *outputs)),
            certify,
            workspace.data_ptr(),
            device,
            torch.cuda.current_stream().cuda_stream,
        )
    return outputs
