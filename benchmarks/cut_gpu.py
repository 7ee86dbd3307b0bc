"""Batches of minimum cuts over neighbour graphs: the device against all cores, and PyMaxflow.

Build, solve and labels, from tensors where they are solved. All are compared first: on integer
capacities labels and values are equal; on float32 values agree. The floor is the time in which the
device reads the problem and writes the answer once, at the bandwidth that it copies with.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

import graphcut_ext as gx
from benchmarks.checks import TOLERANCE
from benchmarks.device import bandwidth, require_cuda
from benchmarks.families.knn import BATCH_CHANNELS, neighbour_links
from benchmarks.peers import PEERS, REFERENCE
from benchmarks.problem import Links
from benchmarks.timing import interleaved, summary, write_json
from graphcut_ext._maxflow.neighbours_cuda import device_cuts

FAMILIES = {"knn41": "weighted", "dgcn41": "unit"}
SIDE = 41
DEVICE = "device push_relabel"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of this benchmark."""
    parser.add_argument("--families", nargs="+", choices=tuple(FAMILIES), default=tuple(FAMILIES))
    parser.add_argument("--graphs", type=int, nargs="+", default=[16, 64, 256, 1024])
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--cpu-only", action="store_true", help="time the CPU rows alone")


def run(arguments: argparse.Namespace) -> None:
    """Check, time, print and store."""
    if not arguments.cpu_only:
        require_cuda("cut_gpu", "--cpu-only times the CPU rows alone")
    speed = None if arguments.cpu_only else bandwidth()
    results: dict[str, Any] = {}
    for family in arguments.families:
        whole = neighbour_links(FAMILIES[family], SIDE, max(arguments.graphs), BATCH_CHANNELS)
        for count in arguments.graphs:
            links = Links(*(a[:count] for a in vars(whole).values()))
            results[f"{family}, {count} graphs"] = found = compare(links, arguments)
            found["floor_ms"] = None if speed is None else found["bytes"] / speed * 1e3
            show(f"{family}, {count} graphs", found)
    write_json(arguments.json, results, threads=arguments.threads, bandwidth_bytes_per_second=speed)


def compare(links: Links, arguments: argparse.Namespace) -> dict[str, Any]:
    """Check and measure one batch."""
    check(links.to_integers(), arguments, exact=True)
    check(links, arguments, exact=False)
    rows: dict[str, dict[str, Any]] = {
        name: dict(summary(times))
        for name, times in interleaved(contenders(links, arguments), arguments.repeats).items()
    }
    for row in rows.values():
        row["graphs_per_second"] = len(links.indices) / row["median_ms"] * 1e3
    found: dict[str, Any] = {"rows": rows, "bytes": least_bytes(links)}
    if not arguments.cpu_only:
        work = device_cuts(*(t.cuda() for t in tensors(links))).work.double()
        names = ("rounds", "updates", "levels")
        found["work"] = dict(zip(names, work.mean((0, 1)).tolist(), strict=True))
    return found


def tensors(links: Links) -> tuple[Tensor, ...]:
    """What the operator takes."""
    return tuple(torch.from_numpy(a) for a in vars(links).values())


def contenders(links: Links, arguments: argparse.Namespace) -> dict[str, Callable[[], Any]]:
    """Work by name."""
    graphs = tensors(links)
    threads = arguments.threads
    found: dict[str, Callable[[], Any]] = {}
    if not arguments.cpu_only:
        on_device = [t.cuda() for t in graphs]

        def device() -> gx.MinCut:
            return gx.knn_maxflow(*on_device, solver="push_relabel")  # type: ignore[arg-type]

        found[DEVICE] = device
    for solver in ("auto", "bk"):
        found[f"CPU {solver}, {threads} threads"] = lambda solver=solver: gx.knn_maxflow(
            *graphs, solver=solver, num_threads=threads
        )
    if PEERS[REFERENCE].version is not None:
        peer = PEERS[REFERENCE]
        inputs = [peer.arrays(links.problem(i, merged=True)) for i in range(len(links.indices))]
        found[f"{REFERENCE}, 1 thread"] = lambda: [peer.solve(*arrays) for arrays in inputs]
    return found


def check(links: Links, arguments: argparse.Namespace, *, exact: bool) -> None:
    """Raise ``AssertionError`` unless all agree: labels of ours where ``exact``, values always."""
    values, sides = {}, {}
    for name, work in contenders(links, arguments).items():
        result = work()
        if isinstance(result, list):
            values[name] = torch.tensor([value for value, _ in result], dtype=torch.float64)
            continue
        values[name] = result.value.double().flatten().cpu()
        sides[name] = result.source_side.cpu()
    first = next(iter(values))
    for name, value in values.items():
        if not torch.allclose(value, values[first], rtol=0 if exact else TOLERANCE, atol=0):
            raise AssertionError(f"values of {first} and {name} differ")
    for name, side in sides.items():
        if exact and not torch.equal(side, sides[first]):
            raise AssertionError(f"labels of {first} and {name} differ")


def least_bytes(links: Links) -> int:
    """What is read and written at least: the four arguments, labels and values."""
    labels = links.source.size
    return sum(int(a.nbytes) for a in vars(links).values()) + labels + 8 * len(links.indices)


def show(name: str, found: dict[str, Any]) -> None:
    """Print a table."""
    floor = found["floor_ms"]
    at_best = "" if floor is None else f", {floor:.3f} ms at the bandwidth of a copy"
    print(f"\n{name}: {found['bytes'] / 1e6:.1f} MB to read and write{at_best}")
    if "work" in found:
        print("  " + ", ".join(f"{value:.1f} {key}" for key, value in found["work"].items()))
    reference = next(iter(found["rows"].values()))["median_ms"]
    print(f"{'':28}{'ms':>10}{'q1':>10}{'q3':>10}{'graphs/s':>12}{'/ first':>9}{'/ floor':>9}")
    for label, row in found["rows"].items():
        ms = row["median_ms"]
        over = "-" if floor is None else f"{ms / floor:.1f}"
        print(
            f"{label:28}{ms:10.2f}{row['q1_ms']:10.2f}{row['q3_ms']:10.2f}"
            f"{row['graphs_per_second']:12.0f}{ms / reference:9.2f}{over:>9}"
        )
