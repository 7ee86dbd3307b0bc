"""The contact sheet: a few training images through every stage of the chain."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from dgcn.data.batches import TrainingSet
from dgcn.data.folder import Record
from dgcn.data.images import VOID, read_image, read_mask
from dgcn.engine.classify import load_classifier
from dgcn.engine.predict import load_segmenter, predict_image
from dgcn.engine.quality import supervise_sample
from dgcn.engine.record import chosen
from dgcn.engine.run import Run
from dgcn.engine.seed import activation
from dgcn.engine.supervise import make_supervision
from dgcn.models import Classifier, Segmenter
from dgcn.report import Row, contact_sheet, heat, overlay
from dgcn.seeds import load_cues, normalised_cam

Cues = dict[str, NDArray[np.bool_]]


@torch.no_grad()
def sheet(runs: Sequence[Run], path: Path) -> Path:
    """Draw photograph, CAM, cues, supervision, prediction and ground truth of training images.

    Parameters
    ----------
    runs : sequence of Run
        Trained networks that share the classifier and the cues; each has its own columns of
        supervision (unless static, which is the cues) and prediction.
    path : Path
        PNG file to write.

    Returns
    -------
    Path
        `path`.
    """
    first = runs[0]
    records = chosen(first.records("train"), first.config.evaluate.pictures)
    classifier = load_classifier(first) if first.uses_classifier else None
    cues: Cues = load_cues(first.cues / "cues.npz")
    networks = [(run, load_segmenter(run, run.config.evaluate.checkpoint)) for run in runs]
    rows = []
    with first.screen.bar("contact sheet", len(records)) as advance:
        for record in records:
            panels = _panels(first, record, classifier, cues, networks)
            rows.append(Row(record.name, panels, labels=record.labels))
            advance(record.name)
    return contact_sheet(rows, path, first.dataset.classes, title="Training images, stage by stage")


def label_map(labels: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Class ids (h, w) of one-hot labels (L, h, w); 255 where there is none."""
    return np.where(labels.any(0), labels.argmax(0), VOID).astype(np.int64)


def _panels(
    run: Run,
    record: Record,
    classifier: Classifier | None,
    cues: Cues,
    networks: Sequence[tuple[Run, Segmenter]],
) -> dict[str, NDArray[np.uint8]]:
    image = read_image(record.image)
    classes = run.dataset.classes
    panels = {"photograph": image}
    if record.labels and classifier is not None:
        maps = activation(run, classifier, image)[[label - 1 for label in record.labels]]
        panels["class activation"] = heat(image, normalised_cam(maps).max(0))
    panels["cues"] = overlay(image, label_map(cues[record.name]), classes)
    sample = TrainingSet([record], run.classes, run.config.data.size, cues=cues, mirror=False)[0]
    for trained, model in networks:
        if trained.config.supervision.kind != "static":
            supervision = make_supervision(trained.config.supervision)
            labels = supervise_sample(trained, model, supervision, sample)
            name = f"supervision ({_kind(trained)})"
            panels[name] = overlay(image, label_map(labels), classes)
    for trained, model in networks:
        options = trained.config.evaluate
        mask = predict_image(
            model,
            image,
            trained.config.data.size,
            scales=options.scales,
            crf=trained.config.crf.params() if options.crf else None,
        )
        panels[f"prediction ({_kind(trained)})"] = overlay(image, mask, classes)
    if record.mask is not None:
        panels["ground truth"] = overlay(image, read_mask(record.mask), classes)
    return panels


def _kind(run: Run) -> str:
    return run.config.supervision.folder.replace("_", " ")
