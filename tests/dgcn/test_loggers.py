"""Curves by one setting: files of CSV, TensorBoard's, runs of W&B and MLflow where installed."""

from __future__ import annotations

import csv
import json
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from dgcn.cli import main
from dgcn.training.console import Curves
from dgcn.training.loggers import WandbLogger, make_logger, require_logger

OPTIONS = (
    *("--data.size=41", "--data.synthetic_images=4", "--data.synthetic_val_images=1"),
    *("--data.synthetic_size=48", "--model.backbone=small", "--runtime.device=cpu"),
    *("--classify.epochs=2", "--classify.batch_size=2"),
)


def classify(out: Path, *more: str) -> int:
    return main(["classify", *OPTIONS, f"--out={out}", *more])


def test_a_training_writes_its_curves_as_csv(tmp_path: Path) -> None:
    assert classify(tmp_path / "run", "--runtime.logger=csv") == 0
    folder = tmp_path / "run" / "classifier"
    assert not (folder / "tensorboard").exists()
    (path,) = folder.glob("csv/version_*/metrics.csv")
    with path.open(newline="") as file:
        rows = list(csv.DictReader(file))
    history = json.loads((folder / "history.json").read_text())
    rates = [row for row in rows if row["rate"]]
    assert [int(row["step"]) for row in rates] == [0, 1, 2, 3]
    scores = [float(row["score"]) for row in rows if row["score"]]
    assert scores == pytest.approx([row["score"] for row in history])
    # The second epoch's mean loss is that of its steps.
    steps = [float(row["labels"]) for row in rates[2:]]
    assert history[1]["labels"] == pytest.approx(sum(steps) / 2)


def test_none_writes_nothing_and_auto_tensorboard(tmp_path: Path) -> None:
    with Curves(tmp_path / "none", True, 0, "none") as curves:
        curves.add(0, {"loss": 1.0})
    assert not (tmp_path / "none").exists()
    with Curves(tmp_path / "auto", True, 0, "auto") as curves:
        curves.add(0, {"loss": 1.0})
    events = EventAccumulator(str(tmp_path / "auto" / "tensorboard"))
    events.Reload()
    assert [event.value for event in events.Scalars("loss")] == [1.0]


@pytest.mark.parametrize("kind", ["wandb", "mlflow", "tensorboard"])
def test_missing_package_is_named_before_anything_is_done(
    kind: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, kind, None)  # importing it fails, as where it is not there
    monkeypatch.delitem(sys.modules, "torch.utils.tensorboard", raising=False)
    with pytest.raises(ValueError, match=rf"'{kind}' needs a package that is not installed"):
        require_logger(kind)
    assert classify(tmp_path / "run", f"--runtime.logger={kind}") == 2
    assert f"pip install 'graphcut-ext[{kind}]'" in capsys.readouterr().err
    assert not (tmp_path / "run").exists()


@pytest.mark.skipif(find_spec("mlflow") is None, reason="the package itself: mlflow-skinny")
def test_curves_of_mlflow_go_on_in_one_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", (tmp_path / "store").as_uri())
    monkeypatch.setenv("MLFLOW_ALLOW_FILE_STORE", "true")
    folder = tmp_path / "mine" / "graph_cut"
    with Curves(folder, True, 0, "mlflow", {"train": {"lr": 0.5}}) as curves:
        curves.add(0, {"loss": 3.0})
        curves.add(1, {"loss": 2.0})
    with Curves(folder, True, 1, "mlflow", {"train": {"lr": 0.25}}) as curves:
        curves.add(1, {"loss": 1.5})
    from mlflow.tracking import MlflowClient

    client = MlflowClient()
    experiment = client.get_experiment_by_name("dgcn")
    (run,) = client.search_runs([experiment.experiment_id])
    assert run.info.run_name == "mine/graph_cut"
    assert run.info.status == "FINISHED"
    assert run.data.tags["train.lr"] == "0.25"
    points = client.get_metric_history(run.info.run_id, "loss")
    assert [(each.step, each.value) for each in points] == [(0, 3.0), (1, 2.0), (1, 1.5)]


@pytest.mark.skipif(find_spec("wandb") is None, reason="the package itself: wandb")
def test_curves_of_wandb_are_written_offline(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in (("MODE", "offline"), ("SILENT", "true"), ("DIR", str(tmp_path))):
        monkeypatch.setenv(f"WANDB_{name}", value)
    folder = tmp_path / "mine" / "graph_cut"
    logger = make_logger("wandb", folder, 0, {"train": {"lr": 0.5}})
    assert isinstance(logger, WandbLogger)
    logger.log_metrics({"loss": 3.0}, 0)
    logger.log_metrics({"loss": 2.0}, 1)
    run = logger.experiment
    assert (run.name, run.config["train"]["lr"]) == ("mine/graph_cut", 0.5)
    assert (run.summary["loss"], run.summary["training_step"]) == (2.0, 1)
    logger.finalize("success")
    (file,) = folder.glob("wandb/offline-run-*/run-*.wandb")
    assert file.stat().st_size > 0
