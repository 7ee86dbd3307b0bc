"""Unpickle integer arrays, and nothing else, from a file that is not trusted."""

from __future__ import annotations

import io
import math
import pickle
import re
import struct
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["load_arrays"]

DAMAGE = (
    pickle.UnpicklingError,
    EOFError,
    ValueError,
    TypeError,
    KeyError,
    IndexError,
    AttributeError,
    ImportError,
    OverflowError,
    MemoryError,
    RecursionError,
    struct.error,
)
"""What reading a damaged or malicious stream may raise."""


def load_arrays(stream: bytes) -> Any:
    """Unpickle plain Python values and integer arrays.

    Pickles of Python 2 and 3 and of NumPy 1 and 2 are understood. Nothing is imported, and NumPy's
    own reconstruction is not run: stand-ins take the parts and check them.

    Parameters
    ----------
    stream : bytes

    Returns
    -------
    object
        Arrays at the top level or as values of a dictionary there are numpy.ndarray.

    Raises
    ------
    One of `DAMAGE`
        The stream is damaged, names anything but arrays, or holds arrays of other types.
    """
    content = _ArrayUnpickler(io.BytesIO(stream), encoding="latin1").load()
    if isinstance(content, dict):
        return {key: _plain(value) for key, value in content.items()}
    return _plain(content)


def _plain(value: object) -> object:
    return value.array() if isinstance(value, _Array) else value


class _ArrayName:
    """Stands for numpy.ndarray, which pickles name but do not call."""


_ARRAY_NAME = _ArrayName()


class _Type:
    """Stands for numpy.dtype of an integer type."""

    def __init__(self, code: object, align: object = False, copy: object = False) -> None:
        if not (isinstance(code, str) and re.fullmatch(r"[<>|=]?[iu][1248]", code)):
            raise pickle.UnpicklingError(f"it holds an array of type {code!r}, not of integers")
        self.code, self.order = code.lstrip("<>|="), code[0] if code[0] in "<>|=" else "="

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        order = state[1]
        if order not in ("<", ">", "|", "="):
            raise pickle.UnpicklingError(f"it holds an array of byte order {order!r}")
        self.order = order

    def dtype(self) -> np.dtype[Any]:
        return np.dtype(self.order + self.code)


class _Array:
    """Stands for numpy.ndarray while its parts arrive."""

    def __init__(self) -> None:
        self._parts: tuple[object, object, object, object] | None = None

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        _, shape, kind, fortran, data = state
        self._parts = (shape, kind, fortran, data)

    def array(self) -> NDArray[Any]:
        if self._parts is None:
            raise pickle.UnpicklingError("it holds an array without content")
        shape, kind, fortran, data = self._parts
        # Python 2 wrote the bytes as text.
        data = data.encode("latin1") if isinstance(data, str) else data
        sound = (
            isinstance(kind, _Type)
            and isinstance(data, (bytes, bytearray))
            and isinstance(shape, tuple)
            and all(isinstance(side, int) and side >= 0 for side in shape)
        )
        if not sound:
            raise pickle.UnpicklingError("it holds a damaged array")
        assert isinstance(kind, _Type)
        assert isinstance(data, (bytes, bytearray))
        assert isinstance(shape, tuple)
        if len(data) != math.prod(shape) * kind.dtype().itemsize:
            raise pickle.UnpicklingError(f"it holds {len(data)} bytes for an array {shape}")
        return np.frombuffer(data, dtype=kind.dtype()).reshape(shape, order="F" if fortran else "C")


def _reconstruct(name: object, shape: object, code: object) -> _Array:
    if name is not _ARRAY_NAME:
        raise pickle.UnpicklingError("it holds an array of an unusual class")
    return _Array()


def _from_buffer(data: object, kind: object, shape: object, order: object) -> _Array:
    array = _Array()
    array.__setstate__((1, shape, kind, order == "F", data))
    return array


def _encode(text: str, encoding: str) -> bytes:
    if encoding != "latin1":
        raise pickle.UnpicklingError(f"it holds text encoded as {encoding!r}")
    return text.encode("latin1")


def _empty() -> bytes:
    # Old protocols write no bytes at all as a call of bytes().
    return b""


_ALLOWED: dict[tuple[str, str], object] = {
    ("numpy", "ndarray"): _ARRAY_NAME,
    ("numpy", "dtype"): _Type,
    ("_codecs", "encode"): _encode,
    ("__builtin__", "bytes"): _empty,
    ("numpy.core.multiarray", "_reconstruct"): _reconstruct,
    ("numpy._core.multiarray", "_reconstruct"): _reconstruct,
    ("numpy.core.numeric", "_frombuffer"): _from_buffer,
    ("numpy._core.numeric", "_frombuffer"): _from_buffer,
}


class _ArrayUnpickler(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        if (module, name) not in _ALLOWED:
            raise pickle.UnpicklingError(f"it wants to load {module}.{name}, which is not allowed")
        return _ALLOWED[module, name]
