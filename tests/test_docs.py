"""Every Python example of the README and of the documentation runs, in the order of its page.

A block whose first line is the comment ``# NAME`` of a rival, as `RIVALS` has it, is that package's
program for what the block after it does with ours; both must give the same. A block in the language
``text`` is what the example before it prints. The examples of the docstrings run as well.
"""

from __future__ import annotations

import contextlib
import doctest
import importlib
import io
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from crf_scenes import photograph, scores
from documentation import PAGES, blocks, name
from PIL import Image

import graphcut_ext as gx

Names = dict[str, Any]

RIVALS = {
    "PyMaxflow": {"maxflow": "maxflow", "fastmin": "maxflow.fastmin"},
    "pydensecrf": {"densecrf": "pydensecrf.densecrf"},
    "torch": {},
}
RESULTS = {  # what is compared, and how closely
    "value": 1e-12,
    "foreground": 0,
    "distances": 1e-5,
    "indices": 0,
    "marginals": 1e-3,
}


def pictures() -> Names:
    """For the guide from PyMaxflow: a small picture, weights of its edges, costs of 3 labels."""
    rng = np.random.default_rng(0)
    image, weights = 0.6 * rng.random((12, 15)), rng.random((12, 15)) / 20
    image[3:9, 4:11] += 0.4
    pairwise = 0.4 * np.abs(np.subtract.outer(range(3), range(3)))
    unary = rng.random((12, 15, 3))
    return {"np": np, "torch": torch, "gx": gx} | {
        "image": image,
        "weights": weights,
        "unary": unary,
        "pairwise": pairwise,
    }


def scene() -> Names:
    """For the guide from pydensecrf: a photograph and probabilities of 5 labels."""
    height, width, labels = 60, 80, 5
    image = np.ascontiguousarray(photograph("coffee", height, width).permute(1, 2, 0).numpy())
    probabilities = scores(labels, height, width, smooth=True).softmax(0).numpy()
    return {"np": np, "torch": torch, "gx": gx} | {
        "height": height,
        "width": width,
        "labels": labels,
        "image": image,
        "probabilities": probabilities,
    }


def clouds() -> Names:
    """For the guide from torch.cdist: points with a batch dimension, and queries."""
    return {"torch": torch, "gx": gx, "x": torch.randn(2, 200, 8), "query": torch.randn(2, 50, 8)}


GIVEN: dict[str, Callable[[], Names]] = {
    "docs/from-pymaxflow.md": pictures,
    "docs/from-pydensecrf.md": scene,
    "docs/from-cdist.md": clouds,
}


def run(code: str, page: Path, names: Names) -> str:
    """Run an example; returns what it prints."""
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        exec(compile(code, name(page), "exec"), names)
    return printed.getvalue()


def compare(ours: Names, theirs: Names) -> None:
    if "labels" in theirs and "value" in theirs:  # expansions end in different minima
        assert ours["value"] == pytest.approx(theirs["value"], rel=0.02)
        return
    common = [result for result in RESULTS if result in theirs]
    assert common
    for result in common:
        found, expected = (np.asarray(names[result]) for names in (ours, theirs))
        np.testing.assert_allclose(found, expected, rtol=RESULTS[result], atol=RESULTS[result])
        assert expected.size == 1 or expected.min() != expected.max()  # it did something


@pytest.mark.parametrize(
    "page", [p for p in PAGES if any(b.language == "python" for b in blocks(p))], ids=name
)
def test_examples_run(page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    torch.manual_seed(0)
    Image.fromarray(photograph("coffee", 60, 80).permute(1, 2, 0).numpy()).save("photo.jpg")
    ours = GIVEN.get(name(page), dict)()
    theirs = dict(ours)
    waiting, printed = False, ""
    for language, code in blocks(page):
        if language == "text":
            assert printed == code
        if language != "python":
            continue
        rival = code.splitlines()[0].removeprefix("# ")
        if rival in RIVALS:
            modules = {key: rival_module(module) for key, module in RIVALS[rival].items()}
            waiting = all(modules.values())
            if waiting:
                run(code, page, theirs := theirs | modules)
            continue
        printed = run(code, page, ours)
        if waiting:
            compare(ours, theirs)
        waiting = False


def rival_module(module: str) -> Any:
    """The module, or None where there is none: pydensecrf2 does not build on Python 3.13."""
    if module.startswith("pydensecrf") and sys.version_info >= (3, 13):
        return None
    return importlib.import_module(module)


def test_examples_of_docstrings_run() -> None:
    public = {public: getattr(gx, public) for public in gx.__all__}
    runner = doctest.DocTestRunner()
    with_examples = set()
    for operator in public.values():
        names = {"np": np, "torch": torch, "io": io, **public}
        for examples in doctest.DocTestFinder().find(operator, globs=names, name="gx"):
            if examples.examples:
                with_examples.add(operator)
                assert runner.run(examples).failed == 0, operator
    assert {gx.maxflow, gx.knn, gx.dense_crf, gx.Graph, gx.alpha_expansion} <= with_examples
