"""Pictures of things with flaws, and of flawless ones, painted by a program, with masks.

Leaves on paper, capsules, circuit boards, nuts and fruit, each with flaws of three classes. The
folders are those of a stranger: one a class, one for the flawless ones, and ``masks``.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from PIL import Image

from benchmarks.flaws.canvas import SIDE, finished
from benchmarks.flaws.things import KINDS


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of this tool."""
    parser.add_argument("--kind", required=True, choices=KINDS, help="what the pictures show")
    parser.add_argument("--out", type=Path, required=True, help="folder of the pictures, made here")
    parser.add_argument("--images", type=int, default=120, help="pictures (default 120)")
    parser.add_argument("--seed", type=int, default=1, help="random seed (default 1)")


def run(arguments: argparse.Namespace) -> None:
    """Paint the pictures, and say how many of each class there are."""
    root, kind = arguments.out, KINDS[arguments.kind]
    if root.exists() and any(root.iterdir()):
        raise SystemExit(f"{root}: is not empty")
    rng = np.random.default_rng(arguments.seed)
    flawless, order = round(arguments.images * kind.share), sorted(kind.flaws)
    for folder in (*kind.flaws, kind.flawless, "masks"):
        (root / folder).mkdir(parents=True, exist_ok=True)
    for index in range(arguments.images):
        picture, thing = kind.thing(rng)
        mask = np.zeros((SIDE, SIDE), dtype=np.uint8)
        folder = kind.flawless
        if index >= flawless:
            number = (index - flawless) % 3
            folder = kind.flaws[number]
            picture, flaw = kind.flaw(rng, picture, thing, number)
            mask[flaw > 0.4] = order.index(folder) + 1
        name = f"{arguments.kind}_{index:03d}"
        Image.fromarray(finished(rng, picture)).save(root / folder / f"{name}.jpg", quality=93)
        Image.fromarray(mask).save(root / "masks" / f"{name}.png")
    print(f"{root}: {arguments.images} pictures, {flawless} of them flawless")
