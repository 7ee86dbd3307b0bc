"""What is built on a stage is made anew when the stage is: verbs one by one, and then the chain."""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from dgcn.cli import main
from dgcn.data import read_mask, write_mask
from dgcn.engine.stages import MARK, made_with, mark_finished, recorded, unmark

OPTIONS = (
    "--data.size=41",
    "--data.synthetic_images=4",
    "--data.synthetic_val_images=2",
    "--data.synthetic_size=72",
    "--model.backbone=small",
    "--classify.epochs=1",
    "--classify.batch_size=4",
    "--train.epochs=1",
    "--train.batch_size=4",
    "--retrain.epochs=1",
    "--retrain.batch_size=4",
    "--supervision.kind=static",
    "--evaluate.pictures=0",
    "--evaluate.scales=[1]",
    "--evaluate.crf=false",
    "--runtime.device=cpu",
)


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of a finished run."""
    out = tmp_path_factory.mktemp("stages") / "run"
    assert main(["run", *OPTIONS, "--out", str(out)]) == 0
    return out


@pytest.fixture
def copy(finished: Path, tmp_path: Path) -> Path:
    """A copy of it that may be changed."""
    return Path(shutil.copytree(finished, tmp_path / "run"))


def test_record_of_what_a_stage_was_made_with(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="is not finished: run 'dgcn seed' first"):
        made_with(tmp_path, {}, "seed")
    mark_finished(tmp_path, {"supervision": {"kind": "graph_cut"}})
    now = {"supervision": {"kind": "graph_cut", "unary": "network"}}
    assert made_with(tmp_path, now, "seed") is now
    other = {"supervision": {"kind": "static"}}
    assert made_with(tmp_path, other, "seed") == {"supervision": {"kind": "graph_cut"}}


def test_masks_of_a_training_that_goes_on_are_predicted_anew(
    copy: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out, longer = ("--out", str(copy)), "--train.epochs=2"
    assert main(["predict", *out, longer]) == 0  # by the network of the first epoch
    assert main(["eval", *out, longer]) == 0
    capsys.readouterr()
    assert main(["run", *out, longer]) == 0
    printed = capsys.readouterr().out
    assert "resumed after epoch 1" in printed
    assert "predicting val: 2 done" in printed
    assert main(["train", *out, longer]) == 0  # nothing to do: the masks are still the network's
    assert main(["run", *out, longer]) == 0
    assert "prediction of val: finished before" in capsys.readouterr().out


def test_training_on_other_cues_than_the_settings_name_is_not_kept(
    copy: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out, other = ("--out", str(copy)), "--seeds.foreground=0.9"
    assert main(["train", *out, other]) == 0
    known = recorded(copy / "static")
    assert known is not None
    assert known["cues"] == recorded(copy / "cues")
    assert known["cues"]["seeds"]["foreground"] == 0.2
    capsys.readouterr()
    assert main(["run", *out, other]) == 0
    printed = capsys.readouterr().out
    assert "training: made anew, settings changed: cues.seeds.foreground: 0.2 -> 0.9" in printed
    assert "resumed" not in printed


@pytest.mark.parametrize(
    ("folder", "verb", "expected"),
    [
        ("classifier", "seed", "classifier is not finished: run 'dgcn classify' first"),
        ("cues", "train", "cues is not finished: run 'dgcn seed' first"),
        ("static", "retrain", "static is not finished: run 'dgcn train' first"),
    ],
)
def test_nothing_lasting_is_built_on_an_unfinished_stage(
    folder: str, verb: str, expected: str, copy: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    unmark(copy / folder)
    assert main([verb, "--out", str(copy)]) == 2
    assert expected in capsys.readouterr().err


def test_scores_of_former_masks_are_gone_when_there_are_others(copy: Path) -> None:
    metrics = copy / "static" / "metrics.json"
    assert set(json.loads(metrics.read_text())) == {"val"}
    assert main(["predict", "--out", str(copy), "--evaluate.split=train"]) == 0
    assert main(["eval", "--out", str(copy), "--evaluate.split=train"]) == 0
    assert set(json.loads(metrics.read_text())) == {"val", "train"}
    assert main(["predict", "--out", str(copy), "--evaluate.split=val"]) == 0
    assert set(json.loads(metrics.read_text())) == {"train"}
    assert main(["predict", "--out", str(copy), "--evaluate.split=train"]) == 0
    assert not metrics.exists()
    assert (copy / "static" / "predictions" / "val" / MARK).is_file()


def test_validation_images_that_are_all_void_choose_no_best_epoch(copy: Path) -> None:
    masks = [*copy.glob("data/*/masks/val_*.png")]
    assert masks
    for mask in masks:
        write_mask(mask, np.full_like(read_mask(mask), 255))
    assert main(["train", "--out", str(copy), "--train.epochs=2"]) == 0
    _, second = json.loads((copy / "static" / "history.json").read_text())
    assert second["score"] == -second["loss"]
    assert main(["report", str(copy)]) == 0
    shutil.rmtree(copy / "static")
    assert main(["run", "--out", str(copy), "--evaluate.checkpoint=best"]) == 0


KILLED_IN_SECOND_SAVE = """
import os, signal, sys
import dgcn.engine.loop as loop
from dgcn.cli import main

real, calls = loop.save_checkpoint, 0

def save(path, checkpoint):
    global calls
    calls += 1
    if calls == 2:
        os.kill(os.getpid(), signal.SIGKILL)
    real(path, checkpoint)

loop.save_checkpoint = save
main(sys.argv[1:])
"""


def test_best_checkpoint_survives_a_kill_between_the_two_files(copy: Path) -> None:
    shutil.rmtree(copy / "static")
    command = [sys.executable, "-c", KILLED_IN_SECOND_SAVE, "train", "--out", str(copy)]
    done = subprocess.run(command, check=False, capture_output=True, timeout=120)
    assert done.returncode == -signal.SIGKILL
    assert main(["run", "--out", str(copy), "--evaluate.checkpoint=best"]) == 0
    assert (copy / "static" / "best.pt").is_file()
