"""What every stage made of an image, panel by panel: for the contact sheet and for the report."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray

from dgcn.cues import load_cues, normalised_cam
from dgcn.data.batches import TrainingSet
from dgcn.data.dataset import Record
from dgcn.data.images import read_image
from dgcn.data.masks import VOID, read_mask
from dgcn.metrics import Confusion
from dgcn.models import Classifier
from dgcn.pipeline.networks import Predictor, activation, load_classifier, load_predictor
from dgcn.pipeline.run import Run
from dgcn.pipeline.stage import read_record
from dgcn.report import Row, contact_sheet, heat, overlay
from dgcn.training.objective import supervise_sample

Labels = Mapping[str, NDArray[np.bool_]]
"""Labels (L, h, w) of images by name."""

_EPOCHS = 4  # of the recorded supervision, per image and training


@dataclass(frozen=True)
class Training:
    """A trained segmentation network, and the supervision that is kept of its epochs.

    Attributes
    ----------
    title : str
        Name of the training.
    run : Run
        With the training's settings.
    predictor : Predictor
    supervision : mapping from int to Labels
        By epoch; empty: that of the network as it is.
    supervised : bool
        Whether its supervision is shown: not of a run that others are compared with.
    """

    title: str
    run: Run
    predictor: Predictor
    supervision: Mapping[int, Labels] = field(default_factory=dict)
    supervised: bool = True


@dataclass(frozen=True)
class Panel:
    """One picture of an image.

    Attributes
    ----------
    title : str
    kind : {"image", "heat", "labels"}
    values : numpy.ndarray
        "image": (H, W, 3), uint8. "heat": activation (h, w). "labels": class ids (h, w), 255 where
        there is none.
    role : {"", "cues", "supervision", "prediction", "truth"}
        What it is, where more than pictures are made of it.
    training : str
        Title of the training that it is of.
    """

    title: str
    kind: Literal["image", "heat", "labels"]
    values: NDArray[Any]
    role: Literal["", "cues", "supervision", "prediction", "truth"] = ""
    training: str = ""


@dataclass(frozen=True)
class Sources:
    """What panels are made from; a stage that has not run is None or empty."""

    run: Run
    classifier: Classifier | None
    cues: Labels
    trainings: Sequence[Training]


def open_training(
    title: str, run: Run, supervision: Mapping[int, Labels] | None = None
) -> Training:
    """A training with the network that the run's settings name."""
    return Training(title, run, load_predictor(run), supervision or {})


def open_sources(run: Run, trainings: Sequence[Training]) -> Sources:
    """The classifier and the cues of a run, where they are there, beside its trainings."""
    classifier = (run.classifier_folder / "last.pt").is_file()
    cues = run.cues_folder / "cues.npz"
    return Sources(
        run,
        load_classifier(run) if classifier else None,
        load_cues(cues) if cues.is_file() else {},
        trainings,
    )


@torch.no_grad()
def image_panels(sources: Sources, split: str, record: Record) -> Iterator[Panel]:
    """Image, activation, cues, each training's supervision and prediction, ground truth.

    Parameters
    ----------
    sources : Sources
    split : str
        Of the image: a prediction is read where this split is predicted, else made.
    record : Record
    """
    run, trainings = sources.run, sources.trainings
    image = read_image(record.image)
    yield Panel("image", "image", image)
    if sources.classifier is not None and record.labels:
        maps = activation(run, sources.classifier, image, to_show=True)
        maps = maps[[label - 1 for label in record.labels]]
        yield Panel("class activation", "heat", normalised_cam(maps).max(0))
    if record.name in sources.cues:
        yield Panel("cues", "labels", label_map(sources.cues[record.name]), "cues")
        shown = [each for each in trainings if each.supervised]
        rebuilt = [each for each in shown if each.run.config.supervision.method.rebuilt]
        for each in rebuilt:
            of = f" ({each.title})" if len(trainings) > 1 else ""
            for at, labels in _supervision(each, sources.cues, record):
                title, values = f"supervision{at}{of}", label_map(labels)
                yield Panel(title, "labels", values, "supervision", each.title)
    for each in trainings:
        of = f" ({each.title})" if len(trainings) > 1 else ""
        mask = prediction_of(each, split, record, image)
        yield Panel(f"prediction{of}", "labels", mask, "prediction", each.title)
    if record.mask is not None:
        yield Panel("ground truth", "labels", record.truth(), "truth")


def label_map(labels: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Class ids (h, w) of one-hot labels (L, h, w); 255 where there is none."""
    return np.where(labels.any(0), labels.argmax(0), VOID).astype(np.int64)


def by_image(
    recorded: Mapping[int, Labels], record: Record, most: int
) -> dict[int, NDArray[np.bool_]]:
    """One image's labels at up to `most` epochs: the first, the last and some between."""
    epochs = [epoch for epoch, labels in recorded.items() if record.name in labels]
    if len(epochs) > most:
        places = np.linspace(0, len(epochs) - 1, most).round().astype(int)
        epochs = [epochs[place] for place in places]
    return {epoch: recorded[epoch][record.name] for epoch in epochs}


def _supervision(
    training: Training, cues: Labels, record: Record
) -> list[tuple[str, NDArray[np.bool_]]]:
    """Labels of the epochs that are kept, else of the network as it is, and which they are."""
    kept = by_image(training.supervision, record, _EPOCHS)
    if kept:
        return [(f", epoch {epoch}", labels) for epoch, labels in kept.items()]
    config = training.run.config
    classes = training.run.classes
    sample = TrainingSet([record], classes, config.data.size, cues=cues, mirror=False)[0]
    device = training.run.fabric.device
    method, crf = config.supervision.method.at(config.train.epochs), config.crf.on_grid()
    return [("", supervise_sample(training.predictor.model, method, sample, crf, device))]


def prediction_of(
    training: Training, split: str, record: Record, image: NDArray[np.uint8]
) -> NDArray[np.uint8]:
    """The mask on disk where the split is predicted, else predicted now."""
    path = training.run.network_folder / "predictions" / split / f"{record.name}.png"
    if is_predicted(training.run, split) and path.is_file():
        return read_mask(path)
    return training.predictor(image)


def is_predicted(run: Run, split: str) -> bool:
    """Whether the network of a run has predicted a split."""
    return read_record(run.network_folder / "predictions" / split)[0]


def draw_contact_sheet(runs: Sequence[Run], path: Path) -> Path:
    """Draw a few training images with the panels of every stage, as a PNG.

    Where there is ground truth each row has its mIoU by the last network, and the rows go from the
    median outwards: the first is a typical one, the last two are the best and the worst.

    Parameters
    ----------
    runs : sequence of Run
        Trained networks that share the classifier and the cues.
    path : Path

    Returns
    -------
    Path
        `path`.
    """
    first = runs[0]
    records = first.shown_records()
    trainings = [
        open_training(run.config.supervision.folder.replace("_", " "), run) for run in runs
    ]
    sources, classes = open_sources(first, trainings), first.dataset.classes
    rows, scores = [], []
    with first.console.bar("contact sheet", len(records)) as advance:
        for record in records:
            image = read_image(record.image)
            panels = list(image_panels(sources, "train", record))
            drawn = {panel.title: _drawn(image, panel, classes) for panel in panels}
            if record.mask is not None:  # the last panel; the one before is a prediction
                scores.append(_image_miou(panels[-1].values, panels[-2].values, len(classes)))
            note = "" if record.mask is None else f"mIoU {100 * scores[-1]:.0f}"
            rows.append(Row(record.name, drawn, note, record.labels))
            advance(record.name)
    title = "Training images, stage by stage"
    if len(scores) == len(rows):
        rows = [rows[place] for place in from_the_median(scores)]
        title += ": a typical one first"
    return contact_sheet(rows, path, classes, title=title)


def from_the_median(scores: Sequence[float]) -> list[int]:
    """Places of scores: that of the median, then its neighbours below and above in turn."""
    order = sorted(range(len(scores)), key=lambda place: (scores[place], place))
    middle = (len(order) - 1) // 2
    return [order[rank] for rank in sorted(range(len(order)), key=lambda r: (abs(r - middle), r))]


def _image_miou(truth: NDArray[Any], prediction: NDArray[Any], classes: int) -> float:
    """Mean IoU over the classes that are in either."""
    confusion = Confusion(classes)
    confusion.add(truth, prediction)
    return confusion.miou()


def _drawn(image: NDArray[np.uint8], panel: Panel, classes: Sequence[str]) -> NDArray[np.uint8]:
    if panel.kind == "heat":
        return heat(image, panel.values)
    return overlay(image, panel.values, classes) if panel.kind == "labels" else image
