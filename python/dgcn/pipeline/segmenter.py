"""Stage 3: train the segmentation network on supervision that is rebuilt at every step."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dgcn.atomic import write_text
from dgcn.cues import load_cues, save_cues
from dgcn.data.batches import TrainingSet
from dgcn.data.dataset import Record
from dgcn.metrics import Confusion, score
from dgcn.models import Segmenter
from dgcn.options import as_plain, save_config
from dgcn.pipeline.networks import logit_adjustment_of, new_segmenter, train_network, validate
from dgcn.pipeline.run import Run
from dgcn.pipeline.stage import Stage, method_fingerprint, training_fingerprint
from dgcn.training.objective import SupervisedLosses, supervise_sample
from dgcn.training.teacher import Teacher
from dgcn.training.throughput import Stopwatch

Labels = Mapping[str, NDArray[np.bool_]]
"""Labels (L, h, w) of images by name."""


def _options(run: Run) -> dict[str, Any]:
    config = run.config
    method = config.supervision.method
    reads_crf = config.train.boundary_weight or method.reads_marginals
    supervision = {
        "kind": config.supervision.kind,
        **method_fingerprint(method),
        **config.supervision.options,
    }
    return {
        **training_fingerprint(run, config.train, "train"),
        "supervision": supervision,
        "head": {"head": config.model.head, "dilation": config.model.dilation},
        "output_stride": config.model.output_stride,
        "taps": as_plain(config.model.taps),
        "crf": as_plain(config.crf) if reads_crf else None,
    }


def _needs(run: Run) -> tuple[str, ...]:
    return ("classifier", "cues") if run.config.train.from_classifier else ("cues",)


def _make(run: Run, fingerprint: dict[str, Any]) -> None:
    """Train the segmentation network and leave it in the run's folder.

    Every step: forward pass; supervision from the pass's probabilities and features and the static
    cues; balanced seeding loss on it, boundary loss against the CRF of the probabilities; SGD step.
    """
    config, folder = run.config, run.trained_folder
    if run.is_rank_zero:
        save_config(config, folder)
    model = new_segmenter(run, config.train.init, config.train.dropout)
    cues = load_cues(run.cues_folder / "cues.npz")
    title = f"training ({config.supervision.folder.replace('_', ' ')})"
    clock = Stopwatch(run.fabric.device)
    teacher = None
    if config.train.probabilities == "teacher":
        teacher = Teacher(model, config.train.teacher_decay, run.fabric.autocast)

    def after_epoch(epoch: int) -> dict[str, float]:
        record_supervision(run, model, cues, epoch, teacher)
        figures: dict[str, float] = {}
        every, last = config.train.supervision_every, epoch == config.train.epochs
        if last or (every and epoch % every == 0):
            figures = _scored_supervision(run, model, cues, epoch, teacher)
        return figures | validate(run, model, title, epoch, config.train.validate_every)

    with SupervisedLosses(config, model.taps, clock, teacher) as losses:
        train_network(
            run,
            model,
            losses,
            folder,
            fingerprint,
            config.train,
            title,
            cues=cues,
            after_epoch=after_epoch,
            clock=clock,
            before_epoch=losses.begin_epoch,
            teacher=teacher,
            adjustment=logit_adjustment_of(run.with_network("trained")),
        )


def _supervised(
    run: Run,
    model: Segmenter,
    cues: Labels,
    records: Sequence[Record],
    epoch: int,
    teacher: Teacher | None,
) -> dict[str, NDArray[np.bool_]]:
    """Supervision that the network, as it is, gives some images in an epoch; not mirrored."""
    samples = TrainingSet(records, run.classes, run.config.data.size, cues=cues, mirror=False)
    method, crf = run.config.supervision.method.at(epoch), run.config.crf.on_grid()
    return {
        record.name: supervise_sample(
            model, method, samples[index], crf, run.fabric.device, teacher
        )
        for index, record in enumerate(records)
    }


def _scored_supervision(
    run: Run, model: Segmenter, cues: Labels, epoch: int, teacher: Teacher | None
) -> dict[str, float]:
    """Score the supervision of all training images that have masks; keep and return the scores."""
    masked = run.masked("train")
    if not masked:
        return {}
    confusion = Confusion(run.classes)
    shard = run.local_shard(masked)
    with run.console.bar("supervision against the masks", len(shard)) as advance:
        for record in shard:
            labels = _supervised(run, model, cues, [record], epoch, teacher)[record.name]
            confusion.add_grid(record.truth(), labels)
            advance("")
    scores = score(run.total(confusion), run.dataset.classes)
    if run.is_rank_zero:
        text = json.dumps(scores, indent=2) + "\n"
        write_text(run.trained_folder / "supervision" / f"epoch_{epoch}.json", text)
        if epoch == run.config.train.epochs:
            write_text(run.trained_folder / "supervision.json", text)
    figures = {**scores, **scores["foreground"]}
    names = ("miou", "coverage", "precision", "recall")
    return {f"supervision_{name}": figures[name] for name in names if figures[name] is not None}


def record_supervision(
    run: Run, model: Segmenter, cues: Labels, epoch: int, teacher: Teacher | None = None
) -> None:
    """Keep what the network, as it is, would be trained on, for the images of the contact sheet.

    Nothing is kept of static supervision, which is the cues, nor where ``evaluate.pictures`` is 0.

    Parameters
    ----------
    run : Run
    model : Segmenter
        In evaluation mode.
    cues : mapping from name to numpy.ndarray, shape (L, h, w), bool
    epoch : int
        Epochs done.
    teacher : Teacher or None, default None
        Where the supervision goes by it.
    """
    shown = run.config.evaluate.pictures > 0 and run.is_rank_zero
    if not (shown and run.config.supervision.method.rebuilt):
        return
    labels = _supervised(run, model, cues, run.shown_records(), epoch, teacher)
    folder = run.trained_folder / "supervision"
    if epoch == 1:  # a training that begins again leaves nothing of the former one
        for former in folder.glob("epoch_*.npz"):
            former.unlink()
    save_cues(folder / f"epoch_{epoch:04}.npz", labels)


def recorded_supervision(training: Path) -> dict[int, Labels]:
    """What `record_supervision` left in a training's folder, by epoch, ascending."""
    found: dict[int, Labels] = {}
    for path in sorted((training / "supervision").glob("epoch_*.npz")):
        number = re.fullmatch(r"epoch_(\d+)", path.stem)
        if number:
            found[int(number[1])] = load_cues(path)
    return found


SEGMENTER = Stage(
    name="segmenter",
    verb="train",
    folder=lambda run: run.trained_folder,
    options=_options,
    needs=_needs,
    make=_make,
)
