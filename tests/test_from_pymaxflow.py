"""The guide for users of PyMaxflow: its examples run, and both sides give the same."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
import torch

import graphcut_ext as gx

GUIDE = Path(__file__).parents[1] / "docs" / "from-pymaxflow.md"


def examples() -> list[tuple[str | None, str]]:
    """Pairs of PyMaxflow's code, where there is any, and ours."""
    blocks = re.findall(r"```python\n(.*?)```", GUIDE.read_text(encoding="utf-8"), re.DOTALL)
    theirs = [block.startswith("# PyMaxflow\n") for block in blocks]
    return [
        (blocks[k - 1] if k and theirs[k - 1] else None, block)
        for k, block in enumerate(blocks)
        if not theirs[k]
    ]


def names() -> dict[str, object]:
    rng = np.random.default_rng(0)
    image, weights = 0.6 * rng.random((12, 15)), rng.random((12, 15)) / 20
    image[3:9, 4:11] += 0.4
    pairwise = 0.4 * np.abs(np.subtract.outer(range(3), range(3)))
    return {
        "np": np,
        "torch": torch,
        "gx": gx,
        "image": image,
        "weights": weights,
        "unary": rng.random((12, 15, 3)),
        "pairwise": pairwise,
    }


def test_our_examples_run():
    space = names()
    for _, ours in examples():
        exec(compile(ours, str(GUIDE), "exec"), space)
    assert space["graph"].source_side[0, :3].all()
    assert space["labels"].shape == (12, 15)


def test_both_sides_give_the_same():
    pymaxflow = pytest.importorskip("maxflow")
    pytest.importorskip("maxflow.fastmin")
    space, their_space = names(), names() | {"maxflow": pymaxflow}
    compared = 0
    for theirs, ours in examples():
        exec(compile(ours, str(GUIDE), "exec"), space)
        if theirs is None:
            continue
        exec(compile(theirs, str(GUIDE), "exec"), their_space)
        compared += 1
        if "labels" in their_space:  # expansions end in different minima
            assert space["value"] == pytest.approx(their_space["value"], rel=0.02)
            continue
        assert space["value"] == pytest.approx(their_space["value"], rel=1e-12)
        foreground = np.asarray(space["foreground"])
        assert foreground.tolist() == np.asarray(their_space["foreground"]).tolist()
        assert foreground.any()
        assert not foreground.all()
    assert compared == 5


def test_every_method_is_there():
    """All that PyMaxflow's graphs can do is in the table, and all that the table names exists."""
    pymaxflow = pytest.importorskip("maxflow")
    text = GUIDE.read_text(encoding="utf-8")
    table = [line for line in text.splitlines() if line.startswith("| `")]
    left = " ".join(line.split(" | ")[0] for line in table)
    for name in dir(pymaxflow.GraphFloat):
        if not name.startswith("_") and name not in ("get_edge_num", "get_node_num"):
            assert f"g.{name}(" in left, name
    right = " ".join(line.split(" | ")[1] for line in table)
    for name in re.findall(r"\bg\.(\w+)", right):
        assert hasattr(gx.Graph, name), name
    for name in re.findall(r"\bgx\.(\w+)", text):
        assert hasattr(gx, name), name
