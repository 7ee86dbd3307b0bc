"""NumPy arrays as arguments of torch operators: arrays in, arrays out."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor

from graphcut_ext._fork import Process, safe_in_forked_child

Function = Callable[..., Any]


def takes_arrays(*values: str, indices: tuple[str, ...] = ()) -> Callable[[Function], Function]:
    """Let a function of tensors take NumPy arrays in their place, and return arrays then.

    Parameters
    ----------
    values
        Names of the arguments that are tensors.
    indices
        Names of those that are int64 tensors; of these any integers are taken.

    Notes
    -----
    What the function returns to which arguments is told to type checkers by its overloads.
    """

    def decorate(function: Function) -> Function:
        order = tuple(inspect.signature(function).parameters)
        tensors = {*values, *indices}
        in_child = safe_in_forked_child(function)

        @functools.wraps(function)
        def wrapper(*args: Any, **kwargs: Any) -> Any:
            called = function if Process.one_thread is None else in_child
            for argument in (*args, *kwargs.values()):
                if isinstance(argument, np.ndarray):
                    break
            else:
                return called(*args, **kwargs)
            named = zip(order, args, strict=False)  # too many are left to the function's own error
            given = {name: value for name, value in (*named, *kwargs.items()) if name in tensors}
            if not any(isinstance(value, np.ndarray) for value in given.values()):
                return called(*args, **kwargs)
            found = _tensors_of(given, indices)
            places = [found.get(name, value) for name, value in zip(order, args, strict=False)]
            rest = {name: found.get(name, value) for name, value in kwargs.items()}
            return _arrays_of(called(*places, *args[len(order) :], **rest))

        return wrapper

    return decorate


def _tensors_of(given: dict[str, Any], indices: tuple[str, ...]) -> dict[str, Any]:
    """Return arrays as tensors, of the same memory where that can be; what is neither stays."""
    first = next(name for name, value in given.items() if isinstance(value, np.ndarray))
    for name, value in given.items():
        if isinstance(value, Tensor):
            raise TypeError(
                f"{name} is a torch.Tensor but {first} is a NumPy array; give all of them as the "
                "one or the other"
            )
    return {
        name: _tensor_of(name, value, name in indices) if isinstance(value, np.ndarray) else value
        for name, value in given.items()
    }


def _tensor_of(name: str, given: np.ndarray[Any, Any], index: bool) -> Tensor:
    dtype = given.dtype
    if dtype.kind not in "biuf":
        raise TypeError(f"{name} must be an array of numbers, not of dtype {dtype}")
    # Naming np.ma imports it, which takes 6 ms.
    if type(given) is not np.ndarray and isinstance(given, np.ma.MaskedArray):
        masked = np.argwhere(np.ma.getmaskarray(given))
        if len(masked):
            entry = ", ".join(map(str, masked[0]))
            raise TypeError(f"{name}[{entry}] is masked; fill it first")
    if index and dtype.kind in "iu" and np.can_cast(dtype, np.int64):
        dtype = np.dtype(np.int64)
    # Bytes in this machine's order, and memory that a tensor can share.
    array = np.asarray(given, dtype=dtype.newbyteorder("="))
    steps = array.strides
    if not array.flags.writeable or any(s < 0 or s % array.itemsize for s in steps):
        array = array.copy()
    try:
        return torch.from_numpy(array)
    except TypeError:
        raise TypeError(f"{name} must be of a dtype that torch has, not {dtype}") from None


def _arrays_of(result: Any) -> Any:
    if isinstance(result, Tensor):
        array = result.numpy()
        return array if array.ndim else array[()]
    return type(result)(*map(_arrays_of, result))
