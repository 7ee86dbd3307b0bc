"""What each verb of the command line does with a run."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from dgcn.config import Config
from dgcn.data.voc_archive import write_voc_archive
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
    "eval": lambda run: evaluate(run, evaluated_split(run)),
}


def perform(
    verb: str, config: Config, images: Path | None = None, archive: Path | None = None
) -> None:
    """Open the run of a configuration and do what a verb says.

    Parameters
    ----------
    verb : str
        "predict", or a key of `VERBS`.
    config : Config
    images : Path or None, default None
        With "predict": a folder of pictures to predict in place of a split.
    archive : Path or None, default None
        With "predict": a .tgz file for PASCAL VOC's evaluation server, to be made of the masks.
    """
    run = open_run(config)
    if verb == "predict":
        if images is not None:
            masks = predict_folder(run, images)
        else:
            split = evaluated_split(run)
            folder = predict(run, split)
            masks = [folder / f"{record.name}.png" for record in run.records(split)]
        run.screen.line(f"masks: {masks[0].parent}")
        if archive is not None and run.leads:
            run.screen.line(f"archive: {write_voc_archive(archive, masks)} masks in {archive}")
        return
    VERBS[verb](run)
    run.screen.line(f"run folder: {config.out}")
