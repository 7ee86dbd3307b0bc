"""How good the choice of a solver is, on graphs that it was derived on and on others.

Regret is the time of "auto" over that of the fastest solver: whole calls of one thread, CPU time,
the minimum of the rounds. Even draws of every kind are there to derive rules from, odd ones to
check them. All solvers are compared first: they find the same sets, on integers as float32.
"""

from __future__ import annotations

import argparse
import math
import time
from collections.abc import Callable, Sequence
from typing import Any

import torch

from benchmarks.contenders import EDGE_LISTS, Contender, our_input, our_work
from benchmarks.families.drawn import KINDS
from benchmarks.problem import Batch
from benchmarks.timing import interleaved, write_json
from graphcut_ext import SOLVERS

HALVES = ("derived on", "checked on")
INTEGERS = ("int32", "int64")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of this benchmark."""
    parser.add_argument("--kinds", nargs="+", choices=tuple(KINDS), default=tuple(KINDS))
    parser.add_argument("--draws", type=int, default=6, help="of each kind, half of them even (6)")
    parser.add_argument("--first", type=int, default=0, help="the first draw, an even number (0)")
    parser.add_argument("--dtypes", nargs="*", choices=INTEGERS, default=INTEGERS)


def run(arguments: argparse.Namespace) -> None:
    """Time every draw of every kind, print the table and store what it was made of."""
    torch.set_num_threads(1)
    results: dict[str, list[dict[str, Any]]] = {}
    width = max(len(kind) for kind in arguments.kinds)
    heads = (*HALVES, "worst", *(f"{dtype} / float32" for dtype in arguments.dtypes))
    print(f"{'':{width}}" + "".join(f"{head:>17}" for head in heads) + "  fastest")
    for kind in arguments.kinds:
        draws = range(arguments.first, arguments.first + arguments.draws)
        results[kind] = [
            measure(KINDS[kind](draw), draw, arguments.dtypes, arguments.repeats) for draw in draws
        ]
        print(f"{kind:{width}}{line(results[kind], arguments.dtypes)}", flush=True)
    everything = [row for rows in results.values() for row in rows]
    print(f"{'all':{width}}{line(everything, arguments.dtypes)}")
    write_json(arguments.json, results, clock="process_time")


def measure(batch: Batch, draw: int, dtypes: Sequence[str], repeats: int) -> dict[str, Any]:
    """Seconds of every solver on float32 and of "auto" on integers, and the regret."""
    whole = Batch(batch.problems).to_integers()
    work: dict[str, Callable[[], Any]] = {}
    for solver in SOLVERS:
        work[solver] = call(whole, solver, torch.float32)
    for dtype in dtypes:
        work[dtype] = call(whole, "auto", getattr(torch, dtype))
    found = {name: solve() for name, solve in work.items()}
    for name, cut in found.items():
        if not torch.equal(cut.source_side, found["auto"].source_side):
            raise AssertionError(f"{name} finds another set than auto")
    seconds = {
        name: min(rounds) for name, rounds in interleaved(work, repeats, time.process_time).items()
    }
    own = {solver: seconds[solver] for solver in SOLVERS if solver != "auto"}
    fastest = min(own, key=own.__getitem__)
    return {
        "draw": draw,
        "half": HALVES[draw % 2],
        "seconds": seconds,
        "fastest": fastest,
        "regret": seconds["auto"] / own[fastest],
    }


def call(batch: Batch, solver: str, dtype: torch.dtype) -> Callable[[], Any]:
    """``gx.maxflow`` with capacities of ``dtype``, from arrays in memory to labels."""
    contender = Contender(EDGE_LISTS, solver, 1)
    (ends, *capacities), options = our_input(contender, batch)
    if "reverse_capacity" in options:
        options = options | {"reverse_capacity": options["reverse_capacity"].to(dtype)}
    return our_work(contender, (ends, *(c.to(dtype) for c in capacities)), options)


def line(rows: Sequence[dict[str, Any]], dtypes: Sequence[str]) -> str:
    """Mean regret of either half, the worst, what integers take, and who is the fastest."""
    halves = [[row["regret"] for row in rows if row["half"] == half] for half in HALVES]
    numbers = [mean(regrets) for regrets in halves]
    numbers.append(max(row["regret"] for row in rows))
    numbers += [mean([row["seconds"][d] / row["seconds"]["auto"] for row in rows]) for d in dtypes]
    fastest = [row["fastest"] for row in rows]
    counts = ", ".join(f"{name} {fastest.count(name)}" for name in sorted(set(fastest)))
    return "".join(f"{number:17.2f}" for number in numbers) + f"  {counts}"


def mean(ratios: Sequence[float]) -> float:
    """Geometric mean; NaN of nothing."""
    return math.exp(sum(map(math.log, ratios)) / len(ratios)) if ratios else math.nan
