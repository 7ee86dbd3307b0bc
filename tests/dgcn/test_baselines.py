"""What masks that no network has made would score, counted by hand."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from dgcn.cli import main
from dgcn.data.masks import read_mask, write_mask
from dgcn.options import load_config
from dgcn.pipeline.baselines import baselines, enlarged, verdict
from dgcn.pipeline.cues import image_cues
from dgcn.pipeline.networks import load_classifier
from dgcn.pipeline.run import Run, open_run
from dgcn.training.console import Console


def opened(out: Path, *overrides: str) -> Run:
    config = load_config(out / "config.yaml", "--out", str(out), *overrides)
    return open_run(config, console=Console(quiet=True), reads_only=True)


@pytest.fixture
def copied(tiny_run: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(tiny_run, tmp_path / "run"))


def miou(truth: list[np.ndarray], guess: list[np.ndarray], classes: int) -> float:
    t, g = np.concatenate([m.ravel() for m in truth]), np.concatenate([m.ravel() for m in guess])
    known = t != 255
    t, g = t[known], g[known]
    ious = []
    for c in range(classes):
        union = ((t == c) | (g == c)).sum()
        if union:
            ious.append(((t == c) & (g == c)).sum() / union)
    return float(np.mean(ious))


def test_baselines_equal_counts_by_hand(copied: Path) -> None:
    run = opened(copied)
    classes = run.classes
    train = [label for record in run.records("train") for label in record.labels]
    model = load_classifier(run)
    truth, label, cues = [], [], []
    for record in run.masked("val"):
        assert record.mask is not None
        mask = read_mask(record.mask)
        truth.append(mask)
        chosen = sorted(record.labels, key=lambda c: (-train.count(c), c))
        label.append(np.full_like(mask, chosen[0] if chosen else 0))
        grid = image_cues(run, model, record)
        guess = np.zeros_like(mask)
        height, width = mask.shape
        for y, x in np.ndindex(height, width):
            row = round(y * (grid.shape[1] - 1) / (height - 1))
            column = round(x * (grid.shape[2] - 1) / (width - 1))
            cell = np.flatnonzero(grid[:, row, column])
            guess[y, x] = cell[0] if len(cell) else 0
        cues.append(guess)
    found = baselines(run, "val")
    nothing = [np.zeros_like(mask) for mask in truth]
    assert found["all_background"].miou() == pytest.approx(miou(truth, nothing, classes))
    assert found["image_labels"].miou() == pytest.approx(miou(truth, label, classes))
    assert found["cues_alone"].miou() == pytest.approx(miou(truth, cues, classes))
    # A second look takes the counts that were kept, one with other cues does not.
    kept = json.loads((copied / "cues" / "alone_val.json").read_text())
    np.testing.assert_array_equal(kept["counts"], found["cues_alone"].counts)
    again = baselines(run, "val")
    np.testing.assert_array_equal(again["cues_alone"].counts, found["cues_alone"].counts)
    assert "cues_alone" not in baselines(opened(copied, "--cues.background=0.3"), "val")


def test_given_cues_are_a_baseline_where_they_cover_the_images(copied: Path) -> None:
    folder = copied / "given"
    run = opened(copied)
    for record in [*run.records("train"), *run.records("val")]:
        labels = np.full((run.grid, run.grid), 255, dtype=np.uint8)
        labels[0, 0] = record.labels[0] if record.labels else 0
        write_mask(folder / f"{record.name}.png", labels)
    options = ["--config", str(copied / "config.yaml"), "--out", str(copied), "--overwrite"]
    assert main(["cues", *options, f"--cues.path={folder}"]) == 0
    given = opened(copied, f"--cues.path={folder}")
    counts = baselines(given, "val")["cues_alone"].counts
    labelled = [record.labels[0] for record in given.masked("val") if record.labels]
    assert counts[:, 1:-1].sum() > 0
    assert set(np.flatnonzero(counts.sum(0)[1:-1]) + 1) == set(labelled)
    (folder / f"{given.records('val')[0].name}.png").unlink()
    (copied / "cues" / "alone_val.json").unlink()
    assert main(["cues", *options, f"--cues.path={folder}"]) == 0
    assert "cues_alone" not in baselines(given, "val")


def test_commonest_label_is_counted_over_the_training_images(copied: Path) -> None:
    run = opened(copied)
    label = run.commonest_label()
    train = [c for record in run.records("train") for c in record.labels]
    for record in run.records("train"):
        most = max((train.count(c) for c in record.labels), default=0)
        wanted = min((c for c in record.labels if train.count(c) == most), default=0)
        assert label(record) == wanted


def test_cues_are_enlarged_to_their_nearest_pixels() -> None:
    cues = np.zeros((3, 2, 2), dtype=bool)
    cues[2, 0, 0] = cues[1, 1, 1] = cues[0, 0, 1] = True
    wanted = [[2, 2, 0, 0], [2, 2, 0, 0], [0, 0, 1, 1], [0, 0, 1, 1]]
    np.testing.assert_array_equal(enlarged(cues, 4, 4), wanted)
    np.testing.assert_array_equal(enlarged(cues, 2, 2), [[2, 0], [0, 1]])


def test_verdict_names_the_baselines_that_are_not_beaten() -> None:
    found = {
        "all_background": {"miou": 0.493},
        "image_labels": {"miou": 0.031},
        "cues_alone": {"miou": None},
    }
    said = verdict(0.031, found, "the network's masks")
    assert said == (
        "the network's masks (mIoU 3.1 %) are NOT ABOVE all background (49.3 %), "
        "the image's label everywhere (3.1 %)"
    )
    said = verdict(0.6, found, "the network's masks")
    assert said == "the network's masks (mIoU 60.0 %) are above every trivial baseline"
    assert verdict(None, found, "the network's masks") == ""
    assert verdict(0.5, {}, "the network's masks") == ""


def test_evaluation_says_how_it_compares(copied: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run = opened(copied)
    folder = copied / "graph_cut" / "predictions" / "val"
    for record in run.records("val"):
        assert record.mask is not None
        write_mask(folder / f"{record.name}.png", np.zeros_like(read_mask(record.mask)))
    assert main(["evaluate", "--config", str(copied / "config.yaml"), "--out", str(copied)]) == 0
    printed = capsys.readouterr().out
    scores = json.loads((copied / "graph_cut" / "metrics.json").read_text())["val"]
    floor = scores["baselines"]["all_background"]["miou"]
    assert scores["miou"] == pytest.approx(floor)
    assert f"are NOT ABOVE all background ({100 * floor:.1f} %)" in scores["verdict"]
    assert scores["verdict"] in " ".join(printed.split())
    assert "the image's label everywhere" in printed
