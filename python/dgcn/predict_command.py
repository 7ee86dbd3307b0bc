"""``dgcn predict``: masks of a split of the data set, or of any images."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from jsonargparse import ArgumentParser, Namespace

from dgcn.command import CommandError, config_of
from dgcn.text import say

__all__ = ["add_prediction_options", "predict"]


def add_prediction_options(parser: ArgumentParser) -> None:
    parser.add_argument(
        "--images",
        type=str,
        nargs="+",
        help="Images to predict instead: files, folders, globs ('photos/**/*.jpg').",
    )
    parser.add_argument(
        "--checkpoint",
        type=Path,
        help="Network to predict --images by, without its run: a checkpoint file, which brings "
        "its classes, size and protocol. Masks and overlays go to --out.",
    )
    parser.add_argument(
        "--overlays",
        type=bool,
        default=True,
        help="Whether --images are also drawn with their masks over them.",
    )
    parser.add_argument(
        "--format",
        type=Literal["png", "coco", "labelme", "cvat", "geojson"],
        nargs="+",
        default=["png"],
        help="What the masks of --images are written as, one or more: png; for programs that "
        "correct them coco (annotations.json), cvat (annotations.xml), labelme, geojson (a file "
        "an image).",
    )
    parser.add_argument(
        "--tile",
        type=int,
        help="Predict --images in overlapping tiles of this many pixels a side, each as an image "
        "of its own: for large images of small objects. Memory is bounded by a row of tiles.",
    )
    parser.add_argument("--archive", type=Path, help="Pack the masks for VOC's server (.tgz).")


def predict(options: Namespace) -> int:
    if options.get("images") is not None:
        return _predict_images(options)
    for name in ("checkpoint", "format", "tile"):
        if options.get(name) is not None:
            raise CommandError(f"--{name} needs --images: files, folders or globs of images")

    from dgcn.pipeline.chain import PREDICTION
    from dgcn.pipeline.run import open_run

    with open_run(config_of(options), overwrite=options.get("overwrite", False)) as run:
        PREDICTION.perform(run)
        folder = PREDICTION.folder(run)
        run.console.line(f"masks: {folder}")
        if run.is_rank_zero:
            records = run.records(run.evaluated_split())
            _pack(options, [folder / f"{record.name}.png" for record in records])
    return 0


def _predict_images(options: Namespace) -> int:
    """Predict images that need not belong to the data set, by a checkpoint or by the run's network.

    Of a checkpoint the results go to masks/, overlays/, annotations.json, annotations.xml, labelme/
    and geojson/ in ``--out``; of a run to folders in the training's, named after the images.
    """
    from dgcn.model import Model
    from dgcn.models.tiles import require_tile
    from dgcn.pipeline.portable import load_portable
    from dgcn.pipeline.prediction import Outputs, predict_files
    from dgcn.training.fabric import make_fabric

    images: Sequence[str] = options.images
    formats = tuple(dict.fromkeys(options.get("format", ["png"])))
    if options.get("archive") is not None and "png" not in formats:
        raise CommandError("--archive packs masks: --format png, or leave --format out")
    require_tile(options.get("tile"))
    model = options.get("model")
    backbone = None if model is None else model.get("backbone")
    name = ""
    if options.get("checkpoint") is not None:
        portable = load_portable(options.checkpoint, backbone=backbone)
        config = config_of(options, {"out": "predictions", **portable.settings})
        folder = config.out
    else:
        config = config_of(options)
        folder = config.out / config.supervision.folder
        if config.evaluate.network == "retrained":
            folder /= "retrained"
        path = folder / f"{config.evaluate.checkpoint}.pt"
        portable = load_portable(path, backbone=config.model.backbone)
        only = Path(images[0])
        name = only.resolve().name if len(images) == 1 and only.is_dir() else "images"
    overlays = folder / "overlays" / name if options.get("overlays", True) else None
    masks = folder / "masks" / name
    fabric = make_fabric(config.runtime)
    outputs = Outputs(masks, overlays, folder / "annotations" / name if name else folder, formats)
    found = Model(portable, config, fabric.device)
    made = predict_files(images, found, fabric, outputs, tile=options.get("tile"))
    _pack(options, made)
    return 0


def _pack(options: Namespace, masks: Sequence[Path]) -> None:
    """Pack masks for the evaluation server of PASCAL VOC, where that is asked for."""
    from dgcn.data import write_voc_archive

    archive = options.get("archive")
    if archive is not None:
        say(f"archive: {write_voc_archive(archive, masks)} masks in {archive}")
