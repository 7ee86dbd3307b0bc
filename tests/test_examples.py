"""The examples run, their numbers are as good as they say, and the notebooks are the scripts."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest
from PIL import Image

FOLDER = Path(__file__).parents[1] / "examples"
sys.path.insert(0, str(FOLDER))

from make_notebooks import EXAMPLES, notebook_of  # noqa: E402


def run(name: str, out: Path, *options: str) -> list[str]:
    """What an example prints; its picture has to be there."""
    command = [sys.executable, FOLDER / f"{name}.py", "--out", out, *options]
    environment = {"MPLBACKEND": "agg", "PATH": "", "HOME": str(out)}
    done = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
    assert done.returncode == 0, done.stderr
    with Image.open(out / f"{name}.png") as picture:
        low, high = picture.convert("L").getextrema()
    assert low < 50 < 200 < high
    return done.stdout.splitlines()


def number(line: str, start: str) -> float:
    """The first number after the start of a printed line."""
    assert line.startswith(start), line
    return float(re.findall(r"\d+(?:\.\d+)?", line.removeprefix(start))[0])


def test_scribbles(tmp_path: Path) -> None:
    """The plane has some 13 % of the pixels; colour alone takes parts of the cloud for it."""
    alone, cut, updated = run("scribbles", tmp_path)[:3]
    parts = [float(line.split(" in ")[1].split()[0]) for line in (alone, cut, updated)]
    assert number(alone, "colour alone:") > 15
    assert parts[0] > 100
    assert number(cut, "gx.segment:") == pytest.approx(14, abs=1)
    assert number(updated, "three strokes more: update:") == pytest.approx(13.5, abs=1)
    assert max(parts[1:]) < 15


def test_differentiable_mincut(tmp_path: Path) -> None:
    """Learnt through cuts, the unseen part of the aeroplane is found better than pixel by pixel."""
    lines = run("differentiable_mincut", tmp_path)
    _, untrained, pixels, cuts = lines[:4]
    assert number(untrained, "cut, untrained: IoU") < 0.4
    assert number(cuts, "trained through cuts: IoU") > 0.6
    assert number(cuts, "trained through cuts: IoU") > number(pixels, "trained pixel by pixel: IoU")


def test_volume(tmp_path: Path) -> None:
    """A stroke on what is almost as bright as the organ leaves the organ alone."""
    _, alone, first, refitted, last = run("volume", tmp_path)[:5]
    assert number(alone, "brightness alone: IoU") < 0.6
    assert number(first, "first cut: IoU") < 0.8
    assert number(refitted, "a stroke, new colours: IoU") > 0.9
    assert number(last, "two strokes more: IoU") > 0.9


def test_objects(tmp_path: Path) -> None:
    """One call has the cuts that PyMaxflow has one by one: the example compares them."""
    pytest.importorskip("maxflow")
    lines = run("objects", tmp_path)
    bear, aeroplane = (line for line in lines if not line.startswith(" "))
    assert number(bear, "bear: 784 cuts,") > 10
    assert number(aeroplane, "aeroplane: 784 cuts,") > 10
    assert sum("PyMaxflow" in line for line in lines) == 2


def test_network_crf(tmp_path: Path) -> None:
    """The bear has some 3 % of the pixels, its cells on the coarse grid four times as many."""
    lines = run("network_crf", tmp_path)
    (bear,) = (line for line in lines if line.startswith("bear:"))
    before, after = map(float, re.findall(r"([\d.]+) %", bear))
    assert before > 9
    assert after == pytest.approx(3, abs=0.5)
    for line in lines:
        if "pydensecrf" in line:
            assert float(re.findall(r"at ([\d.]+) %", line)[0]) > 99


def test_stereo(tmp_path: Path) -> None:
    _, pixels, expansion = run("stereo", tmp_path, "--height", "100")[:3]
    off = number(expansion, "alpha expansion:")
    assert off < 0.85 * number(pixels, "pixel by pixel:")


@pytest.mark.parametrize("name", EXAMPLES)
def test_notebook_is_the_script(name: str) -> None:
    """`make notebooks` writes them anew; every cell of code has run, the last shows a picture."""
    expected = notebook_of(FOLDER / f"{name}.py")
    found = nbformat.read(FOLDER / f"{name}.ipynb", as_version=4)
    nbformat.validate(found)
    text = [(cell.cell_type, cell.source) for cell in found.cells]
    assert text == [(cell.cell_type, cell.source) for cell in expected.cells], "make notebooks"
    code = [cell for cell in found.cells if cell.cell_type == "code"]
    assert [cell.execution_count for cell in code] == list(range(1, len(code) + 1))
    assert any("image/jpeg" in output.get("data", {}) for output in code[-1].outputs)
