"""The report: charts, layers, the page, its script, and the page of a real run."""

from __future__ import annotations

import base64
import io
import json
import re
import shutil
import subprocess
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import quickjs
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

import dgcn.engine.report_pictures as report_pictures_module
import dgcn.report.page as page_module
from dgcn.cli import main
from dgcn.data import read_image, read_mask
from dgcn.data.batches import TrainingSet
from dgcn.engine.predict import load_segmenter
from dgcn.engine.progress import Screen
from dgcn.engine.quality import supervise_sample
from dgcn.engine.record import by_image, chosen, recorded_supervision
from dgcn.engine.report_pictures import image_scores
from dgcn.engine.run import open_run
from dgcn.engine.segment import make_supervision
from dgcn.options import load_config
from dgcn.report import heat, overlay
from dgcn.report.curves import line_chart, nice_ticks
from dgcn.report.layers import fitted, heat_layer, label_layer, photograph
from dgcn.report.page import Page, Panel, Picture, Scores, render_page
from dgcn.seeds import load_cues

TEMPLATE = Path(page_module.__file__).parent / "template"
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
VOID_TAGS = {"meta", "link", "img", "input", "br"}


def decoded(uri: str) -> Image.Image:
    head, _, body = uri.partition(";base64,")
    assert head in ("data:image/png", "data:image/jpeg")
    return Image.open(io.BytesIO(base64.b64decode(body)))


def laid_over(image: np.ndarray, uri: str) -> np.ndarray:
    """What a browser shows of a layer over a photograph of the same size."""
    layer = np.asarray(decoded(uri).convert("RGBA"), dtype=np.float64)
    alpha = layer[..., 3:] / 255
    return image * (1 - alpha) + layer[..., :3] * alpha


# Charts


@given(st.floats(-1e6, 1e6), st.floats(0, 1e6))
def test_ticks_are_even_and_reach_around_the_values(low: float, span: float) -> None:
    ticks = nice_ticks(low, low + span)
    steps = np.diff(ticks)
    tolerance = 1e-6 * max(1.0, abs(low), span)
    assert ticks[0] <= low + tolerance
    assert ticks[-1] >= low + span - tolerance
    assert 2 <= len(ticks) <= 9
    np.testing.assert_allclose(steps, steps[0], rtol=1e-6, atol=1e-15 * abs(low))


def test_chart_places_points_in_proportion() -> None:
    text = line_chart("Loss <a>", {"x & y": [(1, 0.0), (2, 3.0), (5, 4.0), (6, float("nan"))]})
    path = re.search(r'<polyline points="([^"]*)"', text)
    assert path
    (x1, y1), (x2, y2), (x3, y3) = (map(float, point.split(",")) for point in path[1].split())
    assert (x2 - x1) / (x3 - x1) == pytest.approx(1 / 4, abs=1e-3)
    assert (y1 - y2) / (y1 - y3) == pytest.approx(3 / 4, abs=1e-2)
    assert y3 < y1  # up is more
    assert "Loss &lt;a&gt;" in text
    assert "x &amp; y from 0 at epoch 1 to 4 at epoch 5" in text
    with pytest.raises(ValueError, match="at least one finite point, in 'Empty'"):
        line_chart("Empty", {"a": []})


# Layers


def test_label_layer_over_the_photograph_is_the_overlay() -> None:
    rng = np.random.default_rng(0)
    image = rng.integers(0, 256, (60, 80, 3), dtype=np.uint8)
    labels = np.repeat(np.repeat(rng.choice([0, 1, 2, 7, 255], (6, 8)), 10, 0), 10, 1)
    shown = laid_over(image, label_layer(labels, (60, 80), 8))
    np.testing.assert_allclose(shown, overlay(image, labels, 8), atol=1.6)


def test_label_layer_takes_more_colours_than_a_palette_has() -> None:
    image = np.zeros((16, 16, 3), dtype=np.uint8)
    labels = np.arange(256).reshape(16, 16) % 255
    shown = laid_over(image, label_layer(np.where(labels > 250, 255, labels), (16, 16), 251))
    expected = overlay(image, np.where(labels > 250, 255, labels), 251)
    np.testing.assert_allclose(shown, expected, atol=1.6)


def test_heat_layer_over_the_grey_photograph_is_the_heat_map() -> None:
    image = np.full((80, 80, 3), 120, dtype=np.uint8)
    cam = np.outer(np.arange(6.0), np.arange(6.0))
    layer = decoded(heat_layer(cam, (80, 80)))
    assert layer.size == (40, 40)
    expected = heat(image[:40, :40], cam).astype(float)
    rgba = np.asarray(layer.convert("RGBA"), dtype=np.float64)
    shown = 120 * (1 - rgba[..., 3:] / 255) + rgba[..., :3] * rgba[..., 3:] / 255
    assert np.abs(shown - expected).max() < 8  # 48 levels
    assert heat_layer(np.zeros((6, 6)), (80, 80))  # nothing active is no error


def test_photograph_keeps_its_proportions() -> None:
    assert fitted(200, 100, 50) == (50, 25)
    assert fitted(30, 20, 50) == (30, 20)
    assert fitted(1, 4000, 50) == (1, 50)
    image = np.zeros((40, 60, 3), dtype=np.uint8)
    image[:, 30:] = 255
    small = np.asarray(decoded(photograph(image, (20, 30))).convert("L"))
    assert small.shape == (20, 30)
    assert small[:, :13].max() < 40
    assert small[:, 17:].min() > 215


# The page


class Parsed(HTMLParser):
    """Elements are closed in the order they were opened; links and scripts are collected."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.stack: list[str] = []
        self.targets: list[str] = []
        self.ids: list[str] = []
        self.texts: dict[str, str] = {}
        self.cells: list[list[str]] = []
        self._inside = ""
        self.feed(text)
        assert self.stack == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = dict(attrs)
        if tag not in VOID_TAGS:
            self.stack.append(tag)
        self.targets += [values[k] or "" for k in ("src", "href", "action") if k in values]
        if "id" in values:
            self.ids.append(values["id"] or "")
        self._inside = values.get("id") or ""
        if tag == "tr":
            self.cells.append([])
        if tag in ("td", "th") and self.cells:
            self.cells[-1].append("")

    def handle_endtag(self, tag: str) -> None:
        assert tag not in VOID_TAGS
        assert self.stack.pop() == tag
        self._inside = ""

    def handle_data(self, data: str) -> None:
        if self._inside:
            self.texts[self._inside] = self.texts.get(self._inside, "") + data
        if {"td", "th"} & set(self.stack) and self.cells and self.cells[-1]:
            self.cells[-1][-1] += data


def scores(miou: float) -> dict[str, Any]:
    per_class = {"iou": miou, "precision": None, "recall": 1.0}
    return {
        "protocol": "val, <2> images",
        "miou": miou,
        "pixel_accuracy": 0.5,
        "precision": None,
        "recall": 1.0,
        "foreground": {"precision": 0.25, "recall": 0.75},
        "coverage": 0.875,
        "classes": {"background": per_class, "cat": {**per_class, "iou": None}},
    }


def picture(name: str, mean: float | None = None, **more: Any) -> Picture:
    values = {"split": "val", "labels": ("cat",), "size": (3, 4), "photograph": "data:,"}
    ious = {} if mean is None else {"cat": mean}
    return Picture(
        name,
        panels=[Panel("photograph"), Panel("prediction", "data:,")],
        scores={"graph cut": {"mean": mean, "classes": ious}},
        **{**values, **more},
    )


EVIL = '</script><img src=x onerror="alert(1)">&"'


def test_page_is_well_formed_and_needs_nothing_from_outside() -> None:
    text = render_page(
        Page(
            title=EVIL,
            subtitle=EVIL,
            classes=("background", "cat"),
            scores=[Scores("graph cut", "val", scores(0.625))],
            labellings={"cues": scores(0.375)},
            charts=[line_chart("Loss", {"a": [(1, 2)]})],
            pictures=[picture(EVIL, 0.5)],
            notes=[EVIL],
            settings={EVIL: EVIL},
            footer=EVIL,
        )
    )
    parsed = Parsed(text)
    assert all(target.startswith(("#", "data:")) for target in parsed.targets)
    assert "http" not in text.replace("http-equiv", "")
    assert len(set(parsed.ids)) == len(parsed.ids)
    content = json.loads(parsed.texts["pictures"])
    assert content[0]["name"] == EVIL
    assert text.count("<script") == 2
    assert "<img src=x" not in text
    assert ["background", "62.5", "-", "100.0"] in parsed.cells
    assert ["cat", "-", "-", "100.0"] in parsed.cells
    assert ["mean", "62.5", "-", "100.0"] in parsed.cells
    assert ["cues", "37.5", "25.0", "75.0", "87.5"] in parsed.cells
    assert "val, &lt;2&gt; images" in text


def test_page_of_an_empty_run_says_so() -> None:
    text = render_page(Page("a", "b", ("background", "cat"), notes=["No network yet."]))
    Parsed(text)
    assert "No network yet." in text
    assert "There are no images in this report." in text


# The page's own script: order.js, run by QuickJS


def order_of(pictures: list[dict[str, Any]], choice: dict[str, str]) -> list[int]:
    context = quickjs.Context()
    context.eval((TEMPLATE / "order.js").read_text(encoding="utf-8"))
    context.set("given", json.dumps([pictures, choice]))
    answer = context.eval("(() => { const [p, c] = JSON.parse(given);"
                          " return JSON.stringify(orderOf(p, c)); })()")  # fmt: skip
    result: list[int] = json.loads(str(answer))
    return result


def expected_order(pictures: list[dict[str, Any]], choice: dict[str, str]) -> list[int]:
    def score(index: int) -> float | None:
        of = pictures[index]["scores"].get(choice["training"])
        if of is None:
            return None
        value: float | None = of["classes"].get(choice["label"]) if choice["label"] else of["mean"]
        return value

    kept = [
        i
        for i, p in enumerate(pictures)
        if choice["split"] in ("", p["split"])
        and choice["text"].lower() in p["name"].lower()
        and (not choice["label"] or choice["label"] in p["labels"] or score(i) is not None)
    ]
    if choice["sort"] == "list":
        return kept
    kept.sort(key=lambda i: (pictures[i]["name"], i))
    if choice["sort"] == "name":
        return kept
    sign = -1 if choice["sort"] == "best" else 1
    return sorted(kept, key=lambda i: (score(i) is None, sign * (score(i) or 0.0)))


shares = st.none() | st.sampled_from([0.0, 0.25, 0.5, 1.0])
entries = st.fixed_dictionaries(
    {
        "name": st.text("abC", min_size=1, max_size=3),
        "split": st.sampled_from(["train", "val"]),
        "labels": st.lists(st.sampled_from(["cat", "dog"]), unique=True),
        "scores": st.dictionaries(
            st.sampled_from(["one", "two"]),
            st.fixed_dictionaries(
                {
                    "mean": shares,
                    "classes": st.dictionaries(
                        st.sampled_from(["cat", "dog"]), st.sampled_from([0.0, 0.5, 0.75])
                    ),
                }
            ),
        ),
    }
)
choices = st.fixed_dictionaries(
    {
        "sort": st.sampled_from(["worst", "best", "name", "list"]),
        "label": st.sampled_from(["", "cat", "dog"]),
        "split": st.sampled_from(["", "train", "val"]),
        "training": st.sampled_from(["one", "two"]),
        "text": st.sampled_from(["", "a", "c"]),
    }
)


@given(st.lists(entries, max_size=8), choices)
def test_order_of_the_images(pictures: list[dict[str, Any]], choice: dict[str, str]) -> None:
    assert order_of(pictures, choice) == expected_order(pictures, choice)


def test_all_scripts_of_the_page_can_be_parsed() -> None:
    context = quickjs.Context()
    for name in ("order.js", "browser.js"):
        source = json.dumps((TEMPLATE / name).read_text(encoding="utf-8"))
        context.eval(f"new Function({source})")


# The report of a run


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
    pictures = json.loads(parsed.texts["pictures"])
    metrics = json.loads((tiny_run / "graph_cut" / "metrics.json").read_text())["val"]
    assert metrics["protocol"] in text
    for name, values in metrics["classes"].items():
        row = next(cells for cells in parsed.cells if cells[:1] == [name])
        iou = values["iou"]
        assert row[1] == ("-" if iou is None else f"{100 * iou:.1f}")
    assert [p["split"] for p in pictures].count("val") == 3
    train = [p for p in pictures if p["split"] == "train"]
    assert len(train) == 2
    for shown in train:
        titles = [panel["title"] for panel in shown["panels"]]
        assert titles == [
            "photograph",
            "class activation",
            "cues",
            "supervision, epoch 1",
            "supervision, epoch 2",
            "prediction",
            "ground truth",
        ]
    root = next((tiny_run / "data").glob("shapes-*"))
    for shown in pictures:
        if shown["split"] == "val":
            truth = read_mask(root / "masks" / f"{shown['name']}.png")
            mask = read_mask(tiny_run / "graph_cut/predictions/val" / f"{shown['name']}.png")
            ious = [
                ((truth == c) & (mask == c)).sum() / ((truth == c) | (mask == c)).sum()
                for c in range(6)
                if ((truth == c) | (mask == c)).any()
            ]
            assert shown["scores"]["graph cut"]["mean"] == pytest.approx(np.mean(ious), abs=1e-4)
            panel = next(p for p in shown["panels"] if p["title"] == "ground truth")
            image = read_image(root / "images" / f"{shown['name']}.png")
            seen = laid_over(image, panel["layer"])
            expected = overlay(image, truth, 6)
            np.testing.assert_allclose(seen, expected, atol=1.6)


def test_recorded_supervision_is_that_of_the_network(tiny_run: Path) -> None:
    run = open_run(load_config(tiny_run / "config.yaml"), screen=Screen(quiet=True))
    kept = recorded_supervision(run.training)
    assert list(kept) == [1, 2]
    cues = load_cues(run.cues / "cues.npz")
    model = load_segmenter(run, "last")
    records = chosen(run.records("train"), 2)
    assert set(kept[2]) == {record.name for record in records}
    for record in records:
        sample = TrainingSet([record], run.classes, 81, cues=cues, mirror=False)[0]
        labels = supervise_sample(run, model, make_supervision(run.config.supervision), sample)
        np.testing.assert_array_equal(kept[2][record.name], labels)


def test_epochs_shown_are_spread_over_the_training(tiny_run: Path) -> None:
    run = open_run(load_config(tiny_run / "config.yaml"), screen=Screen(quiet=True))
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
    assert len(json.loads(Parsed(text).texts["pictures"])) == 3


def test_page_stays_within_its_budget(
    tiny_run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole, part = tmp_path / "whole.html", tmp_path / "part.html"
    assert main(["report", str(tiny_run), "--page", str(whole)]) == 0
    budget = len(Parsed(whole.read_text(encoding="utf-8")).texts["pictures"]) // 2
    monkeypatch.setattr(report_pictures_module, "BUDGET", budget)
    assert main(["report", str(tiny_run), "--page", str(part)]) == 0
    text = part.read_text(encoding="utf-8")
    shown = len(json.loads(Parsed(text).texts["pictures"]))
    assert 0 < shown < 5
    assert f"The last {5 - shown} images are left out: the page would exceed" in text


def test_unfinished_run_is_reported_as_far_as_it_has_come(tiny_run: Path, tmp_path: Path) -> None:
    out = tmp_path / "half"
    shutil.copytree(tiny_run, out)
    shutil.rmtree(out / "graph_cut" / "predictions")
    for name in ("metrics.json", "history.json", "finished.json"):
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
    pictures = json.loads(Parsed(text).texts["pictures"])
    choice = {"sort": "worst", "label": "", "split": "", "training": "graph cut", "text": ""}
    names = [pictures[index]["name"] for index in expected_order(pictures, choice)]
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
    assert len(np.unique(pixels.reshape(-1, 3), axis=0)) > 500  # photographs, not a blank page
