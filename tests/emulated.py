"""The CUDA kernels' source run by emulated threads."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from graphcut_ext import _core
from graphcut_ext._maxflow.cut import value_dtype


class EmulatedCuts(NamedTuple):
    """What a device would write; see graphcut_ext._maxflow.neighbours_cuda.DeviceCuts."""

    value: Tensor
    source_side: Tensor
    status: Tensor
    work: Tensor


def emulated_cuts(
    indices: Tensor,
    weights: Tensor,
    source: Tensor,
    sink: Tensor,
    threads: int = 64,
    order: str = "shuffled",
    seed: int = 0,
) -> EmulatedCuts:
    """Cuts with their certificates checked: a status of 2 is a flow that does not prove its cut."""
    items, cuts, _ = source.shape
    found = EmulatedCuts(
        torch.zeros(items, cuts, dtype=value_dtype(source.dtype)),
        torch.zeros(source.shape, dtype=torch.bool),
        torch.zeros(items, cuts, dtype=torch.int32),
        torch.zeros(items, cuts, 3, dtype=torch.int32),
    )
    graphs = [t.contiguous().numpy() for t in (indices, weights, source, sink)]
    outputs = [t.numpy() for t in found]
    _core.solve_knn_emulated(
        graphs[0], graphs[1], graphs[2], graphs[3],
        outputs[0], outputs[1], outputs[2], outputs[3],
        threads, order, seed,
    )  # fmt: skip
    return found
