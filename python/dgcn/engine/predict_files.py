"""Masks and overlays of any pictures, by a checkpoint alone."""

from __future__ import annotations

import glob
import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from lightning_fabric import Fabric
from numpy.typing import NDArray
from PIL import Image

from dgcn.config import Config
from dgcn.data.dataset import IMAGE_SUFFIXES, OTHER_SUFFIXES
from dgcn.data.errors import DataError
from dgcn.data.images import read_image, write_mask
from dgcn.engine.fabric import make_fabric
from dgcn.engine.portable import load_portable
from dgcn.engine.predict import predict_image
from dgcn.engine.progress import Screen
from dgcn.report import overlay
from dgcn.report.legend import with_legend

_SUFFIXES = IMAGE_SUFFIXES | OTHER_SUFFIXES
_WIDEST = 1600  # pixels of an overlay's longer side


def find_images(patterns: Sequence[str]) -> dict[str, Path]:
    """Pictures that files, folders and globs name.

    Parameters
    ----------
    patterns : sequence of str
        A file; a folder, whose pictures are taken: jpg, png, webp, bmp, gif, tif, heic, avif; or a
        glob, in which ``**`` goes down into folders.

    Returns
    -------
    dict
        From the name of the result to the file, in order. The name is the path below the folder
        that all pictures share, without the ending.

    Raises
    ------
    FileNotFoundError
        Something names no picture.
    ValueError
        Nothing is given, or two pictures differ in their ending alone.
    """
    if not patterns:
        raise ValueError("images: name at least one file, folder or glob")
    found: dict[Path, None] = {}
    for pattern in patterns:
        matches = _matches(pattern)
        found.update(dict.fromkeys(matches))
    parents = [str(path.absolute().parent) for path in found]
    common = Path(os.path.commonpath(parents))
    named: dict[str, Path] = {}
    for path in found:
        name = path.absolute().relative_to(common).with_suffix("").as_posix()
        if name in named:
            raise ValueError(
                f"images: several files in {path.parent} are named {path.stem!r}: "
                f"{named[name].name}, {path.name}"
            )
        named[name] = path
    return named


def predict_files(
    images: Sequence[str],
    checkpoint: Path,
    config: Config,
    *,
    masks: Path,
    overlays: Path | None,
) -> list[Path]:
    """Write a mask of every picture, at its own size, and an overlay with a legend.

    Parameters
    ----------
    images : sequence of str
        As `find_images`.
    checkpoint : Path
        As `dgcn.engine.portable.find_checkpoint`; it brings the network and the classes.
    config : Config
        Read for ``data.size``, ``evaluate.scales``, ``evaluate.crf``, ``crf`` and ``runtime``.
    masks : Path
        Folder of the masks: palette PNG with class ids.
    overlays : Path or None
        Folder of the overlays (JPEG, at most 1600 pixels a side); None: none are made.

    Returns
    -------
    list of Path
        The masks of all pictures.

    Raises
    ------
    FileNotFoundError, ValueError
        As `find_images` and `dgcn.engine.portable.load_portable`.
    DataError
        Some pictures could not be read; raised when the others are done.
    """
    pictures = find_images(images)
    portable = load_portable(checkpoint)
    fabric = make_fabric(config.runtime)
    screen = Screen(quiet=not fabric.is_global_zero)
    model = portable.model.to(fabric.device)
    scales, size = config.evaluate.scales, config.data.size
    crf = config.crf.params() if config.evaluate.crf else None
    mine = list(pictures.items())[fabric.global_rank :: fabric.world_size]
    damaged: list[str] = []
    with screen.bar("predicting", len(mine)) as advance:
        for name, path in mine:
            try:
                image = read_image(path)
            except (DataError, FileNotFoundError) as error:
                damaged.append(str(error))
                advance(name)
                continue
            mask = predict_image(model, image, size, scales=scales, crf=crf)
            _write(masks / f"{name}.png", mask)
            if overlays is not None:
                target = overlays / f"{name}.jpg"
                target.parent.mkdir(parents=True, exist_ok=True)
                drawn = drawn_over(image, mask, portable.classes)
                Image.fromarray(drawn).save(target, quality=90)
            advance(name)
    damaged = _of_all(fabric, damaged)
    screen.line(f"masks: {masks}")
    if overlays is not None:
        screen.line(f"overlays: {overlays}")
    if damaged:
        raise DataError(
            f"{len(damaged)} of {len(pictures)} pictures could not be read, the others are done: "
            f"{'; '.join(damaged[:3])}"
        )
    return [masks / f"{name}.png" for name in pictures]


def _of_all(fabric: Fabric, messages: list[str]) -> list[str]:
    """The messages of every process, on every process."""
    if fabric.world_size == 1:
        return messages
    gathered: list[list[str]] = [[] for _ in range(fabric.world_size)]
    torch.distributed.all_gather_object(gathered, messages)
    return [message for each in gathered for message in each]


def drawn_over(
    image: NDArray[np.uint8], mask: NDArray[np.uint8], classes: Sequence[str]
) -> NDArray[np.uint8]:
    """The mask over its picture, with a legend of the classes that occur in it."""
    factor = _WIDEST / max(image.shape[:2])
    if factor < 1:
        side = (max(1, round(image.shape[1] * factor)), max(1, round(image.shape[0] * factor)))
        image = np.asarray(Image.fromarray(image).resize(side, Image.Resampling.LANCZOS))
    only = [int(label) for label in np.unique(mask)]
    return with_legend(overlay(image, mask, classes), classes, only)


def _matches(pattern: str) -> list[Path]:
    path = Path(pattern).expanduser()
    if path.is_file():
        return [path]
    if path.is_dir():
        found = sorted(
            p for p in path.iterdir() if p.suffix.lower() in _SUFFIXES and not p.is_dir()
        )
        if not found:
            raise FileNotFoundError(f"images: no picture in {path}")
        return found
    matched = sorted(map(Path, glob.glob(str(path), recursive=True)))
    pictures = [p for p in matched if p.suffix.lower() in _SUFFIXES and p.is_file()]
    if pictures:
        return pictures
    if glob.has_magic(pattern):
        raise FileNotFoundError(f"images: no picture matches {pattern!r}")
    raise FileNotFoundError(f"images: no such file or folder: {pattern}")


def _write(path: Path, mask: NDArray[np.uint8]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    write_mask(path, mask)
