"""The README is short, its figures are those of the results, and its walk runs as printed."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import numpy as np
from PIL import Image
from safetensors.torch import save_file

README = Path(__file__).parents[1] / "README.md"


# What makes the README's `dgcn run` a matter of seconds; everything else is as printed.
TINY = (
    "--data.size=81",
    "--model.dilation=2",
    "--classify.epochs=1",
    "--train.epochs=1",
    "--evaluate.scales=[1]",
    "--evaluate.pictures=1",
    "--runtime.device=cpu",
)


def test_walk_from_pictures_to_a_network(tmp_path, monkeypatch):
    """The trainer's commands run in the order in which they are printed."""
    from dgcn.cli import main
    from dgcn.data.synthetic import draw_scene
    from dgcn.models import build_backbone

    monkeypatch.chdir(tmp_path)
    for index in range(10):
        folder = tmp_path / "my_images" / ("disc" if index % 2 else "star")
        folder.mkdir(parents=True, exist_ok=True)
        Image.fromarray(draw_scene(0, index, 96)[0]).save(folder / f"{index}.png")
    (tmp_path / "new").mkdir()
    Image.fromarray(draw_scene(0, 99, 70)[0]).save(tmp_path / "new" / "photo.jpg")
    save_file(build_backbone("squeezenet").state_dict(), "squeezenet1_1.safetensors")

    text = README.read_text(encoding="utf-8")
    (block,) = re.findall(r"```\n(dgcn init .*?)```", text, re.DOTALL)
    verbs = []
    for line in block.splitlines():
        program, verb, *options = shlex.split(line, comments=True)
        assert program == "dgcn"
        assert main([verb, *options, *(TINY if verb == "run" else ())]) == 0, line
        verbs.append(verb)
    assert verbs == ["init", "doctor", "run", "report", "predict", "export"]
    assert (tmp_path / "runs" / "my_images" / "report.html").is_file()
    assert (tmp_path / "runs" / "my_images" / "graph_cut" / "last.onnx").is_file()
    mask = np.asarray(Image.open(tmp_path / "found" / "masks" / "photo.png"))
    assert mask.shape == (70, 70)
    assert mask.max() <= 2


def test_it_is_short_and_begins_with_what_a_reader_looks_for() -> None:
    lines = README.read_text(encoding="utf-8").splitlines()
    assert len(lines) <= 150
    wanted = ("pip install .", "gx.segment(", "times as fast", "requires_grad_", "dgcn run")
    found = [next(k for k, line in enumerate(lines) if text in line) for text in wanted]
    assert found == sorted(found)
    assert found[0] < 12
    assert found[1] < 30


def test_scores_are_those_of_the_results() -> None:
    """Both networks' scores stand in the results, and so do those of the controls."""
    readme = " ".join(README.read_text(encoding="utf-8").split())
    (quoted,) = re.findall(
        r"reaches (\S+) mIoU .*? make it (\S+) \(three seeds; retrained (\S+)\)\. .*? "
        r"reaches (\S+) on 334 .*?, by older rules (\S+)\. .*? has (\S+) after 5 epochs, "
        r"all background (\S+)\. .*? are (\S+) below, (\S+) above and, "
        r"by older rules, (\S+) above the first three",
        readme,
    )
    photographs, better, again, voc, older, cracks, floor, below, above, last = map(float, quoted)
    results = (README.parent / "docs" / "results.md").read_text(encoding="utf-8")
    defaults = results[results.index("**With the default cues**") :]
    cut, control = (row_after(defaults, name)[0] for name in ("graph_cut_crf", "most_probable"))
    assert round(cut - control, 1) == below
    assert f"{cut} becomes {photographs}" in " ".join(results.split())
    seeds = results[results.index("**Three seeds**, 0, 1 and 2") :]
    cut, control = (row_after(seeds, name)[3] for name in ("graph_cut_crf", "most_probable_crf"))
    assert cut == better
    assert round(control - cut, 1) == above
    assert re.search(rf"^\| the first, retrained .* \*\*{again} ± ", seeds, re.MULTILINE)
    other = results[results.index("## PASCAL VOC") :]
    cut, control = (row_after(other, name)[1] for name in ("graph_cut_crf", "most_probable_crf"))
    assert cut == older
    assert re.search(rf"^\| that network retrained, .* \*\*{voc}\*\* \|", other, re.MULTILINE)
    assert round(control - cut, 1) == last
    road = results[results.index("**The check: road cracks**") :]
    assert re.search(rf"^\| the network \| {cracks} \|", road, re.MULTILINE)
    assert re.search(rf"^\| all background; [^|]*\| {floor};", road, re.MULTILINE)


def row_after(text: str, name: str) -> list[float]:
    """Figures of the first table row that has the name in brackets."""
    (row, *_) = re.findall(rf"^\|[^|\n]*\(`{name}`\) \|(.*)$", text, re.MULTILINE)
    return [float(figure) for figure in re.findall(r"\d+\.\d", row)]
