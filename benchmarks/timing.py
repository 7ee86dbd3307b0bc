"""Interleaved timing, and what is printed and stored of it."""

from __future__ import annotations

import json
import os
import platform
import random
import statistics
import subprocess
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

import torch

import graphcut_ext

Name = TypeVar("Name")


def interleaved(
    contenders: Mapping[Name, Callable[[], object]],
    repeats: int,
    clock: Callable[[], float] = time.perf_counter,
) -> dict[Name, list[float]]:
    """Time every contender once a round, so that drift of the machine meets all alike.

    Every round has another order: what follows a peer with much memory finds cold caches.

    Returns the seconds of each round; one round before them is not counted. CUDA work is awaited.
    ``time.process_time`` as the clock is for one thread on a machine that does other work.
    """
    seconds: dict[Name, list[float]] = {name: [] for name in contenders}
    order = list(contenders.items())
    for round_number in range(repeats + 1):
        random.Random(round_number).shuffle(order)
        for name, work in order:
            begin = clock()
            work()
            if torch.cuda.is_available():
                torch.cuda.synchronize()
            if round_number:
                seconds[name].append(clock() - begin)
    return seconds


def summary(seconds: list[float]) -> dict[str, float]:
    """Median and quartiles in milliseconds."""
    low, middle, high = statistics.quantiles(seconds, n=4) if len(seconds) > 1 else seconds * 3
    return {"median_ms": middle * 1e3, "q1_ms": low * 1e3, "q3_ms": high * 1e3}


def machine() -> dict[str, Any]:
    """Where and with what the figures were taken."""
    cpu = platform.processor() or platform.machine()
    info = Path("/proc/cpuinfo")
    if info.exists():
        names = [x for x in info.read_text().splitlines() if x.startswith("model name")]
        cpu = names[0].split(":", 1)[1].strip() if names else cpu
    return {
        "cpu": cpu,
        "cores": os.cpu_count(),
        "load_average": os.getloadavg() if hasattr(os, "getloadavg") else None,
        "gpu": torch.cuda.get_device_name() if torch.cuda.is_available() else None,
        "python": platform.python_version(),
        "torch": torch.__version__,
        "core": graphcut_ext.build_info(),
        "commit": git("rev-parse", "--short", "HEAD") or None,
        "changed_since_commit": bool(git("status", "--porcelain", "--untracked-files=no")),
    }


def git(*arguments: str) -> str:
    """What git says of the source tree; nothing outside a checkout."""
    command = ["git", "--no-optional-locks", *arguments]
    root = Path(__file__).parents[1]
    answer = subprocess.run(command, capture_output=True, text=True, check=False, cwd=root)
    return answer.stdout.strip()


def write_json(path: str | None, results: object, **more: object) -> None:
    """Store results with the machine they were taken on, and ``more`` about it."""
    if path is None:
        return
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    content = {"machine": machine() | more, "results": results}
    Path(path).write_text(json.dumps(content, indent=1) + "\n")
    print(f"written to {path}")
