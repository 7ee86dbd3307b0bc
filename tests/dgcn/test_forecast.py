"""How long a run still takes: sums by hand, and what a training tells of its pace."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from safetensors.torch import save_file

from dgcn.models import SmallNet
from dgcn.options import config_with
from dgcn.pipeline.chain import CLASSIFIER
from dgcn.pipeline.foresee import forecast_of
from dgcn.pipeline.run import open_run
from dgcn.training.console import Console
from dgcn.training.forecast import Forecast, duration
from dgcn.training.frozen import passes


@pytest.mark.parametrize(
    ("seconds", "said"),
    [
        (0.2, "1 s"),
        (59.4, "59 s"),
        (61, "1 min"),
        (3000, "50 min"),
        (3700, "1 h"),
        (12000, "3 h 20 min"),
        (90000, "1 d 1 h"),
        (172800, "2 d"),
    ],
)
def test_times_are_said_as_people_say_them(seconds: float, said: str) -> None:
    assert duration(seconds) == said


def test_stages_to_come_are_guessed_from_the_one_that_was_measured() -> None:
    forecast = Forecast({"classifier": 800, "cues": 100, "segmenter": 700, "prediction": 0})
    assert forecast.begin("classifier") == ""  # nothing is known yet
    said = forecast.pace(600, 0.5)
    # 600 at 0.5 s; 100 at 1.5 times and 700 at 3 times as much.
    assert forecast.left() == {"classifier": 300, "cues": 75, "segmenter": 1050}
    assert said == "about 24 min left: classifier 5 min, cues 1 min, segmentation network 18 min"
    assert forecast.begin("segmenter") == "about 18 min left"
    assert forecast.pace(700, 0.1) == "about 1 min left"
    assert forecast.pace(100, 0.1) == ""  # less than a minute
    alone = Forecast()
    assert alone.begin("classifier") == ""
    assert alone.pace(100, 1.0) == "about 2 min left"


class Recording(Console):
    def __init__(self) -> None:
        super().__init__(quiet=True)
        self.paces: list[float] = []

    def pace(self, images: float, seconds: float) -> None:
        assert seconds > 0
        self.paces.append(images)


SETTINGS = {
    "data": {"size": 41, "synthetic_images": 6, "synthetic_val_images": 2, "synthetic_size": 48},
    "model": {"backbone": "small"},
    "classify": {"epochs": 3, "batch_size": 2},
    "train": {"epochs": 5},
    "runtime": {"device": "cpu"},
}


def test_a_training_tells_its_pace_soon_and_after_every_epoch(tmp_path: Path) -> None:
    config = config_with({**SETTINGS, "out": tmp_path / "run"})
    console = Recording()
    with open_run(config, console=console) as run:
        before = forecast_of(run)
        before.pace(0, 1.0)
        factor = 0.75**2 + 1 + 1.25**2
        assert set(before.left()) == {"", "classifier", "cues", "segmenter", "prediction"}
        assert before.left()["segmenter"] / before.left()["classifier"] == pytest.approx(3 * 5 / 3)
        assert before.left()["prediction"] == pytest.approx(2 * factor * 1.5)
        CLASSIFIER.perform(run)
        # 9 steps of 2 images: after the epochs of 3, and after the fourth step.
        assert console.paces == [12, 10, 6, 0]
        after = forecast_of(run)
        after.pace(0, 1.0)
        assert set(after.left()) == {"", "cues", "segmenter", "prediction"}


def test_a_frozen_classifier_is_foreseen_by_the_features_that_are_new(tmp_path: Path) -> None:
    """Each image and its mirror image are computed once: half of the rest in every epoch."""
    assert [passes(epochs, mirror=True) for epochs in (0.5, 1, 2, 3)] == [0.5, 1, 1.5, 1.75]
    assert passes(20, mirror=False) == 1
    rng = np.random.default_rng(0)
    mirrored = rng.random((20, 100_000)) < 0.5  # by epoch and image
    new = 1 + (mirrored != mirrored[0]).any(0).mean()  # sides of an image that are ever seen
    assert new == pytest.approx(passes(20, mirror=True), abs=1e-3)
    weights = tmp_path / "start.safetensors"
    save_file(SmallNet().state_dict(), weights)
    settings = {
        **SETTINGS,
        "model": {"backbone": "small", "weights": weights},
        "classify": {**SETTINGS["classify"], "frozen": True},
    }
    config = config_with({**settings, "out": tmp_path / "run"})
    console = Recording()
    with open_run(config, console=console) as run:
        before = forecast_of(run)
        before.pace(0, 1.0)
        assert before.left()["segmenter"] / before.left()["classifier"] == pytest.approx(
            3 * 5 / 1.75
        )
        CLASSIFIER.perform(run)
        # 3 steps of 2 images an epoch, 5.25 of them new features; the fourth is of 1/3 epoch more.
        # As above; the fourth step ends a third of the second epoch, 2 - 2 ** (-1 / 3) passes.
        assert console.paces == pytest.approx([4.5, 6 * (2 ** (-1 / 3) - 0.25), 1.5, 0])


def test_a_frozen_classifier_whose_features_all_come_in_one_step(tmp_path: Path) -> None:
    """One step an epoch and no mirroring: there is no pace to tell, and nothing fails."""
    weights = tmp_path / "start.safetensors"
    save_file(SmallNet().state_dict(), weights)
    settings = {
        **SETTINGS,
        "data": {**SETTINGS["data"], "mirror": False},
        "model": {"backbone": "small", "weights": weights},
        "classify": {"epochs": 3, "batch_size": 6, "frozen": True},
    }
    console = Recording()
    with open_run(config_with({**settings, "out": tmp_path / "run"}), console=console) as run:
        CLASSIFIER.perform(run)
    assert console.paces == []
