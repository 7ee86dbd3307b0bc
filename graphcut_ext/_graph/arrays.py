"""Array-likes that users give, as the arrays that the compiled core takes.

Nothing is truncated, wrapped or rounded to infinity on the way.
"""

from __future__ import annotations

import operator
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, DTypeLike, NDArray

DTYPES = tuple(np.dtype(name) for name in ("float32", "float64", "int32", "int64"))


def capacity_dtype(dtype: DTypeLike) -> np.dtype[Any]:
    """Return ``dtype`` if capacities can have it, else raise ``TypeError``."""
    try:
        found = np.dtype(dtype)
    except TypeError:
        found = None
    if found is None or found not in DTYPES:
        allowed, shown = ", ".join(map(str, DTYPES)), found or repr(dtype)
        raise TypeError(f"dtype must be one of {allowed}, not {shown}")
    return found


def count(name: str, value: object) -> int:
    """Return an integer that counts something; its range is left to the core."""
    if isinstance(value, (bool, np.bool_)):
        raise TypeError(f"{name} must be an integer, not bool")
    try:
        found = operator.index(value)  # type: ignore[arg-type]
    except TypeError:
        raise TypeError(f"{name} must be an integer, not {type(value).__name__}") from None
    if not 0 <= found < 2**63:
        raise ValueError(f"{name} is {found}, out of range")
    return found


def flag(name: str, value: object) -> bool:
    """Return a truth value, refusing what is none."""
    if not isinstance(value, (bool, np.bool_)):
        raise TypeError(f"{name} must be a bool, not {type(value).__name__}")
    return bool(value)


def index_array(name: str, value: ArrayLike) -> NDArray[np.int64]:
    """Return node or edge numbers in any shape; their range is left to the core."""
    array = read_array(name, value)
    if array.dtype.kind not in "iu":
        _refuse_objects(name, array, IndexError)
        raise TypeError(f"{name} must hold integers, not {array.dtype}")
    if array.dtype == np.uint64:
        _refuse(name, array, array > np.iinfo(np.int64).max, "out of range", IndexError)
    return array.astype(np.int64, order="C", copy=False)


def capacity_array(
    name: str, value: ArrayLike, dtype: np.dtype[Any], shape: tuple[int, ...]
) -> NDArray[Any]:
    """Return capacities of the given dtype, broadcast to ``shape`` and flattened."""
    array = cast(name, value, dtype)
    if array.shape != shape:
        try:
            array = np.broadcast_to(array, shape)
        except ValueError:
            raise ValueError(
                f"{name} must be a number or have shape {shape}, or one that broadcasts to it, "
                f"not {array.shape}"
            ) from None
    return np.ascontiguousarray(array).reshape(-1)


def cast(name: str, value: ArrayLike, dtype: np.dtype[Any]) -> NDArray[Any]:
    """Return numbers in another dtype; floats only where it is a floating one too."""
    array = read_array(name, value)
    kinds = "iuf" if dtype.kind == "f" else "iu"
    if array.dtype.kind not in kinds:
        _refuse_objects(name, array, ValueError)
        held = "numbers" if dtype.kind == "f" else "integers"
        raise TypeError(f"{name} must hold {held} for a graph of {dtype}, not {array.dtype}")
    if array.dtype == dtype:
        return array
    if dtype.kind == "f":
        if array.dtype.kind != "f" or array.dtype.itemsize < dtype.itemsize:
            return array.astype(dtype)  # all integers and narrower floats are in range
        with np.errstate(over="ignore"):
            found = array.astype(dtype)
        _refuse(name, array, np.isinf(found) & np.isfinite(array), f"out of range for {dtype}")
        return found
    limits = np.iinfo(dtype)
    outside = (array > limits.max) | (array < limits.min)
    _refuse(name, array, outside, f"out of range for {dtype}")
    return array.astype(dtype)


def read_array(name: str, value: ArrayLike) -> NDArray[Any]:
    """Return an array-like as an array, refusing entries that are masked."""
    try:
        array = np.asarray(value)
    except ValueError as error:
        raise ValueError(f"{name} is no array: {error}") from None
    except (TypeError, RuntimeError) as error:
        raise TypeError(f"{name} cannot be read as an array: {error}") from None
    if (
        isinstance(value, np.ndarray)
        and type(value) is not np.ndarray  # naming np.ma imports it, which takes 6 ms
        and isinstance(value, np.ma.MaskedArray)
    ):
        _refuse(name, array, np.ma.getmaskarray(value), "which is masked; fill it first")
    # An empty list is of float64; what has no entries may stand for any type.
    return array if array.size else array.astype(np.int64)


def _refuse(
    name: str,
    array: NDArray[Any],
    bad: Any,
    why: str,
    error: type[Exception] = ValueError,
) -> None:
    if np.any(bad):
        first = int(np.argmax(np.ravel(bad)))
        raise error(f"{name} is {array.reshape(-1)[first]} at entry {first}, {why}")


def _refuse_objects(name: str, array: NDArray[Any], error: type[Exception]) -> None:
    """Name the first integer that no dtype of NumPy holds, if that is why these are objects."""
    if array.dtype == object:
        huge = [isinstance(x, int) and not -(2**63) <= x < 2**63 for x in array.flat]
        _refuse(name, array, np.array(huge), "out of range", error)
