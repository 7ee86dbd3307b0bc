"""What each verb of the command line does with a run."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from dgcn.config import Config
from dgcn.engine.chain import evaluated_split, run_chain
from dgcn.engine.classify import classify
from dgcn.engine.demo import compare
from dgcn.engine.evaluate import evaluate
from dgcn.engine.predict import predict, predict_folder
from dgcn.engine.retrain import retrain
from dgcn.engine.run import Run, open_run
from dgcn.engine.seed import seed
from dgcn.engine.segment import segment

VERBS: dict[str, Callable[[Run], object]] = {
    "run": run_chain,
    "demo": compare,
    "classify": classify,
    "seed": seed,
    "train": segment,
    "retrain": retrain,
    "predict": lambda run: predict(run, evaluated_split(run)),
    "eval": lambda run: evaluate(run, evaluated_split(run)),
}


def perform(verb: str, config: Config, images: Path | None = None) -> None:
    """Open the run of a configuration and do what a verb says.

    Parameters
    ----------
    verb : str
        A key of `VERBS`.
    config : Config
    images : Path or None, default None
        With "predict": a folder of pictures to predict in place of a split.
    """
    run = open_run(config)
    if verb == "predict" and images is not None:
        run.screen.line(f"masks: {predict_folder(run, images)}")
        return
    VERBS[verb](run)
    run.screen.line(f"run folder: {config.out}")
