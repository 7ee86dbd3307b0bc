"""Checks on operator arguments that need no look at the values.

They run in Python while a graph is traced; checks on values run in the compiled core, so that
``torch.compile`` sees no data-dependent branch.
"""

from __future__ import annotations

from numbers import Integral

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
    if value.is_nested:
        raise TypeError(f"{name} must be a strided tensor, not a nested one")
    return value


def check_graph(indices: dict[str, Tensor], capacities: dict[str, Tensor]) -> None:
    """Refuse what is no tensor, of an unsupported dtype, or of another dtype or device.

    Both are given by the names of the arguments.
    """
    tensors = {**indices, **capacities}  # torch 2.6 does not trace "|" of dicts
    for name, tensor in tensors.items():
        check_tensor(name, tensor)
    for name, tensor in indices.items():
        check_index_dtype(name, tensor)
    first_name, first = next(iter(capacities.items()))
    dtype = first.dtype
    if dtype not in CAPACITY_DTYPES:
        allowed = ", ".join(map(dtype_name, CAPACITY_DTYPES))
        hint = f"; {first_name}.float() is exact" if dtype in HALVES else ""
        raise TypeError(f"{first_name} must be one of {allowed}, not {dtype_name(dtype)}{hint}")
    for name, tensor in capacities.items():
        if tensor.dtype != dtype:
            raise TypeError(
                f"{name} is {dtype_name(tensor.dtype)} but {first_name} is {dtype_name(dtype)}; "
                "all capacities must share one dtype"
            )
    check_devices(tensors)


def check_index_dtype(name: str, value: Tensor) -> None:
    """Refuse node numbers that are not int64."""
    if value.dtype != torch.int64:
        raise TypeError(f"{name} must be int64, not {dtype_name(value.dtype)}")


def check_devices(tensors: dict[str, Tensor]) -> None:
    """Refuse tensors on different devices."""
    first_name, first = next(iter(tensors.items()))
    device = first.device
    for name, tensor in tensors.items():
        if tensor.device != device:
            raise ValueError(
                f"{name} is on {tensor.device} but {first_name} is on {device}; "
                "all tensors must be on one device"
            )


def check_no_tangents(tensors: dict[str, Tensor]) -> None:
    """Refuse derivatives in forward mode.

    An operator without them would be called as if its inputs had no tangent, and the derivative
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


def check_sizes(nodes_name: str, nodes: int, edges_name: str, edges: int, graphs: int = 1) -> None:
    """Refuse sizes that no ``graphs`` graphs can have, before memory is taken for them.

    The names are those of the arguments that have so many nodes and edges.
    """
    for name, count, limit, things in (
        (nodes_name, nodes, _core.MAX_NODES, "nodes"),
        (edges_name, edges, _core.MAX_EDGES, "edges"),
    ):
        if count > limit * max(graphs, 1):
            raise ValueError(
                f"{name} has {count} {things}, but a graph has at most {limit} "
                f"and there {'is 1' if graphs == 1 else f'are {graphs}'}"
            )


def check_integer(name: str, value: object, least: int) -> int:
    """Return an int, Python's or NumPy's, of at least ``least``."""
    if isinstance(value, bool) or not isinstance(value, Integral):
        raise TypeError(f"{name} must be an int, not {type(value).__name__}")
    if value < least:
        raise ValueError(f"{name} must be at least {least}, not {value}")
    return int(value)


def check_num_threads(num_threads: int | None) -> int:
    """Return the number of threads, 0 standing for torch's setting at run time.

    No more than ``_core.MAX_THREADS`` are ever started; results do not depend on it.
    """
    if num_threads is None:
        return 0
    return min(check_integer("num_threads", num_threads, 1), _core.MAX_THREADS)
