"""The dense CRF against pydensecrf, on scikit-image's photographs.

Marginals are compared first. Ours are timed as `graphcut_ext.dense_crf` is called, the unary
potentials included; pydensecrf gets them ready-made, picture by picture, as its users call it.
Where it is not installed, our lattice on the CPU stands in its place. With ``--threads 1`` the
processor's time is taken, otherwise that of the wall.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from functools import partial
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import torch
from skimage import data
from torch import Tensor
from torch.nn.functional import interpolate

import graphcut_ext as gx
from benchmarks.probe import reset_peak, status_bytes
from benchmarks.timing import interleaved, summary, write_json

PHOTOGRAPHS = ("astronaut", "chelsea", "coffee", "rocket")
ITERATIONS = 10


@dataclass(frozen=True)
class Case:
    """Pictures of one size with the kernels used at that size."""

    items: int
    height: int
    width: int
    gaussian: tuple[float, float]
    bilateral: tuple[float, float, float]
    labels: int = 21


CASES = {
    "training": Case(16, 41, 41, (3 / 12, 3.0), (80 / 12, 13.0, 10.0)),
    "test": Case(1, 375, 500, (3.0, 3.0), (80.0, 13.0, 10.0)),
    "two labels": Case(1, 375, 500, (3.0, 3.0), (80.0, 13.0, 10.0), labels=2),
}
PEER = "pydensecrf" if find_spec("pydensecrf") else "gx.dense_crf on the CPU"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of this benchmark."""
    parser.add_argument("--cases", nargs="+", default=list(CASES), choices=list(CASES))
    parser.add_argument("--threads", nargs="+", type=int, default=[1, 2])
    parser.add_argument("--device", default="cpu")


def run(arguments: argparse.Namespace) -> None:
    """Check, time, print and store."""
    results = {}
    for name in arguments.cases:
        case = CASES[name]
        p, images = scene(case)
        peer = by_peer(case, p, images)
        work: dict[str, Callable[[], Tensor]] = {PEER: peer}
        work |= ours(case, p.to(arguments.device), images.to(arguments.device), arguments)
        difference = check(work)
        seconds = interleaved(work, arguments.repeats, clock_of(arguments))
        rows = {row: summary(times) | {"peak_bytes": None} for row, times in seconds.items()}
        if arguments.device == "cpu":
            for row in rows:
                rows[row]["peak_bytes"] = peak_bytes(name, row)
        results[name] = {"case": asdict(case), "difference": difference, "rows": rows}
        show(name, case, difference, rows)
    write_json(arguments.json, results, iterations=ITERATIONS)


def clock_of(arguments: argparse.Namespace) -> Callable[[], float]:
    """The processor's clock where one thread alone works, so that other work does not count."""
    alone = arguments.device == "cpu" and arguments.threads == [1]
    return time.process_time if alone else time.perf_counter


def scene(case: Case) -> tuple[Tensor, Tensor]:
    """Probabilities (B, L, H, W) as a network gives them, and photographs (B, 3, H, W)."""
    generator = torch.Generator().manual_seed(0)
    size = (case.height, case.width)
    blobs = torch.randn(case.items, case.labels, 6, 6, generator=generator)
    p = interpolate(3 * blobs, size, mode="bicubic").softmax(1)
    images = []
    for item in range(case.items):
        pixels = getattr(data, PHOTOGRAPHS[item % len(PHOTOGRAPHS)])()
        planes = torch.from_numpy(pixels).permute(2, 0, 1)[None].float()
        small = interpolate(planes, size, mode="bilinear", antialias=True)
        images.append(small[0].round().byte())
    return p, torch.stack(images)


def ours(
    case: Case, p: Tensor, images: Tensor, arguments: argparse.Namespace
) -> dict[str, Callable[[], Tensor]]:
    """Our contenders by name."""
    leaf = p.clone().requires_grad_()

    def infer(method: str, threads: int | None, p: Tensor = p) -> Tensor:
        return gx.dense_crf(
            p,
            images,
            iterations=ITERATIONS,
            gaussian=case.gaussian,
            bilateral=case.bilateral,
            method=method,
            num_threads=threads,
        )

    def differentiate() -> Tensor:
        marginals = infer("lattice", 1, leaf)
        marginals.backward(p)
        return marginals.detach()

    found = {}
    if arguments.device == "cpu":
        for threads in arguments.threads:
            name = f"gx.dense_crf, {threads} thread{'s' if threads > 1 else ''}"
            found[name] = partial(infer, "lattice", threads)
        found["gx.dense_crf and gradient, 1 thread"] = differentiate
    else:
        found["gx.dense_crf, lattice"] = partial(infer, "lattice", None)
        if case.height * case.width <= 1 << 12:
            found["gx.dense_crf, exact"] = partial(infer, "exact", None)
    return found


def by_peer(case: Case, p: Tensor, images: Tensor) -> Callable[[], Tensor]:
    """The peer; pydensecrf has no batches and no threads."""
    if not find_spec("pydensecrf"):
        settings = argparse.Namespace(device="cpu", threads=[torch.get_num_threads()])
        return next(iter(ours(case, p, images, settings).values()))
    from pydensecrf import densecrf

    unary = np.ascontiguousarray(-p.log().flatten(2).numpy())
    pictures = np.ascontiguousarray(images.permute(0, 2, 3, 1).numpy())

    def infer() -> Tensor:
        marginals = []
        for energy, picture in zip(unary, pictures, strict=True):
            field = densecrf.DenseCRF2D(case.width, case.height, case.labels)
            field.setUnaryEnergy(energy)
            field.addPairwiseGaussian(sxy=case.gaussian[0], compat=case.gaussian[1])
            field.addPairwiseBilateral(
                sxy=case.bilateral[0],
                srgb=case.bilateral[1],
                rgbim=picture,
                compat=case.bilateral[2],
            )
            marginals.append(np.array(field.inference(ITERATIONS)))
        return torch.from_numpy(np.stack(marginals)).view_as(p)

    return infer


def check(work: dict[str, Callable[[], Tensor]]) -> dict[str, dict[str, float]]:
    """Differences from the peer; labels must agree."""
    found = {name: infer().cpu() for name, infer in work.items()}
    expected = found.pop(PEER)
    differences = {}
    for name, marginals in found.items():
        same = float((marginals.argmax(1) == expected.argmax(1)).float().mean())
        least = 0.9 if "exact" in name else 0.999
        if same < least:
            raise AssertionError(f"{name}: only {same:.4f} of the labels are those of {PEER}")
        largest = float((marginals - expected).abs().max())
        differences[name] = {"largest": largest, "same_labels": same}
    return differences


def peak_bytes(case: str, row: str) -> int | None:
    """Peak of memory above the input, in a process of its own."""
    command = [sys.executable, "-m", "benchmarks.crf", case, row]
    root = Path(__file__).parents[1]
    done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=root)
    found: int | None = json.loads(done.stdout)
    return found


def measure(case: Case, row: str) -> int | None:
    """Infer once; libraries are loaded and warm before."""
    arguments = argparse.Namespace(device="cpu", threads=[1, 2])
    for warm in (True, False):
        used = replace(case, items=1, height=20, width=20) if warm else case
        p, images = scene(used)
        work = {PEER: by_peer(used, p, images)} | ours(used, p, images, arguments)
        start = reset_peak()
        work[row]()
    return None if start is None else status_bytes("VmHWM") - start


def show(
    name: str,
    case: Case,
    difference: dict[str, dict[str, float]],
    rows: dict[str, dict[str, float | None]],
) -> None:
    """Print a table."""
    print(
        f"\n{name}: {case.items} x {case.height} x {case.width}, {case.labels} labels, "
        f"{ITERATIONS} iterations, gaussian {case.gaussian}, bilateral {case.bilateral}"
    )
    print(
        f"{'':36}{'ms':>10}{'q1':>10}{'q3':>10}{'speed':>8}{'MB':>8}{'difference':>12}{'labels':>9}"
    )
    peer = rows[PEER]["median_ms"]
    assert peer is not None
    for row, times in rows.items():
        ms, peak = times["median_ms"], times["peak_bytes"]
        assert ms is not None
        line = f"{row:36}{ms:10.1f}{times['q1_ms']:10.1f}{times['q3_ms']:10.1f}{peer / ms:8.2f}"
        line += f"{'-' if peak is None else format(peak / 1e6, '.0f'):>8}"
        if row in difference:
            line += f"{difference[row]['largest']:12.5f}{difference[row]['same_labels']:9.5f}"
        print(line)


if __name__ == "__main__":
    torch.set_num_threads(1)
    print(json.dumps(measure(CASES[sys.argv[1]], sys.argv[2])))
