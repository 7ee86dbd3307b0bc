"""``python -m graphcut_ext``: what it prints and saves, and one line for what it refuses."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import graphcut_ext as gx
from graphcut_ext import SOLVERS
from graphcut_ext import __main__ as program
from graphcut_ext.__main__ import main
from graphcut_ext._demo import scene

NETWORK = "p max 5 5\nn 4 s\nn 2 t\na 4 1 5\na 1 3 3\na 3 2 4\na 4 2 2\na 5 2 1\n"


@pytest.fixture
def network(tmp_path: Path) -> Path:
    path = tmp_path / "small.max"
    path.write_text(NETWORK)
    return path


def table(capsys: pytest.CaptureFixture[str]) -> dict[str, str]:
    captured = capsys.readouterr()
    assert captured.err == ""
    return {line[:13].strip(): line[13:] for line in captured.out.splitlines()}


def refusal(capsys: pytest.CaptureFixture[str], *arguments: object) -> str:
    """The single line that a wrong command prints."""
    try:
        status = main([str(a) for a in arguments])
    except SystemExit as stop:
        status = stop.code
    captured = capsys.readouterr()
    assert status == 2
    assert captured.out == ""
    assert captured.err.count("\n") == 1
    assert captured.err.startswith("python -m graphcut_ext: error: ")
    return captured.err


@pytest.mark.parametrize("arguments", [[], ["info"]])
def test_info(arguments, capsys):
    assert main(arguments) == 0
    rows = table(capsys)
    assert list(rows) == ["graphcut-ext", "compiler", "CUDA", "torch"]
    assert rows["graphcut-ext"] == gx.__version__
    assert rows["compiler"].startswith(gx.build_info()["compiler"])
    assert rows["CUDA"].startswith(gx.build_info()["cuda"] or "not built")


@pytest.mark.parametrize("solver", SOLVERS)
def test_solve(solver, network, capsys):
    assert main(["solve", str(network), "--solver", solver, "--threads", "2"]) == 0
    rows = table(capsys)
    assert rows["value"] == "5"
    assert rows["nodes"] == "3 and two terminals"
    assert rows["edges"] == "1"
    assert rows["source side"] == "1 of 3 nodes"
    assert rows["read"].endswith(" s")
    assert rows["solved"].endswith(" s")


def test_value_of_decimal_capacities(network, capsys):
    network.write_text(NETWORK.replace("a 1 3 3", "a 1 3 0.1"))
    assert main(["solve", str(network)]) == 0
    assert table(capsys)["value"] == "2.1"


def test_saved_source_side(network, tmp_path, capsys):
    numbers, mask = tmp_path / "side.txt", tmp_path / "side.npy"
    for path in (numbers, mask):
        assert main(["solve", str(network), "--side", str(path)]) == 0
    assert numbers.read_text() == "1\n4\n"
    assert np.load(mask).tolist() == [True, False, False, True, False]


def test_demo(tmp_path, monkeypatch, capsys):
    """Panels: strokes, colour alone, the cut. Colour alone takes the cloud for the aeroplane."""
    monkeypatch.chdir(tmp_path)
    assert main(["demo"]) == 0
    rows = table(capsys)
    assert rows["image"] == "photograph of an aeroplane, 480 x 250 pixels"
    assert rows["update"].split()[1] == "ms,"
    assert 12 < float(rows["object"].split()[0]) < 16
    with Image.open("graphcut_demo.png") as file:
        picture = np.asarray(file).astype(int)
    width = 480 + 6
    assert picture.shape == (250, 3 * width - 6, 3)
    photograph, alone, cut = (picture[:, k * width : k * width + 480] for k in range(3))
    taken = [(panel == photograph).all(-1) for panel in (alone, cut)]
    cloud = np.s_[100:130, 270:420]
    assert taken[0][cloud].mean() > 0.2
    assert taken[1][cloud].mean() < 0.01
    assert taken[1][160:180, 240:330].mean() > 0.7


def test_demo_without_pillow(tmp_path, monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "PIL", None)
    assert main(["demo", "--out", str(tmp_path / "drawn.png")]) == 0
    assert table(capsys)["image"].startswith("drawing")
    monkeypatch.undo()
    drawn = scene.drawing()
    rows, columns = np.indices(drawn.first.shape)
    disc = np.hypot(rows - 100, columns - 140) < 60
    tail = (abs(rows - 100) < 6) & (columns > 190) & (columns < 270)
    with Image.open(tmp_path / "drawn.png") as file:
        cut = np.asarray(file)[:, -300:]
    kept = (cut == drawn.image).all(-1)
    assert (kept == (disc | tail)).mean() > 0.98


def test_wrong_arguments(network, tmp_path, capsys):
    assert "'dance'" in refusal(capsys, "dance")
    assert "FILE" in refusal(capsys, "solve")
    assert "'simplex'" in refusal(capsys, "solve", network, "--solver", "simplex")
    for threads in ("0", "-1", "two"):
        assert "threads" in refusal(capsys, "solve", network, f"--threads={threads}")
    message = refusal(capsys, "solve", network, "--side", "side.png")
    assert "'side.png' ends in neither .npy nor .txt" in message
    assert "'demo.jpg' does not end in .png" in refusal(capsys, "demo", "--out", "demo.jpg")
    assert "No such file" in refusal(capsys, "demo", "--out", tmp_path / "no" / "demo.png")
    nowhere = tmp_path / "nowhere.max"
    assert f"error: {nowhere}: No such file" in refusal(capsys, "solve", nowhere)
    assert f"error: {tmp_path}: Is a directory" in refusal(capsys, "solve", tmp_path)


def test_broken_files(network, capsys):
    network.write_text(NETWORK.replace("a 1 3 3", "a 1 9 3"))
    message = refusal(capsys, "solve", network)
    assert f"{network}, line 5: node '9' is out of range for 5 nodes" in message
    network.write_text("p max 3 2\nn 1 s\nn 2 t\na 1 3 inf\na 3 2 inf\n")
    message = refusal(capsys, "solve", network)
    assert "infinite capacity joins source and sink: it enters at node 0" in message
    assert f"{network}: " in message


def test_side_that_cannot_be_written(network, tmp_path, capsys):
    assert main(["solve", str(network), "--side", str(tmp_path / "no" / "side.txt")]) == 2
    assert "side.txt" in capsys.readouterr().err


def test_interrupted(monkeypatch, network, capsys):
    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(program, "read_dimacs", interrupt)
    assert main(["solve", str(network)]) == 130
    assert capsys.readouterr().err == "python -m graphcut_ext: error: interrupted\n"


def test_help(capsys):
    with pytest.raises(SystemExit) as stop:
        main(["--help"])
    assert stop.value.code == 0
    assert "solve" in capsys.readouterr().out


def test_as_a_program(tmp_path):
    result = subprocess.run(
        [sys.executable, "-m", "graphcut_ext", "solve", tmp_path],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (result.returncode, result.stdout) == (2, "")
    assert result.stderr.count("\n") == 1
    assert "Is a directory" in result.stderr
