"""A photograph cut from a few strokes, as numbers and as a picture."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from graphcut_ext._demo.png import write_png
from graphcut_ext._demo.scene import Image, Scene, scene, to_bytes
from graphcut_ext._segment.segment import segment

COLOURS = {1: (40, 230, 60), 2: (230, 40, 200)}  # of strokes


def demo(out: Path) -> dict[str, object]:
    """Segment the scene, write the picture, and return what to print."""
    shown = scene()
    begin = time.perf_counter()
    found = segment(shown.image, shown.first)
    first = time.perf_counter()
    final = found.update(shown.more)
    second = time.perf_counter()
    write_png(out, panels(shown, found.probabilities > 0.5, final.mask))
    height, width = shown.first.shape
    return {
        "image": f"{shown.title}, {width} x {height} pixels",
        "strokes": f"{np.count_nonzero(shown.first)} pixels",
        "segment": f"{1e3 * (first - begin):.0f} ms, energy {found.value:.1f}",
        "more strokes": f"{np.count_nonzero(shown.more != shown.first)} pixels",
        "update": f"{1e3 * (second - first):.0f} ms, energy {final.value:.1f}",
        "object": f"{100 * final.mask.mean():.1f} % of the pixels",
        "picture": f"{out} (strokes, colour alone, the cut)",
    }


def panels(shown: Scene, by_colour: NDArray[np.bool_], mask: NDArray[np.bool_]) -> Image:
    """Return strokes, colours alone and the cut, side by side."""
    strokes = shown.image.copy()
    for mark, colour in COLOURS.items():
        strokes[shown.more == mark] = colour
    gap = np.full((len(strokes), 6, 3), 255, dtype=np.uint8)
    parts = [strokes, gap, cut_out(shown.image, by_colour), gap, cut_out(shown.image, mask)]
    return np.concatenate(parts, axis=1)


def cut_out(image: Image, mask: NDArray[Any]) -> Image:
    """Return the image, pale outside the mask."""
    return to_bytes(np.where(mask[..., None], image, 0.2 * image + 0.8 * 255))
