"""What each verb of the command line does with a run."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Sequence
from pathlib import Path

from dgcn.config import Config
from dgcn.engine.chain import evaluated_split, run_chain
from dgcn.engine.classify import classify
from dgcn.engine.demo import compare
from dgcn.engine.evaluate import evaluate
from dgcn.engine.predict import predict
from dgcn.engine.predict_files import predict_files
from dgcn.engine.run import Run, open_run
from dgcn.engine.seed import seed
from dgcn.engine.segment import segment

VERBS: dict[str, Callable[[Run], object]] = {
    "run": run_chain,
    "demo": compare,
    "classify": classify,
    "seed": seed,
    "train": segment,
    "predict": lambda run: predict(run, evaluated_split(run)),
    "eval": lambda run: evaluate(run, evaluated_split(run)),
}


def perform(verb: str, config: Config) -> None:
    """Open the run of a configuration and do what a verb says.

    Parameters
    ----------
    verb : str
        A key of `VERBS`.
    config : Config
    """
    run = open_run(config)
    VERBS[verb](run)
    run.screen.line(f"run folder: {config.out}")
    if verb in ("run", "demo"):
        run.screen.line(f"to look at it: dgcn report {shlex.quote(str(config.out))}")


def predict_given(
    config: Config, images: Sequence[str], checkpoint: Path | None, *, overlays: bool
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
    """
    folder, name = config.out, ""
    if checkpoint is None:
        folder = config.out / config.supervision.kind
        checkpoint = folder / f"{config.evaluate.checkpoint}.pt"
        only = Path(images[0])
        name = only.resolve().name if len(images) == 1 and only.is_dir() else "pictures"
    predict_files(
        images,
        checkpoint,
        config,
        masks=folder / "masks" / name,
        overlays=folder / "overlays" / name if overlays else None,
    )
