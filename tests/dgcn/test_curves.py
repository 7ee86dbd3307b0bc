"""Curves for TensorBoard."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from dgcn.training.console import Curves


def read(folder: Path, name: str) -> list[tuple[int, float]]:
    events = EventAccumulator(str(folder / "tensorboard"))
    events.Reload()
    return [(event.step, event.value) for event in events.Scalars(name)]


def test_curve_of_a_resumed_training_has_every_step_once(tmp_path: Path) -> None:
    with Curves(tmp_path, True, 0) as curves:
        for step in range(5):
            curves.add(step, {"loss": 10.0 - step, "rate": 0.5})
    # Broken off after the checkpoint of step 3.
    with Curves(tmp_path, True, 3) as curves:
        for step in range(3, 6):
            curves.add(step, {"loss": float(step)})
    assert read(tmp_path, "loss") == [(0, 10), (1, 9), (2, 8), (3, 3), (4, 4), (5, 5)]
    assert read(tmp_path, "rate") == [(0, 0.5), (1, 0.5), (2, 0.5)]


def test_nothing_is_written_by_other_processes_or_without_tensorboard(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Curves(tmp_path, False, 0) as curves:
        curves.add(0, {"loss": 1.0})
    monkeypatch.setitem(sys.modules, "tensorboard", None)
    monkeypatch.delitem(sys.modules, "torch.utils.tensorboard", raising=False)
    with Curves(tmp_path, True, 0) as curves:
        curves.add(0, {"loss": 1.0})
    assert list(tmp_path.iterdir()) == []
