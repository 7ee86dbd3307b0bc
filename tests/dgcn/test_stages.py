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
from dgcn.options import load_config, save_config
from dgcn.pipeline.run import open_run
from dgcn.pipeline.stage import RECORD, read_record

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


def test_masks_of_a_training_that_goes_on_are_predicted_anew(
    copy: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out, longer = ("--out", str(copy)), "--train.epochs=2"
    assert main(["predict", *out, longer]) == 0  # by the network of the first epoch
    assert main(["evaluate", *out, longer]) == 0
    capsys.readouterr()
    assert main(["run", *out, longer]) == 0
    printed = capsys.readouterr().out
    assert "resumed after epoch 1" in printed
    assert "predicting val: 2 done" in printed
    assert main(["train", *out, longer]) == 0  # nothing to do: the masks are still the network's
    assert main(["run", *out, longer]) == 0
    assert "prediction: finished before" in capsys.readouterr().out


def test_training_on_other_cues_than_the_settings_name_is_not_kept(
    copy: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out, other = ("--out", str(copy)), "--cues.foreground=0.9"
    assert main(["train", *out, other]) == 0  # on the cues that are there
    finished, known = read_record(copy / "static")
    assert finished
    assert known["cues"] == read_record(copy / "cues")[1]
    assert known["cues"]["cues"]["foreground"] == "auto"
    capsys.readouterr()
    assert main(["run", *out, other]) == 2
    said = capsys.readouterr().err
    assert "cues was made with other settings (cues.foreground: auto -> 0.9)" in said
    assert "another --out keeps both, --overwrite replaces it" in said
    assert read_record(copy / "cues") == (True, known["cues"])  # nothing is lost
    assert main(["run", *out, other, "--overwrite"]) == 0
    printed = capsys.readouterr().out
    assert "segmenter: made again, settings changed: cues.foreground: auto -> 0.9" in printed
    assert "resumed" not in printed
    assert read_record(copy / "static")[1]["cues"]["cues"]["foreground"] == 0.9


def test_finished_training_is_not_replaced_unasked(
    copy: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    last = copy / "static" / "last.pt"
    before = last.read_bytes()
    changed = ["--out", str(copy), "--train.lr=0.1"]
    for verb in ("run", "train"):
        assert main([verb, *changed]) == 2
        said = capsys.readouterr().err
        assert "static was made with other settings (train.lr: 0.0005 -> 0.1)" in said
        assert "--supervision.name NAME trains beside it" in said
        assert last.read_bytes() == before
    assert main(["run", *changed, "--supervision.name=faster"]) == 0
    assert last.read_bytes() == before
    assert (copy / "faster" / "metrics.json").is_file()


def test_lists_that_differ_are_named_and_not_their_digests(
    copy: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (labels,) = copy.glob("data/*/labels.csv")
    labels.write_text(labels.read_text().replace("disc", "ring"))
    assert main(["run", "--out", str(copy)]) == 2
    said = capsys.readouterr().err
    assert "classifier was made with other settings (" in said
    assert "data.train: other content" in said
    assert "digest" not in said


def test_second_process_in_a_run_folder_is_refused(
    copy: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with open_run(load_config(copy / "config.yaml", f"--out={copy}")):
        for verb in ("run", "train", "predict"):
            assert main([verb, "--out", str(copy)]) == 2
            assert "another dgcn process works in this folder" in capsys.readouterr().err
        assert main(["report", str(copy)]) == 0  # who only reads may
    assert main(["predict", "--out", str(copy)]) == 0


HOLDER = """
import sys, time
from pathlib import Path
from dgcn.options import load_config
from dgcn.pipeline.run import open_run
run = open_run(load_config(Path(sys.argv[1])))
print("held", flush=True)
time.sleep(100)
"""


def test_lock_of_a_killed_process_is_free(copy: Path, capsys: pytest.CaptureFixture[str]) -> None:
    config = load_config(copy / "config.yaml", f"--out={copy}")
    save_config(config, copy)
    command = [sys.executable, "-c", HOLDER, str(copy / "config.yaml")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout is not None
        while holder.stdout.readline().strip() != "held":
            assert holder.poll() is None
        assert main(["predict", "--out", str(copy)]) == 2
        holder.kill()
    assert main(["predict", "--out", str(copy)]) == 0


@pytest.mark.parametrize(
    ("folder", "verb", "expected"),
    [
        ("classifier", "cues", "classifier is not finished: run 'dgcn classify' first"),
        ("cues", "train", "cues is not finished: run 'dgcn cues' first"),
        ("static", "retrain", "static is not finished: run 'dgcn train' first"),
    ],
)
def test_nothing_lasting_is_built_on_an_unfinished_stage(
    folder: str, verb: str, expected: str, copy: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (copy / folder / RECORD).unlink()
    assert main([verb, "--out", str(copy)]) == 2
    assert expected in capsys.readouterr().err


def test_scores_of_former_masks_are_gone_when_there_are_others(copy: Path) -> None:
    metrics = copy / "static" / "metrics.json"
    assert set(json.loads(metrics.read_text())) == {"val"}
    assert main(["predict", "--out", str(copy), "--evaluate.split=train"]) == 0
    assert main(["evaluate", "--out", str(copy), "--evaluate.split=train"]) == 0
    assert set(json.loads(metrics.read_text())) == {"val", "train"}
    assert main(["predict", "--out", str(copy), "--evaluate.split=val"]) == 0
    assert set(json.loads(metrics.read_text())) == {"train"}
    assert main(["predict", "--out", str(copy), "--evaluate.split=train"]) == 0
    assert not metrics.exists()
    assert (copy / "static" / "predictions" / "val" / RECORD).is_file()


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
import dgcn.training.loop as loop
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
