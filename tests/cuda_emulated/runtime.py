"""``torch.cuda`` of the emulated device: devices, streams, events, captured graphs.

Work is done when it is queued. What a device would be waited for is known all the same, so that
``set_sync_debug_mode("error")`` and captures refuse it.
"""

from __future__ import annotations

import contextlib
import ctypes
import itertools
import threading
import time
from collections.abc import Callable, Iterator
from types import ModuleType
from typing import Any

import torch
from torch import Tensor
from torch.utils._pytree import tree_leaves

from cuda_emulated.memory import on_host

DEVICES = 2
_library: ctypes.CDLL


class _Here(threading.local):
    """What is current in a thread."""

    def __init__(self) -> None:
        self.streams: dict[int, Stream] = {}
        self.graph: CUDAGraph | None = None


_here = _Here()
_sync_debug_mode = "default"
launches: list[str] = []
"""Names of the core's functions that were called with addresses of the device."""


def current_device() -> int:
    return _library.graphcut_current_device()


def set_device(device: Any) -> None:
    _library.graphcut_set_device(index_of(device))


def index_of(device: Any) -> int:
    if isinstance(device, int):
        return device
    index = None if device is None else torch.device(device).index
    return current_device() if index is None else index


class device(contextlib.ContextDecorator):
    """``torch.cuda.device``."""

    def __init__(self, device: Any) -> None:
        self.index = index_of(device)

    def __enter__(self) -> None:
        self.before = current_device()
        set_device(self.index)

    def __exit__(self, *_: object) -> None:
        set_device(self.before)


class Event:
    """``torch.cuda.Event``."""

    def __init__(self, enable_timing: bool = False, **_: Any) -> None:
        self.seconds: float | None = None

    def record(self, stream: Stream | None = None) -> None:
        self.seconds = time.perf_counter()

    def query(self) -> bool:
        return True

    def wait(self, stream: Stream | None = None) -> None:
        pass

    def synchronize(self) -> None:
        if _here.graph is not None:
            wait("Event.synchronize")

    def elapsed_time(self, end: Event) -> float:
        assert self.seconds is not None and end.seconds is not None  # noqa: PT018
        return 1000 * (end.seconds - self.seconds)


class Stream(torch.Stream):
    """``torch.cuda.Stream``; 0 is the handle of a device's default stream."""

    handles = itertools.count(4096)

    def __new__(cls, device: Any = None, priority: int = 0, *, handle: int | None = None) -> Stream:
        number = next(cls.handles) if handle is None else handle
        return super().__new__(cls, stream_id=number, device_index=index_of(device), device_type=1)

    @property
    def cuda_stream(self) -> int:
        return self.stream_id

    def wait_stream(self, other: Stream) -> None:
        pass

    def wait_event(self, event: Event) -> None:
        pass

    def record_event(self, event: Event | None = None) -> Event:
        event = Event() if event is None else event
        event.record(self)
        return event

    def synchronize(self) -> None:
        if _here.graph is not None:
            wait("Stream.synchronize")

    def query(self) -> bool:
        return True


def current_stream(device: Any = None) -> Stream:
    index = index_of(device)
    if index not in _here.streams:
        _here.streams[index] = Stream(index, handle=0)
    return _here.streams[index]


@contextlib.contextmanager
def stream(stream: Stream | None) -> Iterator[None]:
    if stream is None:
        yield
        return
    index = stream.device.index
    before = current_stream(index)
    _here.streams[index] = stream
    try:
        with device(index):
            yield
    finally:
        _here.streams[index] = before


def synchronize(device: Any = None) -> None:
    if _here.graph is not None:
        wait("synchronize")


def wait(what: str) -> None:
    """Refuse to wait for the device where nobody may."""
    if _here.graph is not None:
        raise RuntimeError(f"operation not permitted when stream is capturing: {what}")
    if _sync_debug_mode == "error":
        raise RuntimeError(f"called a synchronizing CUDA operation: {what}")


def set_sync_debug_mode(mode: str) -> None:
    global _sync_debug_mode
    _sync_debug_mode = mode


def captured_graph() -> CUDAGraph | None:
    return _here.graph


class CUDAGraph:
    """``torch.cuda.CUDAGraph``: what was queued, which it keeps the memory of."""

    def __init__(self) -> None:
        self.steps: list[Callable[[], None]] = []
        self.memory: list[Any] = []

    def add_operator(
        self, operator: Any, name: str, args: Any, kwargs: Any, outputs: Any, device: int
    ) -> None:
        from cuda_emulated import operators

        known = {id(leaf) for leaf in tree_leaves((args, kwargs)) if isinstance(leaf, Tensor)}

        def replay() -> None:
            again = operators.run(operator, name, args, kwargs, device)
            for before, now in zip(tree_leaves(outputs), tree_leaves(again), strict=True):
                if isinstance(before, Tensor) and id(before) not in known:
                    on_host(before).copy_(on_host(now))

        self.steps.append(replay)

    def replay(self) -> None:
        for step in self.steps:
            step()


@contextlib.contextmanager
def graph(captured: CUDAGraph, **_: Any) -> Iterator[None]:
    with stream(Stream()):
        _here.graph = captured
        try:
            yield
        finally:
            _here.graph = None


def _launching(name: str, function: Callable[..., None]) -> Callable[..., None]:
    """A function of the core whose last arguments are a device and a stream."""

    def launch(*arguments: Any) -> None:
        index, handle = arguments[-2:]
        if index != current_device() or handle != current_stream().cuda_stream:
            raise AssertionError(f"{name} is queued on another device or stream than the current")
        launches.append(name)
        function(*arguments)
        if _here.graph is not None:
            _here.graph.steps.append(lambda: function(*arguments))

    return launch


def install(library: ctypes.CDLL, core: ModuleType) -> None:
    """Put all in the place of ``torch.cuda``'s, and watch what the core is called with."""
    global _library
    _library = library
    for name in [name for name in vars(core) if "_cuda_" in name]:
        setattr(core, name, _launching(name, getattr(core, name)))
    replaced = (
        current_device, set_device, device, Event, Stream, current_stream, stream, synchronize,
        set_sync_debug_mode, CUDAGraph, graph,
    )  # fmt: skip
    for item in replaced:
        setattr(torch.cuda, item.__name__, item)
    facts: dict[str, Any] = {
        "_lazy_init": None,
        "is_available": True,
        "is_initialized": True,
        "device_count": DEVICES,
        "is_bf16_supported": True,
        "get_device_capability": (9, 0),
        "get_device_name": "emulated",
        "manual_seed": None,
        "manual_seed_all": None,
        "_sleep": None,
    }
    for name, fact in facts.items():
        setattr(torch.cuda, name, lambda *_, fact=fact, **__: fact)
    torch.cuda.is_current_stream_capturing = lambda: _here.graph is not None
