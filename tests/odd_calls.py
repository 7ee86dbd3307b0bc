"""The operators and the compiled core's bindings, called with odd arguments.

``python tests/odd_calls.py [-runs=N] [-seed=N] [-core=FOLDER]``: sound arguments of which some
are replaced: other types, shapes and strides, no elements, views, misaligned memory, NaN, huge
counts. A call must return, or raise one of `REFUSED`. It is meant for a core that is built with
sanitizers, see ``make sanitize-python``, which ends the process at an access beyond an array; the
file ``odd-call`` in the folder of temporary files then holds the call.
"""

from __future__ import annotations

import importlib.util
import random
import sys
import tempfile
import traceback
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from odd_values import changes_values, described, odd


def load_core(folder: str) -> None:
    """Take the compiled core of another folder, before the package is imported."""
    (path,) = Path(folder).glob("_core*.so")
    spec = importlib.util.spec_from_file_location("graphcut_ext._core", path)
    assert spec is not None
    assert spec.loader is not None
    sys.modules[spec.name] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(sys.modules[spec.name])


OPTIONS = dict(argument.split("=", 1) for argument in sys.argv[1:])
if "-core" in OPTIONS:
    load_core(OPTIONS["-core"])

import odd_bindings  # noqa: E402
import odd_operators  # noqa: E402

REFUSED = (TypeError, ValueError, IndexError, NotImplementedError, MemoryError, OverflowError)


def call(draw: random.Random, note: Path) -> bool:
    """Make one call; whether it returned."""
    ordered: list[Any] = []
    named: dict[str, Any] = {}
    operator: Callable[..., object]
    if draw.random() < 0.6:
        operator, named = odd_operators.sound(draw)
        for name in draw.sample(list(named), k=min(len(named), draw.choice((0, 1, 1, 1, 2)))):
            named[name] = odd(named[name], draw)
            if name == "iterations" and isinstance(named[name], int) and named[name] > 1000:
                named[name] = 50  # as many would be made
    else:
        operator, ordered = odd_bindings.sound(draw)
        for at in draw.sample(range(len(ordered)), k=min(len(ordered), draw.choice((0, 1, 1, 2)))):
            # Values are checked by the callers, and so are numbers of threads and rounds.
            if isinstance(ordered[at], np.ndarray):
                before, ordered[at] = ordered[at], odd(ordered[at], draw)
                if changes_values(before, ordered[at]):
                    ordered[at] = before
    given = [described(v) for v in ordered] + [f"{k}={described(v)}" for k, v in named.items()]
    note.write_text(f"{getattr(operator, '__name__', operator)}({', '.join(given)})\n")
    try:
        operator(*ordered, **named)
    except REFUSED:
        return False
    except RuntimeError as error:
        if "allocate memory" not in str(error):
            raise
        return False
    return True


def main() -> int:
    seed, runs = int(OPTIONS.get("-seed", 1)), int(OPTIONS.get("-runs", 4000))
    warnings.simplefilter("ignore")
    torch.set_num_threads(2)
    draw, note, returned = random.Random(seed), Path(tempfile.gettempdir(), "odd-call"), 0
    for run in range(runs):
        try:
            returned += call(draw, note)
        except Exception:
            traceback.print_exc()
            print(f"call {run} of seed {seed}: {note.read_text()}")
            return 1
    note.unlink(missing_ok=True)
    print(f"{runs} odd calls from seed {seed}: {returned} returned, {runs - returned} were refused")
    return 0


if __name__ == "__main__":
    sys.exit(main())
