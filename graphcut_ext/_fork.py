"""torch's threads in a forked process.

A child has none of the threads that OpenMP started in its parent, and waits for them for ever at
torch's first parallel loop.
"""

from __future__ import annotations

import functools
import os
import threading
from collections.abc import Callable
from typing import Any, TypeVar, cast

import torch

Function = TypeVar("Function", bound=Callable[..., Any])


class OneThread:
    """While any thread of this process is inside, torch works with one thread.

    OpenMP's number of threads belongs to the calling thread, MKL's to the process: each thread
    that enters sets both, and the last one to leave restores what the first one found.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._inside = 0
        self._before = 1

    def __enter__(self) -> None:
        with self._lock:
            if self._inside == 0:
                self._before = torch.get_num_threads()
            self._inside += 1
            torch.set_num_threads(1)

    def __exit__(self, *raised: object) -> None:
        with self._lock:
            self._inside -= 1
            if self._inside == 0:
                torch.set_num_threads(self._before)


class Process:
    """What is known of this process."""

    one_thread: OneThread | None = None  # in a forked process

    @classmethod
    def now_forked(cls) -> None:
        """Note that this process is a child, in which none of its parent's calls goes on."""
        cls.one_thread = OneThread()


if hasattr(os, "register_at_fork"):  # not on Windows, which does not fork
    os.register_at_fork(after_in_child=Process.now_forked)


def safe_in_forked_child(function: Function) -> Function:
    """Let torch use one thread while the function runs in a forked process."""

    @functools.wraps(function)
    def wrapper(*args: Any, **kwargs: Any) -> Any:
        if Process.one_thread is None:
            return function(*args, **kwargs)
        with Process.one_thread:
            return function(*args, **kwargs)

    return cast(Function, wrapper)
