"""K nearest neighbours of feature maps, against torch.cdist + topk and the bare batched product.

Indices are compared with a float64 brute force first.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable

import torch

import graphcut_ext as gx
from benchmarks.timing import interleaved, summary, write_json


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of this benchmark."""
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--points", type=int, default=1681)
    parser.add_argument("--channels", type=int, nargs="+", default=[1280])
    parser.add_argument("--k", type=int, default=9)
    parser.add_argument("--device", default="cpu")


def run(arguments: argparse.Namespace) -> None:
    """Check, time, print and store."""
    results = {}
    for channels in arguments.channels:
        g = torch.Generator().manual_seed(0)
        x = torch.randn(arguments.batch, arguments.points, channels, generator=g)
        x = x.to(arguments.device)
        check_indices(x, arguments.k)
        seconds = interleaved(contenders(x, arguments.k), arguments.repeats)
        rows = {name: summary(times) for name, times in seconds.items()}
        results[f"B={len(x)} N={x.shape[1]} C={channels} k={arguments.k}"] = rows
        bmm = rows["torch.bmm alone"]["median_ms"]
        print(
            f"\nB={len(x)} N={x.shape[1]} C={channels} k={arguments.k} fp32 on {x.device}; "
            "indices equal to float64 brute force"
        )
        print(f"{'':28}{'ms':>9}{'q1':>9}{'q3':>9}{'/ bmm':>8}")
        for name, row in rows.items():
            ms = row["median_ms"]
            print(f"{name:28}{ms:9.1f}{row['q1_ms']:9.1f}{row['q3_ms']:9.1f}{ms / bmm:8.2f}")
    write_json(arguments.json, results)


def contenders(x: torch.Tensor, k: int) -> dict[str, Callable[[], object]]:
    """The operator, what users write instead, and the product that bounds both."""
    return {
        "gx.knn": lambda: gx.knn(x, k),
        "torch.cdist + topk": lambda: torch.cdist(x, x).topk(k + 1, largest=False),
        "torch.bmm alone": lambda: torch.bmm(x, x.mT),
    }


def check_indices(x: torch.Tensor, k: int) -> None:
    """Raise unless the neighbours of the first item are those of a float64 brute force."""
    points = x[0].double()
    exact = torch.cdist(points, points, compute_mode="donot_use_mm_for_euclid_dist").square()
    exact.fill_diagonal_(torch.inf)
    if not torch.equal(gx.knn(x, k).indices[0], exact.topk(k, largest=False).indices):
        raise AssertionError("gx.knn differs from the float64 brute force")
