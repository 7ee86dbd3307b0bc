"""What a call costs on the smallest problems, beside PyMaxflow; CPU time of one thread.

The first call of each operator is timed in a process of its own, after ``import torch`` and
``import graphcut_ext``. The others are repeated, all contenders in turn in every round.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from importlib.util import find_spec
from typing import Any

import numpy as np
import torch

import graphcut_ext as gx
from benchmarks.timing import write_json

CALLS = 500  # in a round
PEER = "PyMaxflow, all of it"

FIRST = """
import time, torch, graphcut_ext as gx
from benchmarks.calls import contenders
call = contenders()[{name!r}]
begun = time.process_time()
call()
print(time.process_time() - begun)
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of this benchmark."""
    parser.add_argument("--calls", type=int, default=CALLS, help="calls in a round")


def contenders() -> dict[str, Callable[[], object]]:
    """Return the calls by name: graphs of three nodes, four points, images of 4 x 4 pixels."""
    ends = torch.tensor([[0, 1], [1, 2]])
    edges, source, sink = torch.tensor([3.0, 1.0]), torch.zeros(3), torch.zeros(3)
    source[0], sink[2] = 5, 4
    leaf = edges.clone().requires_grad_()
    indices, weights = torch.tensor([[[1], [0], [1]]]), torch.ones(1, 3, 1)
    points, p = torch.arange(12.0).view(4, 3), torch.full((2, 4, 4), 0.5)
    moved = points.clone().requires_grad_()
    tails, heads = ends.numpy()
    columns = [t.double().numpy() for t in (edges, source, sink)]

    def graph() -> Any:
        cut = gx.Graph()
        nodes = cut.add_nodes(3)
        cut.add_edges(tails, heads, columns[0])
        cut.set_terminals(nodes, columns[1], columns[2])
        cut.solve()
        return cut.source_side

    def neighbours() -> object:
        return gx.knn_maxflow(indices, weights, source[None, None], sink[None, None])

    calls: dict[str, Callable[[], object]] = {
        "gx.maxflow": lambda: gx.maxflow(ends, edges, source, sink),
        "gx.maxflow, forward and backward": lambda: gx.maxflow(
            ends, leaf, source, sink
        ).value.backward(),
        "gx.Graph, all of it": graph,
        "gx.knn_maxflow": neighbours,
        "gx.knn": lambda: gx.knn(points, 2),
        "gx.knn, forward and backward": lambda: gx.knn(moved, 2).distances.sum().backward(),
        "gx.dense_crf": lambda: gx.dense_crf(p, torch.zeros(3, 4, 4)),
    }
    if find_spec("maxflow"):
        calls[PEER] = lambda: pymaxflow(tails, heads, *columns)
    return calls


def pymaxflow(tails: Any, heads: Any, edges: Any, source: Any, sink: Any) -> Any:
    """Build, solve and label the same graph; True on the sink side."""
    import maxflow

    cut = maxflow.GraphFloat()
    nodes = cut.add_nodes(3)
    cut.add_edges(tails, heads, edges, edges)
    cut.add_grid_tedges(nodes, source, sink)
    cut.maxflow()
    return cut.get_grid_segments(nodes)


def first_call(name: str) -> float:
    """Return the seconds that the first call takes in a new process."""
    command = [sys.executable, "-c", FIRST.format(name=name)]
    return float(subprocess.run(command, capture_output=True, text=True, check=True).stdout)


def run(arguments: argparse.Namespace) -> None:
    """Time the calls and print microseconds."""
    torch.set_num_threads(1)
    calls = contenders()
    if PEER in calls:
        assert (np.asarray(calls[PEER]()) != calls["gx.Graph, all of it"]()).all()
    rounds: dict[str, list[float]] = {name: [] for name in calls}
    for _ in range(arguments.repeats + 1):
        for name, call in calls.items():
            begun = time.process_time()
            for _ in range(arguments.calls):
                call()
            rounds[name].append((time.process_time() - begun) / arguments.calls)
    rows = {
        name: {
            "microseconds": statistics.median(seconds[1:]) * 1e6,
            "first_call_ms": first_call(name) * 1e3,
        }
        for name, seconds in rounds.items()
    }
    print(f"{'':34}{'us':>8}{'first, ms':>12}")
    for name, row in rows.items():
        print(f"{name:34}{row['microseconds']:8.1f}{row['first_call_ms']:12.2f}")
    write_json(arguments.json, rows)
