"""How long the parts of a step take, by the host's clock or by the device's."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager

import torch

Moment = float | torch.cuda.Event


def moment(device: torch.device) -> Moment:
    """Now: seconds of the host's clock, or an event of the current stream where it is CUDA's."""
    if device.type != "cuda":
        return time.perf_counter()
    event = torch.cuda.Event(enable_timing=True)
    event.record(torch.cuda.current_stream(device))
    return event


class Stopwatch:
    """Seconds by part; at every moment at most one part is under way.

    On CUDA the time is the stream's, from event to event. An event is read when the device has
    passed it, so that nothing is waited for but by `take`.

    Parameters
    ----------
    device : torch.device
    """

    def __init__(self, device: torch.device) -> None:
        self.device = device
        self._part, self._since = "", moment(device)
        self._spans: deque[tuple[str, Moment, Moment]] = deque()
        self._seconds: dict[str, float] = {}

    def begin(self, part: str) -> None:
        """Count time from now on as that of `part`; "" counts it nowhere."""
        now = moment(self.device)
        if self._part:
            self.add(self._part, self._since, now)
        self._part, self._since = part, now

    @contextmanager
    def within(self, part: str) -> Iterator[None]:
        """Count the time of the block as that of `part`, then as that of the part around it."""
        around = self._part
        self.begin(part)
        try:
            yield
        finally:
            self.begin(around)

    def add(self, part: str, start: Moment, end: Moment) -> None:
        """Count time that passed elsewhere, between two moments of one stream."""
        self._spans.append((part, start, end))
        self._read()

    def take(self) -> dict[str, float]:
        """Seconds by part since the last call, all of them: the device is waited for."""
        for _, _, end in self._spans:
            if isinstance(end, torch.cuda.Event):
                end.synchronize()
        self._read()
        taken, self._seconds = self._seconds, {}
        return taken

    def _read(self) -> None:
        while self._spans:
            part, start, end = self._spans[0]
            if isinstance(start, torch.cuda.Event) and isinstance(end, torch.cuda.Event):
                if not end.query():
                    return
                seconds = start.elapsed_time(end) / 1000
            else:
                assert isinstance(start, float)
                assert isinstance(end, float)
                seconds = end - start
            self._spans.popleft()
            self._seconds[part] = self._seconds.get(part, 0.0) + seconds
