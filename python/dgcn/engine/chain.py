"""The whole chain from labels to scores; finished stages are not repeated."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from dgcn.engine.classify import classify
from dgcn.engine.evaluate import evaluate
from dgcn.engine.pictures import sheet
from dgcn.engine.predict import predict
from dgcn.engine.retrain import retrain
from dgcn.engine.run import Run
from dgcn.engine.seed import seed
from dgcn.engine.segment import segment
from dgcn.engine.settings import (
    classifier_settings,
    cue_settings,
    prediction_settings,
    retrain_settings,
    segmenter_settings,
)
from dgcn.engine.stages import differences, is_finished, recorded


def run_chain(run: Run, *, pictures: bool = True) -> dict[str, Any] | None:
    """Classifier, cues, segmentation network, prediction, evaluation, contact sheet, retraining.

    A stage whose result is in the run's folder, made with the settings it would be made with now,
    is skipped: static and graph-cut runs in one folder share the classifier and the cues, and a
    run that was interrupted goes on where it stopped.

    Parameters
    ----------
    run : Run
    pictures : bool, default True
        Whether a contact sheet of this run is made.

    Returns
    -------
    dict or None
        Scores as `dgcn.engine.evaluate.evaluate`, of the retrained network where
        ``retrain.enabled`` asks for one; None where there are no masks.
    """
    prepare(run)
    trained = run.with_network("trained")
    _stage(run, "training", run.training, segmenter_settings(run.config, run.dataset), segment)
    scores = _score(trained, pictures)
    if run.config.retrain.enabled:
        settings = retrain_settings(run.config, run.dataset)
        _stage(trained, "retraining", run.retraining, settings, retrain)
        scores = _score(run.with_network("retrained"), pictures)
    return scores


def _score(run: Run, pictures: bool) -> dict[str, Any] | None:
    """Predict and score with the network that the settings name."""
    split = evaluated_split(run)
    _stage(
        run,
        f"prediction of {split}",
        run.network / "predictions" / split,
        prediction_settings(run.config, run.dataset, split),
        lambda r: predict(r, split),
    )
    scores = None
    if any(record.mask is not None for record in run.records(split)):
        scores = evaluate(run, split)
    else:
        run.screen.line(f"evaluation: no image of the split '{split}' has a mask")
    if pictures and run.leads and run.config.evaluate.pictures:
        path = sheet([run], run.network / "contact_sheet.png")
        run.screen.line(f"contact sheet: {path}")
    return scores


def prepare(run: Run) -> None:
    """The stages that do not depend on the supervision: classifier and cues."""
    config, dataset = run.config, run.dataset
    if run.uses_classifier:
        _stage(run, "classifier", run.classifier, classifier_settings(config, dataset), classify)
    _stage(run, "cues", run.cues, cue_settings(config, dataset), seed)


def evaluated_split(run: Run) -> str:
    """The split of the settings, or "train" where the data set has no validation images."""
    split = run.config.evaluate.split
    if split == "val" and not run.dataset.split("val"):
        run.screen.line("the data set has no validation images: predicting the training images")
        return "train"
    return split


def _stage(
    run: Run,
    name: str,
    folder: Path,
    settings: dict[str, Any],
    compute: Callable[[Run], object],
) -> None:
    done = recorded(folder)
    finished = is_finished(folder, settings)
    # Every process must have looked before the first one begins anew.
    run.fabric.barrier()
    if finished:
        run.screen.line(f"{name}: finished before, kept ({folder})")
        return
    if done is not None:
        run.screen.line(f"{name}: made anew, settings changed: {_listed(done, settings)}")
    compute(run)


def _listed(old: dict[str, Any], new: dict[str, Any]) -> str:
    changed = differences(old, new)
    more = f" and {len(changed) - 3} more" if len(changed) > 3 else ""
    return "; ".join(changed[:3]) + more
