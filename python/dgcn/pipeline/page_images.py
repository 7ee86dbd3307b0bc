"""The images of a report: every stage's layers, scores by masks, and agreement without them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dgcn.data.dataset import Record
from dgcn.data.masks import mask_to_grid
from dgcn.metrics import Confusion
from dgcn.pipeline.panels import (
    Panel,
    Sources,
    Training,
    image_panels,
    is_predicted,
    open_sources,
)
from dgcn.pipeline.run import Run
from dgcn.report.layers import fitted, heat_layer, image_uri, label_layer
from dgcn.report.page import Layer, PageImage

__all__ = ["BUDGET", "Shown", "image_scores", "page_images"]

BUDGET = 28 * 10**6
"""Bytes that the images of a page may take."""

_MANY = 120  # images from which on they are shown smaller
_UNSCORED = 40  # training images of a run without masks, to be sorted by disagreement
_VISIBLE = 0.005  # share of an image from which on a class is in its prediction


@dataclass(frozen=True)
class Shown:
    """The images of a page.

    Attributes
    ----------
    images : list of PageImage
    agreement : dict
        By training: supervision (rows) against prediction of the training images shown, counted on
        the grid's supervised cells.
    notes : list of str
        What has been left out.
    """

    images: list[PageImage]
    agreement: dict[str, Confusion]
    notes: list[str]


def page_images(run: Run, trainings: Sequence[Training], most: int) -> Shown:
    """Images that are predicted, and training images with their supervision.

    Parameters
    ----------
    run : Run
    trainings : sequence of Training
    most : int
        At most this many images of the predicted ones, evenly spread.
    """
    picked, notes = _picked(run, trainings, most)
    if not picked:
        return Shown([], {}, notes)
    sources = open_sources(run, trainings)
    side = 320 if len(picked) > _MANY else 448
    shown = Shown([], {}, notes)
    taken = 0
    with run.console.bar("report: images", len(picked)) as advance:
        for split, record in picked:
            image, counts = _page_image(sources, split, record, side)
            taken += len(image.uri) + sum(len(layer.uri or "") for layer in image.layers)
            if taken > BUDGET:
                notes.append(
                    f"The last {len(picked) - len(shown.images)} images are left out: the page "
                    f"would exceed {BUDGET // 10**6} MB."
                )
                break
            shown.images.append(image)
            for title, each in counts.items():
                total = shown.agreement.setdefault(title, Confusion(run.classes))
                total.add_counts(each.counts)
            advance(record.name)
    return shown


def _picked(
    run: Run, trainings: Sequence[Training], most: int
) -> tuple[list[tuple[str, Record]], list[str]]:
    """(split, record) pairs: some training images first, then what has been predicted."""
    notes = []
    # Where nothing can be scored, training images are what can be looked at.
    wanted = run.config.evaluate.pictures
    scored = any(record.mask is not None for record in run.dataset.split("all"))
    train = run.shown_records(most, wanted if scored else max(wanted, _UNSCORED))
    predicted = {
        split: records
        for split in ("val", "train")
        if any(is_predicted(each.run, split) for each in trainings)
        and (records := run.dataset.split(split))
    }
    picked = [("train", record) for record in train]
    for split, records in predicted.items():
        names = {record.name for record in train} if split == "train" else set()
        others = [record for record in records if record.name not in names]
        count = min(len(others), max(0, most - len(picked)))
        if count < len(others):
            notes.append(
                f"{len(others) - count} of the {len(records)} {split} images are left out of this "
                f"page (at most {most} images; --images changes it); every image counts in the "
                f"scores."
            )
        picked += [(split, others[index * len(others) // count]) for index in range(count)]
    return picked, notes


def _page_image(
    sources: Sources, split: str, record: Record, side: int
) -> tuple[PageImage, dict[str, Confusion]]:
    """An image, and its supervision against its prediction by training."""
    run = sources.run
    names = run.dataset.classes
    panels = list(image_panels(sources, split, record))
    image = panels[0].values
    size = fitted(image.shape[0], image.shape[1], side)
    truth = next((panel.values for panel in panels if panel.role == "truth"), None)
    scores, agreement, counts = {}, {}, {}
    for panel in panels:
        if panel.role != "prediction":
            continue
        mask = panel.values
        if truth is not None:
            scores[panel.training] = image_scores(truth, mask, names)
        found: dict[str, Any] = {"mean": None, "classes": {}}
        own = panel.training in {each.title for each in sources.trainings if each.supervised}
        supervision = _supervision_of(panels, panel.training)
        if own and supervision is not None and split == "train":
            on_grid = mask_to_grid(mask, *supervision.shape)
            found = image_scores(supervision, on_grid, names)
            confusion = counts[panel.training] = Confusion(run.classes)
            confusion.add(supervision, on_grid)
        agreement[panel.training] = {**found, **_against_labels(mask, record.labels, names)}
    shown = PageImage(
        name=record.name,
        split=split,
        labels=[names[label] for label in record.labels],
        size=size,
        uri=image_uri(image, size),
        layers=[_layer(panel, size, run.classes) for panel in panels],
        scores=scores,
        agreement=agreement,
    )
    return shown, counts


def _supervision_of(panels: Sequence[Panel], training: str) -> NDArray[np.uint8] | None:
    """The last supervision of a training, or the cues that it was trained on."""
    own = [p for p in panels if p.role == "supervision" and p.training == training]
    own = own or [panel for panel in panels if panel.role == "cues"]
    return own[-1].values.astype(np.uint8) if own else None


def _against_labels(
    mask: NDArray[np.uint8], labels: Sequence[int], names: Sequence[str]
) -> Mapping[str, list[str]]:
    """Classes that a prediction has and the labels have not, and the other way round."""
    shares = np.bincount(mask.ravel(), minlength=256)[: len(names)] / mask.size
    extra = [c for c in range(1, len(names)) if shares[c] > _VISIBLE and c not in labels]
    missing = [c for c in labels if shares[c] == 0]
    return {"extra": [names[c] for c in extra], "missing": [names[c] for c in missing]}


def _layer(panel: Panel, size: tuple[int, int], classes: int) -> Layer:
    if panel.kind == "heat":
        return Layer(panel.title, heat_layer(panel.values, size), heat=True)
    if panel.kind == "labels":
        return Layer(panel.title, label_layer(panel.values, size, classes), role=panel.role)
    return Layer(panel.title)


def image_scores(
    truth: NDArray[np.uint8], mask: NDArray[np.uint8], classes: Sequence[str]
) -> dict[str, Any]:
    """IoU of one image: each class's, and the mean of its objects.

    The mean is over the foreground classes that are in it or in its prediction, as a wholly missed
    object has a background of high IoU; of an image of background alone it is the background's.
    """
    confusion = Confusion(len(classes))
    confusion.add(truth, mask)
    iou = confusion.iou()
    ious = {
        name: round(float(value), 4)
        for name, value in zip(classes, iou, strict=True)
        if not np.isnan(value)
    }
    objects = [value for value in iou[1:].tolist() if not np.isnan(value)]
    mean = sum(objects) / len(objects) if objects else float(iou[0])
    return {"mean": None if np.isnan(mean) else round(mean, 4), "classes": ious}
