"""Checks on operator arguments that need no look at the values.

They run in Python while a graph is traced; checks on values run in the compiled core, so that
``torch.compile`` sees no data-dependent branch.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.autograd import forward_ad

from graphcut_ext import _core

CAPACITY_DTYPES = (torch.float32, torch.float64, torch.int32, torch.int64)
HALVES = (torch.float16, torch.bfloat16)


def dtype_name(dtype: torch.dtype) -> str:
    """Return "float32" for ``torch.float32``."""
    return str(dtype).removeprefix("torch.")


def check_tensor(name: str, value: object) -> Tensor:
    """Return ``value`` if it is a strided tensor, else raise ``TypeError``."""
    if not isinstance(value, Tensor):
        raise TypeError(f"{name} must be a torch.Tensor, not {type(value).__name__}")
    if value.layout != torch.strided:
        raise TypeError(f"{name} must be a strided tensor, not {value.layout}")
    return value


def check_no_tangents(**tensors: Tensor) -> None:
    """Refuse derivatives in forward mode.

    torch calls an operator that has none as if its inputs had no tangent, so that the derivative
    would silently be zero.
    """
    if torch.compiler.is_compiling() or forward_ad._current_level < 0:
        return
    for name, tensor in tensors.items():
        if forward_ad.unpack_dual(tensor).tangent is not None:
            raise NotImplementedError(
                f"{name} carries a tangent: there is no derivative in forward mode (jvp, jacfwd); "
                "use backward() or torch.autograd.grad"
            )


def check_index_dtype(name: str, value: Tensor) -> None:
    """Refuse node numbers that are not int64."""
    if value.dtype != torch.int64:
        raise TypeError(f"{name} must be int64, not {dtype_name(value.dtype)}")


def check_capacity_dtypes(**tensors: Tensor) -> None:
    """Refuse capacities of an unsupported dtype, or of several dtypes."""
    first_name, first = next(iter(tensors.items()))
    if first.dtype not in CAPACITY_DTYPES:
        allowed = ", ".join(map(dtype_name, CAPACITY_DTYPES))
        hint = f"; {first_name}.float() is exact" if first.dtype in HALVES else ""
        found = dtype_name(first.dtype)
        raise TypeError(f"{first_name} must be one of {allowed}, not {found}{hint}")
    for name, tensor in tensors.items():
        if tensor.dtype != first.dtype:
            found, expected = dtype_name(tensor.dtype), dtype_name(first.dtype)
            raise TypeError(
                f"{name} is {found} but {first_name} is {expected}; "
                "all capacities must share one dtype"
            )


def check_devices(**tensors: Tensor) -> None:
    """Refuse tensors on different devices."""
    first_name, first = next(iter(tensors.items()))
    for name, tensor in tensors.items():
        if tensor.device != first.device:
            raise ValueError(
                f"{name} is on {tensor.device} but {first_name} is on {first.device}; "
                "all tensors must be on one device"
            )


def check_sizes(nodes: tuple[str, int], edges: tuple[str, int], graphs: int = 1) -> None:
    """Refuse sizes that no ``graphs`` graphs can have, before memory is taken for them.

    Both are given as the name of the argument and the number.
    """
    for (name, count), limit, things in (
        (nodes, _core.MAX_NODES, "nodes"),
        (edges, _core.MAX_EDGES, "edges"),
    ):
        if count > limit * max(graphs, 1):
            raise ValueError(
                f"{name} has {count} {things}, but a graph has at most {limit} "
                f"and there {'is 1' if graphs == 1 else f'are {graphs}'}"
            )


def check_num_threads(num_threads: int | None) -> int:
    """Return the number of threads, 0 standing for torch's setting at run time.

    No more than ``_core.MAX_THREADS`` are ever started; results do not depend on it.
    """
    if num_threads is None:
        return 0
    if isinstance(num_threads, bool) or not isinstance(num_threads, int):
        raise TypeError(f"num_threads must be an int or None, not {type(num_threads).__name__}")
    if num_threads < 1:
        raise ValueError(f"num_threads must be at least 1, not {num_threads}")
    return min(num_threads, _core.MAX_THREADS)
