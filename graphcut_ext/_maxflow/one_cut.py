"""The minimum cut of one graph by the shortest way, with its derivative; for small graphs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor

from graphcut_ext import _core
from graphcut_ext._fork import safe_in_forked_child
from graphcut_ext._maxflow.cut import thread_count
from graphcut_ext._operator import is_traced, is_transformed, short_apply

ZEROS = {dtype: torch.zeros(1, dtype=dtype) for dtype in (torch.float32, torch.float64)}


def cut_directly(
    edge_index: Tensor,
    capacity: Tensor,
    reverse_capacity: Tensor | None,
    source: Tensor,
    sink: Tensor,
    solver: str,
    num_threads: int,
) -> tuple[Tensor, Tensor] | None:
    """Value and source side of one graph, or None where that takes more than a call of the core.

    None too for whatever is wrong: a caller goes on to the checks, which say what it is.
    """
    if is_traced() or is_transformed():
        return None
    capacities = (capacity, reverse_capacity, source, sink)
    try:  # what is no tensor, is on a device or is not contiguous is no array for the core
        ends = edge_index.numpy()
        needed = [t is not None and t.requires_grad for t in capacities]
        arrays: list[Any] = [
            t if t is None else (t.detach() if needs else t).numpy()
            for t, needs in zip(capacities, needed, strict=True)
        ]
        if any(array is not None and array.ndim != 1 for array in arrays):
            return None
        forward, backward, from_source, to_sink = arrays
        value = np.empty((1, 1), np.float64 if forward.dtype.kind == "f" else np.int64)
        source_side = np.empty((1, len(from_source)), np.bool_)
        _core.solve_edge_list(
            ends,
            forward,
            backward,
            from_source,
            to_sink,
            None,
            value,
            source_side,
            None,
            solver,
            thread_count(num_threads),
        )
    except (AttributeError, IndexError, RuntimeError, TypeError, ValueError):
        return None
    side = source_side[0]
    found = torch.from_numpy(value.reshape(())), torch.from_numpy(side)
    if True not in needed or not torch.is_grad_enabled():
        return found
    cut = reverse_cut = None
    if needed[0] or needed[1]:
        at = side[ends]
        if needed[0]:
            cut = torch.from_numpy(at[0] != at[1] if backward is None else at[0] > at[1])
        if needed[1]:
            reverse_cut = torch.from_numpy(at[1] > at[0])
    leaves = [t if needs else None for t, needs in zip(capacities, needed, strict=True)]
    return _differentiated(found, cut, reverse_cut, ZEROS[capacity.dtype], *leaves)


class OneCut(torch.autograd.Function):
    """The cut as a function of its capacities, those without a gradient being None."""

    @staticmethod
    def forward(
        ctx: Any,
        found: tuple[Tensor, Tensor],
        cut: Tensor | None,
        reverse_cut: Tensor | None,
        zero: Tensor,
        *capacities: Tensor | None,
    ) -> tuple[Tensor, Tensor]:
        """Return what is found, and keep which edges are cut, forward and backward."""
        ctx.set_materialize_grads(False)
        ctx.save_for_backward(cut, reverse_cut, found[1])
        ctx.zero = zero
        return found

    @staticmethod
    @safe_in_forked_child
    def backward(ctx: Any, grad: Tensor | None, _: Tensor | None) -> tuple[Any, ...]:
        """Return the indicators of the arcs in the cut, times the gradient of its value."""
        grads: list[Tensor | None] = [None] * 8
        if grad is not None:
            cut, reverse_cut, side = ctx.saved_tensors
            zero = ctx.zero  # of the gradients' dtype, to which that of the value gives way
            *_, of_source, of_sink = ctx.needs_input_grad
            if cut is not None:
                grads[4] = torch.where(cut, grad, zero)
            if reverse_cut is not None:
                grads[5] = torch.where(reverse_cut, grad, zero)
            if of_source:
                grads[6] = torch.where(side, zero, grad)
            if of_sink:
                grads[7] = torch.where(side, grad, zero)
        return tuple(grads)


_differentiated: Callable[..., tuple[Tensor, Tensor]] = short_apply(OneCut)
