"""A training step of networks in 32 and in 16 bits: processor time, and how far results are apart.

Segmentation network with frozen batch normalisation, forward and backward pass of the
cross-entropy, the two in turn, one thread. Logits and gradients: distance over length.
"""

from __future__ import annotations

import argparse
import json
import time
from functools import partial
from pathlib import Path
from statistics import median

import torch
from torch import Tensor
from torch.nn import functional

from benchmarks.timing import interleaved
from dgcn.config import RuntimeConfig
from dgcn.data.images import read_image, to_tensor
from dgcn.models import BACKBONES, Segmenter, build_backbone, recognise
from dgcn.training.fabric import precision_of

CLASSES = 21


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of this benchmark."""
    parser.add_argument("--weights", type=Path, nargs="+", required=True, help="of backbones")
    parser.add_argument("--images", type=Path, nargs="+", required=True, help="of one batch")
    parser.add_argument("--size", type=int, default=321, help="side of the images (default 321)")


def step(model: Segmenter, images: Tensor, half: bool) -> tuple[Tensor, Tensor]:
    """Logits and gradients of one step."""
    model.zero_grad()
    with torch.autocast("cpu", dtype=torch.bfloat16, enabled=half):
        logits = model(images).logits
    logits = logits.float()
    target = torch.zeros(len(logits), *logits.shape[2:], dtype=torch.int64)
    functional.cross_entropy(logits, target).backward()
    gradients = [p.grad.flatten() for p in model.parameters() if p.grad is not None]
    return logits.detach(), torch.cat(gradients)


def distance(found: Tensor, exact: Tensor) -> float:
    """Of two results, over the length of the exact one."""
    return float((found - exact).norm() / exact.norm())


def measure(weights: Path, images: Tensor, repeats: int) -> dict[str, object]:
    """Times and distances of one backbone."""
    name = recognise(weights, BACKBONES)
    if name is None:
        raise SystemExit(f"{weights} fits none of {', '.join(BACKBONES)}")
    torch.manual_seed(0)
    backbone = build_backbone(name, weights).freeze_norm()
    model = Segmenter(backbone, CLASSES, head="conv", dropout=0.0).train()
    exact, close = step(model, images, False), step(model, images, True)
    work = {half: partial(step, model, images, half) for half in (False, True)}
    seconds = interleaved(work, repeats, clock=time.process_time)
    whole, short = (median(seconds[half]) for half in (False, True))
    return {
        "backbone": name,
        "seconds_32": whole,
        "seconds_16": short,
        "gain": whole / short,
        "logits": distance(close[0], exact[0]),
        "gradients": distance(close[1], exact[1]),
    }


def run(arguments: argparse.Namespace) -> None:
    """Measure every backbone and print a line each."""
    torch.set_num_threads(1)
    images = torch.stack([to_tensor(read_image(path), arguments.size) for path in arguments.images])
    chosen = precision_of(RuntimeConfig(device="cpu", precision="auto"))
    print(f"runtime.precision auto is {chosen} here; {len(images)} images of {arguments.size}")
    rows = [measure(path, images, arguments.repeats) for path in arguments.weights]
    for row in rows:
        print(
            "{backbone}: 32 bits {seconds_32:.2f} s, 16 bits {seconds_16:.2f} s, {gain:.2f} times "
            "as fast; logits {logits:.3f}, gradients {gradients:.3f} apart".format(**row)
        )
    if arguments.json:
        Path(arguments.json).write_text(json.dumps(rows, indent=2) + "\n", encoding="utf-8")
