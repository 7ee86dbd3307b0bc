"""The page of a report: charts, layers, HTML, and the script's order of the images."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import quickjs
from hypothesis import given
from hypothesis import strategies as st
from report_page import Parsed, decoded, expected_order, laid_over

import dgcn.report.page as page_module
from dgcn.metrics import Confusion
from dgcn.report import heat, overlay
from dgcn.report.curves import line_chart, nice_ticks
from dgcn.report.layers import fitted, heat_layer, image_uri, label_layer
from dgcn.report.page import Layer, Page, PageImage, Scores, render_page

TEMPLATE = Path(page_module.__file__).parent / "template"

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
    assert re.findall(r'data-tip="([^"]*)"', text) == [
        "epoch 1: x &amp; y 0",
        "epoch 2: x &amp; y 3",
        "epoch 5: x &amp; y 4",
    ]
    with pytest.raises(ValueError, match="at least one finite point, in 'Empty'"):
        line_chart("Empty", {"a": []})


def test_axes_begin_at_0() -> None:
    text = line_chart("F1", {"a": [(1, 0.71), (2, 0.74)], "b": [(2, 0.5)]}, percent=True)
    ticks = re.findall(r'class="tick"[^>]*text-anchor="end">([^<]*)<', text)
    assert ticks[0] == "0"
    assert float(ticks[-1]) >= 74
    assert "epoch 2: a 74.0 %; b 50.0 %" in text
    below = line_chart("Loss", {"a": [(1, -2.0), (2, -1.0)]})
    assert re.findall(r'class="tick"[^>]*text-anchor="end">([^<]*)<', below)[-1] == "0"


# Layers


def test_label_layer_over_the_image_is_the_overlay() -> None:
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


def test_heat_layer_over_the_grey_image_is_the_heat_map() -> None:
    image = np.full((80, 80, 3), 120, dtype=np.uint8)
    cam = np.outer(np.arange(6.0), np.arange(6.0))
    layer = decoded(heat_layer(cam, (80, 80)))
    assert layer.size == (40, 40)
    expected = heat(image[:40, :40], cam).astype(float)
    rgba = np.asarray(layer.convert("RGBA"), dtype=np.float64)
    shown = 120 * (1 - rgba[..., 3:] / 255) + rgba[..., :3] * rgba[..., 3:] / 255
    assert np.abs(shown - expected).max() < 8  # 48 levels
    assert heat_layer(np.zeros((6, 6)), (80, 80))  # nothing active is no error


def test_image_keeps_its_proportions() -> None:
    assert fitted(200, 100, 50) == (50, 25)
    assert fitted(30, 20, 50) == (30, 20)
    assert fitted(1, 4000, 50) == (1, 50)
    image = np.zeros((40, 60, 3), dtype=np.uint8)
    image[:, 30:] = 255
    small = np.asarray(decoded(image_uri(image, (20, 30))).convert("L"))
    assert small.shape == (20, 30)
    assert small[:, :13].max() < 40
    assert small[:, 17:].min() > 215


# The page


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
        "filled_miou": 0.4375,
        "baselines": {"all_background": {"miou": 0.3125}},
        "verdict": f"{EVIL} masks",
        "classes": {"background": per_class, "cat": {**per_class, "iou": None}},
    }


def shown_image(name: str, mean: float | None = None, **more: Any) -> PageImage:
    values = {"split": "val", "labels": ("cat",), "size": (3, 4), "uri": "data:,"}
    ious = {} if mean is None else {"cat": mean}
    return PageImage(
        name,
        layers=[Layer("image"), Layer("prediction", "data:,")],
        scores={"graph cut": {"mean": mean, "classes": ious}},
        **{"agreement": {"graph cut": AGREED}, **values, **more},
    )


AGREED = {"mean": 0.25, "classes": {"cat": 0.25}, "extra": [], "missing": ["cat"]}
EVIL = '</script><img src=x onerror="alert(1)">&"'


def test_page_is_well_formed_and_needs_nothing_from_outside() -> None:
    text = render_page(
        Page(
            title=EVIL,
            subtitle=EVIL,
            classes=("background", "cat"),
            scores=[Scores("graph cut", "val", scores(0.625))],
            labellings={"cues": scores(0.375)},
            baselines={"all_background": "all <background>"},
            agreement={"graph cut": agreement()},
            together=np.array([[1, 0], [0, 4]]),
            confusions={"graph cut, val": np.array([[6, 2], [0, 0]])},
            charts=[line_chart("Loss", {"a": [(1, 2)]})],
            images=[shown_image(EVIL, 0.5)],
            notes=[EVIL],
            settings={EVIL: EVIL},
            footer=EVIL,
        )
    )
    parsed = Parsed(text)
    assert all(target.startswith(("#", "data:")) for target in parsed.targets)
    assert "http" not in text.replace("http-equiv", "")
    assert len(set(parsed.ids)) == len(parsed.ids)
    content = json.loads(parsed.texts["images"])
    assert content[0]["name"] == EVIL
    assert text.count("<script") == 2
    assert "<img src=x" not in text
    assert ["background", "62.5", "-", "100.0"] in parsed.cells
    assert ["cat", "-", "-", "100.0"] in parsed.cells
    assert ["mean", "62.5", "-", "100.0"] in parsed.cells
    assert ["cues", "37.5", "43.8", "25.0", "75.0", "87.5"] in parsed.cells
    assert ["no labels: all <background>", "", "31.2", "", "", ""] in parsed.cells
    assert ["no network: all <background>", "31.2"] in parsed.cells
    assert ["graph cut", "62.5"] in parsed.cells
    assert "val, &lt;2&gt; images" in text
    assert ["background", "50.0", "3"] in parsed.cells
    assert ["mean", "25.0", "4"] in parsed.cells
    assert ["images of", "no label", "cat"] in parsed.cells
    assert ["cat", "·", "4"] in parsed.cells
    assert ["background", "75.0", "25.0"] in parsed.cells
    assert 'data-tip="background predicted as cat: 25.0 %, 2 pixels"' in text
    assert 'data-tip="0 of the 4 training images of cat have no label"' in text
    assert re.findall(r'option value="(\w+)"', text) == [
        *("worst", "best", "disagree", "labels", "name", "list")
    ]


def agreement() -> Confusion:
    found = Confusion(2)
    found.add(np.array([0, 0, 0, 1]), np.array([0, 0, 1, 0]))
    return found


def test_page_of_an_empty_run_says_so() -> None:
    text = render_page(Page("a", "b", ("background", "cat"), notes=["No network yet."]))
    Parsed(text)
    assert "No network yet." in text
    assert "There are no images in this report." in text
    assert "Supervision and prediction" not in text


# The page's own script: order.js, run by QuickJS


def order_of(images: list[dict[str, Any]], choice: dict[str, str]) -> list[int]:
    context = quickjs.Context()
    context.eval((TEMPLATE / "order.js").read_text(encoding="utf-8"))
    context.set("given", json.dumps([images, choice]))
    answer = context.eval("(() => { const [p, c] = JSON.parse(given);"
                          " return JSON.stringify(orderOf(p, c)); })()")  # fmt: skip
    result: list[int] = json.loads(str(answer))
    return result


def in_script(call: str, *given: Any) -> Any:
    """What a function of order.js answers."""
    context = quickjs.Context()
    context.eval((TEMPLATE / "order.js").read_text(encoding="utf-8"))
    context.set("given", json.dumps(given))
    return json.loads(str(context.eval(f"JSON.stringify({call}(...JSON.parse(given)))")))


@given(st.lists(st.none() | st.integers(-3, 3), max_size=9), st.booleans())
def test_order_of_table_rows(values: list[int | None], descending: bool) -> None:
    known = [i for i, value in enumerate(values) if value is not None]
    known.sort(key=lambda i: values[i] or 0, reverse=False)
    if descending:
        known.sort(key=lambda i: -(values[i] or 0))
    unknown = [i for i, value in enumerate(values) if value is None]
    assert in_script("rowOrder", values, descending) == known + unknown
    names = [None if value is None else f"class {value + 3}" for value in values]
    assert in_script("rowOrder", names, descending) == known + unknown


unit = st.floats(0, 1)


@given(st.lists(st.tuples(st.floats(0.3, 4), unit, unit), min_size=1, max_size=6))
def test_zoom_keeps_its_point_and_fills_the_frame(steps: list[tuple[float, float, float]]) -> None:
    view = {"scale": 1.0, "x": 0.0, "y": 0.0}
    for factor, x, y in steps:
        before, view = view, in_script("zoomed", view, factor, x, y)
        assert 1 <= view["scale"] <= 16
        assert view["scale"] == pytest.approx(min(16, max(1, before["scale"] * factor)))
        for axis, at in (("x", x), ("y", y)):
            assert 1 - view["scale"] - 1e-9 <= view[axis] <= 1e-9
            place = (at - before[axis]) / before["scale"] * view["scale"] + view[axis]
            covered = view[axis] in (0, pytest.approx(1 - view["scale"]))
            assert place == pytest.approx(at, abs=1e-6) or covered
    for axis in ("x", "y"):
        assert in_script("moved", view, -99, -99)[axis] == pytest.approx(1 - view["scale"])
        assert in_script("moved", view, 99, 99)[axis] == 0


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
        "agreement": st.dictionaries(
            st.sampled_from(["one", "two"]),
            st.fixed_dictionaries(
                {
                    "mean": shares,
                    "classes": st.dictionaries(st.sampled_from(["cat", "dog"]), st.just(0.5)),
                    "extra": st.lists(st.sampled_from(["cat", "dog"]), unique=True),
                    "missing": st.lists(st.just("cow"), unique=True),
                }
            ),
        ),
    }
)
choices = st.fixed_dictionaries(
    {
        "sort": st.sampled_from(["worst", "best", "name", "list", "disagree", "labels"]),
        "label": st.sampled_from(["", "cat", "dog"]),
        "split": st.sampled_from(["", "train", "val"]),
        "training": st.sampled_from(["one", "two"]),
        "text": st.sampled_from(["", "a", "c"]),
    }
)


@given(st.lists(entries, max_size=8), choices)
def test_order_of_the_images(images: list[dict[str, Any]], choice: dict[str, str]) -> None:
    assert order_of(images, choice) == expected_order(images, choice)


def test_all_scripts_of_the_page_can_be_parsed() -> None:
    context = quickjs.Context()
    for name in ("order.js", "page.js", "browser.js"):
        source = json.dumps((TEMPLATE / name).read_text(encoding="utf-8"))
        context.eval(f"new Function({source})")
