"""Interrupts, pipes and terminals: what is kept, what is said, with which status."""

from __future__ import annotations

import io
import os
import queue
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import rich.console
import safetensors.torch
import torch

from dgcn.cli import main
from dgcn.data import write_synthetic
from dgcn.training.checkpoint import load_checkpoint
from dgcn.training.console import Console
from dgcn.training.signals import noted_signals


def interrupted(command: list[str], checkpoint: Path, former: int) -> tuple[str, str]:
    """Output and errors of a training that is interrupted once it has done a further epoch."""
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True
    )
    try:
        deadline = time.monotonic() + 200
        while not (checkpoint.is_file() and load_checkpoint(checkpoint).epoch > former):
            assert process.poll() is None, process.communicate()
            assert time.monotonic() < deadline
            time.sleep(0.1)
        os.killpg(process.pid, signal.SIGINT)
        output, errors = process.communicate(timeout=60)
    finally:
        process.kill()
    assert process.returncode == 130
    return output, errors


def test_interrupted_training_goes_on_by_the_command_it_names(tmp_path: Path) -> None:
    write_synthetic(tmp_path / "a set", images=2, val_images=0, size=48)
    arguments = ["classify", "--data.root", str(tmp_path / "a set"), "--data.size=41"]
    arguments += ["--model.backbone=small", "--classify.epochs=100000", "--out"]
    arguments += [str(tmp_path / "run"), "--runtime.device=cpu"]
    command = [sys.executable, "-m", "dgcn", *arguments]
    last = tmp_path / "run" / "classifier" / "last.pt"
    _, errors = interrupted(command, last, 0)
    assert errors.count("\n") == 1
    assert "finished stages and epochs are kept, go on with: dgcn classify" in errors
    assert f"'{tmp_path / 'a set'}'" in errors  # as a shell needs it
    done = load_checkpoint(last).epoch
    output, _ = interrupted(command, last, done)
    assert f"classifier: resumed after epoch {done}\n" in output
    assert not list(tmp_path.rglob(".last.pt.*"))


def test_interrupt_within_a_queue_is_noted_and_a_second_one_raises() -> None:
    class Interrupted(queue.Queue[int]):
        def _put(self, item: int) -> None:
            signal.raise_signal(signal.SIGINT)
            super()._put(item)

    items = Interrupted()
    with noted_signals() as received:
        items.put(1)  # within the queue's lock
        assert received.interrupt
        with pytest.raises(KeyboardInterrupt):
            items.put(2)
    with noted_signals() as received, pytest.raises(KeyboardInterrupt):
        signal.raise_signal(signal.SIGINT)


def test_interrupt_while_a_checkpoint_is_written_is_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def save(path: Path, checkpoint: object) -> None:
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)
        raise RuntimeError("unexpected pos 696448 vs 696344")

    monkeypatch.setattr("dgcn.training.loop.save_checkpoint", save)
    write_synthetic(tmp_path / "set", images=2, val_images=0, size=48)
    arguments = ["classify", "--data.root", str(tmp_path / "set"), "--data.size=41"]
    arguments += ["--model.backbone=small", "--classify.epochs=1", "--runtime.device=cpu"]
    assert main([*arguments, "--out", str(tmp_path / "run")]) == 130
    assert "interrupted; finished stages and epochs are kept" in capsys.readouterr().err


def test_reader_that_leaves_is_no_error() -> None:
    command = f"{sys.executable} -m dgcn doctor | head -1"
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, check=True)
    assert done.stdout == "Machine\n"
    assert done.stderr == ""


def test_folder_that_cannot_be_written_is_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_synthetic(tmp_path / "set", images=2, val_images=0, size=48)
    (tmp_path / "file").write_text("")
    options = ("--data.root", str(tmp_path / "set"), "--out", str(tmp_path / "file"))
    assert main(["classify", *options]) == 2
    printed = capsys.readouterr().err
    assert str(tmp_path / "file") in printed
    assert printed.count("\n") == 1


def shown(brief: bool, **options: bool) -> str:
    stream = io.StringIO()
    console = Console(rich_console=rich.console.Console(file=stream, width=100, **options))
    with console.bar("work", 2, brief=brief) as advance:
        advance("x")
        advance("y")
    return stream.getvalue()


def test_brief_bar_leaves_no_line() -> None:
    assert shown(True) == ""
    assert shown(False).startswith("work: 2 done in ")
    assert "2/2" in shown(True, force_terminal=True)


def test_no_bar_on_a_dumb_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "dumb")
    text = shown(False, force_terminal=True)
    assert text.startswith("work: 2 done in ")
    assert "\x1b" not in text


def test_no_colour_where_it_is_not_wanted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm-256color")
    colour = re.compile(r"\x1b\[[0-9;]*3[0-9]|\x1b\[[0-9;]*38;")
    assert colour.search(shown(False, force_terminal=True))
    monkeypatch.setenv("NO_COLOR", "1")
    assert not colour.search(shown(False, force_terminal=True))


TINY = ("--model.backbone=small", "--data.size=41", "--classify.epochs=1", "--runtime.device=cpu")
LIMITED = """
import resource, signal, sys
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, ({size}, {size}))
from dgcn.cli import main
sys.exit(main(sys.argv[1:]))
"""


@pytest.mark.parametrize(
    ("size", "file"), [(60_000, r"classifier/(last|best)\.pt"), (100, r"config\.yaml")]
)
def test_full_disk_is_one_line_that_names_the_file(tmp_path: Path, size: int, file: str) -> None:
    """A limit on the size of files stands for it: writing fails in the system, as on a full disk.

    What was there before is whole, and no part of a file is left.
    """
    write_synthetic(tmp_path / "set", images=4, val_images=0, size=48)
    command = [sys.executable, "-c", LIMITED.format(size=size), "classify"]
    command += ["--data.root", str(tmp_path / "set"), "--out", str(tmp_path / "run"), *TINY]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=200)
    assert done.returncode == 2, done.stderr
    assert done.stderr.count("\n") == 1
    assert re.fullmatch(rf"dgcn: error: .*/run/{file}: File too large\n", done.stderr)
    assert not list((tmp_path / "run").rglob("*.partial"))


def test_standard_output_on_a_full_disk_is_one_line() -> None:
    command = [sys.executable, "-m", "dgcn", "--help"]
    with open("/dev/full", "w") as full:
        done = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, text=True, check=False)
    assert done.returncode == 2
    assert done.stderr == "dgcn: error: standard output: No space left on device\n"


@pytest.mark.parametrize("arguments", [["--help"], ["run", "--help-all"], ["doctor"]])
def test_closed_pipe_ends_silently(arguments: list[str]) -> None:
    read, written = os.pipe()
    os.close(read)
    command = [sys.executable, "-m", "dgcn", *arguments]
    with os.fdopen(written, "wb") as pipe:
        done = subprocess.run(command, stdout=pipe, stderr=subprocess.PIPE, text=True, check=False)
    assert done.returncode == 141
    assert done.stderr == ""


def foreign(path: Path, kind: str) -> None:
    if kind == "tensors":
        torch.save({"a": torch.zeros(3)}, path)
    elif kind == "module":
        torch.save(torch.nn.Linear(2, 2), path)
    elif kind == "old":
        torch.save({"a": torch.zeros(3)}, path, _use_new_zipfile_serialization=False)
    elif kind == "safetensors":
        safetensors.torch.save_file({"a": torch.zeros(3)}, path)
    else:
        path.write_text(kind)


@pytest.mark.parametrize(
    ("kind", "message"),
    [
        ("tensors", "is not a dgcn checkpoint of format 1"),
        ("module", "a pickle of more than tensors and plain types, which is not loaded"),
        ("old", "File is not a zip file; dgcn writes last.pt and best.pt"),
        ("safetensors", "File is not a zip file"),
        ("", "File is not a zip file"),
    ],
)
def test_foreign_checkpoint_is_one_line(
    kind: str, message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    foreign(tmp_path / "net.pt", kind)
    command = ["predict", "--checkpoint", str(tmp_path / "net.pt"), "--images", "x.png"]
    assert main(command) == 2
    printed = capsys.readouterr().err
    assert message in printed
    assert printed.count("\n") == 1
    assert "\x1b" not in printed


def test_names_of_files_do_not_command_the_terminal(
    tiny_run: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "\x1b[2Ja.png").write_bytes(b"damaged")
    command = ["predict", "--checkpoint", str(tiny_run), "--images", str(tmp_path / "in")]
    assert main([*command, "--out", str(tmp_path / "out\x07")]) == 2
    printed = "".join(capfd.readouterr())
    assert r"\x1b[2Ja.png" in printed
    assert "\x1b" not in printed
    assert "\x07" not in printed


@pytest.mark.parametrize("name", ["report", "export", "doctor", "init", "classify"])
def test_names_of_folders_do_not_command_the_terminal(
    name: str, tiny_run: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    out = shutil.copytree(tiny_run, tmp_path / "run\x1b[2J\x07")
    write_synthetic(tmp_path / "set\x1b[2J\x07", images=2, val_images=0, size=48)
    root = tmp_path / "set\x1b[2J\x07"
    if name in ("doctor", "classify"):
        next((root / "images").iterdir()).write_bytes(b"damaged")
    command = {
        "report": [str(out)],
        "export": [str(out)],
        "init": [str(root)],
        "doctor": ["--data.root", str(root)],
        "classify": ["--data.root", str(root), "--out", str(tmp_path / "new"), *TINY],
    }[name]
    main([name, *command])
    printed = "".join(capfd.readouterr())
    assert r"\x1b[2J\x07" in printed
    assert "\x1b[2J" not in printed
    assert "\x07" not in printed


def test_process_that_ends_is_one_line_of_the_others(tmp_path: Path) -> None:
    write_synthetic(tmp_path / "set", images=4, val_images=0, size=48)
    arguments = ["classify", "--data.root", str(tmp_path / "set"), "--out", str(tmp_path / "run")]
    arguments += [*TINY, "--classify.epochs=100000", "--runtime.devices=2"]
    first = subprocess.Popen(
        [sys.executable, "-m", "dgcn", *arguments],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    try:
        deadline = time.monotonic() + 200
        while not (tmp_path / "run" / "classifier" / "last.pt").is_file():
            assert first.poll() is None, first.communicate()
            assert time.monotonic() < deadline
            time.sleep(0.1)
        others = Path(f"/proc/{first.pid}/task/{first.pid}/children").read_text().split()
        os.kill(int(others[0]), signal.SIGKILL)
        _, errors = first.communicate(timeout=100)
    finally:
        os.killpg(first.pid, signal.SIGKILL)
    assert first.returncode == 1
    assert errors.count("\n") == 1
    assert "dgcn: error: another process of this run has ended; finished stages and" in errors
