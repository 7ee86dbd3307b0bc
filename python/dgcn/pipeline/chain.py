"""The whole chain from labels to scores, and the demonstration; finished stages are kept."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

from rich.table import Table

from dgcn.atomic import write_text
from dgcn.pipeline.classifier import CLASSIFIER
from dgcn.pipeline.cues import CUES
from dgcn.pipeline.evaluation import evaluate
from dgcn.pipeline.foresee import forecast_of
from dgcn.pipeline.panels import draw_contact_sheet
from dgcn.pipeline.prediction import PREDICTION
from dgcn.pipeline.retraining import RETRAINING, TRAINING_MASKS
from dgcn.pipeline.run import Run
from dgcn.pipeline.segmenter import SEGMENTER

__all__ = [
    "CLASSIFIER",
    "CUES",
    "PREDICTION",
    "RETRAINING",
    "SEGMENTER",
    "TRAINING_MASKS",
    "demonstrate",
    "evaluate",
    "make_cues",
    "run_pipeline",
]


def run_pipeline(run: Run, *, pictures: bool = True) -> dict[str, Any] | None:
    """Classifier, cues, segmentation network, prediction, evaluation, contact sheet, retraining.

    A stage whose result is in the run's folder, made with the settings it would be made with now,
    is kept: static and graph-cut runs in one folder share the classifier and the cues, and a run
    that was interrupted goes on where it stopped.

    Parameters
    ----------
    run : Run
    pictures : bool, default True
        Whether a contact sheet of this run is made.

    Returns
    -------
    dict or None
        Scores as `dgcn.pipeline.evaluation.evaluate`, of the retrained network where
        ``retrain.enabled`` asks for one; None where there are no masks.

    Raises
    ------
    ValueError
        A stage was made with other settings and may not be replaced.
    """
    run.console.forecast = forecast_of(run)
    make_cues(run)
    trained = run.with_network("trained")
    SEGMENTER.ensure(run)
    scores = _scored(trained, pictures)
    if run.config.retrain.enabled:
        TRAINING_MASKS.ensure(trained)
        RETRAINING.ensure(trained)
        scores = _scored(run.with_network("retrained"), pictures)
    return scores


def make_cues(run: Run) -> None:
    """The stages that do not depend on the supervision: classifier and cues."""
    if run.uses_classifier:
        CLASSIFIER.ensure(run)
    CUES.ensure(run)


def _scored(run: Run, pictures: bool) -> dict[str, Any] | None:
    """Predict and score with the network that the settings name."""
    PREDICTION.ensure(run)
    split = run.evaluated_split()
    if split != run.config.evaluate.split:
        run.console.line("the data set has no validation images: the training images are predicted")
    scores = None
    if run.masked(split):
        scores = evaluate(run)
    else:
        run.console.line(f"evaluation: no image of the split '{split}' has a mask")
    if pictures and run.is_rank_zero and run.config.evaluate.pictures:
        path = draw_contact_sheet([run], run.network_folder / "contact_sheet.png")
        run.console.line(f"contact sheet: {path}")
    return scores


def demonstrate(run: Run) -> dict[str, Any]:
    """Run the chain on static cues and on graph cuts, everything else equal, and show both.

    Classifier, cues, network, schedule and seed are the same; only the supervision differs. The
    data set must have masks, which are used for scoring alone.

    Parameters
    ----------
    run : Run

    Returns
    -------
    dict
        "cues": scores of the cues; "static" and "graph_cut": each with "supervision" and
        "network", as `dgcn.metrics.score`; "seconds". Kept in comparison.json.
    """
    start = time.perf_counter()
    make_cues(run)
    runs = [run.with_supervision("static"), run.with_supervision("graph_cut")]
    result: dict[str, Any] = {"cues": _read(run.cues_folder / "quality.json")}
    for each in runs:
        network = run_pipeline(each, pictures=False)
        result[each.config.supervision.kind] = {
            "supervision": _read(each.trained_folder / "supervision.json"),
            "network": network,
        }
    result["seconds"] = time.perf_counter() - start
    if run.is_rank_zero:
        write_text(run.config.out / "comparison.json", json.dumps(result, indent=2) + "\n")
        _show(run, result)
        if run.config.evaluate.pictures:
            path = draw_contact_sheet(runs, run.config.out / "contact_sheet.png")
            run.console.line(f"contact sheet: {path}")
    run.fabric.barrier()
    return result


def _show(run: Run, result: dict[str, Any]) -> None:
    table = Table(title="Static cues against graph cut, percent")
    table.add_column("")
    for name in ("mIoU", "fg precision", "fg recall", "coverage"):
        table.add_column(name, justify="right")
    table.add_row("cues (training images)", *_cells(result["cues"]))
    supervision = result["graph_cut"]["supervision"]
    table.add_row("graph-cut supervision (training images)", *_cells(supervision))
    for kind in ("static", "graph_cut"):
        scores = result[kind]["network"]
        name = f"network trained on {kind.replace('_', ' ')}"
        table.add_row(name if kind != "static" else f"{name} cues", *_cells(scores))
    run.console.rich.print(table)
    network = result["graph_cut"]["network"]
    if network is not None:
        static = result["static"]["network"]
        run.console.line(f"networks: {network['protocol']}")
        gain = 100 * (network["miou"] - static["miou"])
        run.console.line(f"graph cut instead of static cues: {gain:+.1f} mIoU")
    run.console.line(f"{result['seconds']:.0f} s")


def _cells(scores: dict[str, Any] | None) -> list[str]:
    if scores is None:
        return ["-"] * 4
    values = [
        scores["miou"],
        scores["foreground"]["precision"],
        scores["foreground"]["recall"],
        scores["coverage"],
    ]
    return ["-" if value is None else f"{100 * value:.1f}" for value in values]


def _read(path: Path) -> dict[str, Any] | None:
    if not path.is_file():
        return None
    content: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return content
