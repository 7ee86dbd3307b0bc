"""Stage 5: scores of predicted masks, each beside the protocol it was obtained by."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Sequence
from typing import Any

from dgcn.atomic import write_text
from dgcn.boundary import BoundaryScore
from dgcn.config import Config
from dgcn.data.masks import read_mask
from dgcn.lost import LostPixels
from dgcn.metrics import Confusion, plain_score, score
from dgcn.pipeline.baselines import baseline_table, baselines, plain_baselines, verdict
from dgcn.pipeline.run import Run
from dgcn.pipeline.stage import STAGES, differences
from dgcn.report import format_table


def protocol(config: Config, split: str, images: int) -> str:
    """How the masks of a split were predicted and scored, in one line."""
    options, crf = config.evaluate, config.crf
    scales = ", ".join(f"{scale:g}" for scale in options.scales)
    refined = f"on ({crf.iterations} iterations, image size)" if options.crf else "off"
    classified = "; classes by the image classifier" if options.classifier else ""
    standing = "; times the local contrast's odds" if options.contrast else ""
    adjusted = ", adjusted" if options.logit_adjustment else ""
    return (
        f"{split}, {images} images with masks, warped to {config.data.size} x {config.data.size}; "
        f"scales {scales}, logits summed at image size{adjusted}{classified}{standing}; "
        f"CRF {refined}; network {options.network}, checkpoint {options.checkpoint}; mean over "
        f"classes that occur in ground truth or predictions"
    )


def evaluate(run: Run) -> dict[str, Any]:
    """Score the masks that the prediction left of the evaluated split; keep and print the scores.

    Parameters
    ----------
    run : Run

    Returns
    -------
    dict
        "protocol"; the scores as in `dgcn.metrics.score`; "boundary_miou" and each class's
        "boundary_iou" (band of 2 % of the diagonal); "baselines", the scores of masks that no
        network has made, see `dgcn.pipeline.baselines.baselines`; "verdict", one sentence on
        them; "lost", see `dgcn.lost.LostPixels`. Kept under the split's name in metrics.json; the
        confusion matrix is in confusion_SPLIT.csv.

    Raises
    ------
    ValueError
        The split is not predicted, was predicted with other settings, or has no masks.
    """
    split, stage = run.evaluated_split(), STAGES["prediction"]
    folder = stage.folder(run)
    finished, known = stage.record(run)
    if not finished:
        raise ValueError(f"no predictions in {folder}: run 'dgcn predict' first")
    changed = list(dict.fromkeys(differences(known, stage.fingerprint(run, as_made=True))))
    if changed:
        raise ValueError(
            f"the predictions in {folder} were made with other settings ({'; '.join(changed)}): "
            f"run 'dgcn predict' again"
        )
    masked = run.masked(split)
    if not masked:
        raise ValueError(
            f"{run.dataset.root}: no image of the split '{split}' has a mask: there is nothing to "
            f"evaluate against"
        )
    confusion, outlines = Confusion(run.classes), BoundaryScore(run.classes)
    lost = LostPixels(run.classes)
    with run.console.bar("scoring", len(masked), brief=True) as advance:
        for record in masked:
            truth, guess = record.truth(), read_mask(folder / f"{record.name}.png")
            confusion.add(truth, guess)
            outlines.add(truth, guess)
            lost.add(truth, guess, record.labels)
            advance("")
    how = protocol(run.config, split, len(masked))
    scores = {"protocol": how, **score(confusion, run.dataset.classes)}
    scores["boundary_miou"] = plain_score(outlines.miou())
    scores["lost"] = lost.plain()
    found = baselines(run, split)
    scores["baselines"] = plain_baselines(found)
    scores["verdict"] = verdict(scores["miou"], scores["baselines"], "the network's masks")
    for name, value in zip(run.dataset.classes, outlines.iou().tolist(), strict=True):
        scores["classes"][name]["boundary_iou"] = plain_score(value)
    if run.is_rank_zero:
        names = run.dataset.classes
        write_text(run.network_folder / f"confusion_{split}.csv", confusion_csv(confusion, names))
        path = run.network_folder / "metrics.json"
        kept = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
        kept[split] = scores
        write_text(path, json.dumps(kept, indent=2) + "\n")
    # No process may look for the scores before the first one has written them.
    run.fabric.barrier()
    more = {"boundary IoU": outlines.iou()}
    run.console.line(format_table(confusion, run.dataset.classes, more=more))
    run.console.line(
        f"mIoU {100 * confusion.miou():.1f} %, pixel accuracy "
        f"{100 * confusion.pixel_accuracy():.1f} %, boundary IoU "
        f"{100 * outlines.miou():.1f} % [{how}]"
    )
    if scores["miou"] is not None:
        run.console.line(_lost(scores["miou"], scores["lost"]))
    run.console.line(baseline_table(scores["baselines"]))
    if scores["verdict"]:
        run.console.line(scores["verdict"])
    return scores


def _lost(miou: float, lost: dict[str, Any]) -> str:
    """One line on what is lost by naming, and at borders between objects."""
    renamed, between = lost["miou_renamed"], lost["places"]["between_objects"]
    line = (
        f"with every strange class renamed rightly: mIoU {100 * renamed:.1f} % "
        f"({100 * (renamed - miou):+.1f} by naming)"
    )
    if between["lost"] is not None:
        line += (
            f"; {100 * between['lost']:.1f} % wrong near borders between classes, "
            f"{100 * sum(lost['wrong'].values()):.1f} % overall"
        )
    return line


def confusion_csv(confusion: Confusion, classes: Sequence[str]) -> str:
    """Pixels by true class (row) and predicted class (column) as CSV with both's names."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["true class", *classes])
    for name, row in zip(classes, confusion.counts[:, :-1].tolist(), strict=True):
        writer.writerow([name, *row])
    return text.getvalue()
