"""The verdict on cues: figures by hand, each ill named with the setting to turn."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dgcn.cli import main
from dgcn.cues import load_cues
from dgcn.cues.judge import coverage_of_cues, judge_cues
from dgcn.doctor.cues import check_cues
from dgcn.options import load_config
from dgcn.pipeline.run import open_run
from dgcn.training.console import Console

NAMES = ("background", "cat", "dog")


def test_coverage_by_hand() -> None:
    cues = np.zeros((3, 2, 5), dtype=bool)
    cues[0, 0, :4] = True
    cues[1, 1, :2] = True
    bare = np.zeros((3, 2, 5), dtype=bool)
    found = coverage_of_cues([(cues, (1,)), (bare, (1,))], NAMES)
    assert found == {
        "background": {"images": 2, "covered": 0.2, "without": 0.5},
        "cat": {"images": 2, "covered": 0.1, "without": 0.5},
        "dog": {"images": 0, "covered": None, "without": None},
    }


def coverage(cat: float, background: float = 0.5, without: float = 0.0) -> dict[str, Any]:
    return {
        "background": {"images": 9, "covered": background, "without": 0.0},
        "cat": {"images": 9, "covered": cat, "without": without},
        "dog": {"images": 9, "covered": 0.2, "without": 0.0},
    }


def scores(**changes: dict[str, float]) -> dict[str, Any]:
    sound = {"precision": 0.9, "recall": 0.5}
    return {"classes": {name: changes.get(name, sound) for name in NAMES}}


LIMITS = {"cat": 0.47, "dog": 0.3}


def test_sound_cues_have_no_remark() -> None:
    assert judge_cues(coverage(0.2), LIMITS, {"cat": 0.1, "dog": None}, scores()) == []
    assert judge_cues(coverage(0.2), {}, {}, None) == []


def test_background_of_drawings_is_to_be_drawn_where_it_is_wrong() -> None:
    wrong = scores(background={"precision": 0.7, "recall": 0.1})
    made = judge_cues(coverage(0.2), LIMITS, {}, wrong)
    drawn = judge_cues(coverage(0.2), {}, {}, wrong, sparse=True)
    assert [remark.fix[:6] for remark in made] == ["lower "]
    assert [remark.fix[:21] for remark in drawn] == ["draw some background "]


@pytest.mark.parametrize(
    ("found", "noise", "masks", "what", "fix"),
    [
        (
            coverage(0.003),
            0.1,
            None,
            "object cues cover too little of the images of their class: cat 0.3 %",
            "lower cues.foreground (cues.foreground is 0.47 now)",
        ),
        (coverage(0.9), 0.1, None, "nearly all of the images", "raise cues.foreground"),
        (coverage(0.1, without=0.4), 0.1, None, "without a cue of it: cat 40.0 %", "lower cues"),
        (
            coverage(0.2, background=0.01),
            0.1,
            None,
            "background cues cover too little of the images: background 1.0 %",
            "raise cues.background",
        ),
        (coverage(0.2), 0.52, None, "certain background", "add training images without the class"),
        (
            coverage(0.2),
            0.1,
            scores(cat={"precision": 0.07, "recall": 0.4}),
            "most object cues of a class are wrong (precision): cat 7.0 %",
            "raise cues.foreground (cues.foreground is 0.47 now)",
        ),
        (
            coverage(0.2),
            0.1,
            scores(cat={"precision": 0.9, "recall": 0.02}),
            "object cues find little of a class (recall): cat 2.0 %",
            "lower cues.foreground",
        ),
        (
            coverage(0.2),
            0.1,
            scores(background={"precision": 0.6, "recall": 0.5}),
            "background cues lie on objects (precision): background 60.0 %",
            "lower cues.background",
        ),
    ],
)
def test_every_ill_is_named_with_the_setting_to_turn(
    found: dict[str, Any], noise: float, masks: dict[str, Any] | None, what: str, fix: str
) -> None:
    remarks = judge_cues(found, LIMITS, {"cat": noise, "dog": None}, masks)
    assert len(remarks) == 1
    assert what in remarks[0].what
    assert fix in remarks[0].fix
    assert "dog" not in remarks[0].what


def test_many_classes_make_one_remark() -> None:
    names = [f"c{index}" for index in range(9)]
    found = {name: {"images": 3, "covered": 0.001, "without": 0.0} for name in names}
    found = {"background": {"images": 3, "covered": 0.5, "without": 0.0}, **found}
    limits = {name: 0.3 + index / 100 for index, name in enumerate(names)}
    (remark,) = judge_cues(found, limits, {}, None)
    assert remark.what.endswith("c4 0.1 % and 4 more")
    assert remark.fix == "lower cues.foreground (cues.foreground is 0.30 to 0.38 now)"
    (given,) = judge_cues(found, {}, {}, None)
    assert given.fix == "give cues that cover more"


def test_stage_says_what_it_covers_and_doctor_and_report_repeat_it(
    tiny_run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = Path(shutil.copytree(tiny_run, tmp_path / "run"))
    config = ["--config", str(out / "config.yaml"), "--out", str(out)]
    few = ["--cues.foreground=0.99", "--cues.saliency_weight=0", "--overwrite"]
    assert main(["cues", *config, *few]) == 0
    printed = " ".join(capsys.readouterr().out.split())
    verdict = json.loads((out / "cues" / "verdict.json").read_text())
    run = open_run(
        load_config(out / "config.yaml", "--out", str(out)),
        console=Console(quiet=True),
        reads_only=True,
    )
    cues = load_cues(out / "cues" / "cues.npz")
    for index, name in enumerate(run.dataset.classes):
        own = [r for r in run.records("train") if index in (0, *r.labels)]
        shares = [cues[r.name][index].sum() / run.grid**2 for r in own]
        assert verdict["classes"][name]["images"] == len(own)
        if own:
            assert verdict["classes"][name]["covered"] == pytest.approx(np.mean(shares))
    assert verdict["remarks"]
    assert main(["report", str(out)]) == 0
    page = (out / "report.html").read_text()
    findings = list(check_cues(out))
    assert [each.level for each in findings] == ["ok"] + ["warning"] * len(verdict["remarks"])
    for remark, finding in zip(verdict["remarks"], findings[1:], strict=True):
        assert f"cues: {remark['what']}; {remark['fix']}" in printed
        assert (finding.what, finding.fix) == (remark["what"], remark["fix"])
        assert f"Cues: {remark['what']}. To do: {remark['fix']}." in page
    assert any("lower cues.foreground" in each["fix"] for each in verdict["remarks"])
    assert list(check_cues(tmp_path)) == []
