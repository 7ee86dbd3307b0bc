"""SIGTERM during a training: finish the step, write a checkpoint, end."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType


class Terminated(Exception):
    """A training was ended by SIGTERM after it had written a checkpoint."""


class Request:
    """Whether SIGTERM has come."""

    def __init__(self) -> None:
        self.made = False

    def make(self, number: int, frame: FrameType | None) -> None:
        """Handle the signal."""
        self.made = True


@contextmanager
def termination() -> Iterator[Request]:
    """Note SIGTERM instead of dying of it; the former handler comes back at the end.

    A request that nobody has obeyed by then is made to the former handler. Signals reach the main
    thread only: in another one the request is never made.
    """
    request = Request()
    if threading.current_thread() is not threading.main_thread():
        yield request
        return
    former = signal.signal(signal.SIGTERM, request.make)
    try:
        yield request
    finally:
        signal.signal(signal.SIGTERM, former)
    if request.made:
        signal.raise_signal(signal.SIGTERM)
