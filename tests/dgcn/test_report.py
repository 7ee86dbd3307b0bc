"""The report of a real run: what it shows, what it leaves out, and the page in a browser."""

from __future__ import annotations

import html
import json
import re
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from report_page import Parsed, expected_order, laid_over

import dgcn.pipeline.report as report_module
from dgcn.cli import main
from dgcn.cues import load_cues
from dgcn.data import read_image, read_mask
from dgcn.data.batches import TrainingSet
from dgcn.options import load_config
from dgcn.pipeline.baselines import BASELINES
from dgcn.pipeline.networks import load_segmenter
from dgcn.pipeline.panels import by_image
from dgcn.pipeline.report import image_scores
from dgcn.pipeline.run import open_run
from dgcn.pipeline.segmenter import recorded_supervision
from dgcn.report import overlay
from dgcn.training.console import Console
from dgcn.training.objective import supervise_sample

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")


def test_scores_of_an_image_equal_a_count_by_hand() -> None:
    truth = np.array([[0, 0, 1, 1], [0, 2, 2, 255]], dtype=np.uint8)
    mask = np.array([[0, 1, 1, 1], [0, 2, 0, 2]], dtype=np.uint8)
    found = image_scores(truth, mask, ("background", "cat", "dog", "cow"))
    assert found["classes"] == {"background": 0.5, "cat": 0.6667, "dog": 0.5}
    assert found["mean"] == pytest.approx((0.5 + 2 / 3 + 0.5) / 3, abs=1e-4)


@pytest.fixture(scope="module")
def written(tiny_run: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    page = tmp_path_factory.mktemp("report") / "page.html"
    before = {path: path.stat().st_mtime_ns for path in tiny_run.rglob("*")}
    assert main(["report", str(tiny_run), "--page", str(page)]) == 0
    assert {path: path.stat().st_mtime_ns for path in tiny_run.rglob("*")} == before
    return page


def test_report_shows_what_the_run_holds(written: Path, tiny_run: Path) -> None:
    text = written.read_text(encoding="utf-8")
    parsed = Parsed(text)
    images = json.loads(parsed.texts["images"])
    metrics = json.loads((tiny_run / "graph_cut" / "metrics.json").read_text())["val"]
    assert metrics["protocol"] in text
    rows = {cells[0]: cells[1:] for cells in parsed.cells if len(cells) == 2}
    for name, title in BASELINES.items():
        floor = metrics["baselines"][name]["miou"]
        assert rows[f"no network: {title}"] == [f"{100 * floor:.1f}"]
    assert html.escape(f"graph cut, val: {metrics['verdict']}.") in text
    for name, values in metrics["classes"].items():
        row = next(cells for cells in parsed.cells if cells[:1] == [name])
        iou = values["iou"]
        assert row[1] == ("-" if iou is None else f"{100 * iou:.1f}")
    assert [p["split"] for p in images].count("val") == 3
    train = [p for p in images if p["split"] == "train"]
    assert len(train) == 2
    for shown in train:
        titles = [layer["title"] for layer in shown["layers"]]
        assert titles == [
            "image",
            "class activation",
            "cues",
            "supervision, epoch 1",
            "supervision, epoch 2",
            "prediction",
            "ground truth",
        ]
    root = next((tiny_run / "data").glob("shapes-*"))
    for shown in images:
        if shown["split"] == "val":
            truth = read_mask(root / "masks" / f"{shown['name']}.png")
            mask = read_mask(tiny_run / "graph_cut/predictions/val" / f"{shown['name']}.png")
            ious = [
                ((truth == c) & (mask == c)).sum() / ((truth == c) | (mask == c)).sum()
                for c in range(6)
                if ((truth == c) | (mask == c)).any()
            ]
            assert shown["scores"]["graph cut"]["mean"] == pytest.approx(np.mean(ious), abs=1e-4)
            layer = next(p for p in shown["layers"] if p["title"] == "ground truth")
            image = read_image(root / "images" / f"{shown['name']}.png")
            seen = laid_over(image, layer["uri"])
            expected = overlay(image, truth, 6)
            np.testing.assert_allclose(seen, expected, atol=1.6)


def test_recorded_supervision_is_that_of_the_network(tiny_run: Path) -> None:
    run = open_run(
        load_config(tiny_run / "config.yaml"), console=Console(quiet=True), reads_only=True
    )
    kept = recorded_supervision(run.trained_folder)
    assert list(kept) == [1, 2]
    cues = load_cues(run.cues_folder / "cues.npz")
    model = load_segmenter(run, "last")
    records = run.shown_records()
    assert set(kept[2]) == {record.name for record in records}
    for record in records:
        sample = TrainingSet([record], run.classes, 81, cues=cues, mirror=False)[0]
        method, crf = run.config.supervision.method, run.config.crf.on_grid()
        labels = supervise_sample(model, method, sample, crf, run.fabric.device)
        np.testing.assert_array_equal(kept[2][record.name], labels)


def test_epochs_shown_are_spread_over_the_training(tiny_run: Path) -> None:
    run = open_run(
        load_config(tiny_run / "config.yaml"), console=Console(quiet=True), reads_only=True
    )
    record = run.records("train")[0]
    labels = {record.name: np.zeros((2, 1, 1), dtype=bool)}
    recorded = {epoch: labels if epoch != 9 else {} for epoch in range(1, 11)}
    assert list(by_image(recorded, record, 3)) == [1, 5, 10]
    assert list(by_image({4: labels, 6: labels}, record, 3)) == [4, 6]


def test_images_left_out_are_named(
    tiny_run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    page = tmp_path / "page.html"
    assert main(["report", str(tiny_run), "--page", str(page), "--images", "3"]) == 0
    assert "2 of the 3 val images are left out" in capsys.readouterr().out
    text = page.read_text(encoding="utf-8")
    assert "2 of the 3 val images are left out" in text
    assert len(json.loads(Parsed(text).texts["images"])) == 3


def test_page_stays_within_its_budget(
    tiny_run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole, part = tmp_path / "whole.html", tmp_path / "part.html"
    assert main(["report", str(tiny_run), "--page", str(whole)]) == 0
    budget = len(Parsed(whole.read_text(encoding="utf-8")).texts["images"]) // 2
    monkeypatch.setattr(report_module, "BUDGET", budget)
    assert main(["report", str(tiny_run), "--page", str(part)]) == 0
    text = part.read_text(encoding="utf-8")
    shown = len(json.loads(Parsed(text).texts["images"]))
    assert 0 < shown < 5
    assert f"The last {5 - shown} images are left out: the page would exceed" in text


def test_unfinished_run_is_reported_as_far_as_it_has_come(tiny_run: Path, tmp_path: Path) -> None:
    out = tmp_path / "half"
    shutil.copytree(tiny_run, out)
    shutil.rmtree(out / "graph_cut" / "predictions")
    for name in ("metrics.json", "history.json", "stage.json"):
        (out / "graph_cut" / name).unlink()
    assert main(["report", str(out / "graph_cut")]) == 0
    text = (out / "report.html").read_text(encoding="utf-8")
    assert "The training on graph cut is not finished" in text
    assert "Seeding loss" in text  # from the checkpoint
    for folder in ("graph_cut", "cues", "classifier"):
        shutil.rmtree(out / folder)
    assert main(["report", str(out)]) == 0
    text = (out / "report.html").read_text(encoding="utf-8")
    assert "No segmentation network is trained in this run yet." in text


def test_trainings_of_one_run_stand_side_by_side(tiny_run: Path, tmp_path: Path) -> None:
    out = tmp_path / "both"
    shutil.copytree(tiny_run, out)
    assert main(["run", "--out", str(out), "--supervision.kind", "static"]) == 0
    assert main(["report", str(out)]) == 0
    parsed = Parsed((out / "report.html").read_text(encoding="utf-8"))
    images = json.loads(parsed.texts["images"])
    for shown in images:
        titles = [layer["title"] for layer in shown["layers"]]
        assert titles[-3:] == ["prediction (graph cut)", "prediction (static cues)", "ground truth"]
        assert sum(title.startswith("supervision") for title in titles) in (0, 2)
        assert set(shown["scores"]) == {"graph cut", "static cues"}
    metrics = [
        json.loads((out / kind / "metrics.json").read_text())["val"]["miou"]
        for kind in ("graph_cut", "static")
    ]
    means = next(cells for cells in parsed.cells if cells[:1] == ["mean"])
    assert [means[1], means[4]] == [f"{100 * miou:.1f}" for miou in metrics]


def test_folder_of_pictures_is_told_from_its_run(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "config.yaml").write_text("out: runs/cows\n")  # as 'dgcn init' leaves it there
    assert main(["report", str(tmp_path)]) == 2
    assert (
        "has not been run there; with it 'dgcn run' writes to runs/cows" in capsys.readouterr().err
    )
    assert not (tmp_path / "report.html").exists()


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (("/no/where",), "no such run folder: /no/where"),
        (("{tmp}",), "is not a run folder: it has no config.yaml"),
        (("{run}", "--images", "-1"), "images must be 0 or more, got -1"),
        (("{run}", "--data.root", "/gone"), "data.root: no such folder: /gone"),
    ],
)
def test_wrong_report_is_one_line(
    arguments: tuple[str, ...],
    expected: str,
    tiny_run: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    filled = [part.format(run=tiny_run, tmp=tmp_path) for part in arguments]
    assert main(["report", *filled]) == 2
    printed = capsys.readouterr().err
    assert expected in printed
    assert printed.count("\n") == 1


WALK = """
addEventListener("load", () => {
  const press = (key) => document.activeElement.dispatchEvent(
    new KeyboardEvent("keydown", { key, bubbles: true, cancelable: true }));
  const seen = [...document.querySelectorAll(".row-open")].map((b) => b.textContent);
  document.querySelector(".row-open").focus();
  press("ArrowDown");
  const second = document.activeElement.textContent;
  document.activeElement.click();
  const opened = document.getElementById("viewer").open;
  const before = document.getElementById("viewer-note").textContent.split(";")[0];
  press("ArrowDown");
  const after = document.getElementById("viewer-note").textContent.split(";")[0];
  press("ArrowLeft");
  const name = document.getElementById("viewer-name").textContent;
  document.getElementById("viewer").close();
  const broken = [...document.querySelectorAll("img")].filter((i) => !i.src.startsWith("data:"));
  const wide = document.documentElement.scrollWidth - innerWidth;
  document.title = JSON.stringify(
    { seen, second, opened, before, after, name, broken: broken.length, wide });
});
"""


@pytest.mark.skipif(CHROMIUM is None, reason="the browser itself: Debian's package chromium")
def test_page_in_a_browser(written: Path, tmp_path: Path) -> None:
    """Rows in the order of `order.js`, keys move the focus and the viewer, nothing overflows."""
    text = written.read_text(encoding="utf-8").replace("</body>", f"<script>{WALK}</script></body>")
    (tmp_path / "walk.html").write_text(text, encoding="utf-8")
    screenshot = tmp_path / "page.png"
    common = [str(CHROMIUM), "--headless", "--no-sandbox", "--disable-gpu"]
    common += [f"--user-data-dir={tmp_path / 'profile'}", "--window-size=500,1200"]
    common += ["--virtual-time-budget=3000"]
    dom = subprocess.run(
        [*common, "--dump-dom", (tmp_path / "walk.html").as_uri()],
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
    ).stdout
    title = re.search(r"<title>(.*?)</title>", dom, re.DOTALL)
    assert title
    found = json.loads(title[1].replace("&amp;", "&"))
    images = json.loads(Parsed(text).texts["images"])
    choice = {"sort": "worst", "label": "", "split": "", "training": "graph cut", "text": ""}
    names = [images[index]["name"] for index in expected_order(images, choice)]
    assert found["seen"] == names
    assert found["second"] == names[1]
    assert found["opened"] is True
    assert (found["before"], found["after"]) == ("prediction", "ground truth")
    assert found["name"] == names[0]
    assert found["broken"] == 0
    assert found["wide"] <= 0
    subprocess.run(
        [*common, f"--screenshot={screenshot}", written.as_uri()],
        capture_output=True,
        check=True,
        timeout=120,
    )
    pixels = np.asarray(Image.open(screenshot).convert("RGB"))
    assert pixels.shape[1] == 500
    assert len(np.unique(pixels.reshape(-1, 3), axis=0)) > 500  # images, not a blank page


def test_run_is_reported_without_its_cues_and_before_it_is_retrained(
    tiny_run: Path, tmp_path: Path
) -> None:
    out = Path(shutil.copytree(tiny_run, tmp_path / "run"))
    for path in (out / "config.yaml", out / "graph_cut" / "config.yaml"):
        text = path.read_text().replace("path: null", f"path: {tmp_path}/gone.npz")
        path.write_text(text.replace("network: trained", "network: retrained"))
    assert "gone.npz" in text
    assert "network: retrained" in path.read_text()
    assert main(["report", str(out)]) == 0
