"""The supervision of a few training images, kept epoch by epoch for people to look at."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from dgcn.data.batches import TrainingSet
from dgcn.data.folder import Record
from dgcn.engine.quality import supervise_sample
from dgcn.engine.run import Run
from dgcn.models import Segmenter
from dgcn.seeds import load_cues, save_cues
from dgcn.supervision import Supervision

Labels = Mapping[str, NDArray[np.bool_]]


def chosen(records: Sequence[Record], count: int) -> list[Record]:
    """Images evenly spread over the list among those that have a foreground label."""
    labelled = [record for record in records if record.labels] or list(records)
    count = min(count, len(labelled))
    return [labelled[index * len(labelled) // count] for index in range(count)]


def record_supervision(
    run: Run, model: Segmenter, supervision: Supervision, cues: Labels, epoch: int
) -> None:
    """Keep what the network, as it is, would be trained on, for the images of the contact sheet.

    Nothing is kept of static supervision, which is the cues, nor where ``evaluate.pictures`` is 0.

    Parameters
    ----------
    run : Run
    model : Segmenter
        In evaluation mode.
    supervision : Supervision
    cues : mapping from name to numpy.ndarray, shape (L, h, w), bool
    epoch : int
        Epochs done.
    """
    count = run.config.evaluate.pictures
    if run.config.supervision.kind == "static" or not count or not run.leads:
        return
    records = chosen(run.records("train"), count)
    samples = TrainingSet(records, run.classes, run.config.data.size, cues=cues, mirror=False)
    labels = {
        record.name: supervise_sample(run, model, supervision, samples[index])
        for index, record in enumerate(records)
    }
    folder = run.training / "supervision"
    folder.mkdir(parents=True, exist_ok=True)
    if epoch == 1:  # a training that begins anew leaves nothing of the former one
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


def by_image(
    recorded: Mapping[int, Labels], record: Record, most: int
) -> dict[int, NDArray[np.bool_]]:
    """One image's labels at up to `most` epochs: the first, the last and some between."""
    epochs = [epoch for epoch, labels in recorded.items() if record.name in labels]
    if len(epochs) > most:
        places = np.linspace(0, len(epochs) - 1, most).round().astype(int)
        epochs = [epochs[place] for place in places]
    return {epoch: recorded[epoch][record.name] for epoch in epochs}
