"""Tensors that say they are on a CUDA device, over memory of the host."""

from __future__ import annotations

import ctypes

import torch
from torch import Tensor

CPU, CUDA = 1, 2  # DLPack's numbers
POISON = 0xA5  # what no one has written yet

_pointer = ctypes.pythonapi.PyCapsule_GetPointer
_pointer.restype = ctypes.c_void_p
_pointer.argtypes = [ctypes.py_object, ctypes.c_char_p]


_reinterpreted = torch._C._dynamo.guards._reinterpret_tensor  # the offset is from the tensor's own


def _moved(tensor: Tensor, kind: int, index: int) -> Tensor:
    """The same memory under another device: DLPack's capsule says which, behind the address."""
    capsule = torch._C._to_dlpack(tensor)
    start = _pointer(capsule, b"dltensor")
    device = (ctypes.c_int32 * 2).from_address(start + ctypes.sizeof(ctypes.c_void_p))
    device[0], device[1] = kind, index
    return torch._C._from_dlpack(capsule)


def on_host(tensor: Tensor) -> Tensor:
    """The memory of a tensor on a device, as one of the CPU at the same place of its storage."""
    values = tensor.untyped_storage().nbytes() // tensor.itemsize
    if tensor.numel() in (0, values):
        return _moved(tensor.detach(), CPU, 0)
    offset = tensor.storage_offset()
    whole = _moved(_reinterpreted(tensor, (values,), (1,), -offset), CPU, 0)
    return whole.as_strided(tensor.shape, tensor.stride(), offset)


def on_device(tensor: Tensor, index: int) -> Tensor:
    """The memory of a tensor of the CPU, as a tensor on a device."""
    return _moved(tensor, CUDA, index)


def view_of(base: Tensor, view: Tensor) -> Tensor:
    """A view (on the CPU) of the memory of `base`, as a view of it on its device."""
    if view.dtype != base.dtype or view.numel() == 0:
        return on_device(view, base.device.index)
    offset = (view.data_ptr() - base.data_ptr()) // base.itemsize
    return _reinterpreted(base, view.shape, view.stride(), offset)


def poison(tensor: Tensor) -> None:
    """Fill memory that an operator leaves as it was."""
    if tensor.numel():
        tensor.detach().flatten().view(torch.uint8).fill_(POISON)
