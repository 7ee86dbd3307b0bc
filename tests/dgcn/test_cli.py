"""The command line: what it understands, and one clear line for what it does not."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

import graphcut_ext
from dgcn.atomic import write_text
from dgcn.brief_help import MAIN_OPTIONS
from dgcn.cli import main
from dgcn.commands import COMMANDS, CONFIGS, config_of
from dgcn.config import Config
from dgcn.data import write_synthetic
from dgcn.models.build import BACKBONES
from dgcn.options import as_plain, parse, save_config


def fails(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    """The single line that a wrong command prints."""
    assert main(arguments) == 2
    captured = capsys.readouterr()
    assert captured.err.count("\n") == 1
    assert captured.err.startswith("dgcn: error: ")
    return captured.err


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ((), "no command is given: one of run, demo,"),
        (("dance",), "no command 'dance': one of run, demo,"),
        (
            ("run", "--train.epochs", "soon"),
            ": train.epochs: expected a whole number, got soon",
        ),
        (("run", "--train.lr", "x"), "train.lr: expected a number, got x"),
        (("run", "--evaluate.crf", "x"), "evaluate.crf: expected true or false, got x"),
        (("run", "--evaluate.scales", "x"), "evaluate.scales: expected a list, got x"),
        (
            ("run", "--supervision.graph_cut.sigma2", "x"),
            "graph_cut.sigma2: expected a number or null, got x",
        ),
        (("run", "--model.backbone", "vgg"), "resnet38, or package.module:Name, got 'vgg'"),
        (("run", "--config", __file__), "not a file of settings: "),
        (("run", "--train.epochz", "3"), "--train.epochz"),
        (("run", "--supervision.kind", "magic"), "magic"),
        (("run", "--train.epochs", "0"), "train.epochs must be >= 1, got 0"),
        (("run", "--data.root", "/no/where"), "data.root: no such folder: /no/where"),
        (("run", "--model.weights", "/no.pth"), "model.weights: no such file: /no.pth"),
        (("run", "--config", "/no.yaml"), "/no.yaml"),
        (("classify", "--images", "x"), "--images"),
    ],
)
def test_wrong_command_is_one_line_and_status_2(
    arguments: tuple[str, ...],
    expected: str,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    assert expected in fails(capsys, *arguments)
    assert list(tmp_path.iterdir()) == []


def test_file_that_cannot_be_made_is_named_in_words(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    (tmp_path / "file").write_bytes(b"")
    write_synthetic(tmp_path / "set", images=3, val_images=0, size=48)
    out = str(tmp_path / "file" / "run")
    printed = fails(capsys, "run", "--data.root", str(tmp_path / "set"), "--out", out)
    assert printed == f"dgcn: error: {out}: Not a directory\n"


def test_damaged_image_is_named(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    write_synthetic(tmp_path / "set", images=3, val_images=0, size=48)
    image = tmp_path / "set" / "images" / "train_00001.png"
    image.write_bytes(image.read_bytes()[:200])
    options = ("--data.root", str(tmp_path / "set"), "--out", str(tmp_path / "run"))
    assert "train_00001.png" in fails(capsys, "run", *options)


@pytest.mark.parametrize(
    ("verb", "expected"),
    [
        ("cues", "classifier is not finished: run 'dgcn classify' first"),
        ("train", "cues is not finished: run 'dgcn cues' first"),
        ("predict", "graph_cut is not finished: run 'dgcn train' first"),
        ("evaluate", "run 'dgcn predict' first"),
    ],
)
def test_verb_before_its_turn_names_what_is_missing(
    verb: str, expected: str, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    write_synthetic(tmp_path / "set", images=2, val_images=1, size=48)
    options = ("--data.root", str(tmp_path / "set"), "--out", str(tmp_path / "run"))
    small = ("--model.backbone", "small", "--data.size", "81")
    assert expected in fails(capsys, verb, *options, *small)


def test_no_traceback_in_the_process() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "dgcn", "evaluate", "--cues.foreground", "2"],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "DGCN_TRACEBACK": ""},
    )
    assert done.returncode == 2
    assert done.stderr == "dgcn: error: cues.foreground must be 'auto' or in [0, 1), got 2.0\n"
    assert done.stdout == ""


def test_missing_device_is_named(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "dgcn", "classify", "--runtime.device=cuda", "--out", str(tmp_path)],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "CUDA_VISIBLE_DEVICES": ""},
    )
    assert done.returncode == 2
    assert "runtime.device: 'cuda'" in done.stderr
    assert "Traceback" not in done.stderr


def test_help_lists_the_commands_and_documents_every_option(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["--help"]) == 0
    listed = capsys.readouterr().out
    for verb in ("run", "demo", "classify", "cues", "train", "predict", "evaluate"):
        assert verb in listed
    assert main(["run", "--help-all"]) == 0
    text = " ".join(capsys.readouterr().out.split())
    assert "--supervision.graph_cut.theta THETA A label is accepted where" in text
    assert "default: 0.7" in text
    assert "--train.momentum MOMENTUM Momentum of the gradient; of AdamW" in text


def resolved(name: str, *arguments: str) -> Config:
    base = CONFIGS / "demo.yaml" if name == "demo" else None
    return config_of(parse(COMMANDS[name].parser(name), arguments), base)


def test_options_win_over_the_file(tmp_path: Path) -> None:
    write_text(tmp_path / "a.yaml", "train: {epochs: 3, lr: 5e-3}\nout: elsewhere\n")
    config = resolved("run", "--config", str(tmp_path / "a.yaml"), "--train.epochs", "8")
    assert (config.train.epochs, config.train.lr) == (8, 5e-3)
    assert config.out == Path("elsewhere")


def test_command_stands_on_the_run_folder(tmp_path: Path) -> None:
    old, moved = tmp_path / "old", tmp_path / "moved"
    save_config(Config(out=old, data=Config().data.__class__(size=161)), old)
    old.rename(moved)
    config = resolved("predict", "--out", str(moved), "--evaluate.crf", "false")
    assert (config.data.size, config.out, config.evaluate.crf) == (161, moved, False)


def test_demo_stands_on_its_own_configuration(tmp_path: Path) -> None:
    config = resolved("demo", "--train.epochs", "2")
    assert (config.model.backbone, config.out, config.train.epochs) == (
        "small",
        Path("runs/demo"),
        2,
    )
    assert resolved("demo", "--out", str(tmp_path)).out == tmp_path


def test_file_with_unknown_field_is_named(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    path = tmp_path / "a.yaml"
    path.write_text(yaml.safe_dump({"train": {"epochz": 3}}))
    assert "train.epochz" in fails(capsys, "run", "--config", str(path))


def test_help_and_a_mistyped_command_do_not_wait_for_torch() -> None:
    call = "import sys; from dgcn.cli import main; main(sys.argv[1:]); "
    code = call + "assert 'torch' not in sys.modules"
    for arguments in (
        ["--help"],
        ["--version"],
        ["dance"],
        *([name, "--help"] for name in COMMANDS),
        ["init", "--help-all"],
    ):
        subprocess.run([sys.executable, "-c", code, *arguments], check=True, capture_output=True)


def test_brief_help_has_the_ten_settings_with_their_defaults(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["run", "--help"]) == 0
    text = capsys.readouterr().out
    assert re.findall(r"--([\w.]+)", text)[:10] == [*MAIN_OPTIONS]
    assert "'dgcn run --help-all' lists every setting." in text
    assert "--help-all" not in " ".join(MAIN_OPTIONS)
    plain = as_plain(Config())
    for option, (_, meaning) in MAIN_OPTIONS.items():
        if option == "config":
            continue
        value = plain
        for part in option.split("."):
            value = value[part]
        assert value is None or f"(default: {value})." in meaning, option
    for name in BACKBONES:
        assert name in MAIN_OPTIONS["model.backbone"][1]
    assert main(["predict", "--help"]) == 0
    assert "--checkpoint" in capsys.readouterr().out


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--version"]) == 0
    assert capsys.readouterr().out == f"dgcn {graphcut_ext.__version__}\n"


def test_options_are_not_abbreviated(capsys: pytest.CaptureFixture[str]) -> None:
    assert "--train.epoch" in fails(capsys, "run", "--train.epoch", "3")


def test_missing_extra_is_named() -> None:
    hidden = "import sys; sys.modules['jsonargparse'] = None\n"
    call = "import dgcn.__main__ as m; sys.exit(m.main())"
    command = [sys.executable, "-c", hidden + call]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert done.stderr.startswith("dgcn: error: jsonargparse is not installed; training needs pip")
    assert done.stderr.count("\n") == 1
