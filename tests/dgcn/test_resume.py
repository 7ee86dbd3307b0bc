"""Trainings that are killed and go on: the same weights as one that was not."""

from __future__ import annotations

import io
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import rich.console
import torch

from dgcn.cli import main
from dgcn.cues import load_cues, save_cues
from dgcn.options import load_config
from dgcn.pipeline.run import open_run
from dgcn.pipeline.segmenter import SEGMENTER
from dgcn.training.checkpoint import load_checkpoint
from dgcn.training.console import Console

OPTIONS = (
    "--data.size=81",
    "--data.synthetic_images=6",
    "--data.synthetic_val_images=1",
    "--data.synthetic_size=72",
    "--model.backbone=small",
    "--classify.epochs=1",
    "--classify.batch_size=6",
    "--train.epochs=3",
    "--train.batch_size=2",
    "--train.step_size=1",
    "--supervision.kind=static",
    "--runtime.device=cpu",
)

# Sends itself a signal at a chosen call of a chosen function, then goes on as `dgcn`.
SIGNALLED = """
import os, signal, sys
import torch
from dgcn.cli import main

module, name = {"fsync": (os, "fsync"), "step": (torch.optim.SGD, "step")}[sys.argv[1]]
real, calls, at = getattr(module, name), 0, int(sys.argv[2])

def counted(*args, **kwargs):
    global calls
    calls += 1
    if calls == at:
        os.kill(os.getpid(), getattr(signal, sys.argv[3]))
    return real(*args, **kwargs)

setattr(module, name, counted)
sys.exit(main(sys.argv[4:]))
"""


@pytest.fixture(scope="module")
def cued(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of a run up to the cues."""
    out = tmp_path_factory.mktemp("resume") / "run"
    for verb in ("classify", "cues"):
        assert main([verb, *OPTIONS, "--out", str(out)]) == 0
    return out


def test_killed_training_equals_an_uninterrupted_one(cued: Path, tmp_path: Path) -> None:
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    for out in (whole, parts):
        shutil.copytree(cued, out)
    assert main(["train", "--out", str(whole)]) == 0

    def interrupted(function: str, call: int, name: str) -> tuple[int, tuple[int, int]]:
        arguments = ["train", "--out", str(parts), "--runtime.checkpoint_minutes=1e-9"]
        command = [sys.executable, "-c", SIGNALLED, function, str(call), name, *arguments]
        done = subprocess.run(command, check=False, capture_output=True, timeout=120)
        last = load_checkpoint(parts / "static" / "last.pt")
        return done.returncode, (last.epoch, last.step)

    # Three steps an epoch. In the fifth step; while the second checkpoint is being written (before
    # it: two files of settings of the run, the stage's record, two of the training, a checkpoint);
    # by SIGTERM, which is obeyed after the step, the last of its epoch.
    assert interrupted("step", 5, "SIGKILL") == (-9, (1, 1))
    assert interrupted("fsync", 7, "SIGKILL") == (-9, (1, 2))
    assert list((parts / "static").glob(".last.pt.*")), "not killed while writing"
    assert interrupted("step", 1, "SIGTERM") == (143, (1, 3))
    assert main(["train", "--out", str(parts), "--runtime.workers=1"]) == 0

    expected, found = (load_checkpoint(out / "static" / "last.pt") for out in (whole, parts))
    assert found.epoch == 3
    assert found.history == expected.history
    for name, tensor in expected.model.items():
        assert torch.equal(found.model[name], tensor), name
    momentum = expected.optimizer["state"]
    for index, state in found.optimizer["state"].items():
        assert torch.equal(state["momentum_buffer"], momentum[index]["momentum_buffer"])


def test_batch_without_supervision_is_reported_and_left_out(cued: Path, tmp_path: Path) -> None:
    out = tmp_path / "run"
    shutil.copytree(cued, out)
    cues = load_cues(out / "cues" / "cues.npz")
    for grid in cues.values():
        grid[:] = False
    save_cues(out / "cues" / "cues.npz", cues)
    stream = io.StringIO()
    console = Console(
        rich_console=rich.console.Console(file=stream, force_terminal=False, soft_wrap=True)
    )
    config = load_config(out / "config.yaml", f"--out={out}", "--train.epochs=1")
    with open_run(config, console=console) as run:
        SEGMENTER.perform(run)
    printed = stream.getvalue()
    assert printed.count("no cell is supervised in its images: train_0000") == 3
    optimizer = load_checkpoint(out / "static" / "last.pt").optimizer
    assert optimizer["state"] == {}, "a step was taken"


def test_adamw_goes_on(cued: Path, tmp_path: Path) -> None:
    states, adam = [], ("--train.optimizer=adamw", "--train.lr=1e-4", "--train.weight_decay=1e-2")
    for name, lengths in (("whole", (2,)), ("parts", (1, 2))):
        out = tmp_path / name
        shutil.copytree(cued, out)
        for epochs in lengths:
            assert main(["train", "--out", str(out), f"--train.epochs={epochs}", *adam]) == 0
        states.append(load_checkpoint(out / "static" / "last.pt").model)
    for name, tensor in states[0].items():
        assert torch.equal(states[1][name], tensor), name


def test_mixed_precision_training_goes_on(cued: Path, tmp_path: Path) -> None:
    states, mixed = [], ("--runtime.precision=bf16-mixed",)
    for name, lengths in (("whole", (2,)), ("parts", (1, 2))):
        out = tmp_path / name
        shutil.copytree(cued, out)
        for epochs in lengths:
            options = ("--train.supervision_every=1", f"--train.epochs={epochs}")
            assert main(["train", "--out", str(out), "--train.batch_size=6", *options, *mixed]) == 0
        states.append(load_checkpoint(out / "static" / "last.pt"))
    whole, parts = states
    assert whole.history == parts.history
    plain = tmp_path / "plain"
    shutil.copytree(cued, plain)
    assert main(["train", "--out", str(plain), "--train.batch_size=6", "--train.epochs=1"]) == 0
    exact = load_checkpoint(plain / "static" / "last.pt").history[0]["loss"]
    assert whole.history[0]["loss"] != exact
    assert whole.history[0]["loss"] == pytest.approx(exact, rel=0.02)
    assert {tensor.dtype for tensor in whole.model.values()} == {torch.float32, torch.int64}
    for name, tensor in whole.model.items():
        assert torch.equal(parts.model[name], tensor), name
