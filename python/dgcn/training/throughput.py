"""How long the parts of a step take, and how many images a training takes per second."""

from __future__ import annotations

import json
import time
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from dgcn.atomic import write_text

NAME = "throughput.json"
PARTS = {
    "network": "network",
    "supervision": "supervision",
    "crf": "waiting for the CRF",
    "data": "waiting for data",
    "rest": "the rest",
}
"""Parts of a step, one after the other, and what they are called."""
WORK = "crf_work"
"""The CRF's own time, most of it beside the supervision's."""


@dataclass(frozen=True)
class Row:
    """One epoch.

    Attributes
    ----------
    epoch : int
        Counted from 1.
    images : int
        Images of all processes in the steps that were timed.
    seconds : mapping from str to float
        By part; the leading process's.
    """

    epoch: int
    images: int
    seconds: Mapping[str, float]


def read_rows(folder: Path, epochs: int) -> list[Row]:
    """The first epochs of a training's record, where it has one."""
    path = folder / NAME
    if not path.is_file():
        return []
    rows = json.loads(path.read_text(encoding="utf-8"))["epochs"]
    return [
        Row(row["epoch"], row["images"], row["seconds"]) for row in rows if row["epoch"] <= epochs
    ]


def write_rows(folder: Path, rows: Sequence[Row]) -> None:
    """Write the record: figures of all epochs together, then of each."""
    epochs = [{"epoch": row.epoch, **figures([row]), "seconds": dict(row.seconds)} for row in rows]
    write_text(folder / NAME, json.dumps({**figures(rows), "epochs": epochs}, indent=2) + "\n")


def figures(rows: Sequence[Row]) -> dict[str, Any]:
    """Images, images per second, and shares of the steps' time; those of `PARTS` add up to 1."""
    sums: dict[str, float] = {}
    for row in rows:
        for part, seconds in row.seconds.items():
            sums[part] = sums.get(part, 0.0) + seconds
    whole = sum(seconds for part, seconds in sums.items() if part in PARTS)
    images = sum(row.images for row in rows)
    return {
        "images": images,
        "images_per_second": images / whole,
        "shares": {part: seconds / whole for part, seconds in sums.items()},
    }


def sentence(rows: Sequence[Row]) -> str:
    """The figures of all epochs in words."""
    found = figures(rows)
    shares = found["shares"]
    parts = [f"{name} {100 * shares[part]:.1f} %" for part, name in PARTS.items() if part in shares]
    if WORK in shares:
        parts.append(f"beside them the CRF's work {100 * shares[WORK]:.1f} %")
    return f"{found['images_per_second']:.1f} images/s; {', '.join(parts)}"


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
