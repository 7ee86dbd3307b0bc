"""The benchmark of the compat modules compares answers before it times them."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("skimage")
pytest.importorskip("maxflow")
from benchmarks.compat import CASES, Answer, check, measure

PYMAXFLOW = [name for name, case in CASES.items() if case.library == "maxflow"]


@pytest.mark.parametrize("name", PYMAXFLOW)
def test_cases_agree(name):
    row = measure(CASES[name], 0.06, 1)
    assert row["our_value"] == pytest.approx(row["their_value"])
    assert row["library"].startswith("PyMaxflow 1.")


def test_disagreement_is_found():
    case, labels = CASES["arrays of edges"], np.array([0, 1])
    assert check(case, Answer(3, labels), Answer(3, labels)) == 0
    with pytest.raises(AssertionError, match="our value 4 is above 3"):
        check(case, Answer(4, labels), Answer(3, labels))
    with pytest.raises(AssertionError, match=r"50\.00% of the labels differ"):
        check(case, Answer(3, labels), Answer(3, labels * 0))
