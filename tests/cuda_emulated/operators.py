"""torch's operators on the emulated device: the CPU's, on the same memory."""

from __future__ import annotations

import functools
from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor
from torch.utils._pytree import tree_leaves, tree_map

from cuda_emulated import runtime
from cuda_emulated.memory import on_device, on_host, poison, view_of

aten = torch.ops.aten

EMPTY = (aten.empty.memory_format, aten.empty_strided.default)
# The host takes a number or a shape from values.
WAITS = (
    "_local_scalar_dense",
    "nonzero",
    "masked_select",
    "_unique",
    "unique",
    "equal",
    "is_set_to",
)
PRODUCTS = ("mm", "bmm", "addmm", "baddbmm")
# Tensors of the CPU may be among the arguments, besides numbers.
MIXED = ("copy_", "index", "index_put_", "_index_put_impl_", "set_")
# torch computes these with kernels of its own for each device, without asking the dispatcher.
DIRECT = ("copy_", "convolution", "convolution_backward")

_libraries: list[torch.library.Library] = []


def install() -> None:
    """Have the dispatcher call `computed` for tensors on CUDA devices."""
    everything = torch.library.Library("_", "IMPL", "CUDA")
    everything.fallback(computed)
    direct = torch.library.Library("aten", "IMPL", "CUDA")
    for name in DIRECT:
        operator = getattr(aten, name).default
        direct.impl(name, functools.partial(computed, operator))
    _libraries.extend([everything, direct])


def computed(operator: Any, *args: Any, **kwargs: Any) -> Any:
    """What an operator returns of arguments on a device, there."""
    tensors = [leaf for leaf in tree_leaves((args, kwargs)) if isinstance(leaf, Tensor)]
    name = operator.overloadpacket.__name__
    if waits(operator, name, args, kwargs, tensors):
        runtime.wait(str(operator))
    device = device_of(name, tensors, kwargs)
    if name == "record_stream":
        return None
    if name == "resize_":
        return resized(args[0], args[1], device)
    outputs = run(operator, name, args, kwargs, device)
    graph = runtime.captured_graph()
    if graph is not None and (operator in EMPTY or is_view(operator)):
        graph.memory.append(outputs)
    elif graph is not None:
        graph.add_operator(operator, name, args, kwargs, outputs, device)
    return outputs


def run(operator: Any, name: str, args: Any, kwargs: Any, device: int) -> Any:
    """Call an operator with the CPU's tensors of the same memory."""
    given: dict[int, tuple[Tensor, Tensor]] = {}  # by the CPU's tensor: both
    fresh: list[tuple[Tensor, Tensor]] = []  # what is to be written and has no memory yet
    rounded = name in PRODUCTS and tf32()
    out_names = {argument.name for argument in operator._schema.arguments if argument.is_out}

    def here(value: Any, is_out: bool = False) -> Any:
        if isinstance(value, torch.device) and value.type == "cuda":
            return torch.device("cpu")
        if not isinstance(value, Tensor) or not value.is_cuda:
            return value
        if is_out and value.numel() == 0:
            host = torch.empty(0, dtype=value.dtype)
            fresh.append((host, value))
        else:
            host = on_host(value)
            if rounded and not is_out and value.dtype == torch.float32:
                host = truncated(host)
        given[id(host)] = (host, value)
        return host

    host_args = tree_map(here, args)
    host_kwargs = {
        key: tree_map(functools.partial(here, is_out=key in out_names), value)
        for key, value in kwargs.items()
    }
    outputs = operator(*host_args, **host_kwargs)
    for host, value in fresh:
        value.data = on_device(host, device)
    if operator in EMPTY:
        poison(outputs)
    base = given[id(host_args[0])][1] if is_view(operator) else None

    def there(value: Any) -> Any:
        if not isinstance(value, Tensor):
            return value
        if id(value) in given:
            return given[id(value)][1]
        return on_device(value, device) if base is None else view_of(base, value)

    if name == "copy_":
        return args[0]
    return tree_map(there, outputs)


def is_view(operator: Any) -> bool:
    """Whether the outputs share the memory of the first argument and are not that argument."""
    returned: Iterable[Any] = operator._schema.returns
    return any(r.alias_info is not None and not r.alias_info.is_write for r in returned)


def resized(tensor: Tensor, size: list[int], device: int) -> Tensor:
    larger = torch.empty(size, dtype=tensor.dtype)
    poison(larger)
    kept = min(larger.numel(), tensor.numel())
    larger.view(-1)[:kept] = on_host(tensor).reshape(-1)[:kept]
    tensor.data = on_device(larger, device)
    return tensor


def device_of(name: str, tensors: list[Tensor], kwargs: dict[str, Any]) -> int:
    """The index of the device that computes; the tensors must be there."""
    devices = {tensor.device.index for tensor in tensors if tensor.is_cuda}
    if name not in MIXED:
        elsewhere = [t for t in tensors if not t.is_cuda and t.dim() > 0]
        if len(devices) > 1 or (devices and elsewhere):
            raise RuntimeError(
                "Expected all tensors to be on the same device, but found at least two devices "
                f"in {name}: {sorted({str(tensor.device) for tensor in tensors})}"
            )
    named = kwargs.get("device")
    if named is not None and named.type == "cuda":
        return runtime.current_device() if named.index is None else named.index
    for tensor in tensors:
        if tensor.is_cuda:
            return tensor.device.index
    return runtime.current_device()


def waits(
    operator: Any, name: str, args: Any, kwargs: dict[str, Any], tensors: list[Tensor]
) -> bool:
    """Whether the host would wait for a device."""
    if name == "copy_":
        between = tensors[0].is_cuda != tensors[1].is_cuda
        non_blocking = args[2] if len(args) > 2 else kwargs.get("non_blocking", False)
        return between and not non_blocking
    if name in ("index", "index_put_", "_index_put_impl_"):
        masks = any(t is not None and t.dtype in (torch.bool, torch.uint8) for t in args[1])
        return masks and not (name != "index" and args[2].numel() == 1)
    if name == "repeat_interleave":
        return len(args) < 2 and kwargs.get("output_size") is None
    return name.startswith(WAITS)


def tf32() -> bool:
    """Whether float32 products round their operands."""
    matmul = torch.backends.cuda.matmul
    precision = getattr(
        matmul, "fp32_precision", None
    )  # where there is this, older names may raise
    return bool(matmul.allow_tf32) if precision is None else precision == "tf32"


def truncated(tensor: Tensor) -> Tensor:
    """With the ten bits of a mantissa that TF32 has."""
    return (tensor.contiguous().view(torch.int32) & ~0x1FFF).view(torch.float32)
