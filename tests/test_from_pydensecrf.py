"""The two programs of docs/from-pydensecrf.md are run and compared."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from crf_scenes import photograph, scores

import graphcut_ext as gx

GUIDE = Path(__file__).parents[1] / "docs" / "from-pydensecrf.md"


def test_programs_give_the_same_marginals():
    densecrf = pytest.importorskip("pydensecrf.densecrf")
    theirs, ours = re.findall(r"```python\n(.*?)```", GUIDE.read_text(encoding="utf-8"), re.DOTALL)
    height, width, labels = 60, 80, 5
    image = np.ascontiguousarray(photograph("coffee", height, width).permute(1, 2, 0).numpy())
    probabilities = scores(labels, height, width, smooth=True).softmax(0).numpy()
    names: dict[str, Any] = {"np": np, "torch": torch, "gx": gx, "densecrf": densecrf}
    names |= {"height": height, "width": width, "labels": labels}
    names |= {"image": image, "probabilities": probabilities}
    exec(theirs, names)
    expected = names.pop("marginals")
    exec(ours, names)
    np.testing.assert_allclose(names["marginals"].numpy(), expected, atol=1e-3)
    assert np.abs(expected - probabilities).max() > 0.3  # it did something
