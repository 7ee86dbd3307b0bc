"""Stage 2: cues of every training image from activation maps and saliency."""

from __future__ import annotations

import json

import numpy as np
from numpy.typing import NDArray

from dgcn.data.folder import Record
from dgcn.data.images import read_image, to_tensor
from dgcn.engine.classify import load_classifier
from dgcn.engine.quality import add_grid, quality
from dgcn.engine.run import Run
from dgcn.engine.settings import cue_settings
from dgcn.engine.stages import made_with, mark_finished, unmark
from dgcn.metrics import Confusion
from dgcn.models import Classifier
from dgcn.options import write_text
from dgcn.seeds import (
    border_geodesic,
    cam_multiscale,
    external_cues,
    make_cues,
    read_saliency,
    save_cues,
)


def seed(run: Run) -> None:
    """Make the cues of every training image, or read them, and leave them in the run's folder.

    Where training images have masks, the cues' scores against them are printed and kept in
    quality.json; the masks have no part in the cues.

    Parameters
    ----------
    run : Run
        With a trained classifier, where the cues are made.

    Raises
    ------
    ValueError
        The classifier is not finished.
    """
    settings = cue_settings(run.config, run.dataset)
    if "classifier" in settings:
        settings["classifier"] = made_with(run.classifier, settings["classifier"], "classify")
    records = run.records("train")
    if run.leads:
        unmark(run.cues)
        given = run.config.seeds.cues
        if given is not None:
            cues = external_cues(given, records, run.classes, run.grid)
            run.screen.line(f"cues: {len(cues)} images, from {given}")
        else:
            cues = _made(run, records)
        run.cues.mkdir(parents=True, exist_ok=True)
        save_cues(run.cues / "cues.npz", cues)
        _score(run, records, cues)
        mark_finished(run.cues, settings)
    run.fabric.barrier()


def _made(run: Run, records: list[Record]) -> dict[str, NDArray[np.bool_]]:
    model = load_classifier(run)
    cues = {}
    with run.screen.bar("cues", len(records)) as advance:
        for record in records:
            cues[record.name] = image_cues(run, model, record)
            advance(record.name)
    return cues


def activation(run: Run, model: Classifier, image: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Class activation maps (L-1, h, w) of an image, not normalised."""
    batch = to_tensor(image, run.config.data.size)[None].to(run.fabric.device)
    options = run.config.seeds
    maps = cam_multiscale(model, batch, scales=options.scales, flip=options.flip)
    result: NDArray[np.float32] = maps[0].float().cpu().numpy()
    return result


def image_cues(run: Run, model: Classifier, record: Record) -> NDArray[np.bool_]:
    """Cues (L, h, w) of one image.

    Parameters
    ----------
    run : Run
    model : Classifier
        In evaluation mode.
    record : Record
        Its labels decide which classes can have cues; its mask is not read.
    """
    image = read_image(record.image)
    if run.dataset.saliency is not None:
        saliency = read_saliency(run.dataset.saliency, record.name)
    else:
        saliency = border_geodesic(image)
    maps = activation(run, model, image)
    present = np.zeros(run.classes, dtype=bool)
    present[[0, *record.labels]] = True
    options = run.config.seeds
    return make_cues(
        maps,
        saliency,
        present,
        foreground=options.foreground,
        background=options.background,
        background_fraction=options.background_fraction,
    )


def _score(run: Run, records: list[Record], cues: dict[str, NDArray[np.bool_]]) -> None:
    masked = [record for record in records if record.mask is not None]
    if not masked:
        return
    confusion = Confusion(run.classes)
    for record in masked:
        add_grid(confusion, record, cues[record.name])
    scores = quality(confusion, run.dataset.classes)
    write_text(run.cues / "quality.json", json.dumps(scores, indent=2) + "\n")
    foreground = scores["foreground"]
    run.screen.line(
        f"cues: mIoU {_percent(scores['miou'])}, coverage {_percent(scores['coverage'])}, "
        f"foreground precision {_percent(foreground['precision'])}, "
        f"recall {_percent(foreground['recall'])} "
        f"[train, {len(masked)} images with masks, {run.grid} x {run.grid} grid]"
    )


def _percent(value: float | None) -> str:
    return "-" if value is None else f"{100 * value:.1f} %"
