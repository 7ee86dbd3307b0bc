"""Checks on the arrays that the classes and the utilities take."""

from __future__ import annotations

from numbers import Real
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray


def real_array(name: str, value: ArrayLike) -> NDArray[Any]:
    """Return an array of numbers, bool and complex excluded."""
    array = np.asarray(value)
    if array.dtype.kind not in "fiu":
        raise TypeError(f"{name} must be an array of real numbers, not of {array.dtype}")
    return array


def floats(name: str, value: ArrayLike, shape: tuple[int | None, ...]) -> NDArray[np.float32]:
    """Return finite numbers as float32, of that shape; None is any length."""
    given = real_array(name, value)
    fits = given.ndim == len(shape) and all(
        wanted in (None, length) for wanted, length in zip(shape, given.shape, strict=True)
    )
    if not fits:
        wanted = ", ".join("any" if length is None else str(length) for length in shape)
        raise ValueError(f"{name} must have shape ({wanted}), not {given.shape}")
    with np.errstate(over="ignore"):
        array = np.ascontiguousarray(given, np.float32)
    valid = np.isfinite(array)
    if not valid.all():
        first = np.argwhere(~valid)[0].tolist()
        raise ValueError(
            f"{name} must be finite in float32, but {name}{first} is {given[tuple(first)]}"
        )
    return array


def widths(name: str, value: float | ArrayLike, count: int) -> list[float]:
    """Return one positive width for each of so many axes; a number stands for all."""
    given = [value] * count if isinstance(value, Real) else list(real_array(name, value))
    if len(given) != count:
        raise ValueError(f"{name} must be a number or {count} numbers, not {len(given)}")
    numbers = [float(width) for width in given]
    for width in numbers:
        if not 1e-30 <= width <= 1e30:
            raise ValueError(f"{name} must be positive and finite, not {width}")
    return numbers


def count_of(name: str, value: int) -> int:
    """Return a positive int, Python's or NumPy's."""
    if isinstance(value, bool) or not isinstance(value, int | np.integer):
        raise TypeError(f"{name} must be an int, not {type(value).__name__}")
    if value < 1:
        raise ValueError(f"{name} must be at least 1, not {value}")
    return int(value)
