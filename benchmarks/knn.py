"""K nearest neighbours of feature maps and point clouds, against what users write instead.

Indices are compared with a float64 brute force first; of the peers, which compute in float32, the
recall is printed. One thread of the CPU is timed by the processor's clock, all else by the wall's.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from benchmarks.knn_contenders import BARE, contenders
from benchmarks.probe import reset_peak, status_bytes
from benchmarks.timing import interleaved, summary, write_json
from graphcut_ext._knn.cpu import ROUNDS

SHAPES = ("16x1681x1280", "16x1681x64", "1x25921x64", "1x100000x32", "1x100000x3")
CHECKED = 256
"""Rows of an item that are compared."""
LEAST_RECALL = 0.99
WORKSPACE = 128 << 20
"""Bytes of memory that ours may take on the CPU beside outputs and copies of the points."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of this benchmark."""
    parser.add_argument("--shapes", nargs="+", default=SHAPES, help="items x points x channels")
    parser.add_argument("--k", type=int, nargs="+", default=[9])
    parser.add_argument("--peers", nargs="*", help="names of peers; by default all that suit")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--no-memory", action="store_true", help="do not measure peak memory")


def run(arguments: argparse.Namespace) -> None:
    """Check, time, print and store."""
    torch.set_num_threads(arguments.threads)
    results = {}
    for shape in arguments.shapes:
        for k in arguments.k:
            case = shape if k == arguments.k[0] else f"{shape}, K = {k}"
            results[case] = compare(shape, k, arguments)
            show(case, results[case], arguments)
    write_json(arguments.json, results, threads=arguments.threads, k=arguments.k[0], rounded=ROUNDS)


def compare(shape: str, k: int, arguments: argparse.Namespace) -> dict[str, dict[str, Any]]:
    """Check and time all that suit a shape."""
    x = cloud(shape, arguments.device)
    searches = contenders(x)
    if arguments.peers is not None:
        kept = {name for name in searches if name.startswith("gx.")} | set(arguments.peers)
        searches = {name: search for name, search in searches.items() if name in kept}
    recall = {
        name: check(name, search(x, k), x, k) for name, search in searches.items() if name != BARE
    }
    memory = {}
    if not arguments.no_memory:
        memory = {name: peak_bytes(shape, name, k, arguments) for name in searches}
        ours = memory["gx.knn"]
        if not x.is_cuda and ours is not None and ours > memory_bound(x, k):
            raise AssertionError(f"gx.knn takes {ours} bytes, more than {memory_bound(x, k)}")
    work = {name: partial(search, x, k) for name, search in searches.items()}
    one = arguments.threads == 1 and not x.is_cuda
    seconds = interleaved(work, arguments.repeats, time.process_time if one else time.perf_counter)
    return {
        name: summary(times) | {"recall": recall.get(name), "peak_bytes": memory.get(name)}
        for name, times in seconds.items()
    }


def memory_bound(x: Tensor, k: int) -> int:
    """Bytes beyond the input that ours takes at most on the CPU: linear in the points."""
    copies = x.shape[1] * max(x.shape[2] * x.itemsize, 24 * x.shape[2] if x.shape[2] <= 6 else 0)
    outputs = x.shape[0] * x.shape[1] * (12 * k + 8)
    return 3 * outputs + 2 * copies + WORKSPACE


def cloud(shape: str, device: str) -> Tensor:
    """Make random points."""
    batch, points, channels = map(int, shape.split("x"))
    generator = torch.Generator().manual_seed(0)
    return torch.randn(batch, points, channels, generator=generator).to(device)


def check(name: str, indices: Tensor, x: Tensor, k: int) -> float:
    """Share of the true neighbours that were found; ours must have all, in order."""
    rows = x.shape[1] // CHECKED * torch.arange(CHECKED) if x.shape[1] > CHECKED else slice(None)
    points = x[0].double()
    exact = torch.cdist(points[rows], points, compute_mode="donot_use_mm_for_euclid_dist")
    own = torch.arange(x.shape[1], device=x.device)[rows]
    exact[torch.arange(len(own), device=x.device), own] = torch.inf
    expected = exact.topk(k, largest=False).indices
    found = indices[0][rows]
    if name.startswith("gx.knn") and not torch.equal(found, expected):
        raise AssertionError(f"{name} differs from the float64 brute force")
    recall = float((found[:, :, None] == expected[:, None]).any(1).double().mean())
    if recall < LEAST_RECALL:
        raise AssertionError(f"{name} finds only {recall:.3f} of the neighbours")
    return recall


def peak_bytes(shape: str, name: str, k: int, arguments: argparse.Namespace) -> int | None:
    """Peak of memory above the input, in a process of its own."""
    command = [sys.executable, "-m", "benchmarks.knn", shape, name, str(k)]
    command += [arguments.device, str(arguments.threads)]
    root = Path(__file__).parents[1]
    done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=root)
    found: int | None = json.loads(done.stdout)
    return found


def measure(shape: str, name: str, k: int, device: str) -> int | None:
    """Search once; libraries are loaded and warm before."""
    x = cloud(shape, device)
    search = contenders(x)[name]
    search(x[:1, : 2 * k + 2].contiguous(), k)
    if x.is_cuda:
        before = torch.cuda.memory_allocated()
        torch.cuda.reset_peak_memory_stats()
        search(x, k)
        return torch.cuda.max_memory_allocated() - before
    start = reset_peak()
    search(x, k)
    return None if start is None else status_bytes("VmHWM") - start


def show(case: str, rows: dict[str, dict[str, Any]], arguments: argparse.Namespace) -> None:
    """Print a table."""
    ours = rows["gx.knn"]["median_ms"]
    bare = rows[BARE]["median_ms"] if BARE in rows else None
    print(
        f"\n{case} (items x points x channels), K = {arguments.k[0]} where none is named, float32 "
        f"on {arguments.device}, {arguments.threads} threads; our indices equal to float64 brute "
        "force"
    )
    print(f"{'':28}{'ms':>10}{'q1':>10}{'q3':>10}{'/ ours':>8}{'/ bmm':>8}{'recall':>9}{'MB':>8}")
    for name, row in rows.items():
        ms, peak = row["median_ms"], row["peak_bytes"]
        cells = [
            f"{ms:10.1f}{row['q1_ms']:10.1f}{row['q3_ms']:10.1f}{ms / ours:8.2f}",
            f"{'-' if bare is None else format(ms / bare, '.2f'):>8}",
            f"{'-' if row['recall'] is None else format(row['recall'], '.5f'):>9}",
            f"{'-' if peak is None else format(peak / 1e6, '.0f'):>8}",
        ]
        print(f"{name:28}" + "".join(cells))


if __name__ == "__main__":
    shape, name, k, device, threads = sys.argv[1:]
    torch.set_num_threads(int(threads))
    print(json.dumps(measure(shape, name, int(k), device)))
