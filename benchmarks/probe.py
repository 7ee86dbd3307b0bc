"""One contender in a process of its own: does it end in time, and how much memory does it take?

``python -m benchmarks.probe BATCH.npz CONTENDER_JSON``: reads the batch, says "ready", solves, and
prints seconds and the peak of resident memory above the input.
"""

from __future__ import annotations

import ctypes
import gc
import json
import subprocess
import sys
import threading
import time
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from benchmarks.contenders import Contender, prepare
from benchmarks.problem import Batch, Links

START_LIMIT = 120  # seconds until "ready"


@dataclass(frozen=True)
class Probe:
    """What the process measured."""

    seconds: float
    peak_bytes: int | None  # None where /proc/self cannot tell


def probe(stored: Path, contender: Contender, limit: float) -> Probe | None:
    """Run the contender on a stored batch; None if it does not end within ``limit`` seconds."""
    command = [sys.executable, "-m", "benchmarks.probe", str(stored)]
    command.append(json.dumps(asdict(contender)))
    root = Path(__file__).parents[1]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=root) as child:
        assert child.stdout is not None
        timer = threading.Timer(START_LIMIT, child.kill)
        timer.start()
        ready = child.stdout.readline()
        timer.cancel()
        try:
            rest, _ = child.communicate(timeout=limit)
        except subprocess.TimeoutExpired:
            child.kill()
            return None
    if not ready or child.returncode:
        raise RuntimeError(f"{contender.label} failed in its own process, see above")
    return Probe(**json.loads(rest))


def measure(batch: Batch, contender: Contender) -> Probe:
    """Solve once; libraries are loaded and warm, and the input is laid out, before."""
    prepare([contender], tiny_batch())[contender]()
    work = prepare([contender], batch)[contender]
    before = reset_peak()
    print("ready", flush=True)
    begin = time.perf_counter()
    result = work()
    seconds = time.perf_counter() - begin
    peak = None if before is None else status_bytes("VmHWM") - before
    del result
    return Probe(seconds, peak)


def reset_peak() -> int | None:
    """Return free memory to the system, reset the recorded peak, return the resident bytes."""
    gc.collect()
    try:
        ctypes.CDLL(None).malloc_trim(0)
        Path("/proc/self/clear_refs").write_text("5")
        return status_bytes("VmRSS")
    except (AttributeError, OSError):
        return None


def status_bytes(field: str) -> int:
    """A size from /proc/self/status."""
    for line in Path("/proc/self/status").read_text().splitlines():
        name, _, value = line.partition(":")
        if name == field:
            return int(value.split()[0]) * 1024
    raise KeyError(field)


def tiny_batch() -> Batch:
    """Three nodes in a ring, in every form."""
    indices = np.array([[[1], [2], [0]]])
    weights = np.ones((1, 3, 1), dtype=np.float32)
    terminals = np.eye(3, dtype=np.float32)[:, None, None, :]
    return Batch.of_links(Links(indices, weights, terminals[0], terminals[1]))


if __name__ == "__main__":
    batch = Batch.load(Path(sys.argv[1]))
    print(json.dumps(asdict(measure(batch, Contender(**json.loads(sys.argv[2]))))))
