"""What the stages of a run have to do, so that its end can be estimated."""

from __future__ import annotations

from dgcn.pipeline.classifier import classifier_passes
from dgcn.pipeline.run import Run
from dgcn.pipeline.stage import STAGES
from dgcn.training.forecast import Forecast

__all__ = ["forecast_of"]


def forecast_of(run: Run) -> Forecast:
    """The images that each unfinished stage of the whole chain goes through."""
    config, train = run.config, len(run.records("train"))
    pixels = sum(scale**2 for scale in config.evaluate.scales)
    views = len(config.cues.scales) * (2 if config.cues.flip else 1)
    by_hand = 0 if run.drawings is None else len(run.drawings.found)
    trained = run.with_network("trained")
    scored = len(run.dataset.split(config.evaluate.split) or run.dataset.split("train"))
    images: dict[str, float] = {}

    def add(stage: str, amount: float) -> None:
        made = STAGES[stage]
        if made.record(trained) != (True, made.fingerprint(trained)):
            images[stage] = amount

    if run.uses_classifier:
        add("classifier", classifier_passes(config, config.classify.epochs) * train)
    if run.cues_need_classifier:
        spread = 0 if config.cues.refine == "none" else min(train, by_hand)
        add("cues", max(0, train - by_hand) * views + spread)
    add("segmenter", config.train.epochs * train)
    if "segmenter" in images:
        images["prediction"] = scored * pixels
    if config.retrain.enabled:
        add("training masks", train * pixels)
        add("retraining", config.retrain.epochs * train)
    if "retraining" in images:
        images["second prediction"] = scored * pixels
    return Forecast(images)
