"""Images per second of a training, and where the time of its steps goes: ``throughput.json``."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dgcn.options import write_text

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
