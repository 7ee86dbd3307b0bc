"""What a minimum cut returns, and how its tensors reach the compiled core."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor


class MinCut(NamedTuple):
    """A minimum cut.

    Attributes
    ----------
    value
        Capacity of the cut, equal to the maximum flow: float64 for floating-point capacities, int64
        for integer ones. Differentiable in every capacity.
    source_side
        bool; True where residual arcs reach the node from the source: the minimal source set, the
        same for every solver.
    """

    value: Tensor
    source_side: Tensor


class MinCutFlow(NamedTuple):
    """A minimum cut and a maximum flow.

    Attributes
    ----------
    value, source_side
        As in :class:`MinCut`.
    flow
        Net flow of every edge from tail to head, in the dtype of the capacities: between
        ``-reverse_capacity`` and ``capacity``. What enters a node and does not leave it by edges
        comes from, or goes to, the terminals. Carries no gradient.
    """

    value: Tensor
    source_side: Tensor
    flow: Tensor


def value_dtype(capacity: torch.dtype) -> torch.dtype:
    """Return the dtype in which cuts of such capacities are summed."""
    return torch.float64 if capacity.is_floating_point else torch.int64


def to_numpy(tensor: Tensor) -> np.ndarray[Any, Any]:
    """Return a contiguous array in host memory, sharing the tensor's where possible."""
    if tensor.requires_grad:
        tensor = tensor.detach()
    if not (tensor.is_cpu and tensor.is_contiguous()):
        tensor = tensor.cpu().contiguous()
    if tensor.is_neg():  # as x.conj().imag is
        tensor = tensor.resolve_neg()
    return tensor.numpy()


def thread_count(num_threads: int) -> int:
    """Return the number of threads to use; 0 stands for torch's own setting."""
    return num_threads or torch.get_num_threads()
