"""Interactive segmentation of photographs with masks: IoU and CPU time, beside OpenCV's GrabCut.

Strokes are parts of the skeletons of mask and background, away from their borders, the same for
all. The object is the largest class of a mask; 255 is void. One correcting stroke, in the middle of
what is wrong, is then given to `update`.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from scipy import ndimage
from skimage.morphology import skeletonize

import graphcut_ext as gx
from benchmarks.timing import write_json

VOID = 255
Mask = NDArray[np.bool_]


class Photograph(NamedTuple):
    """One image, its object, what counts, and strokes (0 unknown, 1 object, 2 background)."""

    name: str
    image: NDArray[np.uint8]
    truth: Mask
    counts: Mask
    seeds: NDArray[np.uint8]

    def iou(self, mask: Mask) -> float:
        both, either = mask & self.truth & self.counts, (mask | self.truth) & self.counts
        return float(both.sum() / either.sum())


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of this benchmark."""
    parser.add_argument("--images", type=Path, required=True, help="folder of photographs")
    parser.add_argument("--masks", type=Path, required=True, help="folder of masks, NAME.png")
    parser.add_argument("--limit", type=int, default=10, help="so many, evenly spread (10)")


def run(arguments: argparse.Namespace) -> None:
    """Segment all, print a row for each and the means, and store."""
    photographs = read(arguments.images, arguments.masks, arguments.limit)
    contenders = lineup()
    print(f"{'IoU':24}" + "".join(f"{name:>16}" for name in contenders))
    rows: dict[str, dict[str, float]] = {}
    seconds: dict[str, list[float]] = {name: [] for name in contenders}
    for photograph in photographs:
        row = rows[photograph.name] = {}
        for name, contender in contenders.items():
            mask, took = contender(photograph)
            row[name] = photograph.iou(mask)
            seconds[name].append(took)
        print(f"{photograph.name:24}" + "".join(f"{value:16.3f}" for value in row.values()))
    means = {name: float(np.mean([row[name] for row in rows.values()])) for name in contenders}
    medians = {name: float(np.median(values)) for name, values in seconds.items()}
    print(f"{'mean':24}" + "".join(f"{value:16.3f}" for value in means.values()))
    print(f"{'median CPU seconds':24}" + "".join(f"{value:16.3f}" for value in medians.values()))
    results = {"images": rows, "mean": means, "median_cpu_seconds": medians}
    write_json(
        arguments.json,
        results,
        command="python -m benchmarks segment --images IMAGES --masks MASKS",
    )


def read(images: Path, masks: Path, limit: int) -> list[Photograph]:
    """Photographs whose object and background have room for strokes."""
    found = []
    paths = sorted(path for path in images.iterdir() if (masks / f"{path.stem}.png").is_file())
    for path in paths:
        labels = np.asarray(Image.open(masks / f"{path.stem}.png"))
        classes, sizes = np.unique(labels[(labels > 0) & (labels < VOID)], return_counts=True)
        if not len(classes) or sizes.max() < 0.02 * labels.size:
            continue
        truth, counts = labels == classes[sizes.argmax()], labels != VOID
        seeds = np.zeros(labels.shape, dtype=np.uint8)
        seeds[strokes(truth, 8)] = 1
        seeds[strokes(~truth & counts, 16)] = 2
        if len(np.unique(seeds)) == 3:
            image = np.asarray(Image.open(path).convert("RGB"))
            found.append(Photograph(path.stem, image, truth, counts, seeds))
    if not found:
        raise SystemExit(f"{images}: no image with a mask in {masks} that has room for strokes")
    chosen = np.linspace(0, len(found) - 1, min(limit, len(found))).round().astype(int)
    return [found[k] for k in chosen]


def strokes(region: Mask, pieces: int) -> Mask:
    """Pieces of a region's skeleton, 50 pixels long at most and five wide."""
    depth = ndimage.distance_transform_edt(np.pad(region, 1))[1:-1, 1:-1]
    points = np.argwhere(skeletonize(depth > min(6, depth.max() / 2)))
    lines = np.zeros_like(region)
    for centre in np.random.default_rng(0).permutation(points)[:pieces]:
        near = np.abs(points - centre).max(axis=1) < 25
        lines[tuple(points[near].T)] = True
    thick: Mask = ndimage.binary_dilation(lines, iterations=2) & region
    return thick


def lineup() -> dict[str, Callable[[Photograph], tuple[Mask, float]]]:
    """Contenders by name, OpenCV's where it is installed."""
    found: dict[str, Callable[[Photograph], tuple[Mask, float]]] = {
        "colours alone": colours_alone,
        "gx.segment": lambda p: timed(lambda: gx.segment(p.image, p.seeds).mask),
        "update": correction,
        "5 rounds": lambda p: timed(lambda: gx.segment(p.image, p.seeds, iterations=5).mask),
    }
    try:
        import cv2
    except ImportError:
        print("OpenCV is not installed: left out (pip install opencv-python-headless)")
        return found
    for rounds in (1, 5):
        found[f"OpenCV, {rounds}"] = lambda p, rounds=rounds: grabcut(cv2, p, rounds)
    return found


def timed(function: Callable[[], Mask]) -> tuple[Mask, float]:
    begin = time.process_time()
    mask = function()
    return mask, time.process_time() - begin


def colours_alone(p: Photograph) -> tuple[Mask, float]:
    """The same probabilities without edges; seeds are kept."""
    return timed(lambda: gx.segment(p.image, p.seeds, smoothness=0).mask)


def correction(p: Photograph) -> tuple[Mask, float]:
    """A second stroke along what is wrong most, after one that has grown the trees."""
    found = gx.segment(p.image, p.seeds)
    found = found.update(corrected(p, found.mask, p.seeds))
    seeds = corrected(p, found.mask, corrected(p, found.mask, p.seeds))
    return timed(lambda: found.update(seeds).mask)


def corrected(p: Photograph, mask: Mask, seeds: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """The seeds, and a stroke in the middle of the deepest wrong place."""
    wrong = (mask != p.truth) & p.counts & (seeds == 0)
    depth = ndimage.distance_transform_edt(wrong)
    row, column = np.unravel_index(depth.argmax(), depth.shape)
    part = np.zeros_like(wrong)
    part[max(0, row - 2) : row + 3, max(0, column - 15) : column + 16] = True
    return np.where(part & wrong & (p.truth == p.truth[row, column]), 2 - p.truth, seeds).astype(
        np.uint8
    )


def grabcut(cv2: Any, p: Photograph, rounds: int) -> tuple[Mask, float]:
    """OpenCV's, pixels without a stroke being probably background."""
    mask = np.select([p.seeds == 1, p.seeds == 2], [cv2.GC_FGD, cv2.GC_BGD], cv2.GC_PR_BGD)
    mask = mask.astype(np.uint8)
    image, models = p.image[..., ::-1].copy(), np.zeros((2, 1, 65))
    cv2.setRNGSeed(0)

    def cut() -> Mask:
        cv2.grabCut(image, mask, None, models[0], models[1], rounds, cv2.GC_INIT_WITH_MASK)
        return np.isin(mask, (cv2.GC_FGD, cv2.GC_PR_FGD))

    return timed(cut)
