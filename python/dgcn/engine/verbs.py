"""What each verb of the command line does with a run."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Sequence
from pathlib import Path

from dgcn.config import Config
from dgcn.data.voc_archive import write_voc_archive
from dgcn.engine.chain import evaluated_split, run_chain
from dgcn.engine.classify import classify
from dgcn.engine.demo import compare
from dgcn.engine.evaluate import evaluate
from dgcn.engine.predict import predict
from dgcn.engine.predict_files import predict_files
from dgcn.engine.progress import Screen
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


def perform(verb: str, config: Config, archive: Path | None = None) -> None:
    """Open the run of a configuration and do what a verb says.

    Parameters
    ----------
    verb : str
        "predict", or a key of `VERBS`.
    config : Config
    archive : Path or None, default None
        With "predict": a .tgz file for PASCAL VOC's evaluation server, to be made of the masks.
    """
    run = open_run(config)
    if verb == "predict":
        split = evaluated_split(run)
        folder = predict(run, split)
        run.screen.line(f"masks: {folder}")
        if archive is not None and run.leads:
            _pack(archive, [folder / f"{r.name}.png" for r in run.records(split)], run.screen)
        return
    VERBS[verb](run)
    run.screen.line(f"run folder: {config.out}")
    if verb in ("run", "demo"):
        run.screen.line(f"to look at it: dgcn report {shlex.quote(str(config.out))}")


def predict_given(
    config: Config,
    images: Sequence[str],
    checkpoint: Path | None,
    *,
    overlays: bool,
    archive: Path | None = None,
) -> None:
    """Predict pictures that need not belong to the data set.

    Parameters
    ----------
    config : Config
    images : sequence of str
        Files, folders and globs.
    checkpoint : Path or None
        The network; results go to masks/ and overlays/ in ``config.out``. None: the network of
        the run in ``config.out``; results go to folders in the training's, named after `images`.
    overlays : bool
        Whether pictures with the mask laid over them are written too.
    archive : Path or None, default None
        As `perform`.
    """
    folder, name = config.out, ""
    if checkpoint is None:
        folder = config.out / config.supervision.folder
        if config.evaluate.network == "retrained":
            folder /= "retrain"
        checkpoint = folder / f"{config.evaluate.checkpoint}.pt"
        only = Path(images[0])
        name = only.resolve().name if len(images) == 1 and only.is_dir() else "pictures"
    written = predict_files(
        images,
        checkpoint,
        config,
        masks=folder / "masks" / name,
        overlays=folder / "overlays" / name if overlays else None,
    )
    if archive is not None:
        _pack(archive, written, Screen())


def _pack(archive: Path, masks: Sequence[Path], screen: Screen) -> None:
    screen.line(f"archive: {write_voc_archive(archive, masks)} masks in {archive}")
