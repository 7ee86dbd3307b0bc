"""Stage 5: scores of predicted masks, each beside the protocol it was obtained by."""

from __future__ import annotations

import csv
import io
import json
import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch

from dgcn.boundary import BoundaryScore
from dgcn.config import Config
from dgcn.data.folder import Record
from dgcn.data.images import read_image, read_mask
from dgcn.engine.predict import image_logits
from dgcn.engine.quality import plain_score, quality
from dgcn.engine.run import Run
from dgcn.engine.settings import prediction_settings
from dgcn.engine.stages import differences, recorded
from dgcn.metrics import Confusion
from dgcn.models import Segmenter
from dgcn.options import write_text
from dgcn.report import format_table


def protocol(config: Config, split: str, images: int) -> str:
    """How the masks of a split were predicted and scored, in one line."""
    options, crf = config.evaluate, config.crf
    scales = ", ".join(f"{scale:g}" for scale in options.scales)
    refined = f"on ({crf.iterations} iterations, image size)" if options.crf else "off"
    return (
        f"{split}, {images} images with masks, warped to {config.data.size} x {config.data.size}; "
        f"scales {scales}, logits summed at image size; CRF {refined}; network {options.network}, "
        f"checkpoint {options.checkpoint}; mean over classes that occur in ground truth or "
        f"predictions"
    )


def with_masks(run: Run, split: str) -> list[Record]:
    """Images of a split that have a mask, at least one.

    Raises
    ------
    ValueError
        No image of the split has one.
    """
    masked = [record for record in run.records(split) if record.mask is not None]
    if not masked:
        raise ValueError(
            f"{run.dataset.root}: no image of the split '{split}' has a mask: there is nothing to "
            f"evaluate against"
        )
    return masked


def evaluate(run: Run, split: str) -> dict[str, Any]:
    """Score the masks that `dgcn.engine.predict.predict` wrote; keep and print the scores.

    Parameters
    ----------
    run : Run
    split : {"train", "val"}

    Returns
    -------
    dict
        "protocol"; the scores as in `dgcn.engine.quality.quality`; "boundary_miou" and each
        class's "boundary_iou" (band of 2 % of the diagonal). Kept under the split's name in
        metrics.json; the confusion matrix is in confusion_SPLIT.csv.

    Raises
    ------
    FileNotFoundError
        The split is not predicted yet.
    ValueError
        It was predicted with other settings, or has no masks.
    """
    folder = run.network / "predictions" / split
    known = recorded(folder)
    if known is None:
        raise FileNotFoundError(f"no predictions in {folder}: run 'dgcn predict' first")
    changed = differences(known, prediction_settings(run.config, run.dataset, split))
    if changed:
        raise ValueError(
            f"the predictions in {folder} were made with other settings ({'; '.join(changed)}): "
            f"run 'dgcn predict' again"
        )
    masked = with_masks(run, split)
    confusion, outlines = Confusion(run.classes), BoundaryScore(run.classes)
    with run.screen.bar("scoring", len(masked), brief=True) as advance:
        for record in masked:
            assert record.mask is not None
            truth, guess = read_mask(record.mask), read_mask(folder / f"{record.name}.png")
            confusion.add(truth, guess)
            outlines.add(truth, guess)
            advance("")
    how = protocol(run.config, split, len(masked))
    scores = {"protocol": how, **quality(confusion, run.dataset.classes)}
    scores["boundary_miou"] = plain_score(outlines.miou())
    for name, value in zip(run.dataset.classes, outlines.iou().tolist(), strict=True):
        scores["classes"][name]["boundary_iou"] = plain_score(value)
    if run.leads:
        names = run.dataset.classes
        write_text(run.network / f"confusion_{split}.csv", confusion_csv(confusion, names))
        path = run.network / "metrics.json"
        kept = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
        kept[split] = scores
        write_text(path, json.dumps(kept, indent=2) + "\n")
    # No process may look for the scores before the first one has written them.
    run.fabric.barrier()
    more = {"boundary IoU": outlines.iou()}
    run.screen.line(format_table(confusion, run.dataset.classes, more=more))
    run.screen.line(
        f"mIoU {100 * confusion.miou():.1f} %, pixel accuracy "
        f"{100 * confusion.pixel_accuracy():.1f} %, boundary IoU "
        f"{100 * outlines.miou():.1f} % [{how}]"
    )
    return scores


def confusion_csv(confusion: Confusion, classes: Sequence[str]) -> str:
    """Pixels by true class (row) and predicted class (column) as CSV with both's names."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["true class", *classes])
    for name, row in zip(classes, confusion.counts[:, :-1].tolist(), strict=True):
        writer.writerow([name, *row])
    return text.getvalue()


@torch.no_grad()
def validation_miou(run: Run, model: Segmenter) -> float | None:
    """Mean IoU on the validation images at one scale without CRF; None where all is void."""
    masked = [record for record in run.dataset.split("val") if record.mask is not None]
    if not masked:
        return None
    confusion = Confusion(run.classes)
    mine = run.mine(masked)
    with run.screen.bar("validation", len(mine), brief=True) as advance:
        for record in mine:
            assert record.mask is not None
            logits = image_logits(model, read_image(record.image), run.config.data.size, (1.0,))
            confusion.add(read_mask(record.mask), logits.argmax(0).numpy().astype(np.uint8))
            advance("")
    miou = run.total(confusion).miou()
    return None if math.isnan(miou) else miou
