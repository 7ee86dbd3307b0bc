"""Stage 2: cues of every training image from activation maps and saliency."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dgcn.atomic import write_text
from dgcn.cues import external_cues, find_saliency, make_cues, read_saliency, save_cues
from dgcn.cues.external import LISTING
from dgcn.data.dataset import Record
from dgcn.data.images import read_image
from dgcn.models import Classifier
from dgcn.options import as_plain
from dgcn.pipeline.networks import activation, load_classifier
from dgcn.pipeline.run import Run
from dgcn.pipeline.stage import Stage, dataset_fingerprint, file_fingerprint


def _options(run: Run) -> dict[str, Any]:
    given = run.config.cues.path
    if given is not None:
        return {"data": dataset_fingerprint(run), "cues": given_fingerprint(given)}
    data = {"saliency": as_plain(run.config.data.saliency)}
    return {"data": data, "cues": as_plain(run.config.cues)}


def given_fingerprint(path: Path) -> dict[str, Any]:
    """Digests of cues from elsewhere, and of the list of images that goes with a pickle."""
    digests = {"path": file_fingerprint(path)}
    listing = path.with_name(LISTING)
    if path.is_file() and path.suffix.lower() != ".npz" and listing.is_file():
        digests["listing"] = file_fingerprint(listing)
    return digests


def _make(run: Run, fingerprint: dict[str, Any]) -> None:
    """Make the cues, or read them; score them where training images have masks.

    The masks have no part in the cues.
    """
    if not run.is_rank_zero:
        return
    records = run.records("train")
    given = run.config.cues.path
    if given is not None:
        cues = external_cues(given, records, run.classes, run.grid)
        run.console.line(f"cues: {len(cues)} images, from {given}")
    else:
        cues = {}
        model = load_classifier(run)
        with run.console.bar("cues", len(records)) as advance:
            for record in records:
                cues[record.name] = image_cues(run, model, record)
                advance(record.name)
    save_cues(run.cues_folder / "cues.npz", cues)
    _score(run, cues)


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
    options = run.config.cues
    image = read_image(record.image)
    if run.dataset.saliency is not None:
        saliency = read_saliency(run.dataset.saliency, record.name)
    else:
        saliency = find_saliency(options.saliency)(image)
    present = np.zeros(run.classes, dtype=bool)
    present[[0, *record.labels]] = True
    return make_cues(
        activation(run, model, image),
        saliency,
        present,
        foreground=options.foreground,
        background=options.background,
        background_fraction=options.background_fraction,
    )


def _score(run: Run, cues: dict[str, NDArray[np.bool_]]) -> None:
    scores = run.score_grid(cues)
    if scores is None:
        return
    write_text(run.cues_folder / "quality.json", json.dumps(scores, indent=2) + "\n")
    foreground = scores["foreground"]
    run.console.line(
        f"cues: mIoU {_percent(scores['miou'])}, coverage {_percent(scores['coverage'])}, "
        f"foreground precision {_percent(foreground['precision'])}, "
        f"recall {_percent(foreground['recall'])} "
        f"[train, {len(run.masked('train'))} images with masks, {run.grid} x {run.grid} grid]"
    )


def _percent(value: float | None) -> str:
    return "-" if value is None else f"{100 * value:.1f} %"


CUES = Stage(
    name="cues",
    verb="cues",
    folder=lambda run: run.cues_folder,
    options=_options,
    needs=lambda run: () if run.config.cues.path is not None else ("classifier",),
    make=_make,
)
