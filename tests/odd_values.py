"""Things that look like sound arguments and are not, for odd_calls.py."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor

HUGE = (2**38, 2**45)  # no machine has so much memory
NUMBERS: tuple[Any, ...] = (
    *(-1, 0, 1, 2, 3, 1000, 2**31, 2**63, -(2**63), 2**70, 0.5, -0.5, float("nan"), float("inf")),
    *("", "auto", "x", None, True, (), (1, 2), [1.0], {}, b"", torch.tensor(2), np.float32(1.5)),
)
TORCH_TYPES = (
    *(torch.float16, torch.bfloat16, torch.float32, torch.float64, torch.complex64, torch.bool),
    *(torch.uint8, torch.int8, torch.int16, torch.int32, torch.int64),
)
NUMPY_TYPES = (
    *("f2", "f4", "f8", "g", "c8", "?", "u1", "i1", "i4", "i8", "u8"),
    *(">f4", ">i8", "O", "U3"),
)


def odd_tensor(tensor: Tensor, draw: random.Random) -> Any:
    """A tensor, or something like one, that looks like the given one and is not."""
    axis = draw.randrange(max(tensor.dim(), 1))
    wide = tensor.repeat_interleave(2, axis) if tensor.dim() else tensor
    kinds: list[Callable[[], Any]] = [
        lambda: tensor.to(draw.choice(TORCH_TYPES)),
        lambda: tensor.mT if tensor.dim() > 1 else tensor,
        lambda: wide[(slice(None),) * axis + (slice(None, None, 2),)],
        lambda: tensor[(slice(None),) * axis + (slice(0, 0),)],
        lambda: tensor[(slice(None),) * axis + (slice(1, None),)],
        lambda: tensor[(slice(None),) * axis + (slice(0, 1),)].expand(tensor.shape),
        lambda: tensor[(slice(None),) * axis + (slice(0, 1),)].expand(
            *tensor.shape[:axis], draw.choice(HUGE), *tensor.shape[axis + 1 :]
        ),
        lambda: tensor[None],
        lambda: tensor.flatten(),
        lambda: tensor.sum(),
        lambda: tensor.to("meta"),
        lambda: tensor.to_sparse(),
        lambda: tensor.clone().requires_grad_(),
        lambda: misaligned(tensor.numpy()),
        lambda: tensor.numpy(),
        lambda: np.flip(tensor.numpy()),
        lambda: tensor.tolist(),
        lambda: torch._neg_view(tensor) if tensor.is_floating_point() else tensor,
        lambda: tensor.flip(axis),
        lambda: torch.nested.nested_tensor([tensor]),
        lambda: with_value(tensor, draw),
        lambda: with_value(tensor, draw),
        lambda: draw.choice(NUMBERS),
    ]
    return draw.choice(kinds)()


def with_value(tensor: Tensor, draw: random.Random) -> Tensor:
    """One entry is another."""
    if tensor.numel() == 0 or tensor.dtype == torch.bool:
        return tensor
    tensor = tensor.clone()
    whole = not tensor.is_floating_point()
    values = (-1, -2, 2**62, 255, 7) if whole else (-1.0, float("nan"), float("inf"), 1e38, -1e-40)
    limit = torch.iinfo(tensor.dtype).max if whole else float("inf")
    tensor.view(-1)[draw.randrange(tensor.numel())] = min(draw.choice(values), limit)
    return tensor


def misaligned(array: np.ndarray[Any, Any]) -> Any:
    """The same values one byte beyond where such numbers may stand."""
    memory = np.zeros(array.nbytes + 1, dtype=np.uint8)
    view = memory[1:].view(array.dtype).reshape(array.shape)
    view[...] = array
    return view


def odd_array(array: np.ndarray[Any, Any], draw: random.Random) -> Any:
    """The same for NumPy."""
    kinds: list[Callable[[], Any]] = [
        lambda: array.astype(draw.choice(NUMPY_TYPES)),
        lambda: np.asfortranarray(array),
        lambda: np.flip(array),
        lambda: array[::2],
        lambda: array[:0],
        lambda: array[1:],
        lambda: array[None],
        lambda: array.reshape(-1),
        lambda: array.reshape(-1)[:1].reshape(()) if array.size else array,
        lambda: np.broadcast_to(array.reshape(-1)[:1], (draw.choice(HUGE),)) if array.size else 0,
        lambda: np.broadcast_to(array.reshape(-1)[:1], array.shape) if array.size else array,
        lambda: misaligned(array),
        lambda: read_only(array),
        lambda: with_value(torch.from_numpy(array.copy()), draw).numpy(),
        lambda: with_value(torch.from_numpy(array.copy()), draw).numpy(),
        lambda: draw.choice(NUMBERS),
    ]
    return draw.choice(kinds)()


def changes_values(before: np.ndarray[Any, Any], after: object) -> bool:
    """Whether an array of the same type has values that the one before does not have."""
    same = isinstance(after, np.ndarray) and after.dtype == before.dtype
    return same and 0 < after.size < 100 and not np.isin(after, before).all()


def read_only(array: np.ndarray[Any, Any]) -> Any:
    copy = array.copy()
    copy.flags.writeable = False
    return copy


def odd(value: Any, draw: random.Random) -> Any:
    """Something in the value's place; the value itself where such a thing cannot be made."""
    try:
        if isinstance(value, Tensor):
            return odd_tensor(value, draw)
        if isinstance(value, np.ndarray):
            return odd_array(value, draw)
    except (RuntimeError, ValueError, OverflowError, IndexError):
        return value
    return draw.choice(NUMBERS)


def described(value: Any) -> str:
    if isinstance(value, Tensor):
        shape = "nested" if value.is_nested else tuple(value.shape)
        return f"tensor({value.dtype}, {shape}, {value.layout}, {value.device})"
    if isinstance(value, np.ndarray):
        return f"array({value.dtype}, {value.shape}, {value.strides})"
    return repr(value)[:100]
