"""Where pixels are lost: kinds and places by hand, and sums that must agree with the confusion."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dgcn.lost import KINDS, PLACES, LostPixels
from dgcn.metrics import Confusion
from dgcn.report.page import Scores
from dgcn.report.tables import lost_table


def test_kinds_and_names_by_hand() -> None:
    truth = np.zeros((1, 10), np.uint8)
    truth[0, 4:7], truth[0, 7], truth[0, 9] = 1, 255, 2
    guess = np.array([[0, 1, 3, 0, 3, 3, 0, 3, 0, 1]], np.uint8)
    lost = LostPixels(4)
    lost.add(truth, guess, [1, 2])
    found = lost.plain()
    # strange 3 at columns 2, 4, 5; spilled at 1; missed at 6; exchanged at 9.
    counts = {"strange": 3, "missed": 1, "spilled": 1, "exchanged": 1}
    assert found["wrong"] == pytest.approx({kind: n / 9 for kind, n in counts.items()})
    # Class 3 lies on class 1 twice and on the background once: it is called 1.
    renamed = Confusion(4)
    renamed.add(truth, np.where(guess == 3, 1, guess))
    assert found["miou_renamed"] == pytest.approx(renamed.miou())


def test_places_are_measured_from_the_borders() -> None:
    """100 x 100: the band is 3 pixels wide."""
    truth = np.zeros((100, 100), np.uint8)
    truth[:50, :50], truth[:50, 50:] = 1, 2
    lost = LostPixels(3)
    lost.add(truth, np.full_like(truth, 2), [1, 2])
    places = lost.plain()["places"]
    between = 53 * 6  # rows whose square reaches both objects
    assert places["between_objects"]["pixels"] == pytest.approx(between / 1e4)
    assert places["at_background"]["pixels"] == pytest.approx((6 * 100 - 36) / 1e4)
    assert places["between_objects"]["lost"] == pytest.approx((50 * 3 + 3 * 6) / between)
    exchanged = places["between_objects"]["wrong"]["exchanged"]
    assert exchanged == pytest.approx(50 * 3 / 1e4)


def test_classes_on_both_sides_of_void_border_on_one_another() -> None:
    truth = np.full((100, 100), 255, np.uint8)
    truth[:, :49], truth[:, 50:] = 1, 2
    lost = LostPixels(3)
    lost.add(truth, truth, [1, 2])
    assert lost.plain()["places"]["between_objects"]["pixels"] == pytest.approx(4 / 99)


@given(st.integers(0, 2**32 - 1))
def test_every_wrong_pixel_is_counted_once(seed: int) -> None:
    rng = np.random.default_rng(seed)
    lost, confusion, renamed = LostPixels(4), Confusion(4), 0.0
    for _ in range(2):
        truth = rng.choice([0, 1, 2, 255], (12, 9)).astype(np.uint8)
        guess = rng.integers(0, 4, (12, 9)).astype(np.uint8)
        lost.add(truth, guess, [1, 2])
        confusion.add(truth, guess)
    found = lost.plain()
    wrong = 1 - confusion.pixel_accuracy()
    assert sum(found["wrong"].values()) == pytest.approx(wrong)
    places = found["places"].values()
    assert sum(each["pixels"] for each in places) == pytest.approx(1)
    assert sum(sum(each["wrong"].values()) for each in places) == pytest.approx(wrong)
    for each in places:
        if each["lost"] is not None:
            assert each["lost"] * each["pixels"] == pytest.approx(sum(each["wrong"].values()))
    renamed = found["miou_renamed"]
    assert 0 <= renamed <= 1


def test_masks_of_the_images_own_classes_have_nothing_to_rename() -> None:
    rng = np.random.default_rng(0)
    truth, guess = (rng.integers(0, 3, (20, 20)).astype(np.uint8) for _ in range(2))
    lost, confusion = LostPixels(3), Confusion(3)
    lost.add(truth, guess, [1, 2])
    confusion.add(truth, guess)
    found = lost.plain()
    assert found["wrong"]["strange"] == 0
    assert found["miou_renamed"] == confusion.miou()


def test_the_scores_of_a_run_have_them(tiny_run: Path) -> None:
    scores = json.loads((tiny_run / "graph_cut" / "metrics.json").read_text())["val"]
    lost = scores["lost"]
    assert set(lost["wrong"]) == set(KINDS)
    assert set(lost["places"]) == set(PLACES)
    assert sum(lost["wrong"].values()) == pytest.approx(1 - scores["pixel_accuracy"])
    table = lost_table([Scores("graph cut", "val", scores), Scores("older", "val", {"miou": 0.5})])
    assert f"<td>{100 * lost['miou_renamed']:.1f}</td>" in table
    assert "older" not in table
    assert lost_table([Scores("older", "val", {"miou": 0.5})]) == ""
