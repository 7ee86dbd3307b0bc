"""Numbers that users give, in the dtype of a graph; nothing is truncated or wrapped silently."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from graphcut_ext._graph.arrays import cast, read_array

INTEGER_LIMIT = 2**62
"""Sums of two numbers below it are of int64."""


def numbers(name: str, value: ArrayLike, dtype: np.dtype[Any]) -> NDArray[Any]:
    """Return numbers as float64 or int64; floats are integers where they are whole."""
    array = read_array(name, value)
    if array.dtype == np.bool_:
        return array.astype(dtype)
    if dtype.kind == "i" and array.dtype.kind == "f":
        refuse(name, array, array != np.trunc(array), "no integer, in a graph of integers")
        refuse(name, array, np.abs(array) >= INTEGER_LIMIT, "out of range")
        return array.astype(dtype)
    found = cast(name, array, dtype)
    if dtype.kind == "f":
        refuse(name, found, np.isnan(found), "no number")
    return found


def capacities(name: str, value: ArrayLike, dtype: np.dtype[Any]) -> NDArray[Any]:
    """Return numbers that are not negative."""
    found = numbers(name, value, dtype)
    refuse(name, found, found < 0, "negative")
    return found


def node_ids(name: str, value: ArrayLike, nodes: int, least: int = 0) -> NDArray[np.int64]:
    """Return numbers of nodes from ``least`` on, in any shape."""
    array = read_array(name, value)
    if array.dtype.kind not in "iu":
        raise TypeError(f"{name} must hold integers, not {array.dtype}")
    outside = (array < least) | (array >= nodes)
    refuse(name, array, outside, f"but the graph has {nodes} nodes", IndexError)
    return array.astype(np.int64, copy=False)


def refuse(
    name: str,
    array: NDArray[Any],
    bad: NDArray[np.bool_],
    why: str,
    error: type[Exception] = ValueError,
) -> None:
    """Raise an error that names the first bad entry, if there is one."""
    if bad.any():
        first = int(np.argmax(bad))
        where = f" at entry {first}" if array.ndim else ""
        raise error(f"{name} is {array.reshape(-1)[first]}{where}, {why}")


def largest(array: NDArray[Any]) -> float:
    """Return the largest absolute value, 0 where there is none."""
    return float(np.abs(array.astype(np.float64)).max()) if array.size else 0.0
