"""How right a partial labelling of the grid is, against the masks it was made without."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from dgcn.data.batches import Sample, TrainingSet
from dgcn.data.folder import Record
from dgcn.data.images import VOID, mask_to_grid, read_mask
from dgcn.engine.run import Run
from dgcn.engine.supervise import CRFMarginals
from dgcn.losses import floored_softmax
from dgcn.metrics import Confusion
from dgcn.models import Segmenter, aggregate
from dgcn.supervision import Supervision


def add_grid(confusion: Confusion, record: Record, labels: NDArray[np.bool_]) -> None:
    """Count one image's labels.

    Parameters
    ----------
    confusion : Confusion
    record : Record
        With a mask.
    labels : numpy.ndarray, shape (L, h, w), bool
        At most one class a position; none counts as a miss.
    """
    if record.mask is None:
        raise ValueError(f"{record.name} has no mask")
    guess = np.where(labels.any(0), labels.argmax(0), VOID)
    confusion.add(mask_to_grid(read_mask(record.mask), *labels.shape[1:]), guess)


def supervision_quality(
    run: Run, model: Segmenter, supervision: Supervision, cues: Mapping[str, NDArray[np.bool_]]
) -> dict[str, Any] | None:
    """Scores of the supervision that the network, as it is, gives the training images.

    The images are neither mirrored nor is anything dropped out. None where no training image has a
    mask.

    Parameters
    ----------
    run : Run
    model : Segmenter
        In evaluation mode.
    supervision : Supervision
    cues : mapping from name to numpy.ndarray, shape (L, h, w), bool
    """
    masked = [record for record in run.records("train") if record.mask is not None]
    if not masked:
        return None
    samples = TrainingSet(masked, run.classes, run.config.data.size, cues=cues, mirror=False)
    confusion = Confusion(run.classes)
    mine = run.mine(list(range(len(masked))))
    with run.screen.bar("supervision against the masks", len(mine)) as advance:
        for index in mine:
            labels = supervise_sample(run, model, supervision, samples[index])
            add_grid(confusion, masked[index], labels)
            advance("")
    return quality(run.total(confusion), run.dataset.classes)


@torch.no_grad()
def supervise_sample(
    run: Run, model: Segmenter, supervision: Supervision, sample: Sample
) -> NDArray[np.bool_]:
    """Supervision (L, h, w) that the network, as it is, gives one sample with cues."""
    device = run.fabric.device
    output = model(sample["image"][None].to(device))
    logits = output.logits.float()
    pictures = sample["rgb"][None].to(device)
    labels = supervision(
        logits.softmax(1),
        aggregate(output.features, model.backbone.taps),
        sample["cues"][None].to(device),
        sample["present"][None].to(device),
        CRFMarginals(floored_softmax(logits), pictures, run.config.crf.training_params()),
    )
    result: NDArray[np.bool_] = labels[0].cpu().numpy()
    return result


def quality(confusion: Confusion, classes: Sequence[str]) -> dict[str, Any]:
    """Scores of a labelling in plain types; undefined ones are None.

    Returns
    -------
    dict
        "miou", "pixel_accuracy", "coverage" and the means "precision" and "recall" over the
        classes, all in [0, 1]; "foreground": precision, recall over the foreground classes only;
        "classes": each name's "iou", "precision", "recall" and "coverage" (the share of the class's
        positions that have a label, right or wrong).
    """
    counts = confusion.counts
    iou, precision, recall = confusion.iou(), confusion.precision(), confusion.recall()
    return {
        "miou": plain_score(confusion.miou()),
        "pixel_accuracy": plain_score(confusion.pixel_accuracy()),
        "coverage": plain_score(confusion.coverage()),
        "precision": _mean(precision),
        "recall": _mean(recall),
        "foreground": {"precision": _mean(precision[1:]), "recall": _mean(recall[1:])},
        "classes": {
            name: {
                "iou": plain_score(iou[index]),
                "precision": plain_score(precision[index]),
                "recall": plain_score(recall[index]),
                "coverage": _share(counts[index, :-1].sum(), counts[index].sum()),
            }
            for index, name in enumerate(classes)
        },
    }


def _share(part: np.int64, whole: np.int64) -> float | None:
    return float(part / whole) if whole else None


def plain_score(value: float) -> float | None:
    """A score in plain types; None where it is not defined."""
    return None if np.isnan(value) else float(value)


def _mean(values: NDArray[np.float64]) -> float | None:
    defined = values[~np.isnan(values)]
    return float(defined.mean()) if defined.size else None
