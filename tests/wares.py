"""Pictures of a thing, flawless and with a flaw, with masks."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

SIDE = 97


def write_wares(root: Path, good: int, spots: int, *, same: bool = False) -> None:
    """Pictures of a blue disc somewhere on grey: flawless, or with a red spot on it."""
    rng = np.random.default_rng(0)
    rows, columns = np.mgrid[:SIDE, :SIDE]
    for index in range(good + spots):
        image = rng.normal(200, 4, (SIDE, SIDE, 3))
        y, x = rng.integers(44, 53, 2)
        image[(rows - y) ** 2 + (columns - x) ** 2 < 34**2] = (40, 60, 160)
        mask = np.zeros((SIDE, SIDE), dtype=np.uint8)
        if index >= good:
            top, left = rng.integers(-16, 8, 2)
            mask[y + top : y + top + 12, x + left : x + left + 12] = 1
        if not same:
            image[mask == 1] = (200, 40, 40)
        image += rng.normal(0, 3, image.shape)
        name = root / ("spot" if index >= good else "good") / f"{index:02}.png"
        for path in (name, root / "masks" / name.name):
            path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(np.clip(image, 0, 255).astype(np.uint8)).save(name)
        Image.fromarray(mask).save(root / "masks" / name.name)
