"""`python -m benchmarks rules` on a finished run: the control is what it says."""

from __future__ import annotations

import argparse
from pathlib import Path

import pytest

from benchmarks import rules
from dgcn.cues import load_cues
from dgcn.data.batches import TrainingSet
from dgcn.metrics import Confusion, score
from dgcn.options import load_config
from dgcn.pipeline.networks import load_segmenter
from dgcn.pipeline.run import open_run
from dgcn.supervision import MostProbable
from dgcn.training.objective import supervise_sample


def test_links_and_their_control(tiny_run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    given = {"run": str(tiny_run / "graph_cut"), "sweep": False, "links": True}
    rules.run(argparse.Namespace(**given, part="odd", step=1))
    heads, control, *cuts = capsys.readouterr().out.splitlines()
    assert len(cuts) == 9
    assert heads.split() == ["mIoU", "prec.", "recall", "cover."]
    run = open_run(load_config(tiny_run / "graph_cut" / "config.yaml"), reads_only=True)
    records = run.records("train")[1::2]
    cues = load_cues(run.cues_folder / "cues.npz")
    samples = TrainingSet(records, run.classes, run.config.data.size, cues=cues, mirror=False)
    model, confusion = load_segmenter(run, "last"), Confusion(run.classes)
    rule, crf = MostProbable(theta=0, unary="crf"), run.config.crf.on_grid()
    for index, record in enumerate(records):
        labels = supervise_sample(model, rule, samples[index], crf, run.fabric.device)
        confusion.add_grid(record.truth(), labels)
    wanted = score(confusion, run.dataset.classes)
    figures = [wanted["miou"], *(wanted["foreground"][key] for key in ("precision", "recall")), 1]
    assert control.split()[-4:] == [f"{100 * figure:.1f}" for figure in figures]


def test_a_step_of_none_is_refused(tiny_run: Path) -> None:
    with pytest.raises(SystemExit, match="--step must be at least 1, got 0"):
        rules.run(argparse.Namespace(run=str(tiny_run), sweep=False, links=True, step=0))
