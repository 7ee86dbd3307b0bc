"""The images of a report, each with what every stage made of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from dgcn.data.batches import TrainingSet
from dgcn.data.folder import Record
from dgcn.data.images import read_image, read_mask
from dgcn.engine.classify import load_classifier
from dgcn.engine.pictures import label_map
from dgcn.engine.predict import load_segmenter, predict_image
from dgcn.engine.quality import supervise_sample
from dgcn.engine.record import Labels, by_image, chosen, recorded_supervision
from dgcn.engine.run import Run
from dgcn.engine.seed import activation
from dgcn.engine.supervise import make_supervision
from dgcn.metrics import Confusion
from dgcn.models import Classifier, Segmenter
from dgcn.report.layers import fitted, heat_layer, label_layer, photograph
from dgcn.report.page import Panel, Picture
from dgcn.seeds import load_cues

BUDGET = 28 * 10**6
"""Bytes that the pictures of a page may take."""

_MANY = 120  # images from which on the photographs are smaller
_EPOCHS = 4  # of the supervision, per image and training


@dataclass(frozen=True)
class Training:
    """A trained segmentation network of the run.

    Attributes
    ----------
    title : str
        Name on the page.
    run : Run
        Opened with the training's settings.
    """

    title: str
    run: Run


@dataclass(frozen=True)
class _Sources:
    """What the panels are made from; a stage that has not run is None or empty."""

    classifier: Classifier | None
    cues: Labels
    networks: Mapping[str, Segmenter]
    supervision: Mapping[str, Mapping[int, Labels]]
    side: int


def report_pictures(
    run: Run, trainings: Sequence[Training], most: int
) -> tuple[list[Picture], list[str]]:
    """Images that are predicted, and the training images whose supervision is kept.

    Parameters
    ----------
    run : Run
    trainings : sequence of Training
    most : int
        At most this many images of the predicted ones, evenly spread.

    Returns
    -------
    pictures : list of Picture
    notes : list of str
        What has been left out.
    """
    picked, notes = _picked(run, trainings, most)
    if not picked:
        return [], notes
    sources = _sources(run, trainings, small=len(picked) > _MANY)
    pictures: list[Picture] = []
    taken = 0
    with run.screen.bar("report: images", len(picked)) as advance:
        for split, record in picked:
            picture = _picture(run, trainings, sources, split, record)
            taken += len(picture.photograph) + sum(len(p.layer or "") for p in picture.panels)
            if taken > BUDGET:
                notes.append(
                    f"The last {len(picked) - len(pictures)} images are left out: the page would "
                    f"exceed {BUDGET // 10**6} MB."
                )
                break
            pictures.append(picture)
            advance(record.name)
    return pictures, notes


def _picked(
    run: Run, trainings: Sequence[Training], most: int
) -> tuple[list[tuple[str, Record]], list[str]]:
    """(split, record) pairs: some training images first, then what has been predicted."""
    notes = []
    train = chosen(run.dataset.split("train"), min(most, run.config.evaluate.pictures))
    predicted = {
        split: records
        for split in ("val", "train")
        if any(_is_predicted(each.run, split) for each in trainings)
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


def _is_predicted(run: Run, split: str) -> bool:
    return (run.training / "predictions" / split / "finished.json").is_file()


def _sources(run: Run, trainings: Sequence[Training], *, small: bool) -> _Sources:
    cues = run.cues / "cues.npz"
    return _Sources(
        classifier=load_classifier(run) if (run.classifier / "last.pt").is_file() else None,
        cues=load_cues(cues) if cues.is_file() else {},
        networks={
            each.title: load_segmenter(each.run, each.run.config.evaluate.checkpoint)
            for each in trainings
        },
        supervision={each.title: recorded_supervision(each.run.training) for each in trainings},
        side=320 if small else 448,
    )


@torch.no_grad()
def _picture(
    run: Run, trainings: Sequence[Training], sources: _Sources, split: str, record: Record
) -> Picture:
    image = read_image(record.image)
    size = fitted(image.shape[0], image.shape[1], sources.side)
    classes = run.classes
    panels = [Panel("photograph")]
    if sources.classifier is not None and record.labels:
        maps = activation(run, sources.classifier, image)[[label - 1 for label in record.labels]]
        peaks = np.maximum(maps.max((1, 2), keepdims=True), 1e-12)
        together = np.maximum(maps / peaks, 0).max(0)
        panels.append(Panel("class activation", heat_layer(together, size), heat=True))
    if record.name in sources.cues:
        labels = label_map(sources.cues[record.name])
        panels.append(Panel("cues", label_layer(labels, size, classes)))
        rebuilt = [each for each in trainings if each.run.config.supervision.kind != "static"]
        for each in rebuilt:
            of = f" ({each.title})" if len(rebuilt) > 1 else ""
            for at, labels in _supervision(each, sources, record):
                title = f"supervision, {at}{of}"
                panels.append(Panel(title, label_layer(labels, size, classes)))
    truth = None if record.mask is None else read_mask(record.mask)
    scores = {}
    for each in trainings:
        mask = _prediction(each, sources.networks[each.title], split, record, image)
        name = "prediction" if len(trainings) == 1 else f"prediction ({each.title})"
        panels.append(Panel(name, label_layer(mask, size, classes)))
        if truth is not None:
            scores[each.title] = image_scores(truth, mask, run.dataset.classes)
    if truth is not None:
        panels.append(Panel("ground truth", label_layer(truth, size, classes)))
    return Picture(
        name=record.name,
        split=split,
        labels=[run.dataset.classes[label] for label in record.labels],
        size=size,
        photograph=photograph(image, size),
        panels=panels,
        scores=scores,
    )


def image_scores(
    truth: NDArray[np.uint8], mask: NDArray[np.uint8], classes: Sequence[str]
) -> dict[str, Any]:
    """Mean IoU of one image, over the classes in it or in its prediction, and each class's."""
    confusion = Confusion(len(classes))
    confusion.add(truth, mask)
    ious = {
        name: round(float(iou), 4)
        for name, iou in zip(classes, confusion.iou(), strict=True)
        if not np.isnan(iou)
    }
    mean = confusion.miou()
    return {"mean": None if np.isnan(mean) else round(mean, 4), "classes": ious}


def _supervision(
    training: Training, sources: _Sources, record: Record
) -> list[tuple[str, NDArray[np.int64]]]:
    """Label maps of the epochs that are kept, else of the network as it is, and which they are."""
    run = training.run
    kept = by_image(sources.supervision[training.title], record, _EPOCHS)
    if kept:
        return [(f"epoch {epoch}", label_map(kept[epoch])) for epoch in kept]
    sample = TrainingSet(
        [record], run.classes, run.config.data.size, cues=sources.cues, mirror=False
    )[0]
    supervision = make_supervision(run.config.supervision)
    labels = supervise_sample(run, sources.networks[training.title], supervision, sample)
    return [("last epoch", label_map(labels))]


def _prediction(
    training: Training,
    model: Segmenter,
    split: str,
    record: Record,
    image: NDArray[np.uint8],
) -> NDArray[np.uint8]:
    """The mask on disk where the split is predicted, else predicted now."""
    run = training.run
    path = run.training / "predictions" / split / f"{record.name}.png"
    if _is_predicted(run, split) and path.is_file():
        return read_mask(path)
    options = run.config.evaluate
    return predict_image(
        model,
        image,
        run.config.data.size,
        scales=options.scales,
        crf=run.config.crf.params() if options.crf else None,
    )
