"""Minimum cuts, build, solve and labels, against PyMaxflow, OR-tools, SciPy and igraph.

All contenders are compared first, on integer capacities, where every solver is exact. Then they are
timed in turn, in one process. Peers get their arrays in the form they like best, mutual pairs
already merged; graphcut_ext is timed on merged edges, on unmerged edges and on neighbour lists.
Times are of the processor with ``--threads 1`` alone, else of the wall.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from benchmarks.checks import check
from benchmarks.contenders import Contender, lineup, prepare
from benchmarks.families import FAMILIES
from benchmarks.peers import PEERS, REFERENCE
from benchmarks.plot import plot
from benchmarks.probe import Probe, probe
from benchmarks.problem import Batch
from benchmarks.report import family_result, print_family, rows
from benchmarks.timing import interleaved, write_json
from graphcut_ext import SOLVERS

LARGE = 10_000  # nodes from which memory is measured
MEMORY_LIMIT = 600  # seconds


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of this benchmark."""
    parser.add_argument("--families", nargs="+", choices=tuple(FAMILIES), default=tuple(FAMILIES))
    parser.add_argument("--solvers", nargs="+", choices=SOLVERS, default=SOLVERS)
    parser.add_argument("--peers", nargs="*", choices=tuple(PEERS), default=tuple(PEERS))
    parser.add_argument("--graphs", type=int, default=64, help="graphs in knn41, dgcn41 (64)")
    parser.add_argument("--scale", type=float, default=1.0, help="of the sides of all graphs (1)")
    parser.add_argument(
        "--threads", type=int, nargs="+", default=[1, 2], help="the second and on: batches only"
    )
    parser.add_argument(
        "--peer-limit",
        type=float,
        default=4.0,
        help=f"leave out peers other than {REFERENCE} that need more seconds for a family (4)",
    )
    parser.add_argument("--no-memory", action="store_true", help="do not measure peak memory")
    parser.add_argument("--plot", help="draw the ratios into this file (.png, .svg)")


def run(arguments: argparse.Namespace) -> None:
    """Check, time, print, store and draw; what was measured before a failure is stored too."""
    peers = installed(arguments.peers)
    results: dict[str, Any] = {}
    try:
        for family in arguments.families:
            results[family] = compare(family, arguments, peers)
            print_family(family, results[family])
    finally:
        if results:
            versions = {name: PEERS[name].version for name in peers}
            clock = clock_of(arguments.threads).__name__
            about = {"peers": versions, "repeats": arguments.repeats, "clock": clock}
            write_json(arguments.json, results, **about)
    if arguments.plot:
        plot(results, arguments.plot)


def clock_of(threads: Sequence[int]) -> Callable[[], float]:
    """Time of the processor for one thread, which other work does not add to; else of the wall."""
    return time.process_time if set(threads) == {1} else time.perf_counter


def installed(peers: Sequence[str]) -> list[str]:
    """The peers that can be run; the others are named."""
    missing = [name for name in peers if PEERS[name].version is None]
    for name in missing:
        print(f"{name} is not installed and is left out (pip install '.[bench]')")
    return [name for name in peers if name not in missing]


def compare(family: str, arguments: argparse.Namespace, peers: Sequence[str]) -> dict[str, Any]:
    """Measure one family."""
    begin = time.perf_counter()
    batch = FAMILIES[family](arguments.scale, arguments.graphs)
    generation = time.perf_counter() - begin
    contenders = lineup(batch, arguments.solvers, arguments.threads, peers)
    with tempfile.TemporaryDirectory() as folder:
        stored = Path(folder) / "batch.npz"
        batch.save(stored)
        skipped = too_slow(stored, contenders, arguments.peer_limit)
        contenders = [c for c in contenders if c.label not in skipped]
        check(batch, contenders)
        memory = {}
        if not arguments.no_memory and batch.problems[0].nodes >= LARGE:
            first = batch.first()
            first.save(stored)
            single = [c for c in contenders if c.threads == arguments.threads[0] or not c.ours]
            memory = {c: per_edge(probe(stored, c, MEMORY_LIMIT), first) for c in single}
    seconds = interleaved(
        prepare(contenders, batch), arguments.repeats, clock_of(arguments.threads)
    )
    return family_result(batch, generation, rows(batch, seconds, memory), skipped)


def too_slow(stored: Path, contenders: Sequence[Contender], limit: float) -> dict[str, str]:
    """Reasons, by label, to leave out peers that do not end in time when tried once."""
    reasons = {}
    for contender in contenders:
        if contender.ours or contender.operator == REFERENCE:
            continue
        tried = probe(stored, contender, limit)
        if tried is None:
            reasons[contender.label] = f"did not end within {limit:g} s"
    return reasons


def per_edge(probed: Probe | None, batch: Batch) -> float | None:
    """Peak bytes above the input, by edge."""
    if probed is None or probed.peak_bytes is None:
        return None
    return probed.peak_bytes / batch.edges
