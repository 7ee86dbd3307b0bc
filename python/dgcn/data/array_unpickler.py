"""Unpickle arrays of numbers, and nothing else, from a file that is not trusted."""

from __future__ import annotations

import io
import math
import pickle
import re
import struct
import tokenize
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dgcn.data.pickle_scan import check_pickle

__all__ = ["DAMAGE", "load_arrays", "load_object"]

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
    SyntaxError,  # of a header of .npy, which is a literal of Python
    tokenize.TokenError,
)
"""What reading a damaged or malicious stream may raise."""


def load_arrays(stream: bytes) -> Any:
    """Unpickle plain Python values and arrays of numbers.

    Pickles of Python 2 and 3 and of NumPy 1 and 2 are understood. Nothing is imported, and NumPy's
    own reconstruction is not run: stand-ins take the parts and check them.

    Parameters
    ----------
    stream : bytes

    Returns
    -------
    object
        Arrays at the top level or as values of a dictionary there are numpy.ndarray, NumPy's
        integers are Python's.

    Raises
    ------
    One of `DAMAGE`
        The stream is damaged, names anything but arrays, or holds arrays of other types.
    """
    check_pickle(stream)
    return _plain(_ArrayUnpickler(io.BytesIO(stream), encoding="latin1").load())


def load_object(stream: bytes) -> Any:
    """The object in an .npy file that holds one object, as ``numpy.save(path, {...})`` writes it.

    Parameters
    ----------
    stream : bytes
        Content of the file; what is pickled in it is read by the rules of `load_arrays`.

    Raises
    ------
    One of `DAMAGE`
        As `load_arrays`, or it is not such a file.
    """
    file = io.BytesIO(stream)
    version = np.lib.format.read_magic(file)
    read = {
        (1, 0): np.lib.format.read_array_header_1_0,
        (2, 0): np.lib.format.read_array_header_2_0,
    }
    if version not in read:
        raise ValueError(f"version {version} of the .npy format")
    shape, _, dtype = read[version](file)
    if shape != () or dtype != np.dtype(object):
        raise ValueError(f"it holds an array of {dtype} of shape {shape} instead of an object")
    check_pickle(stream[file.tell() :])
    whole = _ArrayUnpickler(file, encoding="latin1").load()
    if not isinstance(whole, _Array):
        raise pickle.UnpicklingError("it holds no array")
    return _plain(whole.only_object())


def _plain(value: object) -> object:
    if isinstance(value, dict):
        return {
            key: item.array() if isinstance(item, _Array) else item for key, item in value.items()
        }
    return value.array() if isinstance(value, _Array) else value


class _ArrayName:
    """Stands for numpy.ndarray, which pickles name but do not call."""


_ARRAY_NAME = _ArrayName()


class _Type:
    """Stands for numpy.dtype of numbers, or of objects."""

    def __init__(self, code: object, align: object = False, copy: object = False) -> None:
        if not (isinstance(code, str) and re.fullmatch(r"[<>|=]?([iu][1248]|f[248]|O8)", code)):
            raise pickle.UnpicklingError(f"it holds an array of type {code!r}, not of numbers")
        self.code, self.order = code.lstrip("<>|="), code[0] if code[0] in "<>|=" else "="

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        order = state[1]
        if order not in ("<", ">", "|", "="):
            raise pickle.UnpicklingError(f"it holds an array of byte order {order!r}")
        self.order = order

    def dtype(self) -> np.dtype[Any]:
        if self.code == "O8":
            raise pickle.UnpicklingError("it holds an array of objects, not of numbers")
        return np.dtype(self.order + self.code)


class _Array:
    """Stands for numpy.ndarray while its parts arrive."""

    def __init__(self) -> None:
        self._parts: tuple[object, object, object, object] | None = None

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        _, shape, kind, fortran, data = state
        self._parts = (shape, kind, fortran, data)

    def only_object(self) -> object:
        """The object of an array of shape () of objects."""
        shape, kind, _, data = self._parts or (None, None, None, None)
        objects = isinstance(kind, _Type) and kind.code == "O8"
        if not (objects and shape == () and isinstance(data, list) and len(data) == 1):
            raise pickle.UnpicklingError("it holds an array of another kind than one object")
        return data[0]

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


def _scalar(kind: object, data: object) -> int:
    data = data.encode("latin1") if isinstance(data, str) else data
    if not isinstance(kind, _Type) or kind.code[0] not in "iu" or not isinstance(data, bytes):
        raise pickle.UnpicklingError("it holds a scalar that is no integer")
    (value,) = np.frombuffer(data, dtype=kind.dtype())
    return int(value)


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
    ("numpy.core.multiarray", "scalar"): _scalar,
    ("numpy._core.multiarray", "scalar"): _scalar,
    ("numpy.core.numeric", "_frombuffer"): _from_buffer,
    ("numpy._core.numeric", "_frombuffer"): _from_buffer,
}


class _ArrayUnpickler(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        if (module, name) not in _ALLOWED:
            raise pickle.UnpicklingError(f"it wants to load {module}.{name}, which is not allowed")
        return _ALLOWED[module, name]
