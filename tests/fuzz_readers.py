"""Fuzz targets of everything that reads files: damaged, odd and hostile ones.

``python tests/fuzz_readers.py [-max_total_time=S] [-runs=N] [-seed=N] [-artifact_prefix=PATH]
[READER...]`` gives each reader of `READERS` inputs for so long. They are made of sound files, by
changed bytes and by changed content that is written anew, so that checksums are right. An input
must be refused with the reader's documented error, or be read; in `LONGEST` seconds and `MEMORY`
more bytes. Anything else is a failure, and the input stays in PATH. A number of runs and a seed
make the same inputs every time.
"""

from __future__ import annotations

import math
import random
import resource
import signal
import sys
import tempfile
import time
import traceback
from pathlib import Path
from types import FrameType
from typing import NoReturn

import torch
from fuzz_changes import changed_bytes
from fuzz_formats import READERS, network

LONGEST = 20
MEMORY = 3 << 30


class Hang(BaseException):
    """Reading takes too long."""


def hang(_: int, __: FrameType | None) -> NoReturn:
    raise Hang(f"it takes more than {LONGEST} s")


def fuzz(name: str, seed: int, runs: float, seconds: float, prefix: str) -> bool:
    """Give a reader inputs; whether all went well."""
    reader, draw = READERS[name], random.Random(f"{seed} {name}")
    count = refused = 0
    begin = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, f"input{reader.suffix}")
        seeds = reader.seeds(Path(folder))
        for sound in seeds:
            path.write_bytes(sound)
            try:
                reader.read(path)
            except reader.refused as error:
                if name not in ("class_list", "mask"):  # one of these seeds is refused
                    raise AssertionError(f"a sound file is refused: {error}") from error
        kept = list(seeds)
        while count < runs and time.monotonic() - begin < seconds:
            if reader.remade is not None and draw.random() < 0.5:
                try:
                    data = reader.remade(draw)
                except Exception:
                    continue  # such content cannot be written
                if draw.random() < 0.2:
                    data = changed_bytes(data, draw, kept)
            else:
                data = changed_bytes(draw.choice(kept), draw, kept)
            path.write_bytes(data)
            count += 1
            signal.alarm(LONGEST)
            try:
                reader.read(path)
            except reader.refused:
                refused += 1
            except BaseException as error:
                signal.alarm(0)
                kept_at = Path(f"{prefix}{name}{reader.suffix}")
                kept_at.parent.mkdir(parents=True, exist_ok=True)
                kept_at.write_bytes(data)
                traceback.print_exception(error)
                print(f"{name}: {error!r:.200} after {count} inputs from seed {seed}: {kept_at}")
                return False
            finally:
                signal.alarm(0)
            if draw.random() < 0.05 and len(data) < 1 << 14:
                kept[draw.randrange(len(seeds), len(seeds) + 50) :] = [data]
    print(
        f"{name}: {count} inputs from seed {seed} in {time.monotonic() - begin:.0f} s, "
        f"{refused} refused, no failure",
        flush=True,
    )
    return True


def limit_memory() -> None:
    """Let allocations beyond `MEMORY` more than now fail."""
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    most = pages * resource.getpagesize() + MEMORY
    resource.setrlimit(resource.RLIMIT_AS, (most, resource.getrlimit(resource.RLIMIT_AS)[1]))


def main() -> int:
    """Fuzz the readers that are named, or all."""
    options: dict[str, str] = {}
    names = []
    for argument in sys.argv[1:]:
        if argument.startswith("-"):
            key, _, value = argument.partition("=")
            options[key] = value
        else:
            names.append(argument)
    seed = int(options.get("-seed", random.SystemRandom().randrange(1 << 32)))
    runs = float(options.get("-runs", math.inf))
    seconds = float(options.get("-max_total_time", 60 if runs == math.inf else math.inf))
    torch.set_num_threads(1)
    signal.signal(signal.SIGALRM, hang)
    network()  # what is loaded once does not count
    limit_memory()
    prefix = options.get("-artifact_prefix", "failed-")
    results = [fuzz(name, seed, runs, seconds, prefix) for name in names or READERS]
    return int(not all(results))


if __name__ == "__main__":
    sys.exit(main())
