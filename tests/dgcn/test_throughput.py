"""The time of a step's parts, and what is made of it."""

from __future__ import annotations

import contextlib
import json
import time
from pathlib import Path

import pytest
import torch

from dgcn.training.throughput import Row, Stopwatch, figures, read_rows, sentence, write_rows


def test_parts_within_parts_are_not_counted_twice() -> None:
    clock = Stopwatch(torch.device("cpu"))
    time.sleep(0.02)  # in no part
    start = time.perf_counter()
    clock.begin("outer")
    time.sleep(0.01)
    with contextlib.suppress(KeyError), clock.within("inner"):
        time.sleep(0.02)
        raise KeyError
    time.sleep(0.01)
    clock.begin("next")
    clock.add("elsewhere", 1.0, 3.5)
    clock.add("elsewhere", 4.0, 4.25)
    clock.begin("")
    elapsed = time.perf_counter() - start
    time.sleep(0.02)
    found = clock.take()
    assert found.pop("elsewhere") == 2.75
    assert set(found) == {"outer", "inner", "next"}
    assert found["outer"] >= 0.02
    assert found["inner"] >= 0.02
    assert elapsed - 0.005 < sum(found.values()) <= elapsed
    assert clock.take() == {}


ROWS = [
    Row(1, 30, {"network": 3.0, "supervision": 1.0, "crf": 0.5, "data": 0.5, "crf_work": 1.25}),
    Row(2, 20, {"network": 4.0, "supervision": 0.5, "rest": 0.5, "crf_work": 0.25}),
]


def test_figures_of_epochs_together() -> None:
    found = figures(ROWS)
    assert (found["images"], found["images_per_second"]) == (50, 5.0)
    shares = {"network": 0.7, "supervision": 0.15, "crf": 0.05, "data": 0.05, "rest": 0.05}
    assert found["shares"] == pytest.approx({**shares, "crf_work": 0.15})
    assert sentence(ROWS) == (
        "5.0 images/s; network 70.0 %, supervision 15.0 %, waiting for the CRF 5.0 %, waiting for "
        "data 5.0 %, the rest 5.0 %, beside them the CRF's work 15.0 %"
    )
    assert "CRF" not in sentence([Row(1, 1, {"network": 1.0})])


def test_record_goes_on_from_the_epochs_that_count(tmp_path: Path) -> None:
    assert read_rows(tmp_path, 5) == []
    write_rows(tmp_path, ROWS)
    assert read_rows(tmp_path, 2) == ROWS
    assert read_rows(tmp_path, 1) == ROWS[:1]


def test_run_says_where_its_time_went(tiny_run: Path) -> None:
    """Six images in batches of four: two steps an epoch, the last of them filled up."""
    parts = {"classifier": {"data", "network", "rest"}}
    parts["graph_cut"] = {*parts["classifier"], "supervision", "crf", "crf_work"}
    for folder, epochs in (("classifier", 1), ("graph_cut", 2)):
        record = json.loads((tiny_run / folder / "throughput.json").read_text())
        assert [row["images"] for row in record["epochs"]] == [8] * epochs
        assert record["images"] == 8 * epochs
        shares = record["shares"]
        assert set(shares) == parts[folder]
        assert sum(share for part, share in shares.items() if part != "crf_work") == pytest.approx(
            1
        )
        assert all(share > 0 for share in shares.values())
        whole = sum(sum(row["seconds"].values()) for row in record["epochs"])
        whole -= sum(row["seconds"].get("crf_work", 0) for row in record["epochs"])
        assert record["images_per_second"] == pytest.approx(8 * epochs / whole)
