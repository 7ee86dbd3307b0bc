"""Signals that a training obeys between two steps instead of dying of them."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

__all__ = ["Received", "noted_signals"]


class Received:
    """Whether SIGTERM has come, and whether SIGINT has."""

    terminate = interrupt = False

    def on_terminate(self, number: int, frame: FrameType | None) -> None:
        self.terminate = True

    def on_interrupt(self, number: int, frame: FrameType | None) -> None:
        # Remembered too: Python drops what is raised in a destructor. What is raised within a queue
        # or a lock may leave it locked, so that nothing ends: the next step obeys, or a second one.
        repeated, self.interrupt = self.interrupt, True
        if not repeated and _within_locks(frame):
            return
        signal.default_int_handler(number, frame)


def _within_locks(frame: FrameType | None) -> bool:
    within = False
    while frame is not None:
        module = frame.f_globals.get("__name__")
        if module == "concurrent.futures._base":  # waits for a result: its lock is freed
            return False
        within = within or module in ("threading", "queue")
        frame = frame.f_back
    return within


@contextmanager
def noted_signals() -> Iterator[Received]:
    """Note SIGTERM instead of dying of it, and SIGINT too; former handlers come back at the end.

    A SIGTERM that nobody has obeyed by then goes to the former handler. Signals reach the main
    thread only.
    """
    received = Received()
    if threading.current_thread() is not threading.main_thread():
        yield received
        return
    terminate = signal.signal(signal.SIGTERM, received.on_terminate)
    interrupt = signal.getsignal(signal.SIGINT)
    if interrupt is signal.default_int_handler:
        signal.signal(signal.SIGINT, received.on_interrupt)
    try:
        yield received
    finally:
        signal.signal(signal.SIGTERM, terminate)
        signal.signal(signal.SIGINT, interrupt)
    if received.terminate:
        signal.raise_signal(signal.SIGTERM)
