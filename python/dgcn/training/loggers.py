"""Where the figures of a training go besides the console: CSV, TensorBoard, W&B or MLflow."""

from __future__ import annotations

import hashlib
import importlib
import re
import warnings
from argparse import Namespace
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lightning_fabric.loggers.csv_logs import CSVLogger
from lightning_fabric.loggers.logger import Logger
from lightning_fabric.loggers.tensorboard import TensorBoardLogger

from dgcn.atomic import write_text

if TYPE_CHECKING:
    from dgcn.config.runtime import LoggerName

__all__ = ["make_logger", "require_logger"]

_MODULES = {"tensorboard": "torch.utils.tensorboard", "wandb": "wandb", "mlflow": "mlflow"}
_PROJECT = "dgcn"


def require_logger(kind: LoggerName) -> None:
    """Raise `ValueError` where a logger's package is not installed."""
    if kind in _MODULES and not _installed(kind):
        raise ValueError(
            f"runtime.logger: {kind!r} needs a package that is not installed: "
            f"pip install 'graphcut-ext[{kind}]'"
        )


def make_logger(
    kind: LoggerName, folder: Path, step: int, settings: Mapping[str, Any]
) -> Logger | None:
    """A logger of Fabric for a training; None: nothing is to be written.

    Parameters
    ----------
    kind : {"auto", "none", "csv", "tensorboard", "wandb", "mlflow"}
        "auto" is TensorBoard where it is installed.
    folder : Path
        The training's; CSV, TensorBoard and W&B write into it. W&B and MLflow name the run after it
        and go on with it when the training is resumed.
    step : int
        Steps done before. TensorBoard drops curves of a broken-off training beyond it.
    settings : mapping
        What the training depends on, for W&B and MLflow.
    """
    if kind == "auto":
        kind = "tensorboard" if _installed("tensorboard") else "none"
    if kind == "none":
        return None
    require_logger(kind)
    folder.mkdir(parents=True, exist_ok=True)
    if kind == "csv":
        return CSVLogger(folder, name="csv")  # a new version_N where a training is gone on with
    if kind == "tensorboard":
        return TensorBoardLogger(folder, name="tensorboard", version="", purge_step=step)
    made = WandbLogger(folder) if kind == "wandb" else MLFlowLogger(folder)
    made.log_hyperparams(dict(settings))
    return made


def _installed(kind: str) -> bool:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            importlib.import_module(_MODULES[kind])
    except ImportError:
        return False
    return True


def _title(folder: Path) -> str:
    """The run's folder and the training's in it: mine/graph_cut."""
    return "/".join(folder.resolve().parts[-2:])


class _Online(Logger):
    """A logger whose runs are elsewhere, one for a training's folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    @property
    def name(self) -> str:
        return _PROJECT

    @property
    def version(self) -> str:
        return _title(self._folder)


class WandbLogger(_Online):
    """Weights & Biases; its own environment variables say where to (WANDB_MODE=offline: nowhere).

    Parameters
    ----------
    folder : Path
    """

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        import wandb

        self.experiment: Any = wandb.init(
            project=_PROJECT,
            name=self.version,
            dir=str(folder),
            id=hashlib.sha256(str(folder.resolve()).encode()).hexdigest()[:16],
            resume="allow",
        )
        # Steps of a resumed training go back to its checkpoint, W&B's own counter never does.
        self.experiment.define_metric("*", step_metric="training_step")

    def log_hyperparams(self, params: dict[str, Any] | Namespace, *_: Any, **__: Any) -> None:
        self.experiment.config.update(params, allow_val_change=True)

    def log_metrics(self, metrics: dict[str, float], step: int | None = None) -> None:
        self.experiment.log({**metrics, "training_step": step})

    def finalize(self, status: str) -> None:
        self.experiment.finish(exit_code=0 if status == "success" else 1)


class MLFlowLogger(_Online):
    """MLflow; MLFLOW_TRACKING_URI says where to.

    Parameters
    ----------
    folder : Path
        Keeps the id of the run in mlflow_run.txt.
    """

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        from mlflow.tracking import MlflowClient

        self._client: Any = MlflowClient()
        kept = folder / "mlflow_run.txt"
        self._id = kept.read_text(encoding="utf-8").strip() if kept.is_file() else ""
        if self._id and self._known():
            self._client.update_run(self._id, status="RUNNING")
            return
        found = self._client.get_experiment_by_name(_PROJECT)
        experiment = (
            self._client.create_experiment(_PROJECT) if found is None else found.experiment_id
        )
        made = self._client.create_run(experiment, run_name=self.version)
        self._id = made.info.run_id
        write_text(kept, f"{self._id}\n")

    def _known(self) -> bool:
        from mlflow.exceptions import MlflowException

        try:
            self._client.get_run(self._id)
        except MlflowException:
            return False
        return True

    def log_hyperparams(self, params: dict[str, Any] | Namespace, *_: Any, **__: Any) -> None:
        for name, value in _flat(dict(vars(params) if isinstance(params, Namespace) else params)):
            # Tags, as parameters of a resumed training could not change.
            self._client.set_tag(self._id, re.sub(r"[^\w./ -]", "_", name), str(value)[:5000])

    def log_metrics(self, metrics: dict[str, float], step: int | None = None) -> None:
        for name, value in metrics.items():
            self._client.log_metric(self._id, name, float(value), step=step)

    def finalize(self, status: str) -> None:
        self._client.set_terminated(self._id, "FINISHED" if status == "success" else "KILLED")


def _flat(values: Mapping[str, Any], prefix: str = "") -> list[tuple[str, Any]]:
    found: list[tuple[str, Any]] = []
    for name, value in values.items():
        if isinstance(value, Mapping):
            found += _flat(value, f"{prefix}{name}.")
        else:
            found.append((f"{prefix}{name}", value))
    return found
