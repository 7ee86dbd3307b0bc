"""Signals during a training: SIGTERM ends it after a checkpoint, SIGINT is not lost."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType


class Terminated(Exception):
    """A training was ended by SIGTERM after it had written a checkpoint."""


class Request:
    """Whether SIGTERM has come, and whether SIGINT has."""

    def __init__(self) -> None:
        self.made = False
        self.interrupted = False

    def make(self, number: int, frame: FrameType | None) -> None:
        """Handle the signal."""
        self.made = True

    def interrupt(self, number: int, frame: FrameType | None) -> None:
        """Handle Ctrl-C: raise, and remember, for Python drops what is raised in a destructor."""
        self.interrupted = True
        signal.default_int_handler(number, frame)


@contextmanager
def termination() -> Iterator[Request]:
    """Note SIGTERM instead of dying of it, and SIGINT too; former handlers come back at the end.

    A request that nobody has obeyed by then is made to the former handler. Signals reach the main
    thread only: in another one the request is never made.
    """
    request = Request()
    if threading.current_thread() is not threading.main_thread():
        yield request
        return
    former = signal.signal(signal.SIGTERM, request.make)
    usual = signal.getsignal(signal.SIGINT)
    if usual is signal.default_int_handler:
        signal.signal(signal.SIGINT, request.interrupt)
    try:
        yield request
    finally:
        signal.signal(signal.SIGTERM, former)
        signal.signal(signal.SIGINT, usual)
    if request.made:
        signal.raise_signal(signal.SIGTERM)
