"""torch's threads in a forked process.

A child has none of the threads that OpenMP started in its parent, and waits for them for ever at
torch's first parallel loop.
"""

from __future__ import annotations

import functools
import os
from collections.abc import Callable
from typing import Any, TypeVar, cast

import torch

Function = TypeVar("Function", bound=Callable[..., Any])


class Process:
    """What is known of this process."""

    forked = False

    @classmethod
    def now_forked(cls) -> None:
        """Note that this process is a child."""
        cls.forked = True


if hasattr(os, "register_at_fork"):  # not on Windows, which does not fork
    os.register_at_fork(after_in_child=Process.now_forked)


def safe_in_forked_child(function: Function) -> Function:
    """Let torch use one thread while the function runs in a forked process."""

    @functools.wraps(function)
    def wrapper(*args: Any, **kwargs: Any) -> Any:
        if not Process.forked:
            return function(*args, **kwargs)
        threads = torch.get_num_threads()
        torch.set_num_threads(1)
        try:
            return function(*args, **kwargs)
        finally:
            torch.set_num_threads(threads)

    return cast(Function, wrapper)
