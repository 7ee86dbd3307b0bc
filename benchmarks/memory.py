"""One large grid: time, and peak memory above the input, of a minimum cut.

The same grid with fewer nodes is compared with PyMaxflow and SciPy first.
"""

from __future__ import annotations

import argparse
import time
from typing import Any

import numpy as np

import graphcut_ext as gx
from benchmarks.checks import check
from benchmarks.contenders import lineup, our_input
from benchmarks.families.grid import random_grid
from benchmarks.maxflow import installed
from benchmarks.probe import reset_peak, status_bytes
from benchmarks.problem import Batch
from benchmarks.timing import write_json
from graphcut_ext import SOLVERS

PEERS = ("PyMaxflow", "SciPy")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of this benchmark."""
    parser.add_argument("--nodes", type=int, default=10_000_000, help="about so many (10000000)")
    parser.add_argument("--solvers", nargs="+", choices=SOLVERS, default=["auto"])
    parser.add_argument("--check-nodes", type=int, default=90_000, help="of the comparison (90000)")


def run(arguments: argparse.Namespace) -> None:
    """Compare, measure once, print and store."""
    small = Batch((random_grid(round(arguments.check_nodes**0.5)),))
    peers = installed(PEERS)
    check(small, lineup(small, arguments.solvers, [1], peers))
    print(f"{small.nodes} nodes: the same value as {' and '.join(peers)}")
    batch = Batch((random_grid(round(arguments.nodes**0.5)),))
    print(f"{batch.nodes} nodes, {batch.edges} edges, {batch.problems[0].capacity.dtype}")
    results: dict[str, Any] = {"nodes": batch.nodes, "edges": batch.edges, "solvers": {}}
    tensors, _ = our_input(lineup(batch, ["auto"], [1], [])[0], batch)
    input_bytes = sum(t.nbytes for t in tensors)
    del small
    for solver in arguments.solvers:
        gx.maxflow(*(t[..., :0] for t in tensors), solver=solver, num_threads=1)
        before = reset_peak()
        begin = time.perf_counter()
        cut = gx.maxflow(*tensors, solver=solver, num_threads=1)
        seconds = time.perf_counter() - begin
        peak = None if before is None else status_bytes("VmHWM") - before
        value, side = cut.value.item(), cut.source_side.numpy()
        if batch.problems[0].cut_value(side) != value:
            raise AssertionError(f"{solver}: the source set does not cost {value}")
        results["solvers"][solver] = {
            "seconds": seconds,
            "value": value,
            "source_nodes": int(np.count_nonzero(side)),
            "peak_bytes": peak,
            "peak_bytes_per_edge": None if peak is None else peak / batch.edges,
            "input_bytes_per_edge": input_bytes / batch.edges,
        }
        shown = "-" if peak is None else f"{peak / batch.edges:.1f}"
        print(
            f"{solver:14}{seconds:8.1f} s{shown:>8} bytes per edge above the input "
            f"({input_bytes / batch.edges:.1f}), value {value:.0f}, "
            f"{np.count_nonzero(side) / batch.nodes:.1%} of the nodes on the source side"
        )
    command = f"python -m benchmarks memory --nodes {arguments.nodes} --solvers "
    write_json(arguments.json, results, command=command + " ".join(arguments.solvers))
