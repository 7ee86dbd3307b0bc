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

import dgcn.pipeline.page_images as images_module
from dgcn.cli import main
from dgcn.cues import load_cues
from dgcn.data import read_image, read_mask
from dgcn.data.batches import TrainingSet
from dgcn.data.masks import mask_to_grid
from dgcn.options import load_config
from dgcn.pipeline.baselines import BASELINES
from dgcn.pipeline.networks import load_predictor, load_segmenter
from dgcn.pipeline.page_images import image_scores
from dgcn.pipeline.panels import by_image
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
    assert found["mean"] == pytest.approx((2 / 3 + 0.5) / 2, abs=1e-4)  # of the objects
    missed = image_scores(truth, np.zeros_like(truth), ("background", "cat", "dog", "cow"))
    assert missed["mean"] == 0
    bare = np.zeros_like(truth)
    assert image_scores(bare, bare, ("background", "cat"))["mean"] == 1


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
                for c in range(1, 6)
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
    monkeypatch.setattr(images_module, "BUDGET", budget)
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
  const key = (k) => document.getElementById("viewer-close").dispatchEvent(
    new KeyboardEvent("keydown", { key: k, bubbles: true, cancelable: true }));
  document.getElementById("viewer").showModal();
  key("+");
  const near = document.getElementById("viewer-whole").textContent;
  key("0");
  const whole = document.getElementById("viewer-whole").textContent;
  document.getElementById("viewer").close();
  const beside = [...document.querySelectorAll(".pair")].map((pair) => {
    const tops = [...pair.children].map((each) => Math.round(each.getBoundingClientRect().top));
    return tops.length === 2 && tops[0] === tops[1];
  });
  const table = document.querySelector("table.sortable");
  const names = () => [...table.tBodies[0].rows].map((row) => row.cells[0].textContent);
  const orders = [names()];
  for (let click = 0; click < 3; click++) {
    table.querySelectorAll(".sorter button")[1].click();
    orders.push(names());
  }
  document.querySelector(".hover").dispatchEvent(
    new PointerEvent("pointermove", { bubbles: true, clientX: 9, clientY: 9 }));
  const tip = document.getElementById("tip").textContent;
  const wide = document.documentElement.scrollWidth - innerWidth;
  document.title = JSON.stringify(
    { seen, second, opened, before, after, name, broken: broken.length, wide, near, whole, beside,
      orders, tip });
});
"""


@pytest.mark.skipif(CHROMIUM is None, reason="the browser itself: Debian's package chromium")
def test_page_in_a_browser(written: Path, tiny_run: Path, tmp_path: Path) -> None:
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
    assert (found["near"], found["whole"]) == ("150 %", "100 %")
    assert found["beside"] == [True] * len(names)
    assert re.match(r"epoch 1: classifier \d", found["tip"])
    metrics = json.loads((tiny_run / "graph_cut" / "metrics.json").read_text())["val"]
    ious = {name: values["iou"] for name, values in metrics["classes"].items()}
    shown, descending, ascending, again = found["orders"]
    assert shown == again == [*ious]
    known = [round(ious[name], 3) for name in descending if ious[name] is not None]
    assert known == sorted(known, reverse=True)
    assert [round(ious[name], 3) for name in ascending if ious[name] is not None] == known[::-1]
    assert {descending[-1], ascending[-1]} & {n for n, v in ious.items() if v is None} or all(
        value is not None for value in ious.values()
    )
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


def test_run_without_masks_shows_where_the_network_does_not_follow(
    tiny_run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = Path(shutil.copytree(tiny_run, tmp_path / "run"))
    shutil.rmtree(next((out / "data").glob("shapes-*")) / "masks")
    for path in (*out.rglob("metrics.json"), *out.rglob("quality.json"), *out.rglob("confusion_*")):
        path.unlink()
    (out / "graph_cut" / "supervision.json").unlink()
    assert main(["report", str(out)]) == 0
    assert "not finished" not in capsys.readouterr().out
    text = (out / "report.html").read_text(encoding="utf-8")
    parsed = Parsed(text)
    assert "Nothing is scored: there are no masks" in text
    assert re.findall(r'option value="(\w+)"', text) == ["disagree", "labels", "name", "list"]
    images = {each["name"]: each for each in json.loads(parsed.texts["images"])}
    assert [each["split"] for each in images.values()] == ["train"] * 6 + ["val"] * 3
    run = open_run(load_config(out / "config.yaml"), console=Console(quiet=True), reads_only=True)
    kept, predictor = recorded_supervision(run.trained_folder)[2], load_predictor(run)
    for name, labels in kept.items():
        record = next(each for each in run.records("train") if each.name == name)
        mask = predictor(read_image(record.image))
        predicted = mask_to_grid(mask, *labels.shape[1:])
        told = labels.any(0)
        ious = {}
        for index, of in enumerate(run.dataset.classes):
            hit = (labels[index] & (predicted == index)).sum()
            either = (told & (labels[index] | (predicted == index))).sum()
            if either:
                ious[of] = pytest.approx(hit / either, abs=1e-4)
        found = images[name]["agreement"]["graph cut"]
        assert found["classes"] == ious
        shares = np.bincount(mask.ravel(), minlength=6) / mask.size
        extra = [c for c in range(1, 6) if shares[c] > 0.005 and c not in record.labels]
        assert found["extra"] == [run.dataset.classes[c] for c in extra]
        missing = [run.dataset.classes[c] for c in record.labels if not shares[c]]
        assert found["missing"] == missing
    assert all(each["agreement"]["graph cut"]["mean"] is None for each in [*images.values()][6:])
    # Labels of the training images, pair by pair.
    counted = [{run.dataset.classes[c] for c in r.labels} for r in run.records("train")]
    head = next(cells for cells in parsed.cells if cells[:1] == ["images of"])
    for name in head[1:]:
        same = [cells for cells in parsed.cells if cells[:1] == [name] and len(cells) == len(head)]
        row = next(cells for cells in same if "." not in "".join(cells))
        both = [sum({name, other} <= labels for labels in counted) for other in head[1:]]
        assert row[1:] == [str(count) if count else "·" for count in both]


def test_two_runs_stand_side_by_side(
    tiny_run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    other = Path(shutil.copytree(tiny_run, tmp_path / "other"))
    page = tmp_path / "page.html"
    given = ["report", str(tiny_run), "--page", str(page), "--images", "3", "--against"]
    assert main([*given, str(other)]) == 0
    parsed = Parsed(page.read_text(encoding="utf-8"))
    titles = ["run: graph cut", "other: graph cut"]
    for shown in json.loads(parsed.texts["images"]):
        assert [*shown["scores"]] == titles
        layers = [layer["title"] for layer in shown["layers"]]
        assert layers[-3:-1] == [f"prediction ({title})" for title in titles]
    rows = [cells for cells in parsed.cells if cells and cells[0] in titles]
    assert [cells[0] for cells in rows[:2]] == titles
    assert rows[0][1] == rows[1][1]
    capsys.readouterr()
    assert main([*given, str(tiny_run)]) == 2
    assert "is the run itself: name another one" in capsys.readouterr().err
