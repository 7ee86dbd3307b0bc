"""Stage 4: masks of a split by the network of a run; and of any images, by a checkpoint alone."""

from __future__ import annotations

import glob
import json
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import torch
from lightning_fabric import Fabric
from numpy.typing import NDArray
from PIL import Image

from dgcn.annotations import Format, Sheet, coco, cvat, instances_of, writer_of
from dgcn.atomic import write_text
from dgcn.data.dataset import IMAGE_SUFFIXES, OTHER_SUFFIXES
from dgcn.data.errors import DataError
from dgcn.data.images import read_image
from dgcn.data.masks import write_mask
from dgcn.model import Model
from dgcn.options import as_plain
from dgcn.pipeline.networks import ToPredict, write_masks
from dgcn.pipeline.run import Run
from dgcn.pipeline.stage import Stage, protocol_fingerprint, split_fingerprint
from dgcn.report import drawn_over
from dgcn.training.console import Console

Item = TypeVar("Item")

_SUFFIXES = IMAGE_SUFFIXES | OTHER_SUFFIXES


def prediction_folder(run: Run) -> Path:
    """Folder of the masks of the evaluated split: one palette PNG an image."""
    return run.network_folder / "predictions" / run.evaluated_split()


def _options(run: Run) -> dict[str, Any]:
    split = run.evaluated_split()
    found = {"split": split, "images": split_fingerprint(run, split), **protocol_fingerprint(run)}
    found["evaluate"]["classifier"] = run.config.evaluate.classifier
    found["evaluate"]["contrast"] = run.config.evaluate.contrast
    found["evaluate"]["logit_adjustment"] = as_plain(run.config.evaluate.logit_adjustment)
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


@dataclass(frozen=True)
class Outputs:
    """Where the results of `predict_files` go.

    Attributes
    ----------
    masks : Path
        Folder of the masks: palette PNG with class ids.
    overlays : Path or None
        Folder of the overlays (JPEG, at most 1600 pixels a side); None: none are made.
    annotations : Path
        Folder of annotations.json (COCO), of annotations.xml (CVAT), and of labelme/ and geojson/,
        which have a file an image.
    formats : tuple of str, default ("png",)
        Of `dgcn.annotations.FORMATS`; "png" are the masks.
    """

    masks: Path
    overlays: Path | None
    annotations: Path
    formats: tuple[Format, ...] = ("png",)


def predict_files(
    images: Sequence[str],
    model: Model,
    fabric: Fabric,
    outputs: Outputs,
    *,
    tile: int | None = None,
) -> list[Path]:
    """Write a mask of every image, at its own size, and what else is asked for.

    Parameters
    ----------
    images : sequence of str
        As `find_images`.
    model : Model
        The network, its classes and its protocol.
    fabric : Fabric
        Its processes share the images.
    outputs : Outputs
    tile : int or None, default None
        As `dgcn.model.Model.predict`.

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
    shard = list(found.items())[fabric.global_rank :: fabric.world_size]
    writers = [
        writer
        for kind in outputs.formats
        if (writer := writer_of(kind, outputs.annotations / kind, model.classes)) is not None
    ]
    gathered = {"coco", "cvat"} & set(outputs.formats)
    annotated = bool(writers or gathered)
    damaged: list[str] = []
    sheets: list[Sheet] = []
    with console.bar("predicting", len(shard)) as advance:
        for name, path in shard:
            try:
                image = read_image(path)
            except (DataError, FileNotFoundError) as error:
                damaged.append(str(error))
                advance(name)
                continue
            mask, confidence = _mask_of(model, image, tile)
            if "png" in outputs.formats:
                write_mask(outputs.masks / f"{name}.png", mask)
            if outputs.overlays is not None:
                target = outputs.overlays / f"{name}.jpg"
                target.parent.mkdir(parents=True, exist_ok=True)
                Image.fromarray(drawn_over(image, mask, model.classes)).save(target, quality=90)
            if annotated:
                sheet = Sheet(name, path, mask.shape, instances_of(mask, confidence))
                for write in writers:
                    write(sheet)
                if gathered:
                    sheets.append(sheet)
            advance(name)
    damaged = _of_all(fabric, damaged)
    sheets = sorted(_of_all(fabric, sheets), key=lambda sheet: sheet.name)
    if "png" in outputs.formats:
        console.line(f"masks: {outputs.masks}")
    for kind in outputs.formats:
        if kind in gathered:
            ending = "json" if kind == "coco" else "xml"
            target = outputs.annotations / f"annotations.{ending}"
            if fabric.is_global_zero:
                if kind == "coco":
                    text = json.dumps(coco(sheets, model.classes)) + "\n"
                else:
                    text = cvat(sheets, model.classes)
                write_text(target, text)
            console.line(f"{kind}: {target}")
        elif kind != "png":
            console.line(f"{kind}: {outputs.annotations / kind}")
    if outputs.overlays is not None:
        console.line(f"overlays: {outputs.overlays}")
    if damaged:
        raise DataError(
            f"{len(damaged)} of {len(found)} images could not be read, the others are done: "
            f"{'; '.join(damaged[:3])}"
        )
    return [outputs.masks / f"{name}.png" for name in found]


def _mask_of(
    model: Model, image: NDArray[np.uint8], tile: int | None
) -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
    """Mask of an image, and the probability that it has at each pixel."""
    mask = np.empty(image.shape[:2], dtype=np.uint8)
    confidence = np.empty(image.shape[:2], dtype=np.float32)
    for rows, probabilities in model.bands(image, tile):
        mask[rows] = probabilities.argmax(0)
        confidence[rows] = probabilities.max(0)
    return mask, confidence


def _of_all(fabric: Fabric, items: list[Item]) -> list[Item]:
    """The items of every process, on every process."""
    if fabric.world_size == 1:
        return items
    gathered: list[list[Item]] = [[] for _ in range(fabric.world_size)]
    torch.distributed.all_gather_object(gathered, items)
    return [item for each in gathered for item in each]


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
