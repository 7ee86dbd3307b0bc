"""Stage 4: masks of a split by the network of a run; and of any images, by a checkpoint alone."""

from __future__ import annotations

import glob
import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from lightning_fabric import Fabric
from numpy.typing import NDArray
from PIL import Image

from dgcn.atomic import write_text
from dgcn.config import Config
from dgcn.data.dataset import IMAGE_SUFFIXES, OTHER_SUFFIXES
from dgcn.data.errors import DataError
from dgcn.data.images import read_image, write_mask
from dgcn.models.inference import predict_image
from dgcn.pipeline.networks import ToPredict, write_masks
from dgcn.pipeline.portable import Portable, load_classifier_beside
from dgcn.pipeline.run import Run
from dgcn.pipeline.stage import Stage, protocol_fingerprint, split_fingerprint
from dgcn.report import overlay
from dgcn.report.legend import with_legend
from dgcn.training.console import Console

_SUFFIXES = IMAGE_SUFFIXES | OTHER_SUFFIXES
_WIDEST = 1600  # pixels of an overlay's longer side


def prediction_folder(run: Run) -> Path:
    """Folder of the masks of the evaluated split: one palette PNG an image."""
    return run.network_folder / "predictions" / run.evaluated_split()


def _options(run: Run) -> dict[str, Any]:
    split = run.evaluated_split()
    found = {"split": split, "images": split_fingerprint(run, split), **protocol_fingerprint(run)}
    found["evaluate"]["classifier"] = run.config.evaluate.classifier
    return found


def _needs(run: Run) -> tuple[str, ...]:
    network = "segmenter" if run.config.evaluate.network == "trained" else "retraining"
    return (network, "classifier") if run.config.evaluate.classifier else (network,)


def _make(run: Run, fingerprint: dict[str, Any]) -> None:
    """Write a mask of every image of the evaluated split; its former scores are forgotten."""
    split = run.evaluated_split()
    path = run.network_folder / "metrics.json"
    if run.is_rank_zero and path.is_file():
        scores = json.loads(path.read_text(encoding="utf-8"))
        scores.pop(split, None)
        if scores:
            write_text(path, json.dumps(scores, indent=2) + "\n")
        else:
            path.unlink()
    images = [ToPredict(record.name, record.image) for record in run.records(split)]
    write_masks(run, images, prediction_folder(run), f"predicting {split}")


PREDICTION = Stage(
    name="prediction",
    verb="predict",
    folder=prediction_folder,
    options=_options,
    needs=_needs,
    make=_make,
    derived=True,
)


def find_images(patterns: Sequence[str]) -> dict[str, Path]:
    """Images that files, folders and globs name.

    Parameters
    ----------
    patterns : sequence of str
        A file; a folder, whose images are taken: jpg, png, webp, bmp, gif, tif, heic, avif; or a
        glob, in which ``**`` goes down into folders.

    Returns
    -------
    dict
        From the name of the result to the file, in order. The name is the path below the folder
        that all images share, without the ending.

    Raises
    ------
    FileNotFoundError
        Something names no image.
    ValueError
        Nothing is given, or two images differ in their ending alone.
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
    portable: Portable,
    config: Config,
    fabric: Fabric,
    *,
    masks: Path,
    overlays: Path | None,
) -> list[Path]:
    """Write a mask of every image, at its own size, and an overlay with a legend.

    Parameters
    ----------
    images : sequence of str
        As `find_images`.
    portable : Portable
        The network and its classes.
    config : Config
        Read for ``data.size``, ``evaluate.scales``, ``evaluate.crf``, ``evaluate.classifier``
        and ``crf``.
    fabric : Fabric
        Its processes share the images.
    masks : Path
        Folder of the masks: palette PNG with class ids.
    overlays : Path or None
        Folder of the overlays (JPEG, at most 1600 pixels a side); None: none are made.

    Returns
    -------
    list of Path
        The masks of all images.

    Raises
    ------
    FileNotFoundError, ValueError
        As `find_images`.
    DataError
        Some images could not be read; raised when the others are done.
    """
    found = find_images(images)
    console = Console(quiet=not fabric.is_global_zero)
    model = portable.model.to(fabric.device)
    scales, size = config.evaluate.scales, config.data.size
    crf = config.crf if config.evaluate.crf else None
    classifier = None
    if config.evaluate.classifier:
        classifier = load_classifier_beside(portable.path).to(fabric.device)
    shard = list(found.items())[fabric.global_rank :: fabric.world_size]
    damaged: list[str] = []
    with console.bar("predicting", len(shard)) as advance:
        for name, path in shard:
            try:
                image = read_image(path)
            except (DataError, FileNotFoundError) as error:
                damaged.append(str(error))
                advance(name)
                continue
            mask = predict_image(model, image, size, scales=scales, crf=crf, classifier=classifier)
            write_mask(masks / f"{name}.png", mask)
            if overlays is not None:
                target = overlays / f"{name}.jpg"
                target.parent.mkdir(parents=True, exist_ok=True)
                drawn = drawn_over(image, mask, portable.classes)
                Image.fromarray(drawn).save(target, quality=90)
            advance(name)
    damaged = _of_all(fabric, damaged)
    console.line(f"masks: {masks}")
    if overlays is not None:
        console.line(f"overlays: {overlays}")
    if damaged:
        raise DataError(
            f"{len(damaged)} of {len(found)} images could not be read, the others are done: "
            f"{'; '.join(damaged[:3])}"
        )
    return [masks / f"{name}.png" for name in found]


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
    """The mask over its image, with a legend of the classes that occur in it."""
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
            raise FileNotFoundError(f"images: no image in {path}")
        return found
    matched = sorted(map(Path, glob.glob(str(path), recursive=True)))
    images = [p for p in matched if p.suffix.lower() in _SUFFIXES and p.is_file()]
    if images:
        return images
    if glob.has_magic(pattern):
        raise FileNotFoundError(f"images: no image matches {pattern!r}")
    raise FileNotFoundError(f"images: no such file or folder: {pattern}")
